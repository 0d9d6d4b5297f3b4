"""The history file: JSON Lines, one line per run, only ever appended to (docs/RESULT_FORMAT.md)."""

import fcntl
import hashlib
import json
import os
from dataclasses import dataclass
from statistics import median

from .. import metrics
from ..fields import flag, integer, joined, mapping, number, object_of, optional, text
from ..load import ResultError, decode, read

SCHEMA = "aioscope.history/1"

VALUE = object_of({"value": number}, {"low": number, "high": number, "repetitions": integer})
POINT = object_of({"schema": text, "start_realtime_ns": integer, "commit": text, "rows": mapping},
                  {"dirty": optional(flag), "version": text, "build_type": text, "sanitizers": text,
                   "host": text, "fingerprint": text, "kernel": text, "sha256": text,
                   "result": text})


@dataclass
class Point:
    """One run."""

    line: int
    record: dict

    @property
    def machine(self):
        """Points of different ones are not compared."""
        record = self.record
        return (record.get("fingerprint", ""), record.get("build_type", ""),
                record.get("sanitizers", ""))

    @property
    def commit(self):
        name = self.record["commit"] or "an unknown commit"
        return f"{name} (modified)" if self.record.get("dirty") else name


def _values(row):
    found = {}
    for metric in [*metrics.METRICS, *metrics.counter_metrics([row])]:
        values = list(metrics.values(row, metric).values())
        if values:
            found[metric.key] = {"value": median(values), "low": min(values), "high": max(values),
                                 "repetitions": len(values)}
    return found


def point_of(summary):
    """The record of a run, of the rows that were measured."""
    header = summary.run.header
    tool, host = header["tool"], header["host"]
    start_ns = header.get("start_realtime_ns")
    return {
        "schema": SCHEMA,
        "start_realtime_ns": start_ns if not integer(start_ns) else 0,
        "commit": str(tool.get("commit") or ""), "dirty": bool(tool.get("dirty")),
        "version": tool["version"], "build_type": tool["build_type"],
        "sanitizers": tool["sanitizers"], "host": str(host.get("name") or ""),
        "fingerprint": _fingerprint(host), "kernel": str(host.get("kernel") or ""),
        "sha256": hashlib.sha256(summary.run.data).hexdigest(),
        "result": os.path.basename(summary.run.path).encode("utf-8", "replace").decode("utf-8"),
        "rows": {row.row.name: _values(row) for row in summary.measured}}


def _fingerprint(host):
    """Of older files, which have none, what comes closest."""
    if host.get("fingerprint"):
        return str(host["fingerprint"])
    return " ".join(str(host.get(name, "?")) for name in ("cpu_model", "cpus_usable", "kernel"))


def _check(path, number_of_line, record):
    problem = POINT(record)
    if not problem and record["schema"] != SCHEMA:
        problem = f": schema is {record['schema']!r:.80}; this program reads {SCHEMA}"
    if not problem:
        for name, values in record["rows"].items():
            problem = mapping(values) or next(
                filter(None, (VALUE(value) for value in values.values())), "")
            if problem:
                problem = joined(f": rows.{name:.80}", problem)
                break
    if problem:
        raise ResultError(path, number_of_line, joined("point", problem))


def load(path):
    """([Point] in the order of their runs, whether the last line is cut off). Raises ResultError,
    OSError."""
    return _parsed(path, read(path))


def _parsed(path, data):
    lines = data.split(b"\n")
    cut = bool(lines[-1].strip())
    points = []
    for i, line in enumerate(lines[:-1], 1):
        if line.strip():
            try:
                record = decode(line)
            except ValueError as error:
                raise ResultError(path, i, error) from None
            _check(path, i, record)
            points.append(Point(i, record))
    points.sort(key=lambda point: (point.record["start_realtime_ns"], point.line))
    return points, cut


def add(path, records):
    """Appends those of `records` whose results are not there yet, and returns them. The file is
    locked meanwhile and comes to be where it is not; either all of it is written, or the last line
    is cut off, which load() says. Raises ResultError, OSError."""
    with open(path, "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        points, cut = _parsed(path, file.read())
        if cut:
            raise ResultError(path, 0, "its last line is cut off, by a writer that was stopped; "
                              "take that line out and add the result again")
        known = {point.record.get("sha256") for point in points}
        new = []
        for record in records:
            if record["sha256"] not in known:
                known.add(record["sha256"])
                new.append(record)
        file.write(b"".join(json.dumps(record, ensure_ascii=False, allow_nan=False).encode("utf-8")
                            + b"\n" for record in new))
        file.flush()
        os.fsync(file.fileno())
        return new
