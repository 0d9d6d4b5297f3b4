"""Latency percentile curves, with the band of the repetitions."""

import math

from .. import units
from ..panels import cells, curves_of, footer, more_panels, overview, styles, with_rows
from ..sheet import WIDTH_INCHES, Key, Sheet, Words, cell_inches, log_axis, marker
from ..summarise import SAMPLES_BEYOND, Latency

KEY = "latency"
TITLE = "Latency"
CAPTION = ("From just before the submit call to just after the reap call that returned it. Both "
           "scales are logarithmic; further right lies the tail. The line is of the histograms of "
           "all repetitions together, as far as 10 operations lie beyond; the band holds the "
           "curves of the single repetitions. With the depth kept full, latency is mostly time in "
           "the queue: depth over throughput.")
NO_LATENCY = "no latencies were recorded (--latency off), or nothing was measured"
PERCENTILES = [(0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99"),
               (0.99999, "99.999"), (0.999999, "99.9999")]
DIGIT_INCHES, POINT_INCHES = 0.071, 0.036  # of a tick's label
PLOT_INCHES = 2.1
BAND_POINTS = 48


def _nines(fraction):
    """Where a percentile lies: 50 % at 0.3, 90 % at 1, 99 % at 2."""
    return -math.log10(1 - fraction)


def _thinned(curve):
    """The curve without points that lie on top of each other."""
    kept = []
    for fraction, value in curve:
        x = _nines(fraction)
        if value > 0 and (not kept or x - kept[-1][0] > 0.02 or value > kept[-1][1] * 1.05):
            kept.append((x, value))
    return kept


def _band(row):
    """([x], [least ns], [most ns]) over the curves of the repetitions, where two or more reach."""
    curves = []
    for item in row.repetitions:
        single = Latency()
        single.merge(item.buckets, item.measurement["latency"]["max_ns"])
        points = [(_nines(fraction), value) for fraction, value in single.curve() if value > 0]
        if points:
            curves.append(points)
    if len(curves) < 2:
        return None
    until = min(points[-1][0] for points in curves)
    xs = [until * i / BAND_POINTS for i in range(BAND_POINTS + 1)]
    columns = []
    for points in curves:
        values, at = [], 0
        for x in xs:
            while at < len(points) - 1 and points[at][0] < x:
                at += 1
            values.append(points[at][1])
        columns.append(values)
    return xs, list(map(min, zip(*columns))), list(map(max, zip(*columns)))


def _draw_row(axes, row, style):
    points = _thinned(row.latency.curve())
    if not points:
        return 0
    if band := _band(row):
        axes.fill_between(*band, color=style[0], alpha=0.18, linewidth=0, step="pre")
    axes.plot(*zip(*points), color=style[0], linewidth=1.3, drawstyle="steps-pre")
    for fraction, _ in PERCENTILES:
        value = row.latency.percentile_ns(fraction)
        if value:
            axes.plot([_nines(fraction)], [value], zorder=4, **marker(*style))
    return points[-1][0]


def _percentile_ticks(axes, limit):
    """A tick at each percentile whose name neither touches the one before nor leaves the figure."""
    per_inch = limit / (axes.get_position().width * WIDTH_INCHES)
    chosen, free_from = [], -math.inf
    for fraction, label in PERCENTILES:
        x = _nines(fraction)
        inches = DIGIT_INCHES * len(label.replace(".", "")) + POINT_INCHES * label.count(".")
        half = (inches + 0.03) / 2 * per_inch
        if free_from <= x - half and x + half <= limit + 0.1 * per_inch:
            chosen.append((x, label))
            free_from = x + half
    axes.set_xticks(*zip(*chosen))


def _sheet(summary, panel, layout, bounds, look, said):
    rows = [row for row in panel.measured if row.layout == layout and row.latency.count]
    rows, more = curves_of(rows)
    modes = ", ".join(sorted({row.latency_mode for row in rows}))
    words = Words(f"Latency, {layout}, {panel.title}",
                  f"{panel.parameters}, latency {modes}", footer(summary.run) + said + more,
                  tuple(Key(row.driver, *look[row.driver], line="-") for row in rows))
    sheet = Sheet(words, cell_inches(PLOT_INCHES))
    axes = sheet.cell(PLOT_INCHES, "latency, logarithmic")
    limit = 1.04 * max([1.0, *(_draw_row(axes, row, look[row.driver]) for row in rows)])
    axes.set_xlim(0, limit)
    _percentile_ticks(axes, limit)
    log_axis(axes, "y", bounds, units.time_tick, margin=1.5)
    axes.set_xlabel("percentile of the operations, %")
    return sheet


def draw(summary):
    panels, left_out = with_rows(overview(summary),
                                 lambda row: row.latency.count > SAMPLES_BEYOND)
    if not panels:
        return NO_LATENCY
    look = styles(summary)
    sheets = []
    for panel in panels:
        rows = [row for row in panel.measured if row.latency.count > SAMPLES_BEYOND]
        bounds = [value for row in rows for _, value in row.latency.curve() if value]
        layouts, said = cells(row.layout for row in rows)
        sheets += [_sheet(summary, panel, layout, bounds or [1], look,
                          more_panels(left_out) + said) for layout in layouts]
    return sheets
