"""The HTML page: one file that needs nothing else."""

import base64
import datetime
import gzip
import hashlib
import pathlib
import shlex

import jinja2
from markupsafe import Markup

from . import (compact, compared, comparison, environment, gate_page, gate_words, run_tables,
               sections, units, words)
from .load import clean

TEMPLATES = pathlib.Path(__file__).resolve().parent / "template"
SEVERE = {"incomplete", "build", "failed", "left out"}
MOST_COMMAND_CHARACTERS = 4000
MOST_DATA_BYTES = 8_000_000  # of a page, that a packed result file takes
MOST_WARNINGS = 200


def packed(data):
    """As an address that a browser can save without a network."""
    packed = gzip.compress(data, 9, mtime=0)
    return "data:application/gzip;base64," + base64.b64encode(packed).decode("ascii")


def _data(run):
    """The result file as an address, or why it is not part of the page."""
    address = packed(run.data)
    if len(address) > MOST_DATA_BYTES:
        digest = hashlib.sha256(run.data).hexdigest()
        return "", (f"The result file is not part of this page: packed it would take {len(address)}"
                    f" bytes of it, more than {MOST_DATA_BYTES}. Its SHA-256 is {digest}.")
    return address, ""


def _time_of(run):
    start_ns = run.header.get("start_realtime_ns")
    try:
        moment = datetime.datetime.fromtimestamp(start_ns / 1e9, datetime.timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):
        return "unknown"
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _name_of(file):
    """The name of a result file or a gate's, as a page can show it."""
    return clean(pathlib.PurePath(file.path).name)


def _view(number, summary):
    run = summary.run
    prefix = f"run{number}"
    data, no_data = _data(run)
    row_warnings = [text for kind, text in summary.warnings if kind == "row"]
    return {
        "prefix": prefix, "run": run, "rows": len(summary.rows),
        "name": _name_of(run), "time": _time_of(run),
        "headline": words.headline(summary), "answers": words.answers(summary),
        "findings": words.findings(summary), "about": words.about(summary),
        "glance": run_tables.glance(summary), "sections": sections.of_run(summary, prefix),
        "severe": [text for kind, text in summary.warnings if kind in SEVERE],
        "warnings": [text for kind, text in summary.warnings
                     if kind not in SEVERE and kind != "row"],
        "row_warnings": row_warnings[:MOST_WARNINGS],
        "more_warnings": max(0, len(row_warnings) - MOST_WARNINGS),
        "command": units.shorten(shlex.join(run.header["command"]), MOST_COMMAND_CHARACTERS),
        "commands": run_tables.commands(summary), "data": data, "no_data": no_data,
        "data_name": pathlib.PurePath(_name_of(run)).stem + ".jsonl.gz",
    }


def _change(number, base, new, views):
    found = comparison.compare(base, new)
    prefix = f"change{number}"
    return {"prefix": prefix, "headline": comparison.headline(found), "unlike": found.unlike,
            "base": views[0]["name"], "new": views[number - 1]["name"],
            "sections": compared.sections(found, prefix)}


def _script_hash(script):
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")


def _gate_view(number, gate):
    prefix = f"gate{number}"
    return {"prefix": prefix, "name": _name_of(gate),
            "headline": gate_words.headline(gate), "sentences": list(gate_words.sentences(gate)),
            "notes": gate.record.get("notes", []),
            "sections": gate_page.sections(gate, prefix), "data": packed(gate.data)}


def render_template(template, **values):
    """A page as text, with the style and the script that all pages have."""
    templates = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                                   undefined=jinja2.StrictUndefined, trim_blocks=True,
                                   lstrip_blocks=True, keep_trailing_newline=True)
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    return compact.share_styles(templates.get_template(template).render(
        style=Markup(style), script=Markup(script), script_hash=_script_hash(script), **values))


def render(summaries, gates=()):
    """The page as text, of results and of gates' verdicts. The same files give the same bytes."""
    views = [_view(number, summary) for number, summary in enumerate(summaries, 1)]
    changes = [_change(number, summaries[0], new, views)
               for number, new in enumerate(summaries[1:], 2)]
    return render_template(
        "page.html", views=views, changes=changes,
        gates=[_gate_view(number, gate) for number, gate in enumerate(gates, 1)],
        environment=environment.table([view["run"] for view in views],
                                      [view["name"] for view in views]))
