"""aioscope export: turns a result file into what other tools read."""

import argparse
import re
import sys

from . import folded, speedscope

# One module per format, each with SUMMARY (one line) and export(summary, rows) -> text. `summary`
# is summarise's, `rows` are those of its rows that were chosen. What a file cannot give is a
# NothingToExport, which names what is missing.
EXPORTERS = {"folded": folded, "speedscope": speedscope}

EPILOG = """examples:
  aioscope export quick.jsonl --to folded --row libaio > libaio.folded
  aioscope export quick.jsonl --to speedscope -o quick.speedscope.json

exit codes: 0 done, 2 usage, 4 no result file or nothing in it to export, 5 input or output
"""
EXIT_OK = 0
EXIT_USAGE = 2
EXIT_INVALID = 4


def _parser():
    formats = "\n".join(f"  {name:<12} {module.SUMMARY}" for name, module in EXPORTERS.items())
    parser = argparse.ArgumentParser(
        prog="aioscope export", description="Write a result file in another format.",
        epilog=f"formats:\n{formats}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", metavar="RESULT", help="a result file, plain or gzip")
    parser.add_argument("--to", choices=sorted(EXPORTERS), required=True, help="the format")
    parser.add_argument("--row", metavar="REGEX", default="",
                        help="only rows whose name matches")
    parser.add_argument("-o", "--output", metavar="FILE", default="-",
                        help="instead of standard output")
    return parser


def main(arguments):
    """Returns the exit code. Raises ResultError and OSError."""
    from ..load import NothingToExport, load
    from ..page import write
    from ..summarise import summarise
    from ..validate import validate
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        wanted = re.compile(options.row)
    except re.error as error:
        parser.error(f"--row: {error}")
    run = validate(load(options.result))
    if run.incomplete:
        print(f"aioscope export: warning: {options.result}: incomplete: {run.incomplete}",
              file=sys.stderr)
    summary = summarise(run)
    known = [row for row in summary.rows if not row.row.price_only]
    rows = [row for row in known if wanted.search(row.row.name)]
    try:
        if not rows:
            names = "\n  ".join(row.row.name for row in known)
            raise NothingToExport(f"no row matches {options.row!r}; the rows are\n  {names}")
        text = EXPORTERS[options.to].export(summary, rows)
    except NothingToExport as problem:
        print(f"{options.result}: {problem}", file=sys.stderr)
        return EXIT_INVALID
    if options.output == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write(options.output, text.encode("utf-8"))
    return EXIT_OK
