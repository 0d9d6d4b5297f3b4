"""A figure to draw on, laid out in inches from the top, and how it becomes SVG or PNG.

A sheet is as wide as a phone shows without scrolling; the page puts several side by side where
there is room."""

import html
import io
import math
import re
import textwrap
from dataclasses import dataclass

import matplotlib
import numpy
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from . import compact
from .style import GRID, INK, MUTED, PAPER

WIDTH_INCHES = 4.3
MARGIN_INCHES = 0.08
FONT_POINTS = 8.5
CHARACTER_INCHES = 0.073  # of text of FONT_POINTS, a little more than the mean
LINE_INCHES = 0.15
KEY_INCHES = 0.18
TITLE_CHARACTERS = 50
TEXT_CHARACTERS = 57
FOOTER_CHARACTERS = 70
CELL_LEFT_INCHES = 0.6
CELL_HEAD_INCHES = 0.14
CELL_FOOT_INCHES = 0.44
SEPARATOR = "\u00b7"  # of the parts of a footer

SETTINGS = {
    "svg.hashsalt": "aioscope", "svg.fonttype": "none", "text.parse_math": False,
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": FONT_POINTS,
    "text.color": INK, "axes.labelcolor": MUTED, "axes.edgecolor": MUTED, "axes.facecolor": "none",
    "xtick.color": MUTED, "ytick.color": MUTED, "grid.color": GRID, "grid.linewidth": 0.7,
    "axes.linewidth": 0.7, "axes.axisbelow": True, "axes.unicode_minus": False,
    "hatch.linewidth": 0.9, "figure.dpi": 72, "axes.labelsize": FONT_POINTS - 0.5,
    "xtick.labelsize": FONT_POINTS - 0.5, "ytick.labelsize": FONT_POINTS - 0.5,
    "lines.markersize": 5.5, "errorbar.capsize": 2.2,
}
PAGE_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)",
                PAPER: "var(--paper)"}
FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', system-ui, sans-serif"


@dataclass
class Key:
    """An entry of a legend: a marker, a line, both, or a bar."""

    label: str
    colour: str
    marker: str = ""
    fill: str = "full"
    line: object = None
    bar: bool = False
    hatch: str = ""
    hollow: bool = False
    faint: bool = False


@dataclass
class Words:
    """What is printed inside a figure around its plot."""

    title: str
    parameters: str  # of the rows
    footer: str  # of the run
    keys: tuple = ()


class Sheet:
    """Text and axes at inches from the left and the top edge; `top` is where the plot begins."""

    def __init__(self, words, plot_inches):
        title = textwrap.wrap(words.title, TITLE_CHARACTERS) or [""]
        parameters = _lines(words.parameters, TEXT_CHARACTERS)
        footer = _lines(words.footer, FOOTER_CHARACTERS)
        places = _places(words.keys)
        key_rows = places[-1][1] + 1 if places else 0
        self.top = (0.1 + 0.17 * len(title) + LINE_INCHES * len(parameters)
                    + KEY_INCHES * key_rows + 0.1)
        self.height_inches = self.top + plot_inches + 0.06 + 0.13 * len(footer) + 0.06
        self.figure = Figure(figsize=(WIDTH_INCHES, self.height_inches), facecolor=PAPER)
        self.title = words.title
        y = 0.16
        for line in title:
            self.text(MARGIN_INCHES, y, line, weight="bold", size=FONT_POINTS + 1)
            y += 0.17
        for line in parameters:
            self.text(MARGIN_INCHES, y, line, color=MUTED)
            y += LINE_INCHES
        for key, (row, left) in zip(words.keys, ((row, left) for left, row in places)):
            self._key(left, y + KEY_INCHES * (row + 0.1), key)
        for i, line in enumerate(footer):
            self.text(MARGIN_INCHES, self.top + plot_inches + 0.12 + 0.13 * i, line, color=MUTED,
                      size=FONT_POINTS - 1.7)

    def _put(self, artist):
        artist.set_transform(self.figure.transFigure)
        self.figure.add_artist(artist)

    def _at(self, left, top):
        return left / WIDTH_INCHES, 1 - top / self.height_inches

    def _key(self, left, y, key):
        (x0, y0), (x1, _) = self._at(left, y), self._at(left + 0.26, y)
        if key.bar:
            height = 0.1 / self.height_inches
            self._put(Rectangle((x0, y0 - height / 2), x1 - x0, height,
                                alpha=0.3 if key.faint else None,
                                **bar_style(key.colour, key.hatch, key.hollow)))
        if key.line is not None:
            self._put(Line2D([x0, x1], [y0, y0], color=key.colour, linewidth=1.3,
                             linestyle=key.line))
        if key.marker:
            self._put(Line2D([(x0 + x1) / 2], [y0], **marker(key.colour, key.marker, key.fill)))
        self.text(left + 0.32, y, key.label, color=MUTED)

    def cell(self, plot_inches, y_label):
        """Axes over the whole width; the name of the upright one lies above it. The sheet was made
        with cell_inches(plot_inches)."""
        self.text(MARGIN_INCHES, self.top + 0.03, y_label, color=MUTED, size="small")
        return self.axes(CELL_LEFT_INCHES, self.top + CELL_HEAD_INCHES,
                         WIDTH_INCHES - CELL_LEFT_INCHES - 0.12, plot_inches)

    def text(self, left, top, text, **style):
        self.figure.text(*self._at(left, top), text, **{"va": "center", **style})

    def axes(self, left, top, width, height):
        axes = self.figure.add_axes((left / WIDTH_INCHES, 1 - (top + height) / self.height_inches,
                                     width / WIDTH_INCHES, height / self.height_inches))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(left=False, bottom=False)  # the grid marks them
        axes.grid(True)
        return axes


def cell_inches(plot_inches):
    return CELL_HEAD_INCHES + plot_inches + CELL_FOOT_INCHES


def bar_style(colour, hatch, hollow):
    """Of a bar. The hatch is drawn in the paper's colour: the bar stays as vivid as a plain one."""
    return {"facecolor": "none" if hollow else colour, "edgecolor": PAPER if hatch else colour,
            "hatch": hatch or None, "linewidth": 1.2 if hollow else 0 if hatch else 0.6}


def marker(colour, shape, fill="full", size=None):
    """Of a point, as arguments of a line."""
    more = {"markerfacecolor": PAPER} if fill == "none" else {}
    if size:
        more["markersize"] = size
    return {"marker": shape, "color": colour, "fillstyle": fill, "linestyle": "none",
            "markerfacecoloralt": PAPER, "markeredgecolor": colour, "markeredgewidth": 1.2, **more}


def _places(keys):
    """(left, row) of each key."""
    places, left, row = [], MARGIN_INCHES, 0
    for key in keys:
        width = 0.36 + CHARACTER_INCHES * len(key.label) + 0.08
        if left + width > WIDTH_INCHES and left > MARGIN_INCHES:
            left, row = MARGIN_INCHES, row + 1
        places.append((left, row))
        left += width
    return places


def _lines(text, most):
    """The text in lines, broken between parts where it can be."""
    parts = text.replace(" ", "\u00a0").replace(f"{SEPARATOR}\u00a0", f"{SEPARATOR} ")
    parts = parts.replace(",\u00a0", ", ")
    return [line.replace("\u00a0", " ") for line in textwrap.wrap(parts, most)]


TICK_DIGITS = [(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5),
               (1, 3), (1,)]
NEARLY_LINEAR = 2.5  # ratio of the ends of a logarithmic axis
TICK_INCHES = {"x": 0.42, "y": 0.26}  # that a label needs


def _even_ticks(low, high, most):
    """At most about `most` multiples of a round step."""
    most = max(2.0, most)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit * most >= high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{n * step:.9g}") for n in range(first, last + 1)]


def log_ticks(low, high, most):
    """At most `most` round numbers between `low` and `high`, as evenly as they come."""
    if high < NEARLY_LINEAR * low:
        return _even_ticks(low, high, most)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [(digits, 1) for digits in TICK_DIGITS] + [((1,), step) for step in range(2, 19)]
    for digits, step in steps:
        ticks = [digit * 10.0 ** exponent for exponent in range(first, last + 1, step)
                 for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        gaps = [math.log10(b / a) for a, b in zip(ticks, ticks[1:])]
        if not gaps or min(gaps) * most >= math.log10(high / low):
            break
    return ticks


def _inches(axes, which):
    box = axes.get_position()
    width, height = axes.figure.get_size_inches()
    return box.width * width if which == "x" else box.height * height


def _set_axis(axes, which, low, high, ticks, to_text):
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([to_text(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def log_axis(axes, which, values, to_text, margin=1.25):
    """A logarithmic axis around the values, ticks as `to_text` says."""
    positive = [value for value in values if value is not None and value > 0]
    low, high = min(positive), max(positive)
    if high > low:
        margin = min(margin, max(1.06, (high / low) ** 0.2))
    low, high = low / margin, high * margin
    ticks = log_ticks(low, high, _inches(axes, which) / TICK_INCHES[which])
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    _set_axis(axes, which, low, high, ticks, to_text)


def linear_axis(axes, which, low, high, to_text):
    """A linear axis from `low` to `high`, ticks at round numbers."""
    ticks = _even_ticks(low, high, _inches(axes, which) / TICK_INCHES[which])
    _set_axis(axes, which, low, high, ticks, to_text)


def settings():
    return matplotlib.rc_context(SETTINGS)


def to_svg(sheet):
    """A stand-alone SVG; the same figure gives the same bytes."""
    out = io.StringIO()
    with settings():
        FigureCanvasSVG(sheet.figure).print_svg(
            out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return re.sub(r"'DejaVu Sans'(, [\w\s'-]+)?(?=[;\"])", FONTS, out.getvalue())


def to_inline_svg(sheet, key):
    """For inside a page: ids of its own, the page's colours, no address in it."""
    svg = to_svg(sheet)
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    label = html.escape(f"Figure: {sheet.title}. Its numbers are in the tables.")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)  # the page has it
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = compact.figure(svg, key)
    for colour, variable in PAGE_COLOURS.items():
        # Only in style attributes: text may hold anything.
        svg = re.sub(rf'(style="[^"]*?)((?:{colour}[^"]*)+)"',
                     lambda m: m.group(0).replace(colour, variable), svg)
    return svg


def _columns(sheets, most=2):
    """(sheet, left, top) of each, in columns; and the size of the whole, in points."""
    heights = [0.0] * min(most, len(sheets))
    placed = []
    for sheet in sheets:
        column = heights.index(min(heights))
        placed.append((sheet, 72 * WIDTH_INCHES * column, 72 * heights[column]))
        heights[column] += sheet.height_inches
    return placed, 72 * WIDTH_INCHES * len(heights), 72 * max(heights)


def all_to_svg(sheets):
    """One stand-alone SVG with the sheets side by side."""
    placed, width, height = _columns(sheets)
    parts = []
    for i, (sheet, left, top) in enumerate(placed):
        svg = to_svg(sheet)
        svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>s{i}-", svg[svg.index("<svg"):])
        parts.append(svg.replace("<svg ", f'<svg x="{left:g}" y="{top:g}" ', 1))
    size = f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}"'
    return ('<?xml version="1.0" encoding="utf-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n'
            f'<rect width="100%" height="100%" fill="{PAPER}"/>\n' + "".join(parts) + "</svg>\n")


def all_to_png(sheets, dots_per_inch=160):
    """One picture with the sheets side by side."""
    placed, width, height = _columns(sheets)
    scale = dots_per_inch / 72
    whole = numpy.full((round(height * scale) + 2, round(width * scale) + 2, 4), 255, numpy.uint8)
    with settings():
        for sheet, left, top in placed:
            sheet.figure.set_dpi(dots_per_inch)
            canvas = FigureCanvasAgg(sheet.figure)
            canvas.draw()
            pixels = numpy.asarray(canvas.buffer_rgba())
            y, x = round(top * scale), round(left * scale)
            whole[y:y + pixels.shape[0], x:x + pixels.shape[1]] = pixels
    out = io.BytesIO()
    imsave(out, whole, format="png", metadata={"Software": None})
    return out.getvalue()
