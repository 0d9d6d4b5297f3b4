"""A plot of lanes: a name, marks or bars on a common axis, and numbers at the right."""

from dataclasses import dataclass, field, replace

from .. import units
from ..sheet import (CHARACTER_INCHES, MARGIN_INCHES, SEPARATOR, WIDTH_INCHES, Sheet, bar_style,
                     linear_axis, log_axis, marker)
from ..style import GRID, INK, MUTED

LANE_INCHES = 0.2
HEADING_INCHES = 0.24
FOOT_INCHES = 0.42
NAME_CHARACTERS = 27
COLUMN_CHARACTERS = 7
MOST_LANES = 40
LEAST_PLOT_INCHES = 1.2
LAST_TICK_INCHES = 0.16  # half of a label at the end of the axis


@dataclass
class Mark:
    value: float
    least: float
    most: float
    colour: str
    shape: str
    fill: str = "full"


@dataclass
class Bar:
    start: float
    end: float
    colour: str
    hatch: str = ""
    hollow: bool = False


@dataclass
class Lane:
    name: str
    marks: list = field(default_factory=list)
    bars: list = field(default_factory=list)
    texts: list = field(default_factory=list)  # one per column
    whisker: tuple = ()  # value, least, most
    line: tuple = ()  # two values to join, and the colour
    rule: object = None  # a value to mark by an upright line across the lane
    bands: list = field(default_factory=list)  # of two values to shade between
    heading: bool = False

    def values(self):
        for mark in self.marks:
            yield from (mark.value, mark.least, mark.most)
        for bar in self.bars:
            yield from (bar.start, bar.end)
        yield from self.whisker
        yield from self.line[:2]
        for band in self.bands:
            yield from band
        if self.rule is not None:
            yield self.rule


@dataclass
class Axis:
    label: str
    to_text: object
    log: bool = False
    zero: bool = True  # a linear axis begins at 0
    values: tuple = ()  # that set its range; without them those of the lanes
    reference: object = None  # a value to mark all the way down


def _range(axes, lanes, axis):
    values = [*axis.values] or [value for lane in lanes for value in lane.values()]
    if axis.reference is not None:
        values.append(axis.reference)
    if axis.log:
        log_axis(axes, "x", values or [1], axis.to_text)
        return
    low, high = min(values, default=0), max(values, default=1)
    if axis.zero:
        low, high = min(0, low), max(0, high)
    margin = 0.04 * (high - low) or 0.5
    linear_axis(axes, "x", low - (margin if low else 0), high + margin, axis.to_text)


def _name_inches(lanes):
    longest = max((len(lane.name) for lane in lanes if not lane.heading), default=4)
    return MARGIN_INCHES + CHARACTER_INCHES * min(longest, NAME_CHARACTERS) + 0.08


def by_layout(rows, to_lane):
    """A lane per row, below a heading per layout; at most MOST_LANES rows."""
    groups = {}
    for row in rows[:MOST_LANES]:
        groups.setdefault(row.layout, []).append(row)
    lanes = []
    for layout, same in groups.items():
        lanes += [Lane(layout, heading=True), *map(to_lane, same)]
    return lanes


def lane_sheet(words, lanes, axis, columns=(), more=0):
    """`columns`: the heads of the numbers at the right, of one or two lines. `more`: how many lanes
    there are beyond those given; the figure says so."""
    if said := units.more(more, "row", "in the table"):
        words = replace(words, footer=f"{words.footer} {SEPARATOR} {said}")
    heights = [HEADING_INCHES if lane.heading else LANE_INCHES for lane in lanes]
    head = 0.16 * max((column.count("\n") + 1 for column in columns), default=0)
    sheet = Sheet(words, head + sum(heights) + FOOT_INCHES)
    left = _name_inches(lanes)
    column_inches = CHARACTER_INCHES * COLUMN_CHARACTERS
    right = column_inches * len(columns) + MARGIN_INCHES + (0 if columns else LAST_TICK_INCHES)
    width = max(LEAST_PLOT_INCHES, WIDTH_INCHES - left - right)
    left = WIDTH_INCHES - right - width
    axes = sheet.axes(left, sheet.top + head, width, sum(heights))
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks([])
    axes.spines["left"].set_color(GRID)
    axes.grid(False, axis="y")
    _range(axes, lanes, axis)
    axes.set_xlabel(axis.label)
    for i, column in enumerate(columns):
        lines = column.split("\n")
        for line, text in enumerate(lines):
            sheet.text(WIDTH_INCHES - right + column_inches * (i + 1),
                       sheet.top + head - 0.1 - 0.14 * (len(lines) - 1 - line), text, ha="right",
                       color=MUTED, size="small")
    y = 0.0
    for lane, height in zip(lanes, heights):
        _draw_lane(axes, lane, y, height)
        if axis.reference is not None and not lane.heading:
            axes.plot([axis.reference] * 2, [y, y + height], color=MUTED, linewidth=1, zorder=1)
        top = sheet.top + head + y + height / 2
        if lane.heading:
            sheet.text(MARGIN_INCHES, top + 0.02, lane.name, color=MUTED, weight="bold")
        else:
            name_characters = min(NAME_CHARACTERS, int((left - 0.1) / CHARACTER_INCHES))
            sheet.text(left - 0.06, top, units.shorten(lane.name, name_characters), ha="right")
        for i, text in enumerate(lane.texts):
            sheet.text(WIDTH_INCHES - right + column_inches * (i + 1), top, text, ha="right",
                       color=INK, size="small")
        y += height
    return sheet


def _whisker(axes, y, least, most, colour, zorder=3):
    """One line, which is many times faster than errorbar()."""
    if axes.get_xscale() == "log":
        least = max(least, axes.get_xlim()[0] / 2)  # 0 lies infinitely far to the left
    axes.plot([least, most], [y, y], color=colour, linewidth=1.1, marker="|", markersize=5,
              markeredgewidth=1.1, zorder=zorder)


def _draw_lane(axes, lane, top, height):
    middle = top + height / 2
    if top:
        axes.axhline(top, color=GRID, linewidth=0.5, zorder=0)
    for band in lane.bands:
        axes.fill_betweenx([top, top + height], *band, color=MUTED, alpha=0.2, linewidth=0,
                           zorder=0)
    if lane.line:
        first, second, colour = lane.line
        axes.plot([first, second], [middle, middle], color=colour, alpha=0.35, linewidth=3,
                  solid_capstyle="butt", zorder=1)
    for bar in lane.bars:
        axes.barh([middle], [bar.end - bar.start], left=[bar.start], height=0.62 * height,
                  zorder=2, **bar_style(bar.colour, bar.hatch, bar.hollow))
    limit = axes.get_xlim()[1]
    for i, mark in enumerate(lane.marks):
        # A little apart, so that neither hides the other where they are equal.
        y = middle + 0.36 * height * ((i + 0.5) / len(lane.marks) - 0.5)
        if mark.value > limit:
            axes.plot([0.985], [y], transform=axes.get_yaxis_transform(), zorder=4,
                      **marker(mark.colour, ">"))
            continue
        _whisker(axes, y, mark.least, mark.most, mark.colour)
        axes.plot([mark.value], [y], zorder=4, **marker(mark.colour, mark.shape, mark.fill))
    if lane.whisker:
        _, least, most = lane.whisker
        _whisker(axes, middle, least, most, INK, zorder=5)
    if lane.rule is not None:
        axes.plot([lane.rule] * 2, [top + 0.04 * height, top + 0.96 * height], color=INK,
                  linewidth=2, zorder=4)
