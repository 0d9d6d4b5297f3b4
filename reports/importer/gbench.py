"""JSON of Google Benchmark: a row per benchmark, its repetitions as they are.

An iteration is an operation. The tool says CPU time as one number, which stands among the counters,
and no distribution of latency.
"""

import pathlib
import re
from datetime import datetime

from ..fields import array, integer, joined, mapping, object_of, quantity, text
from ..load import ResultError
from . import records

WORDS = "Google Benchmark --benchmark_format=json, and what export --to gbench writes"
UNITS_NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
PERCENTILES = ("p50", "p90", "p99", "p999")
# Keys in the name of a row, and where they stand in its configuration.
KEYS = {"submitters": "submitters", "reapers": "reapers", "contexts": "contexts",
        "depth": "depth", "batch": "batch", "reap_min": "reap_min", "bs": "block_size_bytes"}
WORKLOADS = ("shared", "per-thread", "aggregate", "grouped")

ENTRY = object_of({"name": text}, {
    "run_type": text, "run_name": text, "iterations": integer, "real_time": quantity,
    "cpu_time": quantity, "time_unit": text, "threads": integer, "items_per_second": quantity,
    "label": text, "error_message": text, "skip_message": text})
DOCUMENT = object_of({"context": mapping, "benchmarks": array}, {})


def is_one(document):
    return isinstance(document.get("context"), dict) and "benchmarks" in document


def _started_ns(context):
    """When the run began; None where `date` is not what the tool writes."""
    date = context.get("date")
    try:
        return int(datetime.fromisoformat(date).timestamp()) * 10**9
    except (TypeError, ValueError, OverflowError):
        return None


def _host(context):
    """Of the fields of a host those that the tool knows."""
    host = {}
    for name, ours in (("host_name", "name"), ("num_cpus", "cpus_online"),
                       ("mhz_per_cpu", "cpu_mhz"), ("load_avg", "load_average")):
        value = context.get(name)
        kinds = {"name": str, "load_average": list}.get(ours, (int, float))
        if isinstance(value, kinds) and value:
            host[ours] = value
    caches = context.get("caches")
    if isinstance(caches, list):
        host["caches"] = [{"level": cache.get("level"), "type": cache.get("type"),
                           "size_bytes": cache.get("size"),
                           "num_sharing": cache.get("num_sharing")}
                          for cache in caches if isinstance(cache, dict)]
    return host


def _config(name, entry, program):
    """From a name that `export` wrote all that it says; of any other its threads."""
    parts = name.split("/")
    keys = dict(part.split(":", 1) for part in parts if part.count(":") == 1)
    found = {ours: int(keys[key]) for key, ours in KEYS.items()
             if re.fullmatch("[0-9]{1,12}", keys.get(key, ""))}
    threads = entry.get("threads") or 1
    labels = dict(part.split("=", 1) for part in entry.get("label", "").split(" ") if "=" in part)
    if not {"driver", "workload", "target"} <= labels.keys() \
            or labels["workload"] not in WORKLOADS:
        return records.config(f"gbench:{program}", "unknown", "unknown",
                              submitters=threads, contexts=threads, threads=threads)
    operation = next((part for part in parts if part in ("read", "write", "mixed", "nop")),
                     "unknown")
    return records.config(labels["driver"], labels["target"], labels["target"],
                          **{"submitters": threads, "contexts": 0, **found, "threads": threads,
                             "workload": labels["workload"], "operation": operation})


def _counter(name, per_op, unit):
    return {"name": name, "unit": unit, "value": None, "per_op": per_op, "time_enabled_ns": None,
            "time_running_ns": None, "scaled": False, "reason": ""}


def _counters(entry, to_ns):
    """What the tool counted per operation."""
    if entry.get("cpu_time") is not None:
        yield _counter("cpu-time", entry["cpu_time"] * to_ns, "ns")
    for name, value in entry.items():
        if name.endswith("_per_op") and not quantity(value) and value is not None:
            yield _counter(name.removesuffix("_per_op"), value,
                           "ns" if name.endswith("_ns_per_op") else "count")


def _measurement(entry, version, path):
    unit = entry.get("time_unit", "ns")
    if unit not in UNITS_NS:
        raise ResultError(path, 0, f"benchmark {entry['name']!r:.80}: time_unit is {unit!r:.20}")
    to_ns = UNITS_NS[unit]
    time_ns = entry["real_time"] * to_ns
    operations = entry.get("iterations") or 0
    return records.measurement(
        f"Google Benchmark {version}".rstrip(), operations,
        entry.get("items_per_second") or 1e9 / time_ns, threads=entry.get("threads"),
        window_ns=min(round(time_ns * operations), 10**18),
        counters=list(_counters(entry, to_ns)))


def _measured(entry, name, program, version, path):
    row = records.Measured(_config(name, entry, program), name)
    if entry.get("error_occurred"):
        row.problem = entry.get("error_message") or "the benchmark failed"
    elif entry.get("skipped"):
        row.problem, row.skipped = entry.get("skip_message") or "skipped", True
    elif not entry.get("real_time"):
        row.problem = "no time was measured"
    else:
        row.measurement = _measurement(entry, version, path)
    return row


def _entries(document, path):
    """[(name, entry)] of single runs: no aggregates, and no percentiles, which `export` adds and
    which are nothing without their histogram."""
    found = []
    for i, entry in enumerate(document["benchmarks"]):
        if problem := ENTRY(entry):
            raise ResultError(path, 0, joined(f"benchmarks[{i}]", problem))
        if entry.get("run_type", "iteration") == "iteration":
            found.append((entry.get("run_name") or entry["name"], entry))
    if document["benchmarks"] and not found:
        raise ResultError(path, 0, "holds aggregates only; measure with "
                          "--benchmark_report_aggregates_only=false")
    names = {name for name, _ in found}
    return [(name, entry) for name, entry in found
            if not (name.rpartition("/")[2] in PERCENTILES and name.rpartition("/")[0] in names)]


def runs_of(document, path):
    """Imported. Raises ResultError."""
    if problem := DOCUMENT(document):
        raise ResultError(path, 0, joined("Google Benchmark", problem))
    context = document["context"]
    version = context.get("library_version")
    version = version if isinstance(version, str) else ""
    executable = context.get("executable")
    executable = executable if isinstance(executable, str) else ""
    program = pathlib.PurePosixPath(executable).name or "unknown"
    return records.Imported(
        str(path), "Google Benchmark", version, _host(context), _started_ns(context),
        [executable] if executable else [],
        measured=[_measured(entry, name, program, version, path)
                  for name, entry in _entries(document, path)])
