"""Checks the records of a result file and makes a Run of them. Fields and records it does not know
are left alone: the schema grows by addition."""

import math
from dataclasses import dataclass, field

from .load import ResultError

SCHEMA = "aioscope.result/1"
LARGEST_INTEGER = 2**64 - 1
LARGEST_NUMBER = 1e18  # of a rate, a time or a count; beyond it a file is damaged
SUB_BUCKET_BITS = 6  # of the latency histogram: 64 buckets per power of two


@dataclass
class Row:
    index: int
    name: str
    config: dict
    price_only: bool
    price_row: object  # index of the row that prices the harness of this one, or None
    command: str


@dataclass
class Repetition:
    row: int
    repetition: int
    position: int
    measurement: dict
    buckets: dict  # lower bound in ns -> count


@dataclass
class Run:
    """One result file."""

    path: str
    data: bytes
    header: dict
    rows: list
    repetitions: list = field(default_factory=list)
    skipped: list = field(default_factory=list)  # records as they are
    failed: list = field(default_factory=list)
    incomplete: str = ""  # why the file is not complete; empty when it is


def _integer(value):
    if type(value) is not int or value < 0:
        return "is not a whole number of 0 or more"
    return "" if value <= LARGEST_INTEGER else "is too large"


def _number(value):
    """What could not be had is null."""
    if value is None:
        return ""
    if type(value) not in (int, float):
        return "is neither a number nor null"
    return "" if math.isfinite(value) and abs(value) <= LARGEST_NUMBER else "is too large"


def _quantity(value):
    return _number(value) or ("is negative" if value is not None and value < 0 else "")


def _of(kind, words):
    return lambda value: "" if type(value) is kind else f"is not {words}"


_text = _of(str, "a string")
_flag = _of(bool, "true or false")
_list = _of(list, "a list")
_object = _of(dict, "an object")


def _texts(value):
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if fits else "is not a list of strings"


def _quantities(value):
    if not isinstance(value, list):
        return "is not a list"
    return next(filter(None, map(_quantity, value)), "")


def _optional(check):
    return lambda value: "" if value is None else check(value)


HEADER = {"tool": _object, "host": _object, "plan": _object, "command": _texts}
TOOL = {"version": _text, "build_type": _text, "sanitizers": _text}
PLAN = {"repetitions": _integer, "warmup_ns": _integer, "window_ns": _integer, "rows": _list}
ROW = {"row": _integer, "name": _text, "config": _object, "price_only": _flag,
       "price_row": _optional(_integer), "command": _text}
CONFIG = {"driver": _text, "workload": _text, "target": _text, "target_label": _text,
          "submitters": _integer, "reapers": _integer, "contexts": _integer, "threads": _integer,
          "depth": _integer, "batch": _integer, "reap_min": _integer,
          "block_size_bytes": _integer, "operation": _text, "read_percent": _quantity,
          "pattern": _text, "buffered": _flag, "verify": _flag, "rate_per_s": _quantity,
          "arrival": _text, "latency": _text}
REPETITION = {"row": _integer, "repetition": _integer, "position": _integer,
              "measurement": _object}
MEASUREMENT = {"setup": _text, "oversubscribed": _flag, "start_realtime_ns": _integer,
               "window_ns": _integer, "operations": _integer, "operations_per_s": _quantity,
               "slice_ns": _integer, "slices_ops_per_s": _quantities, "drift": _number,
               "steady": _flag, "fairness_jain": _quantity, "latency_mode": _text,
               "latency": _object, "cpu_user_ns_per_op": _quantity,
               "cpu_system_ns_per_op": _quantity, "context_switches_per_op": _quantity,
               "system_calls_per_op": _quantity, "system_calls_source": _text,
               "warnings": _texts}
LATENCY = {"count": _integer, "max_ns": _quantity, "buckets": _object}
SKIPPED = {"row": _integer, "name": _text, "reason": _text, "cure": _text}
FAILED = {"row": _integer, "name": _text, "repetition": _integer, "kind": _text, "message": _text}
END = {"complete": _flag, "reason": _text}


class _Reader:
    """Builds a Run record by record; every error names the line."""

    def __init__(self, path):
        self.path = path
        self.line = 0

    def fail(self, problem):
        raise ResultError(self.path, self.line, problem)

    def check(self, value, fields, where):
        for name, check in fields.items():
            if name not in value:
                self.fail(f"{where}{name} is missing")
            if problem := check(value[name]):
                self.fail(f"{where}{name} {problem}")
        return value

    def header(self, record):
        if record.get("record") != "header":
            self.fail(f"no header record; a result file of schema {SCHEMA} begins with one")
        schema = record.get("schema")
        if schema != SCHEMA:
            self.fail(f"schema is {schema!r:.80}; this program reads {SCHEMA}")
        self.check(record, HEADER, "")
        self.check(record["tool"], TOOL, "tool.")
        self.check(record["plan"], PLAN, "plan.")
        rows = [self.row(i, row) for i, row in enumerate(record["plan"]["rows"])]
        for row in rows:
            if row.price_row is not None and row.price_row >= len(rows):
                self.fail(f"plan.rows[{row.index}].price_row names no row of the plan")
        return rows

    def row(self, index, row):
        where = f"plan.rows[{index}]"
        if not isinstance(row, dict):
            self.fail(f"{where} is not an object")
        self.check(row, ROW, where + ".")
        self.check(row["config"], CONFIG, where + ".config.")
        if row["row"] != index:
            self.fail(f"{where}.row is {row['row']}; rows are numbered in their order")
        return Row(index, row["name"], row["config"], row["price_only"], row["price_row"],
                   row["command"])

    def of_plan(self, record, run):
        if record["row"] >= len(run.rows):
            self.fail(f"row {record['row']} is not in the plan, which has {len(run.rows)}")

    def buckets(self, latency):
        buckets = {}
        for key, count in latency["buckets"].items():
            if not (key.isascii() and key.isdigit() and len(key) < 20):
                self.fail(f"measurement.latency.buckets: {key!r:.40} is no lower bound in ns")
            if _integer(count):
                self.fail(f"measurement.latency.buckets.{key} {_integer(count)}")
            low = int(key)
            if low % bucket_width_ns(low):
                self.fail(f"measurement.latency.buckets: no bucket begins at {low} ns")
            buckets[low] = count
        if sum(buckets.values()) != latency["count"]:
            self.fail("measurement.latency.count is not the sum of its buckets")
        return buckets

    def repetition(self, record, run):
        self.check(record, REPETITION, "")
        self.of_plan(record, run)
        measurement = self.check(record["measurement"], MEASUREMENT, "measurement.")
        latency = self.check(measurement["latency"], LATENCY, "measurement.latency.")
        key = (record["row"], record["repetition"])
        if any((known.row, known.repetition) == key for known in run.repetitions):
            self.fail(f"repetition {key[1]} of row {key[0]} is there twice")
        run.repetitions.append(Repetition(*key, record["position"], measurement,
                                          self.buckets(latency)))

    def listed(self, record, fields, run, records):
        self.check(record, fields, "")
        self.of_plan(record, run)
        records.append(record)

    def end(self, record, run):
        self.check(record, END, "")
        if record["complete"]:
            return ""
        done = f"{len(run.repetitions)} repetitions"
        return f"the run ended early ({record['reason'] or 'no reason given'}) after {done}"


def bucket_width_ns(low_ns):
    return 1 << max(0, low_ns.bit_length() - 1 - SUB_BUCKET_BITS)


def validate(lines):
    """The Run in `lines`. Raises ResultError."""
    reader = _Reader(lines.path)
    reader.line, header = lines.records[0]
    run = Run(lines.path, lines.data, header, reader.header(header))
    ended = False
    for reader.line, record in lines.records[1:]:
        kind = record.get("record")
        if not isinstance(kind, str):
            reader.fail("record is missing: it says what kind of record this is")
        if ended:
            reader.fail("a record behind the end record; one file holds one run")
        if kind == "header":
            reader.fail("a second header record; one file holds one run")
        elif kind == "repetition":
            reader.repetition(record, run)
        elif kind == "skipped":
            reader.listed(record, SKIPPED, run, run.skipped)
        elif kind == "failed":
            reader.listed(record, FAILED, run, run.failed)
        elif kind == "end":
            run.incomplete = reader.end(record, run)
            ended = True
    if not ended:
        cut = "its last line is cut off" if lines.truncated else "it has no end record"
        run.incomplete = f"{cut}: the run was cut short after {len(run.repetitions)} repetitions"
    elif lines.truncated:
        run.incomplete = "something that is no record follows its end record"
    return run
