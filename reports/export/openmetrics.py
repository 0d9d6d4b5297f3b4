"""OpenMetrics text, 1.0: gauges of each repetition and a histogram of latency of each row."""

from ..load import NothingToExport
from ..metrics import METRICS, counter_metrics
from ..validate import bucket_width_ns

SUMMARY = "OpenMetrics text: for Prometheus, VictoriaMetrics, a push gateway"
NS_PER_S = 1e9
LABELS = ("driver", "workload", "target", "submitters", "reapers", "depth", "batch",
          "block_size_bytes", "operation")
# Unit of a family by that of its metric: it is the end of the name.
UNITS = {"op/s": "operations_per_second", "ns": "seconds", "per op": "per_operation",
         "part of 1": "ratio"}


def _quoted(text):
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _labels(pairs):
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in pairs) + "}"


def _of_row(row):
    return [("row", row.row.name), ("index", row.row.index),
            *((name, row.row.config[name]) for name in LABELS)]


def _family(name, kind, unit, words):
    yield f"# TYPE {name} {kind}\n"
    if unit:
        yield f"# UNIT {name} {unit}\n"
    yield f"# HELP {name} {_quoted(words)}\n"


def _gauges(metric, rows):
    samples = [(row, item, metric.of(item)) for row in rows for item in row.repetitions]
    samples = [sample for sample in samples if sample[2] is not None]
    if not samples:
        return
    unit = UNITS[metric.unit]
    name = f"aioscope_{metric.key.replace('-', '_')}_{unit}"
    yield from _family(name, "gauge", unit, f"{metric.words}; {metric.better} is better")
    for row, item, value in samples:
        labels = _labels([*_of_row(row), ("repetition", item.repetition)])
        yield f"{name}{labels} {value / NS_PER_S if metric.unit == 'ns' else value!r}\n"


def _counters(rows):
    """All in two families with their names as labels: they are as users ask for them."""
    metrics = counter_metrics(rows)
    for unit, suffix in (("ns", "seconds"), ("per op", "per_operation")):
        chosen = [metric for metric in metrics if metric.unit == unit]
        if not chosen:
            continue
        name = f"aioscope_counter_{suffix}"
        yield from _family(name, "gauge", suffix, "what --counters asked for, per operation")
        for metric in chosen:
            label = ("counter", metric.key.removeprefix("counter:"))
            for row in rows:
                for item in row.repetitions:
                    if (value := metric.of(item)) is not None:
                        labels = _labels([*_of_row(row), ("repetition", item.repetition), label])
                        yield f"{name}{labels} {value / NS_PER_S if unit == 'ns' else value!r}\n"


def _sum_ns(row):
    """Of all latencies; None where a repetition does not say its mean."""
    found = [(item.measurement["latency"].get("mean_ns"), item.measurement["latency"]["count"])
             for item in row.repetitions]
    if any(count and type(mean) not in (int, float) for mean, count in found):
        return None
    return sum(mean * count for mean, count in found if count)


def _latency(rows):
    rows = [row for row in rows if row.latency.count]
    if not rows:
        return
    name = "aioscope_latency_seconds"
    yield from _family(name, "histogram", "seconds", "from submission to reaping, all repetitions")
    for row in rows:
        labels, seen = _of_row(row), 0
        for low in sorted(row.latency.buckets):
            seen += row.latency.buckets[low]
            upper = ("le", repr((low + bucket_width_ns(low) - 1) / NS_PER_S))
            yield f"{name}_bucket{_labels([*labels, upper])} {seen}\n"
        yield f"{name}_bucket{_labels([*labels, ('le', '+Inf')])} {seen}\n"
        total_ns = _sum_ns(row)
        if total_ns is not None:
            yield f"{name}_count{_labels(labels)} {seen}\n"
            yield f"{name}_sum{_labels(labels)} {total_ns / NS_PER_S!r}\n"


def _run(header):
    host, tool = header["host"], header["tool"]
    pairs = [("version", tool["version"]), ("commit", tool.get("commit")),
             ("build_type", tool["build_type"]), ("host", host.get("name")),
             ("kernel", host.get("kernel")), ("cpu_model", host.get("cpu_model"))]
    yield from _family("aioscope_run", "info", "", "program and machine")
    known = [(name, value) for name, value in pairs if isinstance(value, str)]
    yield f"aioscope_run_info{_labels(known)} 1\n"


def export(summary, rows):
    if not any(row.measured for row in rows):
        raise NothingToExport("no row was measured")
    lines = list(_run(summary.run.header))
    for metric in METRICS:
        lines += _gauges(metric, rows)
    lines += [*_counters(rows), *_latency(rows), "# EOF\n"]
    return "".join(lines)
