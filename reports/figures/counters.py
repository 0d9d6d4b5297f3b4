"""Counts per operation: of the kernel, the processor and the driver itself."""

from .. import inside, units
from ..panels import footer, more_panels, note, overview, styles, with_rows
from ..sheet import Words
from ..style import FILL
from .lanes import MOST_LANES, Axis, Lane, Mark, by_layout, lane_sheet

KEY = "counters"
TITLE = "Counts per operation"
CAPTION = ("Exact counts hardly vary from one repetition to the next, so they show a change that "
           "times hide. Marks are medians, whiskers the least and the most of the repetitions; "
           "0 cannot be drawn on a logarithmic scale and stands at the right.")
MOST_COUNTS = 10  # of figures; the table has all
TWICE = ("context-switches", "cpu-migrations", "page-faults")  # counted by the usage, too
RARE = 0.001  # per operation


def _measured(row, name):
    return inside.spread(item.measurement.get(name) for item in row.repetitions)


def counts(summary):
    """{name: {row index: Spread}}, of every count that any row has."""
    found = {}

    def add(name, row, spread):
        if spread is not None:
            found.setdefault(name, {})[row.row.index] = spread

    for row in summary.measured:
        traced = [item.measurement["system_calls_per_op"] for item in row.repetitions
                  if item.measurement["system_calls_source"] == "tracepoint"]
        name = "system calls" if traced else "system calls (as the driver counts)"
        add(name, row, inside.spread(traced or [item.measurement["system_calls_per_op"]
                                                for item in row.repetitions]))
        add("context switches", row, _measured(row, "context_switches_per_op"))
        add("page faults", row, _measured(row, "faults_per_op"))
        add("migrations", row, _measured(row, "migrations_per_op"))
        add("lock acquisitions", row, inside.acquisitions(row))
        add("shared atomic writes", row, inside.driver_count(row, "shared_rmw"))
        add("allocations", row, inside.driver_count(row, "allocations"))
        add("wake-ups", row, inside.driver_count(row, "wakeups"))
        for counter in inside.counters(row).values():
            unit = "" if counter.unit == "count" else f", {counter.unit}"
            add(counter.name + unit, row, counter.per_op)
    return found


def unit_of(values):
    """(operations that a count is told per, those words): rare things are told per million."""
    largest = max((spread.value for spread in values.values()), default=0)
    return (1, "operation") if largest >= RARE or not largest else (1e6, "million operations")


def per_unit(spread, operations):
    return None if spread is None else inside.Spread(
        spread.value * operations, spread.least * operations, spread.most * operations)


def missing(summary):
    """[(counters, why no row has a value of them)]."""
    names = {}
    for row in summary.measured:
        for counter in inside.counters(row).values():
            if counter.per_op is None:
                reason = counter.reason or "no reason given"
                names.setdefault(reason, {})[counter.name] = True
    return [(", ".join(counted), reason) for reason, counted in names.items()]


def scaled(summary):
    """{name: least share of the time that it counted}, of counters that were multiplexed."""
    found = {}
    for row in summary.measured:
        for counter in inside.counters(row).values():
            if counter.scaled and counter.running is not None:
                found[counter.name] = min(counter.running, found.get(counter.name, 1.0))
    return found


def _sheet(summary, panel, name, values, look, said):
    rows = [row for row in panel.measured if row.row.index in values]
    operations, unit = unit_of(values)

    def lane(row):
        count = per_unit(values[row.row.index], operations)
        fill = FILL.get(row.row.config["workload"], "full")
        marks = [Mark(count.value, count.least, count.most, *look[row.driver], fill)]
        return Lane(row.driver, marks if count.value > 0 else [],
                    texts=[units.three_digits(count.value)])

    words = Words(f"{name[:1].upper()}{name[1:]} per {unit}, {panel.title}", panel.parameters,
                  footer(summary.run) + said)
    return lane_sheet(words, by_layout(rows, lane),
                      Axis(f"per {unit}, logarithmic", units.number_tick, log=True),
                      ("per op" if operations == 1 else "per 10\u2076",), len(rows) - MOST_LANES)


def draw(summary):
    found = counts(summary)
    interesting = [name for name, values in found.items()
                   if any(spread.value > 0 for spread in values.values())]
    panels, left_out = with_rows(overview(summary), lambda row: any(
        row.row.index in found[name] for name in interesting))
    if not panels:
        return "nothing was measured"
    look = styles(summary)
    first = panels[0]
    shown = [name for name in interesting if name not in TWICE
             and any(row.row.index in found[name] for row in first.measured)]
    said = more_panels(left_out + len(panels) - 1) + note(
        units.more(len(shown) - MOST_COUNTS, "count", "in the table"))
    return [_sheet(summary, first, name, found[name], look, said) for name in shown[:MOST_COUNTS]]
