"""aioscope history: results over many runs, and where they changed."""

import argparse
import pathlib
import re
import sys

EXIT_OK = 0
EXIT_INVALID = 4

EPILOG = """examples:
  aioscope history add history.jsonl nightly.jsonl
  aioscope history show history.jsonl
  aioscope history show history.jsonl --metric cpu --row 'kioctx.*shared' --format json
  aioscope history page history.jsonl -o history.html

exit codes: 0 done, 2 usage, 4 a file is no result or no history, 5 input or output
"""


def _percent(text):
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage") from None
    if not 0 <= value < 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage that can be meant")
    return value


def _choosing(parser):
    parser.add_argument("--metric", metavar="METRIC", action="append", default=[],
                        help="only this one, or several with commas; all: every one there is "
                             "(default: the time, the throughput and the exact counts)")
    parser.add_argument("--row", metavar="REGEX", default="", help="only rows whose name matches")
    parser.add_argument("--least-change", metavar="PERCENT", type=_percent, default=None,
                        help="smaller changes are left out (default: 3, of exact counts 1)")
    parser.add_argument("--last", metavar="N", type=int, default=0, help="only the newest N runs")


def _parser():
    parser = argparse.ArgumentParser(
        prog="aioscope history", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Keep results of many runs in a file, and find where they changed.")
    actions = parser.add_subparsers(dest="action", metavar="add|show|page", required=True)
    add = actions.add_parser("add", help="append results; FILE comes to be where it is not")
    add.add_argument("file", metavar="FILE", help="the history")
    add.add_argument("results", metavar="RESULT", nargs="+", help="a result file, plain or gzip")
    add.add_argument("--force", action="store_true",
                     help="also of incomplete runs and of builds that say nothing about speed")
    show = actions.add_parser("show", help="the changes as text or JSON")
    show.add_argument("file", metavar="FILE", help="the history")
    show.add_argument("--format", choices=("text", "json"), default="text",
                      help="(default: text)")
    _choosing(show)
    page = actions.add_parser("page", help="the changes and every series as an HTML page")
    page.add_argument("file", metavar="FILE", help="the history")
    page.add_argument("-o", "--output", metavar="FILE", required=True,
                      help="the page; - for standard output")
    _choosing(page)
    return parser


def _summary(path, force):
    from ..load import ResultError, load
    from ..summarise import summarise
    from ..validate import validate
    summary = summarise(validate(load(path)))
    tool = summary.run.header["tool"]
    problem = ""
    if summary.run.incomplete:
        problem = f"incomplete: {summary.run.incomplete}"
    elif tool["sanitizers"] or tool["build_type"] != "Release":
        problem = (f"a {tool['build_type'] or 'nameless'} build"
                   f"{' with sanitizers' * bool(tool['sanitizers'])}: its numbers say nothing "
                   "about speed")
    elif not summary.measured:
        raise ResultError(path, 0, "no row was measured")
    if problem and not force:
        raise ResultError(path, 0, f"{problem}; --force adds it all the same")
    return summary


def _add(options):
    from . import store
    records = [store.point_of(_summary(path, options.force)) for path in options.results]
    added = store.add(options.file, records)
    skipped = len(records) - len(added)
    print(f"{options.file}: added {len(added)} of {len(records)}"
          f"{f', {skipped} were there already' if skipped else ''}", file=sys.stderr)
    return EXIT_OK


def _series(parser, options):
    """(series, their points, those left out)."""
    from . import series, store
    try:
        wanted = re.compile(options.row)
    except re.error as error:
        parser.error(f"--row: {error}")
    if options.last < 0:
        parser.error("--last is a number of runs")
    points, cut = store.load(options.file)
    if cut:
        print(f"aioscope history: warning: {options.file}: its last line is cut off and left out",
              file=sys.stderr)
    points, others = series.of_newest_machine(points)
    points = points[-options.last:]
    known = series.keys_of(points)
    keys = [key for text in options.metric for key in text.split(",") if key]
    for key in keys:
        if key != "all" and key not in known:
            parser.error(f"no metric {key!r} in this history; there are "
                         f"{', '.join(known) or 'none'}")
    if not keys:
        keys = [key for key in series.DEFAULT if key in known]
    elif "all" in keys:
        keys = known
    return series.of_points(points, keys, wanted, options.least_change), points, others


def main(arguments):
    """Returns the exit code. Raises ResultError and OSError."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.action == "add":
        return _add(options)
    found, points, others = _series(parser, options)
    if not points:
        print(f"{options.file}: no run in it yet; 'aioscope history add' puts one there",
              file=sys.stderr)
        return EXIT_INVALID
    if options.action == "show":
        from . import words
        to = words.to_json if options.format == "json" else words.to_text
        sys.stdout.write(to(found, points, others))
        sys.stdout.flush()
        return EXIT_OK
    from ..load import read
    from ..output import write
    from . import history_page
    name = pathlib.PurePath(options.file).name
    text = history_page.render(name, read(options.file), found, points, others).encode("utf-8")
    write(options.output, text)
    return EXIT_OK
