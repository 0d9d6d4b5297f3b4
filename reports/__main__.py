"""The commands of aioscope that read result files, and import, which makes them."""

import argparse
import importlib
import os
import pathlib
import sys

if __package__ in (None, ""):  # started as `python3 PATH/reports`
    # Instead of PATH/reports, whose modules would shadow others of their names.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)
    __package__ = "reports"

from .output import EXIT_IO, guarded, write

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_INVALID = 4

EPILOG = """examples:
  aioscope report quick.jsonl -o quick.html
  aioscope report before.jsonl after.jsonl -o both.html    the second against the first
  aioscope report gate.json new.jsonl -o gate.html         a gate's verdict, and what it is about
  aioscope report figure quick.jsonl --figure throughput -o throughput.svg

exit codes: 0 done, 2 usage, 4 a file is no result file or has nothing to draw, 5 input or output
"""
# Commands besides `report`, by the module that has their main(arguments) -> exit code.
COMMANDS = {"compare": ".compare", "explain": ".explain", "export": ".export",
            "history": ".history", "import": ".importer"}
FIGURES = ("throughput", "scaling", "depth", "series", "cpu", "layers", "off_cpu", "locks",
           "latency", "order", "fairness", "counters")


def _page_parser():
    parser = argparse.ArgumentParser(
        prog="aioscope report", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Make one HTML page, which needs nothing else, of result files.")
    parser.add_argument("results", metavar="RESULT", nargs="+",
                        help="a result file, plain or gzip, or a gate.json; results beyond the "
                             "first are compared with it")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="the page; without it the name of the first RESULT with .html; - for "
                             "standard output")
    return parser


def _figure_parser():
    parser = argparse.ArgumentParser(prog="aioscope report figure",
                                     description="Draw one figure of a result file.")
    parser.add_argument("result", metavar="RESULT", help="a result file, plain or gzip")
    parser.add_argument("--figure", choices=FIGURES, default="throughput",
                        help="which (default: throughput)")
    parser.add_argument("-o", "--output", metavar="FILE.svg|FILE.png", required=True)
    return parser


def _summary(path):
    from .load import load
    from .summarise import summarise
    from .validate import validate
    run = validate(load(path))
    if run.incomplete:
        print(f"aioscope report: warning: {path}: incomplete: {run.incomplete}", file=sys.stderr)
    return summarise(run)


def _make_page(options):
    from .page import render
    output = options.output
    if output is None:
        name = options.results[0].removesuffix(".gz").removesuffix(".jsonl")
        output = name + ".html"
    if output != "-" and any(os.path.exists(output) and os.path.samefile(output, result)
                             for result in options.results if os.path.exists(result)):
        print(f"aioscope report: {output} is a result file; give another name with -o",
              file=sys.stderr)
        return EXIT_USAGE
    from .gate_file import is_gate, load_gate
    gates = [path for path in options.results if is_gate(path)]
    page = render([_summary(path) for path in options.results if path not in gates],
                  list(map(load_gate, gates)))
    write(output, page.encode("utf-8", "backslashreplace"))
    if options.output is None:
        print(f"wrote {output}", file=sys.stderr)
    return EXIT_OK


def _make_figure(options):
    from . import figures, sheet
    to_bytes = {".svg": lambda drawn: sheet.all_to_svg(drawn).encode("utf-8"),
                ".png": sheet.all_to_png}
    suffix = pathlib.PurePath(options.output).suffix
    if suffix not in to_bytes:
        print("aioscope report: the name of a figure ends in .svg or .png", file=sys.stderr)
        return EXIT_USAGE
    summary = _summary(options.result)
    with sheet.settings():
        drawn = figures.BY_KEY[options.figure].draw(summary)
    if isinstance(drawn, str):
        print(f"aioscope: {options.result}: no figure {options.figure}: {drawn}", file=sys.stderr)
        return EXIT_INVALID
    write(options.output, to_bytes[suffix](drawn))
    return EXIT_OK


def _ended(make, options):
    from .load import ResultError
    try:
        return make(options)
    except ResultError as error:
        print(f"aioscope: {error}", file=sys.stderr)
        return EXIT_INVALID
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return EXIT_OK
    except OSError as error:
        name = error.filename2 or error.filename or "output"
        print(f"aioscope: {name}: {error.strerror or error}", file=sys.stderr)
        return EXIT_IO


def _main(arguments):
    if arguments and arguments[0] in COMMANDS:
        command = importlib.import_module(COMMANDS[arguments[0]], __package__)
        return _ended(command.main, arguments[1:])
    if arguments and arguments[0] == "figure":
        parser, make = _figure_parser(), _make_figure
        arguments = arguments[1:]
    else:
        # "report" is what the program of that name passes on.
        arguments = arguments[1:] if arguments and arguments[0] == "report" else arguments
        parser, make = _page_parser(), _make_page
        if arguments and arguments[0] == "figure":
            return _main(arguments)
    return _ended(make, parser.parse_args(arguments))


def main(arguments):
    """Returns the exit code."""
    return guarded("aioscope", lambda: _main(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
