"""The machine and the build of each run, as rows of a table."""

import json
import shlex

from . import looking, units
from .table import Cell, Column, Table

LABELS = {"cpu_model": "CPU", "cpu_mhz": "CPU MHz", "cpus_online": "CPUs online",
          "cpus_usable": "CPUs usable", "cgroup_cpus": "CPUs of the control group", "smt": "SMT",
          "numa_nodes": "NUMA nodes", "commit": "Git commit", "dirty": "modified since the commit"}
UNKNOWN = "unknown"
MOST_FIELDS = 400
MOST_CHARACTERS = 2000  # of one of them


def _label(key):
    words = LABELS.get(key, key.removesuffix("_bytes").replace("_", " "))
    return words[:1].upper() + words[1:]


def _caches(caches):
    parts = []
    for cache in caches:
        if not isinstance(cache, dict):
            continue
        size = cache.get("size_bytes")
        text = (f"L{cache.get('level', '?')} {cache.get('type', '')} "
                f"{units.size(size) if isinstance(size, int) else UNKNOWN}")
        parts.append(text + (f" for {cache['num_sharing']} CPUs" if cache.get("num_sharing")
                             not in (None, 1) else ""))
    return ", ".join(parts) or UNKNOWN


def _text(key, value):
    if value is None or value == []:
        return UNKNOWN
    if value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key == "caches" and isinstance(value, list):
        return _caches(value)
    if key.endswith("_bytes") and isinstance(value, int):
        return units.size(value)
    if isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value):
        return ", ".join(str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(group, fields, tool="aioscope"):
    for key, value in fields.items():
        if isinstance(value, dict):
            for name, inner in value.items():
                yield f"{_label(key)} {name}", _text(name, inner)
        elif (group, key) != ("tool", "name"):
            # The host's name is "Name"; the tool's fields say what they belong to.
            yield _label(key) if group == "host" else f"{tool} {_label(key).lower()}", _text(
                key, value)


def of_machine(tool, host):
    """{label: text} of the tool and the host of a header."""
    return {**dict(_flat("tool", tool)), **dict(_flat("host", host))}


def target_words(target):
    """What a target is, without its names."""
    return ", ".join(f"{_label(key).lower()} {_text(key, value)}" for key, value in target.items()
                     if key not in ("target", "label"))


def of_run(run):
    """{label: text} of one run, in the order of its header."""
    tool = run.header["tool"]
    if isinstance(run.header.get("imported"), dict):
        known = {key: value for key, value in tool.items() if value not in ("", None)}
        fields = dict(_flat("tool", known, str(tool.get("name") or "another tool")))
        fields.update(_flat("host", run.header["host"]))
    else:
        fields = of_machine(tool, run.header["host"])
    for target in run.header.get("targets") or []:
        if isinstance(target, dict):
            fields[f"Target {target.get('target', '?')}"] = target_words(target)
    options = run.header.get("options")
    injected = options.get("inject") if isinstance(options, dict) else None
    fields["Injected work"] = _text("inject", injected or "")
    for instrument, price in looking.prices(run.header).items():
        fields[f"Price of {instrument}"] = price
    fields["Command"] = shlex.join(run.header["command"])
    return fields


def table(runs, names):
    """One column per run."""
    heads = [f"Run {i}: {name}" for i, name in enumerate(names, 1)] if len(runs) > 1 else ["Value"]
    return side_by_side([of_run(run) for run in runs], heads)


def side_by_side(columns, heads):
    """`columns`: {label: text} each; where they differ the row is highlighted."""
    labels = list(dict.fromkeys(label for column in columns for label in column))
    rows, differing = [], set()
    for label in labels[:MOST_FIELDS]:
        texts = [column.get(label, UNKNOWN) for column in columns]
        if len(set(texts)) > 1:
            differing.add(len(rows))
        rows.append([Cell(units.shorten(label, MOST_CHARACTERS), bold=True),
                     *(Cell(units.shorten(text, MOST_CHARACTERS)) for text in texts)])
    return Table("Environment", [Column("What", "text"), *(Column(head, "wide") for head in heads)],
                 rows, sortable=False, highlighted=differing,
                 note=units.more(len(labels) - MOST_FIELDS, "field", "in the raw data."))
