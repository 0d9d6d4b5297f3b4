"""What the threads did while they were not on a CPU."""

from .. import inside, units
from ..panels import footer, more_panels, overview, with_rows
from ..sheet import Key, Words
from ..style import WAITS
from .lanes import MOST_LANES, Axis, Bar, Lane, by_layout, lane_sheet

KEY = "off_cpu"
TITLE = "Off the CPU"
CAPTION = ("The time of the harness's threads in the window: on a CPU, which is the blank rest, or "
           "waiting, by what for. The whisker is the least and the most of the waiting in all over "
           "the repetitions. Waiting for a lock is the part of it that sleeps; spinning is on the "
           "CPU.")
WORDS = {"completions": "for completions", "lock": "for a lock", "other_wait": "for something else",
         "unknown": "for what is not known", "preempted": "for a CPU"}


def _lane(row):
    parts, whole = inside.off_cpu_shares(row)
    lane, start = Lane(row.driver, texts=[units.percent(whole.value)]), 0.0
    total = sum(part.value for part in parts.values() if part) or 1
    for name, part in parts.items():
        if part and part.value:
            # The medians of the parts need not add up to the median of their sum.
            end = start + whole.value * part.value / total
            lane.bars.append(Bar(start, end, WAITS[name]))
            start = end
    lane.whisker = (whole.value, whole.least, whole.most)
    return lane


def draw(summary):
    panels, left_out = with_rows(overview(summary),
                                 lambda row: inside.off_cpu_shares(row)[1] is not None)
    if not panels:
        return inside.no_off_cpu(summary.measured)
    sheets = []
    for panel in panels:
        rows = [row for row in panel.measured if inside.off_cpu_shares(row)[1] is not None]
        used = {name for row in rows for name, part in inside.off_cpu_shares(row)[0].items()
                if part}
        keys = tuple(Key(WORDS[name], colour, bar=True) for name, colour in WAITS.items()
                     if name in used)
        words = Words(f"Off the CPU, {panel.title}", panel.parameters,
                      footer(summary.run) + more_panels(left_out), keys)
        sheets.append(lane_sheet(
            words, by_layout(rows, _lane),
            Axis("share of the threads' time", units.percent_tick, values=(0.0, 1.0)), ("waits",),
            len(rows) - MOST_LANES))
    return sheets
