"""A gate's blocks in the order they ran: the ratio of the arms in each."""

from .. import units
from ..sheet import Key, Sheet, Words, cell_inches, log_axis, marker
from ..style import MUTED, SPARE_COLOURS, SPARE_MARKERS

CAPTION = ("The new arm over the base in each block, in the order the blocks ran, of the rows that "
           "changed most. A step or a slope is the machine or the program changing while it was "
           "measured; without one, the order does not matter.")
MOST_ROWS = 6
PLOT_INCHES = 1.7
NAME_CHARACTERS = 50


def sheet_of(title, footer, rows):
    """`rows`: (name, [(block, ratio)])."""
    looks = [(SPARE_COLOURS[i % len(SPARE_COLOURS)], SPARE_MARKERS[i % len(SPARE_MARKERS)])
             for i in range(MOST_ROWS)]
    rows = list(zip(rows, looks))
    keys = tuple(Key(units.shorten(name, NAME_CHARACTERS), *look, line="-")
                 for (name, _), look in rows)
    chosen = "the row that changed most" if len(rows) == 1 else (
        f"the {len(rows)} rows that changed most")
    sheet = Sheet(Words(title, chosen, footer, keys),
                  cell_inches(PLOT_INCHES))
    axes = sheet.cell(PLOT_INCHES, "new over base, logarithmic")
    ratios = [ratio for (_, points), _ in rows for _, ratio in points]
    for (_, points), (colour, shape) in rows:
        axes.plot(*zip(*points), **{**marker(colour, shape), "linestyle": "-", "linewidth": 0.9})
    axes.axhline(1, color=MUTED, linewidth=1, zorder=1)
    log_axis(axes, "y", [*ratios, 1], units.times_tick)
    blocks = sorted({block for (_, points), _ in rows for block, _ in points})
    step = -(-len(blocks) // 12)
    axes.set_xlim(blocks[0] - 0.5, blocks[-1] + 0.5)
    axes.set_xticks(blocks[::step], [str(block) for block in blocks[::step]])
    axes.set_xlabel("block")
    return sheet
