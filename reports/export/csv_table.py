"""The table of `aioscope run --format csv`, from the file: a line for each repetition."""

import csv
import io

from .. import inside
from ..metrics import percentile_ns

SUMMARY = "a line per row and repetition: for spreadsheets, pandas, R"
ROW_COLUMNS = ("driver", "workload", "target", "submitters", "reapers", "contexts", "depth",
               "batch", "block_size_bytes", "operation")
PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999))
SPLIT = ("submit_call_ns_per_op", "in_flight_ns_per_op", "reap_call_ns_per_op")


def error_of(row):
    """Why a row has no further repetitions; empty when it has all."""
    if row.failed:
        return row.failed[-1]["message"]
    return row.skipped["reason"] if row.skipped else ""


def _waits(measurement, name):
    """(contended, wait_ns) per operation of kernel_locks or futex_waits."""
    found = measurement.get(name) or {}
    sites, operations = found.get("sites"), found.get("operations")
    if not found.get("source") or not isinstance(sites, list) or not operations:
        return None, None
    return tuple(inside.per_op(sum(site[field] or 0 for site in sites), operations)
                 for field in ("contended", "wait_ns"))


def counts(item):
    """{column: value or None} of what the driver, the kernel and the harness counted for a
    validate.Repetition, per operation, in the order of the columns."""
    found = item.measurement
    driver = found.get("driver_counts")
    sites = driver["lock_sites"] if driver else []
    result = {}
    for name, field in (("lock_acquisitions_per_op", "acquisitions"),
                        ("lock_contended_per_op", "contended"), ("lock_wait_ns_per_op", "wait_ns")):
        result[name] = driver and inside.per_op(sum(site[field] for site in sites),
                                                driver["operations"])
    for name in ("shared_rmw", "allocations", "wakeups"):
        result[f"{name}_per_op"] = driver and inside.per_op(driver.get(name),
                                                            driver["operations"])
    contended, wait_ns = _waits(found, "kernel_locks")
    result["kernel_lock_contended_per_op"] = contended
    result["kernel_lock_wait_ns_per_op"] = wait_ns
    result["futex_wait_ns_per_op"] = _waits(found, "futex_waits")[1]
    split = found.get("latency_split") or {}
    result.update((name, split.get(name)) for name in SPLIT)
    return result


def counters(item):
    """{column: value or None} of the counters that were asked for."""
    return {f"{counter['name']}_per_op": counter.get("per_op")
            for counter in item.measurement.get("counters") or []}


def percentiles(item):
    """{p50: ns or None, ...} of one repetition."""
    return {name: percentile_ns(fraction)(item) for name, fraction in PERCENTILES}


def _plain(value):
    """As the program writes it: without a fraction that is 0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return int(value)
    return value


def _line(row, item):
    found = item.measurement
    latency = found["latency"]
    return {
        "repetition": item.repetition, "operations": found["operations"],
        **{name: found[name] for name in ("operations_per_s", "cpu_user_ns_per_op",
                                          "cpu_system_ns_per_op", "system_calls_per_op",
                                          "context_switches_per_op", "fairness_jain")},
        **{f"latency_{name}_ns": value for name, value in percentiles(item).items()},
        "latency_max_ns": latency["max_ns"] if latency["count"] else None,
        "system_calls_source": "tracepoint" if found["system_calls_source"] == "tracepoint"
        else "driver",
        "harness_share": row.harness_share, "oversubscribed": "yes" if row.oversubscribed else "no",
        **counts(item), **counters(item)}


COLUMNS = ("name", *ROW_COLUMNS, "repetition", "operations", "operations_per_s",
           "cpu_user_ns_per_op", "cpu_system_ns_per_op",
           *(f"latency_{name}_ns" for name, _ in PERCENTILES), "latency_max_ns",
           "system_calls_per_op", "system_calls_source", "context_switches_per_op",
           "fairness_jain", "harness_share", "oversubscribed", "error",
           "lock_acquisitions_per_op", "lock_contended_per_op", "lock_wait_ns_per_op",
           "shared_rmw_per_op", "allocations_per_op", "wakeups_per_op",
           "kernel_lock_contended_per_op", "kernel_lock_wait_ns_per_op", "futex_wait_ns_per_op",
           *SPLIT)


def export(_, rows):
    """RFC 4180 with line feeds. An empty field is what could not be had."""
    more = dict.fromkeys(name for row in rows for item in row.repetitions
                         for name in counters(item))
    columns = [*COLUMNS, *(name for name in more if name not in COLUMNS)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        head = {"name": row.row.name, **{name: row.row.config[name] for name in ROW_COLUMNS}}
        lines = [{**head, **_line(row, item)} for item in row.repetitions]
        if error := error_of(row):
            lines.append({**head, "error": error})
        writer.writerows({name: _plain(value) for name, value in line.items()} for line in lines)
    return text.getvalue()
