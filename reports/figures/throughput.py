"""Throughput of each driver, shared against per-thread."""

from .. import units
from ..panels import footer, more_panels, overview, styles, with_rows, workload_of
from ..sheet import Key, Words
from ..style import FILL, MUTED
from ..summarise import NULL_DRIVER
from .lanes import MOST_LANES, Axis, Lane, Mark, lane_sheet

KEY = "throughput"
TITLE = "Throughput"
CAPTION = ("Each driver on its line: the filled mark is a context per thread, the hollow one a "
           "context that all submitters share; the bar between them is what sharing changes. "
           "Whiskers run from the least to the most of the repetitions. Scales are logarithmic and "
           "differ between targets; an arrow stands for the null driver where it lies beyond them.")
NOTHING = "nothing was measured"
WIDE_NAME_CHARACTERS = 18


def state(row):
    """Why a row shows no number."""
    if row is None:
        return ""
    if row.skipped:
        return "skipped"
    return "failed" if row.failed else "not run"


def layout_keys(panels):
    workloads = dict.fromkeys(workload_of(layout) for panel in panels for layout in panel.layouts)
    return tuple(Key(workload, MUTED, marker="o", fill=FILL.get(workload, "full"))
                 for workload in workloads)


def _ratio_pair(panel):
    """The layouts whose ratio the last column shows."""
    shared = [layout for layout in panel.layouts if workload_of(layout) == "shared"]
    alone = [layout for layout in panel.layouts if workload_of(layout) == "per-thread"]
    return (shared[0], alone[0]) if len(shared) == len(alone) == 1 else None


def _lane(panel, driver, style, columns, pair):
    rows = [panel.of(driver, layout) for layout in panel.layouts]
    rows = [row for row in rows if row is not None and row.operations_per_s]
    lane = Lane(driver)
    for row in rows:
        lane.marks.append(Mark(row.operations_per_s, row.operations_per_s_min,
                               row.operations_per_s_max, *style,
                               FILL.get(row.row.config["workload"], "full")))
    if len(rows) > 1:
        rates = [row.operations_per_s for row in rows]
        lane.line = (min(rates), max(rates), style[0])
    for layout in columns:
        row = panel.of(driver, layout)
        known = row is not None and row.operations_per_s is not None
        lane.texts.append(units.rate(row.operations_per_s) if known else state(row))
    if pair:
        shared, alone = (panel.of(driver, layout) for layout in pair)
        known = shared and alone and shared.operations_per_s and alone.operations_per_s
        lane.texts.append(units.times(shared.operations_per_s / alone.operations_per_s)
                          if known else "")
    return lane


def draw(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.operations_per_s)
    if not panels:
        return NOTHING
    look = styles(summary)
    sheets = []
    for panel in panels:
        pair = _ratio_pair(panel)
        narrow = max(map(len, panel.drivers)) > WIDE_NAME_CHARACTERS
        columns = [] if narrow and pair else panel.layouts[:2]
        heads = [layout.replace("per-thread", "per-thr.").replace(" ", "\n") for layout in columns]
        # The null driver is decades faster: with it on the scale the others would be one spot.
        rows = [row for row in panel.measured if row.driver != NULL_DRIVER] or panel.measured
        values = [value for row in rows if row.operations_per_s
                  for value in (row.operations_per_s_min, row.operations_per_s_max)]
        words = Words(f"Throughput, {panel.title}", panel.parameters,
                      footer(summary.run) + more_panels(left_out), layout_keys([panel]))
        sheets.append(lane_sheet(
            words, [_lane(panel, driver, look[driver], columns, pair)
                    for driver in panel.drivers[:MOST_LANES]],
            Axis("operations per second, logarithmic", units.rate_tick, log=True,
                 values=tuple(values)), (*heads, *(["ratio"] if pair else [])),
            len(panel.drivers) - MOST_LANES))
    return sheets
