"""Checks the records of a result file and makes a Run of them. Fields and records it does not know
are left alone: the schema grows by addition."""

from dataclasses import dataclass, field

from .fields import (array, flag, integer, joined, list_of, mapping, number, object_of, optional,
                     quantities, quantity, text, texts)
from .load import ResultError
from .looking import INSTRUMENTS

SCHEMA = "aioscope.result/1"
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


HEADER = {"tool": mapping, "host": mapping, "plan": mapping, "command": texts}
TOOL = {"version": text, "build_type": text, "sanitizers": text}
PLAN = {"repetitions": integer, "warmup_ns": optional(integer),
        "window_ns": optional(integer), "rows": array}
ROW = {"row": integer, "name": text, "config": mapping, "price_only": flag,
       "price_row": optional(integer), "command": text}
CONFIG = {"driver": text, "workload": text, "target": text, "target_label": text,
          "submitters": integer, "reapers": integer, "contexts": integer, "threads": integer,
          "depth": integer, "batch": integer, "reap_min": integer, "block_size_bytes": integer,
          "operation": text, "read_percent": quantity, "pattern": text, "buffered": flag,
          "verify": flag, "rate_per_s": quantity, "arrival": text, "latency": text}
REPETITION = {"row": integer, "repetition": integer, "position": integer, "measurement": mapping}
MEASUREMENT = {"setup": text, "oversubscribed": optional(flag),
               "start_realtime_ns": optional(integer),
               "window_ns": integer, "operations": integer, "operations_per_s": quantity,
               "slice_ns": integer, "slices_ops_per_s": quantities, "drift": number,
               "steady": optional(flag), "fairness_jain": quantity, "latency_mode": text,
               "latency": mapping, "cpu_user_ns_per_op": quantity,
               "cpu_system_ns_per_op": quantity, "context_switches_per_op": quantity,
               "system_calls_per_op": quantity, "system_calls_source": text, "warnings": texts}
LATENCY = {"count": integer, "max_ns": quantity, "buckets": mapping}
SKIPPED = {"row": integer, "name": text, "reason": text, "cure": text}
FAILED = {"row": integer, "name": text, "repetition": integer, "kind": text, "message": text}
END = {"complete": flag, "reason": text}

# Of a measurement, where the run took them.
COUNTS = object_of({"operations": integer, "lock_sites": list_of(object_of(
    {"site": text, "acquisitions": integer, "contended": integer, "wait_ns": integer},
    {"wait_ns_p50": quantity, "wait_ns_p99": quantity, "wait_ns_max": quantity}))},
    {"shared_rmw": quantity, "allocations": quantity, "wakeups": quantity})
PROFILE = object_of({}, {
    "event": optional(text), "frequency_hz": quantity, "lost": quantity, "reason": text,
    "layers": list_of(object_of({"layer": text, "user_samples": optional(integer),
                                 "kernel_samples": optional(integer)})),
    "moved": list_of(object_of({"from": text, "to": text, "samples": integer})),
    "stacks": list_of(object_of({"frames": texts, "samples": integer}, {"layer": text})),
    "rest_samples": integer, "whole": flag, "symbols_reason": text,
    "unmatched": list_of(object_of({"symbol": text, "samples": integer}))})
OFF_CPU = object_of({"source": text, "reason": text, "window_ns": integer, "threads": list_of(
    object_of({"name": text, "switches": integer, "completions_ns": optional(integer),
               "lock_ns": optional(integer), "other_wait_ns": optional(integer),
               "preempted_ns": optional(integer)}, {"wait_ns": optional(integer),
                                                    "of_driver": flag}))})
KERNEL_LOCKS = object_of({}, {
    "source": text, "reason": text, "lost": quantity, "operations": quantity,
    "sites": list_of(object_of(
        {"site": text, "contended": integer, "wait_ns": quantity},
        {"kind": text, "layer": text, "wait_ns_p50": quantity, "wait_ns_p99": quantity,
         "wait_ns_max": quantity}))})
COUNTERS = list_of(object_of({"name": text}, {
    "value": quantity, "per_op": quantity, "time_enabled_ns": quantity,
    "time_running_ns": quantity, "scaled": flag, "reason": text,
    "unit": text}))
SPLIT = object_of({}, {"submit_call_ns_per_op": quantity, "in_flight_ns_per_op": quantity,
                       "reap_call_ns_per_op": quantity})
THREADS = list_of(object_of({}, {"role": text, "operations": integer,
                               "driver_system_calls": integer}))
TAKEN = {"driver_counts": optional(COUNTS), "profile": optional(PROFILE),
         "off_cpu": optional(OFF_CPU),
         "kernel_locks": optional(KERNEL_LOCKS), "futex_waits": optional(KERNEL_LOCKS),
         "counters": optional(COUNTERS),
         "latency_split": optional(SPLIT), "thread": optional(THREADS),
         "fairness_min_max": quantity, "voluntary_switches_per_op": quantity,
         "faults_per_op": quantity, "migrations_per_op": quantity}


class _Reader:
    """Builds a Run record by record; every error names the line."""

    def __init__(self, path):
        self.path = path
        self.line = 0
        self.seen = set()  # (row, repetition)

    def fail(self, problem):
        raise ResultError(self.path, self.line, problem)

    def check(self, value, fields, where):
        for name, check in fields.items():
            if name not in value:
                self.fail(f"{where}{name} is missing")
            if problem := check(value[name]):
                self.fail(joined(where + name, problem))
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
        if problem := INSTRUMENTS(record.get("looking", [])):
            self.fail(joined("looking", problem))
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
            if problem := integer(count):
                self.fail(f"measurement.latency.buckets.{key} {problem}")
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
        self.check(measurement, {name: check for name, check in TAKEN.items()
                                 if name in measurement}, "measurement.")
        key = (record["row"], record["repetition"])
        if key in self.seen:
            self.fail(f"repetition {key[1]} of row {key[0]} is there twice")
        self.seen.add(key)
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
