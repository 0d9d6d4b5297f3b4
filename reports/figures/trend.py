"""A history: the values of one row in the order of the runs, with their levels."""

import math

from .. import units
from ..sheet import Key, Sheet, Words, cell_inches, linear_axis, log_axis, marker
from ..style import BETTER, BLUE, MUTED, WORSE

CAPTION = ("Each point is the median of a run, in the order of the runs, with the least and the "
           "most of its repetitions. The line is the level; where it breaks, the program or the "
           "machine changed near the commit that is named. Orange is worse, blue better. Hollow "
           "points are the newest: one or two of them decide nothing yet.")
PLOT_INCHES = 1.5
MOST_COMMITS = 3  # named in one figure
COMMIT_CHARACTERS = 16


def _ticks(axes, series):
    count = len(series.values)
    step = max(1, -(-count // 8))
    numbers = list(range(0, count, step))
    axes.set_xlim(-0.7, count - 0.3)
    axes.set_xticks(numbers, [str(number + 1) for number in numbers])
    axes.set_xlabel("run")


def _spans(axes, series):
    for i, (point, value) in enumerate(zip(series.points, series.values)):
        found = point.record["rows"][series.row][series.metric.key]
        low, high = found.get("low"), found.get("high")
        if low is not None and high is not None and low <= value <= high and high > low:
            axes.plot([i, i], [low, high], color=MUTED, linewidth=0.8, zorder=1)


def _axis(axes, series):
    ends = [value for i, point in enumerate(series.points) for value in (
        series.values[i], point.record["rows"][series.row][series.metric.key].get("low"),
        point.record["rows"][series.row][series.metric.key].get("high")) if value is not None]
    if min(ends) > 0:
        log_axis(axes, "y", ends, _tick(series), margin=1.3)
    else:
        high = (max(ends) or 1) * 1.1
        linear_axis(axes, "y", min(0, min(ends)), high, _tick(series))


def _tick(series):
    return {"op/s": units.rate_tick, "ns": units.time_tick}.get(series.metric.unit,
                                                               units.number_tick)


def _draw(axes, series):
    colours = {}
    for change in series.trend.changes:
        colours[change.index] = WORSE if series.worse(change) else BETTER
    for first, end, level in series.trend.levels:
        colour = colours.get(first, MUTED)
        if series.trend.drift is None:
            axes.plot([first - 0.5, end - 0.5], [level, level], color=colour, linewidth=2,
                      zorder=2)
        if first in colours:
            axes.axvline(first - 0.5, color=colour, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    known = len(series.values) - series.undecided
    axes.plot(range(known), series.values[:known], zorder=3, **marker(BLUE, "o", size=3.2))
    axes.plot(range(known, len(series.values)), series.values[known:], zorder=3,
              **marker(BLUE, "o", "none", size=3.6))


def sheet_of(series, footer):
    keys = [Key("decided", BLUE, "o"), Key("undecided", BLUE, "o", "none")]
    for change in series.trend.changes[-MOST_COMMITS:]:
        worse = series.worse(change)
        commit = units.shorten(series.commit(change), COMMIT_CHARACTERS)
        keys.append(Key(f"{'worse' if worse else 'better'} near {commit}",
                        WORSE if worse else BETTER, line="-"))
    metric = series.metric
    parts = series.row.split("/")
    words = Words(f"{' '.join(parts[:2])}: {metric.words}",
                  f"{', '.join(parts[2:])}, {metric.better} is better", footer, tuple(keys))
    sheet = Sheet(words, cell_inches(PLOT_INCHES))
    axes = sheet.cell(PLOT_INCHES, metric.unit if math.isfinite(max(series.values)) else "")
    _axis(axes, series)
    _spans(axes, series)
    _draw(axes, series)
    _ticks(axes, series)
    return sheet
