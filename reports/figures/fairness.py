"""How evenly the submitters are served."""

from .. import inside, units
from ..panels import footer, more_panels, overview, styles, with_rows
from ..sheet import Key, Words
from ..style import FILL, MUTED
from .lanes import MOST_LANES, Axis, Lane, Mark, by_layout, lane_sheet

KEY = "fairness"
TITLE = "Fairness"
CAPTION = ("Operations of each submitter over the mean of all: the mark is the median of the "
           "slowest and of the fastest thread over the repetitions, the whisker the least and the "
           "most of them; the upright line is an equal share. Jain's index is 1 when all are "
           "served alike and 1/N when one has everything.")


def _ends(row):
    """Spread of the slowest and of the fastest thread's share."""
    shares = inside.thread_shares(row)
    return inside.spread(map(min, shares)), inside.spread(map(max, shares))


def _lane(row, style):
    lane = Lane(row.driver)
    fill = FILL.get(row.row.config["workload"], "full")
    for end in _ends(row):
        lane.marks.append(Mark(end.value, end.least, end.most, *style, fill))
    lane.line = (lane.marks[0].value, lane.marks[1].value, style[0])
    lane.texts = [units.three_digits(row.fairness_jain)]
    return lane


def draw(summary):
    panels, left_out = with_rows(overview(summary), lambda row: any(
        len(shares) > 1 for shares in inside.thread_shares(row)))
    if not panels:
        return "no row ran more than one submitter"
    look = styles(summary)
    sheets = []
    for panel in panels:
        rows = [row for row in panel.measured if inside.thread_shares(row)]
        lanes = by_layout(rows, lambda row: _lane(row, look[row.driver]))
        words = Words(f"Fairness, {panel.title}", panel.parameters,
                      footer(summary.run) + more_panels(left_out),
                      (Key("slowest and fastest thread", MUTED, marker="o"),))
        axis = Axis("share of the mean", units.times_tick, zero=False, reference=1.0)
        sheets.append(lane_sheet(words, lanes, axis, ("Jain",), len(rows) - MOST_LANES))
    return sheets
