"""Tier 0: what must hold before a number counts. That no operation failed or was lost comes before
speed; bytes are compared where a row asks for it (--verify)."""

from reports import environment, units
from reports.comparison import unlike

from .errors import Invalid

LEAST_WINDOW = 0.9  # of the planned one that a repetition must have been measured


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
    planned_ns = run.header["plan"]["window_ns"]
    for item in run.repetitions:
        found = item.measurement
        if planned_ns and found["window_ns"] < LEAST_WINDOW * planned_ns:
            raise Invalid(f"{run.rows[item.row].name} was measured for "
                          f"{units.time(found['window_ns'])} of {units.time(planned_ns)}")
        if not found["operations"]:
            raise Invalid(f"{run.rows[item.row].name} completed no operation")
        if found.get("submitted") != found.get("completed"):
            raise Invalid(f"{run.rows[item.row].name} submitted {found.get('submitted')} "
                          f"operations and completed {found.get('completed')}")


def fingerprint(run):
    return str(run.header["host"].get("fingerprint") or "")


def _differences(runs):
    return [f"{label}: {' | '.join(values)}" for label, values in unlike(runs)]


def check_alike(runs, force):
    """Sentences of what differs between the environments of two validate.Run. Raises Invalid when
    that alone may be the difference, unless `force`."""
    texts = _differences(runs)
    if texts and not force:
        raise Invalid("the arms were measured on unlike machines, builds, targets or windows: "
                      f"{'; '.join(texts)} (--force compares them all the same)")
    return [f"The arms differ: {text}." for text in texts]


def check_one_kind(arm, runs):
    """Raises Invalid unless the files of one arm were measured alike: they are one sample."""
    texts = _differences(runs)
    if texts:
        raise Invalid(f"the files of {arm.side} were measured on unlike machines, builds, "
                      f"targets or windows: {'; '.join(texts)}")


def host_words(run):
    """{label: text} of the machine, for the outputs."""
    fields = environment.of_run(run)
    return {label: fields[label] for label in ("Kernel", "CPU", "CPUs usable", "Name")
            if label in fields}
