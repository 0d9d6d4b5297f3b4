"""Which rows of a run belong into one panel of a figure, and the words for what they share."""

import functools
from dataclasses import dataclass

from . import units
from .sheet import SEPARATOR
from .style import KNOWN, driver_styles
from .summarise import imported

MOST_PANELS = 12
MOST_CELLS = 6  # of a panel
MOST_DRIVERS = 8  # whose curves one plot holds


@dataclass
class Panel:
    """Rows that differ in driver, threads and contexts only."""

    title: str
    parameters: str
    rows: list  # summarise.RowSummary

    @functools.cached_property
    def drivers(self):
        return list(dict.fromkeys(row.driver for row in self.rows))

    @functools.cached_property
    def layouts(self):
        return list(dict.fromkeys(row.layout for row in self.rows))

    @functools.cached_property
    def measured(self):
        return [row for row in self.rows if row.measured]

    @functools.cached_property
    def _places(self):
        places = {}
        for row in self.rows:
            places.setdefault((row.driver, row.layout), row)
        return places

    def of(self, driver, layout):
        """The row of a driver and a layout, or None."""
        return self._places.get((driver, layout))


def workload_of(layout):
    return layout.split(" ")[0]


def parameters(config):
    """What the operations of a row are, in short."""
    text = (f"depth {config['depth']}, batch {config['batch']}, "
            f"{units.size(config['block_size_bytes'])} {config['operation']}")
    if config["operation"] == "mixed":
        text += f" ({config['read_percent']:g} % reads)"
    if config["target"].startswith("file:"):
        text += f" {config['pattern']}, {'buffered' if config['buffered'] else 'O_DIRECT'}"
    if config["reap_min"] != 1:
        text += f", reap min {config['reap_min']}"
    if config["rate_per_s"]:
        text += f", open loop {units.rate_tick(config['rate_per_s'])}op/s {config['arrival']}"
    if config["verify"]:
        text += ", verified"
    if config["latency"] != "auto":
        text += f", latency {config['latency']}"
    if config.get("observe", "asked") != "asked":
        text += f", observed: {config['observe']}"
    return text


def _build(run):
    if imported(run):
        return f"{imported(run)}, imported"
    tool = run.header["tool"]
    commit = tool.get("commit") or "unknown commit"
    commit = f" ({commit}, modified)" if tool.get("dirty") else f" ({commit})"
    build = "" if tool["build_type"] == "Release" else f", {tool['build_type']} build"
    return f"aioscope {tool['version']}{commit}{build}" + (
        " with sanitizers" if tool["sanitizers"] else "")


def _host(run):
    host = run.header["host"]
    return (f"{host.get('name') or 'unnamed host'}: {host.get('cpu_model') or 'unknown CPU'}, "
            f"{host.get('cpus_usable', '?')} CPUs usable")


def _imported_parts(run):
    """Of another tool's run only what it says."""
    name, window_ns = run.header["host"].get("name"), run.header["plan"]["window_ns"]
    repetitions = run.header["plan"]["repetitions"]
    return [_build(run), *([str(name)] if name else []), f"{repetitions} repetitions"
            + (f" of {units.time(window_ns)}" if window_ns else "")]


def _length(plan):
    """Of a repetition."""
    operations = plan.get("operations")
    if isinstance(operations, int):
        return f"{operations:,} operations of each submitter"
    return units.time(plan["window_ns"])


def run_parameters(run):
    """The run in one line."""
    host, plan = run.header["host"], run.header["plan"]
    if imported(run):
        return f" {SEPARATOR} ".join(_imported_parts(run))
    parts = [_build(run), _host(run) + (", virtual machine" if host.get("virtual_machine") else ""),
             f"Linux {host.get('kernel') or '?'}",
             f"{plan['repetitions']} repetitions of {_length(plan)} after "
             f"{units.time(plan['warmup_ns'])} warm-up, interleaved",
             f"pin {plan.get('pin') or 'none'}", f"seed {run.header.get('seed', '?')}"]
    if run.incomplete:
        parts.append("INCOMPLETE")
    return f" {SEPARATOR} ".join(parts)


def footer(run):
    """The same, shorter: the line below every figure."""
    host, plan = run.header["host"], run.header["plan"]
    if imported(run):
        return units.shorten(f" {SEPARATOR} ".join(_imported_parts(run)), 140)
    parts = [_build(run), units.shorten(_host(run), 60),
             f"Linux {units.shorten(str(host.get('kernel') or '?'), 30)}",
             f"{plan['repetitions']} \u00d7 {_length(plan)}",
             f"seed {run.header.get('seed', '?')}"]
    return f" {SEPARATOR} ".join(["INCOMPLETE"] * bool(run.incomplete) + parts)


def target_words(config):
    return f"target {units.shorten(config['target_label'], 48)}"


def by_shape(summary):
    """{shape: rows}, in the order of the plan."""
    groups = {}
    for row in summary.shown:
        groups.setdefault(row.shape, []).append(row)
    return groups


def overview(summary):
    """One panel per shape, with the most submitters that it was run with."""
    panels = []
    for rows in by_shape(summary).values():
        most = max(row.row.config["submitters"] for row in rows)
        chosen = [row for row in rows if row.row.config["submitters"] == most]
        config = chosen[0].row.config
        fewer = len({row.row.config["submitters"] for row in rows}) > 1
        panels.append(Panel(
            target_words(config),
            f"{most} submitter{'s' * (most != 1)}{' (the most of this run)' * fewer}, "
            + parameters(config), chosen))
    return panels


def scaling(summary):
    """One panel per shape that was run with several counts of submitters."""
    panels = []
    for rows in by_shape(summary).values():
        if len({row.row.config["submitters"] for row in rows if row.measured}) > 1:
            config = rows[0].row.config
            panels.append(Panel(target_words(config), parameters(config), rows))
    return panels


def with_rows(panels, has):
    """At most MOST_PANELS panels that have something to show, and how many more there are."""
    useful = [panel for panel in panels if any(has(row) for row in panel.measured)]
    return useful[:MOST_PANELS], max(0, len(useful) - MOST_PANELS)


def styles(summary):
    return driver_styles(list(dict.fromkeys(row.driver for row in summary.shown)))


def more_panels(count):
    """What a figure says of the panels that it leaves out."""
    return note(units.more(count, "combination", "in the table"))


def note(text):
    """A further part of a footer, or nothing."""
    return f" {SEPARATOR} {text}" if text else ""


def cells(names):
    """At most MOST_CELLS of what a panel has a plot for each of, and what to say of the rest."""
    names = list(dict.fromkeys(names))
    more = units.more(len(names) - MOST_CELLS, "layout", "in the table")
    return names[:MOST_CELLS], note(more)


def curves_of(rows):
    """Rows of at most MOST_DRIVERS drivers, the known ones first, and what to say of the rest."""
    drivers = list(dict.fromkeys(row.driver for row in rows))
    first = sorted(drivers, key=lambda driver: driver not in KNOWN)[:MOST_DRIVERS]
    more = units.more(len(drivers) - len(first), "driver", "in the table")
    return [row for row in rows if row.driver in first], note(more)
