"""Google Benchmark's JSON, as `aioscope run --format gbench` writes it, from the file."""

import json
import math
from datetime import datetime, timezone

from ..metrics import cpu_ns_per_op
from .csv_table import counters, counts, error_of, percentiles

SUMMARY = "JSON of Google Benchmark: for its compare.py, Bencher, github-action-benchmark"


def _number(value, otherwise):
    return value if type(value) in (int, float) and math.isfinite(value) else otherwise


def _text(value, otherwise):
    return value if isinstance(value, str) else otherwise


def _caches(host):
    found = host.get("caches")
    return [{"type": _text(cache.get("type"), "Unified"), "level": _number(cache.get("level"), 0),
             "size": _number(cache.get("size_bytes"), 0),
             "num_sharing": _number(cache.get("num_sharing"), 1)}
            for cache in (found if isinstance(found, list) else []) if isinstance(cache, dict)]


def date_of(header):
    """When the run began, RFC 3339 in UTC; None where the file does not say."""
    start_ns = header.get("start_realtime_ns")
    if type(start_ns) is not int or not 0 <= start_ns < 1 << 63:
        return None
    return datetime.fromtimestamp(start_ns // 10**9, timezone.utc).isoformat()


def _context(header):
    host, load = header["host"], header["host"].get("load_average")
    return {"date": date_of(header) or "", "host_name": _text(host.get("name"), ""),
            "executable": header["command"][0] if header["command"] else "",
            "num_cpus": _number(host.get("cpus_online"), 1),
            "mhz_per_cpu": _number(host.get("cpu_mhz"), 0), "caches": _caches(host),
            "load_avg": [_number(value, 0) for value in load] if isinstance(load, list) else [],
            "library_build_type": "release" if header["tool"]["build_type"] == "Release"
            else "debug", "json_schema_version": 1}


def _entry(row, name, repetition, iterations, real_time, cpu_time, **more):
    config = row.row.config
    return {"name": name, "family_index": row.row.index, "per_family_instance_index": 0,
            "run_name": name, "run_type": "iteration",
            "repetitions": max(1, len(row.repetitions)), "repetition_index": repetition,
            "threads": config["threads"],
            "label": f"driver={config['driver']} workload={config['workload']} "
                     f"target={config['target_label']}"
                     + (" oversubscribed=yes" if row.oversubscribed else ""), **more,
            "iterations": iterations, "real_time": real_time, "cpu_time": cpu_time,
            "time_unit": "ns"}


def _known(values):
    return {name: value for name, value in values.items() if value is not None}


def _entries(row):
    name = row.row.name
    if error := error_of(row):
        yield _entry(row, name, 0, 0, 0.0, 0.0, error_occurred=True, error_message=error)
    for item in row.repetitions:
        rate, cpu_ns = item.measurement["operations_per_s"], cpu_ns_per_op(item)
        # What reads this takes a missing time for 0, so that an entry has both or is left out.
        if rate and cpu_ns is not None:
            yield {**_entry(row, name, item.repetition, item.measurement["operations"],
                            1e9 / rate, cpu_ns), "items_per_second": rate,
                   **_known({"harness_share": row.harness_share, **counts(item),
                             **counters(item)})}
    found = [(item, percentiles(item)) for item in row.repetitions]
    for percentile in found[0][1] if found else ():
        for item, values in found:
            if values[percentile] is not None:
                yield _entry(row, f"{name}/{percentile}", item.repetition,
                             item.measurement["operations"], values[percentile],
                             values[percentile])


def export(summary, rows):
    """An entry per repetition, and one for each percentile of its latencies, named NAME/p99."""
    return json.dumps({"context": _context(summary.run.header),
                       "benchmarks": [entry for row in rows for entry in _entries(row)]},
                      indent=2, ensure_ascii=False, allow_nan=False) + "\n"
