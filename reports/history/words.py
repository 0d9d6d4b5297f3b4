"""A history in words, as text for a terminal and as JSON."""

import datetime
import json
import textwrap

from .. import units
from ..statistics.changes import LEAST_POINTS, SIGNIFICANCE, UNDECIDED

SCHEMA = "aioscope.history-changes/1"


def day(point):
    try:
        moment = datetime.datetime.fromtimestamp(point.record["start_realtime_ns"] / 1e9,
                                                 datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "unknown"
    return moment.strftime("%Y-%m-%d")


def direction(series, change):
    return "worse" if series.worse(change) else "better"


def size(change):
    """In text: a ratio, or that there was nothing before."""
    return units.ratio(change.after / change.before) if change.before > 0 else "from 0"


def changed(found):
    return [(series, change) for series in found for change in series.trend.changes]


def drifting(found):
    return [series for series in found if series.trend.drift is not None]


def drift_text(series):
    drift = series.trend.drift
    if series.trend.as_ratio:
        return f"{units.change(drift)} per run"
    sign = "+" if drift > 0 else "\u2212"
    return f"{sign}{units.three_digits(abs(drift))} per run"


def headline(found, points):
    worse = sum(series.worse(change) for series, change in changed(found))
    better = len(changed(found)) - worse
    return (f"{len(points)} run{'s' * (len(points) != 1)}, {len(found)} series: {worse} "
            f"change{'s' * (worse != 1)} for the worse, {better} for the better, "
            f"{len(drifting(found))} drifting")


def notes(found, others):
    """Sentences on what the numbers allow."""
    yield (f"The newest {UNDECIDED} runs of a series decide nothing: a change shows from "
           f"{LEAST_POINTS} runs on, and then near the commit that is named, not surely at it.")
    if found:
        yield (f"Method: E-divisive with a permutation test at {100 * SIGNIFICANCE:g} %; of "
               f"{len(found)} series that never change about {SIGNIFICANCE * len(found):.2g} show "
               "one by chance.")
    for words, count in others.items():
        yield (f"{count} runs {words} are left out: results of unlike machines or builds make no "
               "series.")


def to_text(found, points, others):
    lines = [headline(found, points) + "."]
    rows = [[day(series.points[change.index]), direction(series, change), size(change),
             f"{series.metric.to_text(change.before)} to {series.metric.to_text(change.after)}",
             series.metric.key, series.row,
             f"near {series.commit(change)} (after {series.last_of_before(change)})"]
            for series, change in changed(found)]
    rows.sort(key=lambda row: row[0], reverse=True)
    if rows:
        lines += ["", *_aligned(["WHEN", "", "RATIO", "VALUES", "METRIC", "ROW", "WHERE"], rows)]
    if drifting(found):
        lines += ["", *_aligned(["DRIFT", "METRIC", "ROW"],
                                [[drift_text(series), series.metric.key, series.row]
                                 for series in drifting(found)])]
    lines.append("")
    for note in notes(found, others):
        lines += textwrap.wrap(note, 100, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def _aligned(heads, rows):
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def _change_json(series, change):
    return {"index": change.index, "commit": series.points[change.index].record["commit"],
            "after_commit": series.points[change.index - 1].record["commit"],
            "start_realtime_ns": series.points[change.index].record["start_realtime_ns"],
            "before": change.before, "after": change.after, "chance": change.chance,
            "direction": direction(series, change)}


def to_json(found, points, others):
    document = {
        "schema": SCHEMA, "runs": len(points), "significance": SIGNIFICANCE,
        "left_out": [{"why": words, "runs": count} for words, count in others.items()],
        "series": [{
            "row": series.row, "metric": series.metric.key, "unit": series.metric.unit,
            "better": series.metric.better, "values": series.values,
            "commits": [point.record["commit"] for point in series.points],
            "undecided": series.undecided,
            "drift_per_run": series.trend.drift,
            "levels": [{"first": first, "end": end, "value": value}
                       for first, end, value in series.trend.levels],
            "changes": [_change_json(series, change) for change in series.trend.changes]}
            for series in found]}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
