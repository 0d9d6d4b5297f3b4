"""aioscope compare: result files, or the rows of one that differ in one key, side by side."""

import argparse
import os
import pathlib
import re
import sys

from ..statistics.decide import CORRECTIONS

EXIT_OK = 0
EXIT_INVALID = 4
FORMATS = ("table", "markdown", "json")

EPILOG = """examples:
  aioscope compare before.jsonl after.jsonl
  aioscope compare before.jsonl after.jsonl --metric cpu,p99 --row 'kioctx.*shared'
  aioscope compare a.jsonl b.jsonl c.jsonl --format markdown > comment.md
  aioscope compare quick.jsonl --baseline driver=kioctx@v3.7
  aioscope compare quick.jsonl --by workload --format json

metrics, and the direction that is better:
{metrics}
  counter:NAME   each counter of --counters that had its hardware for itself (lower)

exit codes: 0 compared, 2 usage, 4 no result file or not to be compared, 5 input or output.
A verdict does not change the exit code: 'aioscope gate' decides over code.
"""


def _parser():
    from ..metrics import METRICS
    listed = "\n".join(f"  {metric.key:<14} {metric.words} ({metric.better})"
                       for metric in METRICS)
    parser = argparse.ArgumentParser(
        prog="aioscope compare", epilog=EPILOG.format(metrics=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compare result files row by row, the first being the base; or, of one "
                    "file,\nthe rows that differ in one key.")
    parser.add_argument("results", metavar="RESULT", nargs="+", help="a result file, plain or gzip")
    parser.add_argument("--by", metavar="KEY",
                        help="compare within one file: driver, workload, target, submitters, ...")
    parser.add_argument("--baseline", metavar="KEY=VALUE",
                        help="the value of --by that the others are compared with (default: the "
                             "first of the plan); says --by as well")
    parser.add_argument("--metric", metavar="METRIC", action="append", default=[],
                        help="only this one, or several with commas (default: all there are)")
    parser.add_argument("--row", metavar="REGEX", default="", help="only rows whose name matches")
    parser.add_argument("--margin", metavar="PERCENT", type=_percent, default=0.05,
                        help="a change up to this is none (default: 5)")
    parser.add_argument("--confidence", metavar="PERCENT", type=_percent, default=0.95,
                        help="of each interval (default: 95)")
    parser.add_argument("--correct", choices=CORRECTIONS, default="none",
                        help="for the number of rows of a metric (default: none)")
    parser.add_argument("--format", choices=FORMATS, default="table", help="(default: table)")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto",
                        help="(default: auto; NO_COLOR is heeded)")
    parser.add_argument("--force", action="store_true",
                        help="compare runs of unlike machines, builds, targets or windows")
    parser.add_argument("-o", "--output", metavar="FILE", default="-",
                        help="instead of standard output")
    return parser


def _percent(text):
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage") from None
    if not 0 <= value < 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage that can be meant")
    return value


def _checked(parser, options):
    """(key or None, value or None, compiled regex); usage errors leave."""
    try:
        wanted = re.compile(options.row)
    except re.error as error:
        parser.error(f"--row: {error}")
    key, value = options.by, None
    if options.baseline is not None:
        named, equals, value = options.baseline.partition("=")
        if not equals:
            named, value = options.by, options.baseline
        if not named:
            parser.error("--baseline is KEY=VALUE, as in driver=libaio")
        if key not in (None, named):
            parser.error(f"--by is {key} and --baseline is of {named}")
        key = named
    if not 0.5 <= options.confidence < 1:
        parser.error("--confidence lies between 50 and 100 percent")
    if key is None and len(options.results) < 2:
        parser.error("name two result files or more, or compare within one with --by KEY")
    if key is not None and len(options.results) > 1:
        parser.error("--by compares the rows of one file")
    return key, value, wanted


def _metrics(parser, options, rows):
    from ..metrics import BY_KEY, METRICS, counter_metrics
    counters = {metric.key: metric for metric in counter_metrics(rows)}
    names = [name for text in options.metric for name in text.split(",") if name]
    known = {**BY_KEY, **counters}
    for name in names:
        if name not in known and not name.startswith("counter:"):
            parser.error(f"no metric {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names if name in known] if names else [*METRICS,
                                                                           *counters.values()]


def _load(path):
    from ..load import load
    from ..summarise import summarise
    from ..validate import validate
    return summarise(validate(load(path)))


def _labels(paths):
    names = [pathlib.PurePath(path).name for path in paths]
    return names if len(set(names)) == len(names) else list(map(str, paths))


def use_color(when, stream):
    if when != "auto":
        return when == "always"
    return (not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
            and stream.isatty())


def _show(options, found, tables, settings):
    from . import show
    if options.format == "json":
        return show.to_json(found, tables, settings)
    if options.format == "markdown":
        return show.to_markdown(found, tables, settings)
    colored = options.output == "-" and use_color(options.color, sys.stdout)
    return show.to_table(found, tables, settings, colored)


def main(arguments):
    """Returns the exit code. Raises ResultError and OSError."""
    parser = _parser()
    options = parser.parse_args(arguments)
    from ..output import write
    from . import columns, effects
    key, value, wanted = _checked(parser, options)
    summaries = list(map(_load, options.results))
    try:
        if key is None:
            found = columns.of_files(summaries, _labels(options.results), wanted)
            if not options.force:
                columns.refuse_unlike(found)
        else:
            found = columns.of_key(summaries[0], key, value, wanted)
        settings = effects.Settings(options.margin, round(1 - options.confidence, 12),
                                    options.correct, every_row=bool(options.metric))
        metrics = _metrics(parser, options, [row for column in found.columns
                                             for row in column.rows.values()])
        tables = effects.tables(found, metrics, settings)
        if not tables:
            raise columns.Incomparable("no metric that was asked for was measured on both sides")
    except columns.Incomparable as problem:
        print(f"aioscope compare: {problem}", file=sys.stderr)
        return EXIT_INVALID
    text = _show(options, found, tables, settings)
    write(options.output, text.encode("utf-8", "backslashreplace"))
    return EXIT_OK
