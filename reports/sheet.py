"""A figure to draw on, laid out in inches from the top, and how it becomes SVG or PNG."""

import io
import math
import re
import textwrap

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter, NullLocator

from .style import GRID, INK, MUTED, PAPER

WIDTH_INCHES = 8.6
MARGIN_INCHES = 0.15
CHARACTER_INCHES = 0.073  # of text of FONT_POINTS, a little more than the mean
FONT_POINTS = 8.5
FOOTER_CHARACTERS = 150
SEPARATOR = "\u00b7"  # of the parts of a footer

SETTINGS = {
    "svg.hashsalt": "aioscope", "svg.fonttype": "none", "text.parse_math": False,
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": FONT_POINTS,
    "text.color": INK, "axes.labelcolor": MUTED, "axes.edgecolor": MUTED, "axes.facecolor": "none",
    "xtick.color": MUTED, "ytick.color": MUTED, "grid.color": GRID, "grid.linewidth": 0.7,
    "axes.linewidth": 0.7, "axes.axisbelow": True, "axes.unicode_minus": False,
    "hatch.linewidth": 0.9, "figure.dpi": 72, "axes.labelsize": FONT_POINTS,
    "xtick.labelsize": FONT_POINTS - 0.5, "ytick.labelsize": FONT_POINTS - 0.5,
    "lines.markersize": 5.5, "errorbar.capsize": 2.2,
}
PAGE_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)",
                PAPER: "var(--paper)"}
FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', system-ui, sans-serif"


class Sheet:
    """Text and axes at inches from the left and the top edge."""

    def __init__(self, height_inches, title, parameters):
        self.footer = _lines(parameters)
        self.height_inches = height_inches + 0.2 + 0.15 * len(self.footer)
        self.figure = Figure(figsize=(WIDTH_INCHES, self.height_inches), facecolor=PAPER)
        self.title = title
        self.text(MARGIN_INCHES, 0.26, title, weight="bold", size=FONT_POINTS + 2)
        for i, line in enumerate(self.footer):
            self.text(MARGIN_INCHES, height_inches + 0.15 + 0.15 * i, line, color=MUTED,
                      size=FONT_POINTS - 1)

    def text(self, left, top, text, **style):
        self.figure.text(left / WIDTH_INCHES, 1 - top / self.height_inches, text,
                         **{"va": "center", **style})

    def axes(self, left, top, width, height):
        axes = self.figure.add_axes((left / WIDTH_INCHES, 1 - (top + height) / self.height_inches,
                                     width / WIDTH_INCHES, height / self.height_inches))
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.tick_params(length=3, width=0.7)
        axes.grid(True)
        return axes

    def legend(self, top, entries):
        """`entries`: (label, draw) where draw(axes) puts the sample between x 0 and 1. Returns the
        height in inches."""
        left, row = MARGIN_INCHES, 0
        for label, draw in entries:
            width = 0.42 + CHARACTER_INCHES * len(label) + 0.12
            if left + width > WIDTH_INCHES and left > MARGIN_INCHES:
                left, row = MARGIN_INCHES, row + 1
            axes = self.axes(left, top + 0.19 * row, 0.32, 0.15)
            axes.axis("off")
            axes.set_xlim(0, 1)
            axes.set_ylim(-1, 1)
            draw(axes)
            self.text(left + 0.38, top + 0.19 * row + 0.075, label, color=MUTED)
            left += width
        return legend_height(entries)


def _lines(text):
    """The text in lines, broken between parts where it can be."""
    parts = text.replace(" ", "\u00a0").replace(f"\u00a0{SEPARATOR}\u00a0", f" {SEPARATOR} ")
    return [line.replace("\u00a0", " ") for line in textwrap.wrap(parts, FOOTER_CHARACTERS)] or [""]


def legend_height(entries):
    left, rows = MARGIN_INCHES, 1
    for label, _ in entries:
        width = 0.42 + CHARACTER_INCHES * len(label) + 0.12
        if left + width > WIDTH_INCHES and left > MARGIN_INCHES:
            left, rows = MARGIN_INCHES, rows + 1
        left += width
    return 0.19 * rows


TICK_DIGITS = [(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 4, 5, 7), (1, 2, 5),
               (1, 3), (1,)]
TICK_INCHES = {"x": 0.55, "y": 0.26}  # that a label needs


def log_ticks(low, high, most):
    """At most `most` round numbers between `low` and `high`, as evenly as they come."""
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


def log_axis(axes, which, values, to_text, margin=1.25):
    """A logarithmic axis around the values, ticks as `to_text` says."""
    positive = [value for value in values if value is not None and value > 0]
    low, high = min(positive) / margin, max(positive) * margin
    box = axes.get_position()
    width, height = axes.figure.get_size_inches()
    inches = box.width * width if which == "x" else box.height * height
    ticks = log_ticks(low, high, inches / TICK_INCHES[which])
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([to_text(tick) for tick in ticks]))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


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
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, variable in PAGE_COLOURS.items():
        # Only in style attributes: text may hold anything.
        svg = re.sub(rf'(style="[^"]*?)((?:{colour}[^"]*)+)"',
                     lambda m: m.group(0).replace(colour, variable), svg)
    return svg


def to_png(sheet, dots_per_inch=160):
    out = io.BytesIO()
    with settings():
        sheet.figure.set_dpi(dots_per_inch)
        FigureCanvasAgg(sheet.figure).print_png(out, metadata={"Software": None})
    return out.getvalue()
