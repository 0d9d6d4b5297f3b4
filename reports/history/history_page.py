"""The page of a history: what changed, near which commit, and the series."""

from markupsafe import Markup

from .. import sheet, units
from ..figures import trend as figure
from ..page import packed, render_template
from ..sections import Section
from ..sheet import SEPARATOR
from ..table import Cell, Column, Table
from . import words

MOST_FIGURES = 60
MOST_ROWS = 2000
PREFIX = "history"


def _changes(found):
    rows = []
    for series, change in words.changed(found):
        ratio = change.after / change.before if change.before > 0 else ""
        rows.append([Cell(words.day(series.points[change.index])),
                     Cell(words.direction(series, change), bold=series.worse(change)),
                     Cell(words.size(change), ratio), Cell(series.metric.words),
                     Cell(series.row, kind="code"),
                     Cell(series.metric.to_text(change.before), change.before),
                     Cell(series.metric.to_text(change.after), change.after),
                     Cell(f"near {series.commit(change)}, after {series.last_of_before(change)}")])
    rows.sort(key=lambda row: row[0].text, reverse=True)
    columns = [Column("When", "text"), Column("Direction", "text"), Column("After over before"),
               Column("Metric", "text"), Column("Row", "wide"), Column("Before"), Column("After"),
               Column("Where", "wide")]
    section = Section("changes", "Changes")
    if rows:
        section.tables = [Table("Changes", columns, rows[:MOST_ROWS])]
        section.note = units.more(len(rows) - MOST_ROWS, "change", "in the history file.")
    else:
        section.intro = "No series changed its level."
    return section


def _drifts(found):
    rows = [[Cell(words.drift_text(series), series.trend.drift),
             Cell("worse" if series.drifts_worse() else "better"), Cell(series.metric.words),
             Cell(series.row, kind="code")] for series in words.drifting(found)]
    section = Section("drifts", "Drifts", intro="Series that a straight line describes better than "
                      "steps: something grows, wears or fills up with every run.")
    if rows:
        section.tables = [Table("Drifts", [Column("Slope"), Column("Direction", "text"),
                                           Column("Metric", "text"), Column("Row", "wide")],
                                rows[:MOST_ROWS])]
    else:
        section.intro = "No series drifts."
    return section


def _figures(found, footer):
    """Those that changed first, the newest change before older ones."""
    def newest(series):
        return max((change.index - len(series.values) for change in series.trend.changes),
                   default=-1e9 if series.trend.drift is None else -1e8)
    ordered = sorted(found, key=newest, reverse=True)
    section = Section("series", "Series", figure.CAPTION)
    section.svgs = [Markup(sheet.to_inline_svg(figure.sheet_of(series, footer), f"{PREFIX}-{i}"))
                    for i, series in enumerate(ordered[:MOST_FIGURES])]
    if not section.svgs:
        section.why, section.caption = "no run has a value of these metrics", ""
    section.note = units.more(len(ordered) - MOST_FIGURES, "series without a newer change",
                              "not drawn; --metric and --row choose.").replace("changes are",
                                                                               "change are")
    section.tables = [_runs(found)] if found else []
    return section


def _runs(found):
    points = max((series.points for series in found), key=len)
    rows = [[Cell(str(i), i), Cell(words.day(point)), Cell(point.commit, kind="code"),
             Cell(point.record.get("version", "")), Cell(point.record.get("result", ""))]
            for i, point in enumerate(points, 1)]
    columns = [Column("Run"), Column("When", "text"), Column("Commit", "text"),
               Column("Version", "text"), Column("Result file", "wide")]
    return Table("Runs", columns, rows[-MOST_ROWS:], folded=f"The {len(rows)} runs")


def render(name, data, found, points, others):
    """The page as text. `data`: bytes of the history file, which the page holds."""
    newest = points[-1].record if points else {}
    footer = f" {SEPARATOR} ".join(part for part in (
        name, newest.get("host", ""), newest.get("kernel", ""), newest.get("build_type", ""))
        if part)
    with sheet.settings():
        sections = [_changes(found), _drifts(found), _figures(found, footer)]
    return render_template("history.html", prefix=PREFIX, name=name, sections=sections,
                           headline=words.headline(found, points),
                           notes=list(words.notes(found, others)), data=packed(data))
