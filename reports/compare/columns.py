"""What stands beside what: a column per result file, or per value of one key within a file."""

from dataclasses import dataclass, field

from .. import environment, units
from ..comparison import unlike

# Follow from other keys of a row, or say them again.
DERIVED = ("threads", "contexts", "target_label")
ALSO_VARIES = {"workload": ("reapers",), "target": ("block_size_bytes",)}


class Incomparable(Exception):
    """The text says what differs, or that there is nothing to compare."""


@dataclass
class Column:
    label: str
    rows: dict  # name -> summarise.RowSummary
    summary: object = None  # of its file


@dataclass
class Columns:
    """The first column is the base."""

    columns: list
    paired: bool  # the repetitions of one round were measured in turns
    key: str = ""  # that tells the columns apart; empty for files
    unlike: list = field(default_factory=list)  # (label, texts) that forbid a comparison
    differing: list = field(default_factory=list)  # (label, texts) of the environment
    notes: list = field(default_factory=list)  # sentences

    @property
    def base(self):
        return self.columns[0]

    @property
    def others(self):
        return self.columns[1:]

    def missing(self):
        """[(column, names of the base that it lacks, names that only it has)], not empty ones."""
        found = []
        for column in self.others:
            lacks = [name for name in self.base.rows if name not in column.rows]
            new = [name for name in column.rows if name not in self.base.rows]
            if lacks or new:
                found.append((column, lacks, new))
        return found


def _rows(summary, wanted):
    return {row.row.name: row for row in reversed(summary.measured) if wanted.search(row.row.name)}


def _in_order(rows, summary):
    return {row.row.name: rows[row.row.name] for row in summary.measured if row.row.name in rows}


def _differences(summaries):
    """[(label, texts)] of what the headers say differently."""
    fields = [environment.of_run(summary.run) for summary in summaries]
    for one, summary in zip(fields, summaries):
        plan = summary.run.header["plan"]
        one["Window"] = units.time(plan["window_ns"])
        one["Warm-up"] = units.time(plan["warmup_ns"])
        one["Repetitions"] = str(plan["repetitions"])
    labels = dict.fromkeys(label for one in fields for label in one)
    found = []
    for label in labels:
        texts = [one.get(label, environment.UNKNOWN) for one in fields]
        if len(set(texts)) > 1:
            found.append((label, texts))
    return found


def of_files(summaries, labels, wanted):
    """A column per file. Raises Incomparable when two have no row in common."""
    columns = [Column(label, _in_order(_rows(summary, wanted), summary), summary)
               for summary, label in zip(summaries, labels)]
    for column in columns[1:]:
        if not columns[0].rows.keys() & column.rows.keys():
            raise Incomparable(f"{columns[0].label} and {column.label} have no row of one name"
                               f"{' that matches' * bool(wanted.pattern)}")
    differing = _differences(summaries)
    notes = [f"{column.label} is incomplete: {column.summary.run.incomplete}" for column in columns
             if column.summary.run.incomplete]
    notes += [f"{column.label}: {len(row.failed)} repetitions failed: {row.row.name}"
              for column in columns for row in column.rows.values() if row.failed]
    return Columns(columns, False, unlike=unlike([one.run for one in summaries]),
                   differing=differing, notes=notes)


def keys_of(summary):
    return sorted({key for row in summary.measured for key in row.row.config} - set(DERIVED))


def _group(config, key):
    left_out = (key, *DERIVED, *ALSO_VARIES.get(key, ()))
    return tuple(sorted((name, repr(value)) for name, value in config.items()
                        if name not in left_out))


def _common_parts(names):
    """The parts of names like a/b/key:1 that all of them have."""
    split = [name.split("/") for name in names]
    if len(set(map(len, split))) == 1:
        return "/".join(parts[0] for parts in zip(*split) if len(set(parts)) == 1)
    shortest = min(split, key=len)
    return "/".join(part for part in shortest if all(part in other for other in split))


def of_key(summary, key, baseline, wanted):
    """A column per value of `key` in one file, the one of `baseline` first, or the first of the
    plan when it is None. Raises Incomparable."""
    if key not in keys_of(summary):
        raise Incomparable(f"no key {key!r}; there are {', '.join(keys_of(summary))}")
    groups, values = {}, {}
    for row in summary.measured:
        if wanted.search(row.row.name):
            value = str(row.row.config.get(key))
            values.setdefault(value, {})
            groups.setdefault(_group(row.row.config, key), {}).setdefault(value, row)
    if baseline is None:
        baseline = next(iter(values), None)
    if baseline not in values:
        raise Incomparable(f"no row has {key}={baseline}; there are "
                           f"{', '.join(values) or 'no rows'}")
    for number, group in enumerate(groups.values()):
        name = _common_parts([row.row.name for row in group.values()])
        if len(group) > 1 and any(name in rows for rows in values.values()):
            name += f"/#{number}"
        for value, row in group.items():
            values[value][name if len(group) > 1 else row.row.name] = row
    ordered = [baseline, *(value for value in values if value != baseline)]
    columns = [Column(f"{key}={value}", values[value], summary) for value in ordered]
    others = [column for column in columns[1:] if column.rows.keys() & columns[0].rows.keys()]
    if not others:
        raise Incomparable(f"no row differs from one of {key}={baseline} in {key} alone")
    notes = [f"{summary.run.path} is incomplete: {summary.run.incomplete}"] \
        if summary.run.incomplete else []
    return Columns([columns[0], *others], True, key, notes=notes)


def refuse_unlike(found):
    """Raises Incomparable when the runs are unlike."""
    if found.unlike:
        lines = [f"  {label}: {' | '.join(texts)}" for label, texts in found.unlike]
        names = ", ".join(column.label for column in found.columns)
        raise Incomparable(f"{names} were measured on unlike machines, builds, targets or "
                           "windows:\n" + "\n".join(lines) + "\n--force compares them all the same")

