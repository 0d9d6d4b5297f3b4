"""The HTML page: one file that needs nothing else."""

import base64
import datetime
import gzip
import hashlib
import os
import pathlib
import shlex

import jinja2
from markupsafe import Markup

from . import draw, environment, sheet, units, words
from .panels import by_shape, parameters, styles, target_words
from .summarise import MOST_HARNESS_SHARE, NULL_DRIVER

HERE = pathlib.Path(__file__).resolve().parent
SEVERE = {"incomplete", "build", "failed"}

# What each figure shows, for those who read the words.
CAPTIONS = {
    "throughput": ("Throughput", "Each driver on its line: the filled mark is a context per "
                   "thread, the hollow one a context that all submitters share; the bar between "
                   "them is what sharing changes. Whiskers run from the least to the most of the "
                   "repetitions. Scales are logarithmic and differ between targets; an arrow "
                   "stands for the null driver where it lies beyond them."),
    "cpu": ("CPU time per operation", "User and system time of the whole process over the "
            "operations of the window. The whisker is the least and the most of the repetitions. "
            "The upright mark is what the harness alone takes in the same layout: what lies right "
            "of it is the driver and the kernel."),
    "latency": ("Latency", "From just before the submit call to just after the reap call that "
                "returned it. Both scales are logarithmic; further right lies the tail. With the "
                "depth kept full, latency is mostly time in the queue: depth over throughput."),
    "scaling": ("Scaling", "Throughput as submitters are added. Dotted: what growth in proportion "
                "to the first point would be. Whiskers run from the least to the most of the "
                "repetitions."),
    "order": ("Over the run", "Every slice of every repetition when it ran, against the median of "
              "its row. Repetitions of all rows are interleaved: a slope over the whole figure is "
              "the machine, not a driver. What exceeds twice the median is drawn at the top edge."),
}


def _data_uri(run):
    """The result file, gzip, as an address that a browser can save without a network."""
    packed = gzip.compress(run.data, 9, mtime=0)
    return "data:application/gzip;base64," + base64.b64encode(packed).decode("ascii")


def _time_of(run):
    start_ns = run.header.get("start_realtime_ns")
    try:
        moment = datetime.datetime.fromtimestamp(start_ns / 1e9, datetime.timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return "unknown"
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _figures(summary, prefix):
    with sheet.settings():
        for key, figure in draw.FIGURES.items():
            drawn = figure(summary)
            title, caption = CAPTIONS[key]
            why = drawn if isinstance(drawn, str) else ""
            svg = "" if why else Markup(sheet.to_inline_svg(drawn, f"{prefix}-{key}"))
            yield {"key": key, "title": title, "caption": caption, "svg": svg, "why": why}


def _marks(row):
    marks = []
    if row.oversubscribed:
        marks.append(("O", "more threads than usable CPUs: waits include preemption"))
    if row.driver != NULL_DRIVER and (row.harness_share or 0) > MOST_HARNESS_SHARE:
        marks.append(("H", "the harness is over 10 % of its CPU time"))
    if row.unsteady:
        marks.append(("U", "throughput drifts within the window"))
    return marks


def _tables(summary):
    """One table per combination, with the rows in the order of the plan."""
    for rows in by_shape(summary).values():
        if any(row.measured for row in rows):
            config = rows[0].row.config
            yield {"title": target_words(config), "parameters": parameters(config),
                   "rows": [row for row in rows if row.measured]}


def _view(number, summary):
    run = summary.run
    prefix = f"run{number}"
    return {
        "prefix": prefix, "summary": summary, "run": run,
        "name": pathlib.PurePath(run.path).name, "time": _time_of(run),
        "headline": words.headline(summary), "findings": words.findings(summary),
        "about": words.about(summary), "figures": list(_figures(summary, prefix)),
        "tables": list(_tables(summary)), "styles": styles(summary),
        "severe": [text for kind, text in summary.warnings if kind in SEVERE],
        "warnings": [text for kind, text in summary.warnings
                     if kind not in SEVERE and kind != "row"],
        "row_warnings": [text for kind, text in summary.warnings if kind == "row"],
        "left_out": [row for row in summary.rows if row.skipped or row.failed],
        "not_run": [row for row in summary.shown
                    if not (row.measured or row.skipped or row.failed)],
        "data": _data_uri(run), "data_name": pathlib.PurePath(run.path).stem + ".jsonl.gz",
    }


def _script_hash(script):
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def render(summaries):
    """The page as text. The same result files give the same bytes."""
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True,
                                   undefined=jinja2.StrictUndefined, trim_blocks=True,
                                   lstrip_blocks=True)
    templates.filters.update(rate=units.rate, time=units.time, percent=units.percent,
                             times=units.times, three_digits=units.three_digits,
                             shell=shlex.join)
    style = (HERE / "page.css").read_text(encoding="utf-8")
    script = (HERE / "page.js").read_text(encoding="utf-8")
    views = [_view(number, summary) for number, summary in enumerate(summaries, 1)]
    return templates.get_template("page.html").render(
        views=views, style=Markup(style), script=Markup(script), script_hash=_script_hash(script),
        environment=environment.table([view["run"] for view in views]), marks=_marks,
        verdict=words.verdict)


def write(path, data):
    """Writes bytes so that `path` is either what it was or whole. Raises OSError."""
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except OSError:
        pathlib.Path(partial).unlink(missing_ok=True)
        raise
