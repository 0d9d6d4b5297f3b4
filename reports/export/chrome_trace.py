"""Chrome's trace events: what a result file knows over time. A process for each row; in it each
repetition and its threads as spans of the measured window, throughput as a counter with the
repetition's slices. Single operations are in no result file, so that none are here."""

import json

from ..inside import per_op
from ..load import NothingToExport
from ..metrics import cpu_ns_per_op

SUMMARY = "repetitions, threads and throughput over time: for Perfetto, chrome://tracing"
NS_PER_US = 1000


def _metadata(process, thread, kind, name):
    return {"name": kind, "ph": "M", "pid": process, "tid": thread, "args": {"name": name}}


def _known(values):
    return {name: value for name, value in values.items() if value is not None}


def _waits(measurement):
    """What is known of waits only as a whole, of the window."""
    for name in ("kernel_locks", "futex_waits"):
        found = measurement.get(name) or {}
        if found.get("source") and isinstance(found.get("sites"), list):
            yield f"{name}_wait_ns", sum(site["wait_ns"] or 0 for site in found["sites"])


def _thread_names(measurement):
    """[(name, its record)]: as measurement.off_cpu names them, submitter 0, 1, then reapers."""
    numbers = {}
    for thread in measurement.get("thread") or []:
        role = thread.get("role") or "thread"
        number = numbers[role] = numbers.get(role, -1) + 1
        yield f"{role} {number}", thread


def _threads(process, span, measurement):
    off_cpu = {thread["name"]: thread
               for thread in (measurement.get("off_cpu") or {}).get("threads") or []}
    for number, (name, thread) in enumerate(_thread_names(measurement), 1):
        waited = {f"off_cpu_{key}": value for key, value in off_cpu.get(name, {}).items()
                  if key.endswith("_ns")}
        args = _known({"operations": thread.get("operations"),
                       "system_calls_of_driver": thread.get("driver_system_calls"), **waited})
        yield {**span, "name": name, "cat": "thread", "tid": number, "args": args}


def _repetition(process, item, start_ns):
    found = item.measurement
    begin_us = (found["start_realtime_ns"] - start_ns) / NS_PER_US
    span = {"ph": "X", "pid": process, "ts": begin_us, "dur": found["window_ns"] / NS_PER_US}
    args = {"position": item.position, "operations": found["operations"],
            "operations_per_s": found["operations_per_s"], "cpu_ns_per_op": cpu_ns_per_op(item),
            **dict(_waits(found))}
    counts = found.get("driver_counts")
    if counts:
        args["lock_wait_ns_per_op"] = per_op(
            sum(site["wait_ns"] for site in counts["lock_sites"]), counts["operations"])
    yield {**span, "name": f"repetition {item.repetition}", "cat": "repetition", "tid": 0,
           "args": _known(args)}
    yield from _threads(process, span, found)
    for i, rate in enumerate(found["slices_ops_per_s"]):
        if rate is not None:
            yield {"name": "throughput", "ph": "C", "pid": process, "tid": 0,
                   "ts": begin_us + i * found["slice_ns"] / NS_PER_US, "args": {"op/s": rate}}


def export(_, rows):
    """Clocks count from the first repetition."""
    timed = [(row, [item for item in row.repetitions
                    if item.measurement["start_realtime_ns"] is not None]) for row in rows]
    timed = [(row, items) for row, items in timed if items]
    if not timed:
        raise NothingToExport("no row was measured, or the file does not say when")
    start_ns = min(item.measurement["start_realtime_ns"] for _, items in timed for item in items)
    events = []
    for row, items in timed:
        process = row.row.index + 1
        names = {0: "repetitions"}
        for item in items:
            names.update((number, name) for number, (name, _)
                         in enumerate(_thread_names(item.measurement), 1))
        events.append(_metadata(process, 0, "process_name", row.row.name))
        events += [_metadata(process, number, "thread_name", name)
                   for number, name in names.items()]
        for item in items:
            events += _repetition(process, item, start_ns)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}, ensure_ascii=False,
                      allow_nan=False) + "\n"
