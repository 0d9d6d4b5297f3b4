"""aioscope export: turns a result file, or a gate's verdict, into what other tools read."""

import argparse
import re
import sys

from . import (bencher, benchfmt, chrome_trace, csv_table, folded, gbench,
               github_action_benchmark, hgrm, junit, markdown, openmetrics, speedscope)

# One module per format, each with SUMMARY (one line) and export(summary, rows) -> text. `summary`
# is summarise's, `rows` are those of its rows that were chosen. What a file cannot give is a
# NothingToExport, which names what is missing. A module with of_gate(gate) takes a gate.json too.
# With DIRECTED export takes `better` as well: lower or higher.
EXPORTERS = {"gbench": gbench, "csv": csv_table, "junit": junit, "markdown": markdown,
             "benchfmt": benchfmt, "github-action-benchmark": github_action_benchmark,
             "bencher": bencher, "openmetrics": openmetrics, "speedscope": speedscope,
             "folded": folded, "hgrm": hgrm, "chrome-trace": chrome_trace}

EPILOG = """examples:
  aioscope export gate.json --to junit -o gate.xml
  aioscope export quick.jsonl --to folded --row libaio > libaio.folded
  aioscope export quick.jsonl --to speedscope -o quick.speedscope.json

exit codes: 0 done, 2 usage, 4 no result file or nothing in it to export, 5 input or output
"""
EXIT_OK = 0
EXIT_USAGE = 2
EXIT_INVALID = 4


def _parser():
    formats = "\n".join(f"  {name:<24} {module.SUMMARY}" for name, module in EXPORTERS.items())
    parser = argparse.ArgumentParser(
        prog="aioscope export",
        description="Write a result file, or a gate's verdict, in another format.",
        epilog=f"formats:\n{formats}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", metavar="RESULT",
                        help="a result file, plain or gzip; or a gate.json")
    parser.add_argument("--to", choices=sorted(EXPORTERS), required=True, help="the format")
    parser.add_argument("--row", metavar="REGEX", default="",
                        help="only rows whose name matches")
    parser.add_argument("--better", choices=("lower", "higher"),
                        help="which measures, for github-action-benchmark (default: lower)")
    parser.add_argument("-o", "--output", metavar="FILE", default="-",
                        help="instead of standard output")
    return parser


def _of_gate(options):
    """The text. Raises NothingToExport."""
    from ..gate_file import load_gate
    from ..load import NothingToExport
    module = EXPORTERS[options.to]
    if not hasattr(module, "of_gate"):
        able = ", ".join(name for name, module in EXPORTERS.items() if hasattr(module, "of_gate"))
        raise NothingToExport(f"this is the verdict of a gate, which can become {able}")
    return module.of_gate(load_gate(options.result))


def _of_result(options, wanted):
    """The text. Raises NothingToExport."""
    from ..load import NothingToExport, load
    from ..summarise import summarise
    from ..validate import validate
    run = validate(load(options.result))
    if run.incomplete:
        print(f"aioscope export: warning: {options.result}: incomplete: {run.incomplete}",
              file=sys.stderr)
    summary = summarise(run, every_row=True)
    known = [row for row in summary.rows if not row.row.price_only]
    rows = [row for row in known if wanted.search(row.row.name)]
    if not rows:
        names = "\n  ".join(row.row.name for row in known)
        raise NothingToExport(f"no row matches {options.row!r}; the rows are\n  {names}")
    module = EXPORTERS[options.to]
    if hasattr(module, "DIRECTED"):
        return module.export(summary, rows, options.better or "lower")
    return module.export(summary, rows)


def main(arguments):
    """Returns the exit code. Raises ResultError and OSError."""
    from ..gate_file import is_gate
    from ..load import NothingToExport
    from ..output import write
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        wanted = re.compile(options.row)
    except re.error as error:
        parser.error(f"--row: {error}")
    if options.better and not hasattr(EXPORTERS[options.to], "DIRECTED"):
        parser.error(f"--better has no meaning for {options.to}")
    try:
        gate = is_gate(options.result)
        text = _of_gate(options) if gate else _of_result(options, wanted)
    except NothingToExport as problem:
        print(f"aioscope export: {options.result}: {problem}", file=sys.stderr)
        return EXIT_INVALID
    write(options.output, text.encode("utf-8"))
    return EXIT_OK
