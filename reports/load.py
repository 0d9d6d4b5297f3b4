"""Reads the lines of a result file as JSON. What the records mean is validate's."""

import gzip
import json
import zlib
from dataclasses import dataclass

GZIP_MAGIC = b"\x1f\x8b"
MOST_BYTES = 128 << 20  # of a file, unpacked: Python takes ten times as much to hold it
MOST_DEPTH = 64  # of lists and objects within each other


class ResultError(Exception):
    """A file that is no result file: PATH:LINE: what is wrong."""

    def __init__(self, path, line, problem):
        place = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{place}: {problem}")


class NothingToExport(Exception):
    """A result file that lacks what is asked of it; the text says what and why."""


@dataclass
class Lines:
    """The records of one file in order, each with its line number, and the bytes they came from."""

    path: str
    data: bytes
    records: list  # of (line number, dict)
    truncated: bool  # the last line was cut off while it was written


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON; a value that is not finite is written as null")


def decode(line):
    """A line's value, or ValueError with a sentence about what is wrong with it. Characters that
    no page can hold are replaced."""
    return clean(_parse(line))


def _parse(line):
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1} of the line") from None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        # Python says so about an integer of thousands of digits, and _refuse_constant.
        problem = str(error)
        if "integer string conversion" in problem:
            problem = "a number with thousands of digits"
        raise ValueError(problem) from None


def clean(value, depth=0):
    """The value with characters replaced that neither HTML nor SVG can hold, or that turn the
    direction of the text behind them."""
    if depth > MOST_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return value
        return "".join("\ufffd" if ord(c) < 32 or 127 <= ord(c) < 160
                       or 0xD800 <= ord(c) < 0xE000 or ord(c) & 0xFFFE == 0xFFFE
                       or 0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069
                       else c for c in value)
    if isinstance(value, list):
        return [clean(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {clean(key): clean(item, depth + 1) for key, item in value.items()}
    return value


def read(path):
    """The bytes of a file, unpacked. Raises ResultError, or OSError."""
    with open(path, "rb") as file:
        packed = file.peek(2).startswith(GZIP_MAGIC)
        try:
            data = (gzip.GzipFile(fileobj=file) if packed else file).read(MOST_BYTES + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ResultError(path, 0, f"damaged gzip file: {error}") from None
    if len(data) > MOST_BYTES:
        raise ResultError(path, 0, f"larger than {MOST_BYTES >> 20} MiB"
                          f"{' when unpacked' * packed}; measure in several runs of fewer rows")
    return data


def load(path):
    """The lines of the file at `path`, plain or gzip. Raises ResultError, or OSError."""
    data = read(path)
    if not data.strip():
        raise ResultError(path, 0, "empty; a result file begins with a header record")
    lines = data.split(b"\n")
    records = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = decode(line)
        except ValueError as error:
            if number == len(lines) and records:
                return Lines(str(path), data, records, truncated=True)
            raise ResultError(path, number, error) from None
        if not isinstance(record, dict):
            raise ResultError(path, number, "a record is a JSON object")
        records.append((number, record))
    return Lines(str(path), data, records, truncated=False)
