"""Tier 0: what must hold before a number counts. Bytes that were checked and errors that were none
come before speed."""

from reports import environment
from reports.compare.columns import unlike
from reports.summarise import summarise

from .errors import Invalid


def stolen():
    """(ticks that the hypervisor took, all ticks) of all CPUs so far; (0, 0) where the kernel does
    not say."""
    try:
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(field) for field in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0, 0
    return (fields[7] if len(fields) > 7 else 0), sum(fields)


def steal_share(before, after):
    """Part of the CPU time between two stolen()."""
    total = after[1] - before[1]
    return (after[0] - before[0]) / total if total > 0 else 0.0


def check_build(run, force):
    """Raises Invalid for a build whose numbers say nothing about speed."""
    tool = run.header["tool"]
    if force or (tool["build_type"] == "Release" and not tool["sanitizers"]):
        return
    sanitizers = f" with sanitizers ({tool['sanitizers']})" if tool["sanitizers"] else ""
    raise Invalid(f"is a {tool['build_type'] or 'nameless'} build{sanitizers}, whose numbers say "
                  "nothing about speed: build the preset release (--force goes on)")


def check_complete(run):
    """Raises Invalid when a run failed in part, or its operations do not add up."""
    if run.incomplete:
        raise Invalid(f"its result is incomplete: {run.incomplete}")
    if run.failed:
        first = run.failed[0]
        more = f" (and {len(run.failed) - 1} more)" if len(run.failed) > 1 else ""
        raise Invalid(f"{first['name']} failed: {first['message']}{more}")
    if not run.repetitions:
        reason = f": {run.skipped[0]['reason']}" if run.skipped else ""
        raise Invalid(f"it measured nothing{reason}")
    for item in run.repetitions:
        found = item.measurement
        if not found["operations"]:
            raise Invalid(f"{run.rows[item.row].name} completed no operation")
        if found.get("submitted") != found.get("completed"):
            raise Invalid(f"{run.rows[item.row].name} submitted {found.get('submitted')} "
                          f"operations and completed {found.get('completed')}")


def fingerprint(run):
    return str(run.header["host"].get("fingerprint") or "")


def check_alike(base, new, force):
    """Sentences of what differs between the environments of two validate.Run. Raises Invalid when
    that alone may be the difference, unless `force`."""
    found = unlike([summarise(base), summarise(new)])
    texts = [f"{label}: {' | '.join(values)}" for label, values in found]
    if found and not force:
        raise Invalid("the arms were measured on unlike machines or builds: "
                      f"{'; '.join(texts)} (--force compares them all the same)")
    return [f"The arms differ: {text}." for text in texts]


def host_words(run):
    """{label: text} of the machine, for the outputs."""
    fields = environment.of_run(run)
    return {label: fields[label] for label in ("Kernel", "CPU", "CPUs usable", "Name")
            if label in fields}
