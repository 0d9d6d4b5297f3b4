"""aioscope import: makes a result file of what another tool measured."""

import argparse
import json

from . import fio, gbench

# One module per format, each with WORDS, is_one(document) -> bool and
# runs_of(document, path) -> records.Imported. What is wrong with a file is a ResultError.
IMPORTERS = {"fio": fio, "gbench": gbench}

EPILOG = """examples:
  fio --output-format=json+ --output=fio.json job.fio
  aioscope import fio.json -o fio.jsonl
  aioscope import first.json second.json third.json -o fio.jsonl    three repetitions
  aioscope report ours.jsonl fio.jsonl -o both.html

What the other tool does not say is null, or 0 in the shape of a row, and a dash in a report.

exit codes: 0 done, 2 usage, 4 a file is not of that format, 5 input or output
"""
EXIT_OK = 0


def _parser():
    formats = "\n".join(f"  {name:<8} {module.WORDS}" for name, module in IMPORTERS.items())
    parser = argparse.ArgumentParser(
        prog="aioscope import",
        description="Make a result file of what another tool measured.",
        epilog=f"formats:\n{formats}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="+",
                        help="plain or gzip; rows of one name in several files are repetitions")
    parser.add_argument("--from", dest="format", choices=sorted(IMPORTERS),
                        help="the format (default: what the file looks like)")
    parser.add_argument("-o", "--output", metavar="FILE", default="-",
                        help="the result file, instead of standard output")
    return parser


def document_of(path):
    """The JSON object in a file. fio writes messages around its own, which are skipped. Raises
    ResultError, OSError."""
    from ..load import ResultError, decode, read
    data = read(path)
    begin = 0 if data.startswith(b"{") else data.find(b"\n{") + 1
    end = data.rfind(b"}") + 1
    if not data[begin:].startswith(b"{") or end <= begin:
        raise ResultError(path, 0, "no JSON object is in it, or it was cut off")
    try:
        return decode(data[begin:end])
    except ValueError as error:
        raise ResultError(path, 0, error) from None


def _imported(path, name):
    from ..load import ResultError
    document = document_of(path)
    fitting = [name] if name else [known for known, module in IMPORTERS.items()
                                   if module.is_one(document)]
    if not fitting:
        raise ResultError(path, 0, "neither JSON of fio (--output-format=json+) nor of Google "
                          "Benchmark (--benchmark_format=json)")
    return IMPORTERS[fitting[0]].runs_of(document, path)


def _checked(found, paths):
    """The text of the records, if it is that of a result file; what is not comes from a number out
    of all bounds. Raises ResultError."""
    from ..load import Lines, ResultError
    from ..validate import validate
    name = f"{paths[0]}, as a result file"
    try:
        text = "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
                       for record in found)
    except ValueError:
        raise ResultError(name, 0, "a number is not finite") from None
    validate(Lines(name, b"", list(enumerate(found, 1)), truncated=False))
    return text


def main(arguments):
    """Returns the exit code. Raises ResultError and OSError."""
    from ..output import write
    from .records import records
    options = _parser().parse_args(arguments)
    text = _checked(records([_imported(path, options.format) for path in options.files]),
                    options.files)
    write(options.output, text.encode("utf-8"))
    return EXIT_OK
