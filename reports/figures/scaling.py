"""Throughput by number of submitters, with the ideal line and the Universal Scalability Law."""

import math

from .. import scalability, units
from ..panels import cells, curves_of, footer, more_panels, scaling, styles, with_rows
from ..sheet import Key, Sheet, Words, cell_inches, log_axis, marker
from ..style import MUTED

from .throughput import NOTHING

KEY = "scaling"
TITLE = "Scaling"
CAPTION = ("Throughput as submitters are added. With "
           f"{scalability.LEAST_COUNTS} counts of submitters or more the line is the Universal "
           "Scalability Law fitted to them: throughput of one times N over "
           "1 + \u03c3 (N - 1) + \u03ba N (N - 1); with fewer it joins the points. Dotted is "
           "what growth in proportion to the first point would be. Whiskers run from the least to "
           "the most of the repetitions. Where there are more threads than CPUs the law describes "
           "the scheduler too.")
PLOT_INCHES = 2.3
DOTTED = (0, (1, 1.5))
CURVE_POINTS = 40


def _count(value):
    return f"{value:g}"


def series_of(row):
    """The layout but for the number of submitters."""
    config = row.row.config
    words = {"shared": f"shared, {config['reapers']} reaping",
             "grouped": f"grouped over {config['contexts']}, {config['reapers']} reaping"}
    return words.get(config["workload"], config["workload"])


def _by_driver(rows):
    """{driver: [(submitters, row)]} in order of submitters."""
    found = {}
    for row in rows:
        if row.operations_per_s:
            found.setdefault(row.driver, []).append((row.row.config["submitters"], row))
    return {driver: sorted(points, key=lambda point: point[0])
            for driver, points in found.items()}


def _rates_of_round(points, number):
    return [(n, item.measurement["operations_per_s"]) for n, row in points
            for item in row.repetitions
            if item.repetition == number and item.measurement["operations_per_s"]]


def fit_of(points):
    """The fit to the medians, and those of each round alone: their spread is how sure it is."""
    whole = scalability.fit([(n, row.operations_per_s) for n, row in points])
    numbers = sorted({item.repetition for _, row in points for item in row.repetitions})
    rounds = [scalability.fit(_rates_of_round(points, number)) for number in numbers]
    return whole, [fit for fit in rounds if fit is not None and whole is not None
                   and fit.counts == whole.counts]


def _draw_driver(axes, points, style):
    colour, shape = style
    xs = [count for count, _ in points]
    ys = [row.operations_per_s for _, row in points]
    axes.plot([xs[0], xs[-1]], [ys[0], ys[0] * xs[-1] / xs[0]], color=colour, alpha=0.6,
              linewidth=0.9, linestyle=DOTTED)
    axes.errorbar(xs, ys, yerr=[[row.operations_per_s - row.operations_per_s_min
                                 for _, row in points],
                                [row.operations_per_s_max - row.operations_per_s
                                 for _, row in points]],
                  ecolor=colour, elinewidth=1.1, fmt="none")
    fit, _ = fit_of(points)
    if fit:
        steps = [xs[0] * (xs[-1] / xs[0]) ** (i / CURVE_POINTS) for i in range(CURVE_POINTS + 1)]
        axes.plot(steps, [fit.throughput(n) for n in steps], color=colour, linewidth=1.3)
    elif len(xs) > 1:
        axes.plot(xs, ys, color=colour, linewidth=1.3)
    axes.plot(xs, ys, zorder=4, **marker(colour, shape))


def _sheet(summary, panel, series, look, rates, said):
    rows, more = curves_of([row for row in panel.measured if series_of(row) == series])
    by_driver = _by_driver(rows)
    fitted = any(fit_of(points)[0] for points in by_driver.values())
    keys = [Key(driver, *look[driver], line="-") for driver in by_driver]
    keys.append(Key("in proportion", MUTED, line=DOTTED))
    words = Words(f"Scaling, {series}, {panel.title}",
                  panel.parameters + ("" if fitted else "; lines join the points"),
                  footer(summary.run) + said + more, tuple(keys))
    sheet = Sheet(words, cell_inches(PLOT_INCHES))
    axes = sheet.cell(PLOT_INCHES, "operations per second, logarithmic")
    counts = sorted({row.row.config["submitters"] for row in rows})
    log_axis(axes, "x", counts, _count, margin=1.15)
    axes.set_xticks(counts, [_count(count) for count in counts])
    log_axis(axes, "y", rates, units.rate_tick)
    axes.set_xlabel("submitters, logarithmic")
    low, high = axes.get_ylim()
    usable = summary.run.header["host"].get("cpus_usable")
    if type(usable) is int and counts[0] <= usable < counts[-1]:
        axes.axvline(usable, color=MUTED, linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
        axes.annotate(f"{usable} CPUs", (usable, 0.01), xycoords=("data", "axes fraction"),
                      xytext=(3, 2), textcoords="offset points", color=MUTED, size="small")
    for driver, points in by_driver.items():
        _draw_driver(axes, points, look[driver])
    axes.set_ylim(low, high)
    return sheet


def draw(summary):
    panels, left_out = with_rows(scaling(summary), lambda row: row.operations_per_s)
    if not panels:
        counts = sorted({row.row.config["submitters"] for row in summary.measured})
        only = (f"only with {units.counted(counts[0], 'submitter')}" if len(counts) == 1
                else "with no two counts of submitters that compare")
        return (f"every row ran {only}; --submitters 1,2,4 or the suite scaling shows "
                "how throughput grows" if counts else NOTHING)
    look = styles(summary)
    sheets = []
    for panel in panels:
        rates = [value for row in panel.measured if row.operations_per_s
                 for value in (row.operations_per_s_min, row.operations_per_s_max)]
        names, said = cells(series_of(row) for row in panel.measured)
        sheets += [_sheet(summary, panel, series, look, rates, more_panels(left_out) + said)
                   for series in names]
    return sheets


def _range(values, to_text):
    least, most = to_text(min(values)), to_text(max(values))
    return least if least == most else f"{least} to {most}"


def _peak(fit):
    return "none" if math.isinf(fit.peak_threads) else f"{max(1.0, fit.peak_threads):.1f}"


def _curves(summary):
    """([target, layout, driver], points) of every curve that is drawn."""
    for panel in with_rows(scaling(summary), lambda row: row.operations_per_s)[0]:
        for series in cells(series_of(row) for row in panel.measured)[0]:
            rows = [row for row in panel.measured if series_of(row) == series]
            for driver, points in _by_driver(rows).items():
                yield [panel.title.removeprefix("target "), series, driver], points


def table(summary):
    """[cells] of the fitted parameters; the range in each is over the rounds."""
    for name, points in _curves(summary):
        fit, rounds = fit_of(points)
        if fit is None:
            continue
        ranges = ["", "", ""]
        if len(rounds) > 1:
            ranges = [f" ({_range([getattr(fit, name) for fit in rounds], to_text)})"
                      for name, to_text in (("rate", units.rate),
                                            ("contention", units.three_digits),
                                            ("coherence", units.three_digits))]
        quality = (f"off by {units.percent(fit.error)}" if fit.counts > 3
                   else "exact: three counts, three parameters")
        yield [*name, units.rate(fit.rate) + ranges[0],
               units.three_digits(fit.contention) + ranges[1],
               units.three_digits(fit.coherence) + ranges[2], _peak(fit), quality]


def not_fitted(summary):
    """Why curves have no law, in a sentence; empty where all have one."""
    curves = [points for _, points in _curves(summary)]
    without = [points for points in curves if fit_of(points)[0] is None]
    if not without:
        return ""
    few = sum(len({n for n, _ in points}) < scalability.LEAST_COUNTS for points in without)
    reasons = [f"it needs {scalability.LEAST_COUNTS} counts of submitters"] * bool(few)
    if few < len(without):
        reasons.append(f"{units.counted(len(without) - few, 'curve')} lie too far from any law")
    return (f"The law is not fitted to {len(without)} of {units.counted(len(curves), 'curve')}: "
            + ", and ".join(reasons) + ".")
