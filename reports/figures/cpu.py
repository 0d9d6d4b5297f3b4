"""CPU time per operation, user and system."""

from .. import units
from ..panels import footer, more_panels, overview, styles, with_rows
from ..sheet import Key, Words
from ..style import INK, MUTED
from .lanes import MOST_LANES, Axis, Bar, Lane, by_layout, lane_sheet
from .throughput import NOTHING, state

KEY = "cpu"
TITLE = "CPU time per operation"
CAPTION = ("User and system time of the whole process over the operations of the window; system "
           "time is hatched. The whisker is the least and the most of the repetitions. The upright "
           "mark is what the harness alone takes in the same layout: what lies right of it is the "
           "driver and the kernel.")
KEYS = (Key("user", MUTED, bar=True), Key("system", MUTED, bar=True, hatch="//////"),
        Key("harness alone", INK, marker="|"))


def _lane(row, colour):
    lane = Lane(row.driver)
    if row.cpu_ns_per_op is None:
        lane.texts.append(state(row))
        return lane
    # The split is of two medians: scaled so that they add up to the median of the sum.
    parts = (row.cpu_user_ns_per_op or 0) + (row.cpu_system_ns_per_op or 0)
    user = row.cpu_ns_per_op * ((row.cpu_user_ns_per_op or 0) / parts if parts else 0)
    lane.bars = [Bar(0, user, colour), Bar(user, row.cpu_ns_per_op, colour, "//////")]
    lane.whisker = (row.cpu_ns_per_op, row.cpu_ns_per_op_min, row.cpu_ns_per_op_max)
    lane.rule = row.price_ns_per_op
    lane.texts.append(units.three_digits(row.cpu_ns_per_op))
    return lane


def draw(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.cpu_ns_per_op is not None)
    if not panels:
        return NOTHING
    look = styles(summary)
    sheets = []
    for panel in panels:
        lanes = by_layout(panel.rows, lambda row: _lane(row, look[row.driver][0]))
        words = Words(f"CPU time per operation, {panel.title}", panel.parameters,
                      footer(summary.run) + more_panels(left_out), KEYS)
        sheets.append(lane_sheet(words, lanes, Axis("CPU ns per operation", units.number_tick),
                                 ("ns/op",), len(panel.rows) - MOST_LANES))
    return sheets
