"""Throughput by depth and number of submitters, as a map with its numbers."""

import math

from .. import units
from ..panels import footer, more_panels, parameters, target_words
from ..sheet import Sheet, Words, cell_inches
from ..style import HEAT
from ..summarise import SHAPE
from .scaling import series_of

KEY = "depth"
TITLE = "Depth and submitters"
CAPTION = ("Each field is a row: its throughput, and below it how far the repetitions lie apart. "
           "The darker, the more; the scale is logarithmic and the same for all drivers of one "
           "target.")
LINE_INCHES = 0.36
MOST_SHEETS = 12
MOST_FIELDS = 9  # in either direction


def _groups(summary):
    """{(shape but for the depth, series): {driver: rows}}."""
    place = SHAPE.index("depth")
    groups = {}
    for row in summary.measured:
        if row.operations_per_s:
            shape = row.shape[:place] + row.shape[place + 1:]
            groups.setdefault((shape, series_of(row)), {}).setdefault(row.driver, []).append(row)
    return groups


def _counts(rows, name):
    return sorted({row.row.config[name] for row in rows})[:MOST_FIELDS]


def _colour(share):
    """Of 0..1, from pale to deep."""
    pale, deep = HEAT
    parts = [round(a + (b - a) * share) for a, b in zip(pale, deep)]
    return "#" + "".join(f"{part:02x}" for part in parts)


def _sheet(summary, driver, rows, low, high, said):
    depths, counts = _counts(rows, "depth"), _counts(rows, "submitters")
    config = rows[0].row.config
    rest = parameters(config).partition(", ")[2]  # but for the depth
    words = Words(f"Throughput, op/s: {driver}, {series_of(rows[0])}, {target_words(config)}", rest,
                  footer(summary.run) + said)
    sheet = Sheet(words, cell_inches(LINE_INCHES * len(depths)))
    axes = sheet.cell(LINE_INCHES * len(depths), "depth of each submitter")
    axes.grid(False)
    axes.set_xlim(0, len(counts))
    axes.set_ylim(0, len(depths))
    axes.set_xticks([i + 0.5 for i in range(len(counts))], [str(count) for count in counts])
    axes.set_yticks([i + 0.5 for i in range(len(depths))], [str(depth) for depth in depths])
    axes.set_xlabel("submitters")
    for row in rows:
        depth, count = row.row.config["depth"], row.row.config["submitters"]
        if depth not in depths or count not in counts:
            continue
        x, y = counts.index(count), depths.index(depth)
        share = math.log(row.operations_per_s / low) / math.log(high / low) if high > low else 1.0
        axes.bar([x + 0.5], [0.96], bottom=[y + 0.02], width=0.97, color=_colour(share))
        ink = "#ffffff" if share > 0.5 else "#111111"
        axes.text(x + 0.5, y + 0.66, units.rate(row.operations_per_s), ha="center", va="center",
                  color=ink)
        if row.spread is not None:
            axes.text(x + 0.5, y + 0.28, f"\u00b1 {units.percent(row.spread / 2)}", ha="center",
                      va="center", color=ink, size="small")
    return sheet


def draw(summary):
    sheets, left_out = [], 0
    groups = _groups(summary)
    for by_driver in groups.values():
        same = {driver: rows for driver, rows in by_driver.items()
                if len(_counts(rows, "depth")) > 1 and len(_counts(rows, "submitters")) > 1}
        rates = [row.operations_per_s for rows in same.values() for row in rows]
        for driver, rows in same.items():
            if len(sheets) < MOST_SHEETS:
                sheets.append((driver, rows, min(rates), max(rates)))
            else:
                left_out += 1
    if not sheets:
        return ("no driver ran with several depths and several numbers of submitters; "
                "--depth 1..128*2 --submitters 1..8*2 makes this map")
    return [_sheet(summary, *one, more_panels(left_out)) for one in sheets]
