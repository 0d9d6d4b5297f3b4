"""The format of Go's benchmarks: a line per repetition, after the keys of the run and the units.

A name has the keys of the row, so that `benchstat -col /driver` puts drivers side by side.
"""

import re
from urllib.parse import quote

from ..load import NothingToExport
from ..metrics import METRICS, counter_metrics

SUMMARY = "text of Go's benchmarks: for benchstat"
KEYS = (("driver", "driver"), ("workload", "workload"), ("target", "target_label"),
        ("submitters", "submitters"), ("reapers", "reapers"), ("contexts", "contexts"),
        ("depth", "depth"), ("batch", "batch"), ("bs", "block_size_bytes"),
        ("operation", "operation"), ("read_percent", "read_percent"))
# They are in a name only where they are not as usual.
UNUSUAL = (("reap_min", 1), ("pattern", "random"), ("buffered", False), ("verify", False),
           ("rate_per_s", 0), ("arrival", "constant"), ("latency", "auto"), ("observe", "asked"))
PER_OP = {"cpu": "cpu-ns/op", "throughput": "op/s", "lock-wait": "lock-wait-ns/op",
          "aio-share": "aio-share", "fairness": "fairness-jain"}


def _value(value):
    """Of a key in a name: without spaces, which end it, and '/', which begins the next key."""
    return quote(str(value), safe=":@.,+()*~")


def _name(row):
    config = row.row.config
    keys = [(key, config[field]) for key, field in KEYS]
    keys += [(key, config.get(key, usual)) for key, usual in UNUSUAL
             if config.get(key, usual) != usual]
    return "BenchmarkAio/" + "/".join(f"{key}={_value(value)}" for key, value in keys)


def _unit(metric):
    if metric.key.startswith("counter:"):
        name = quote(metric.key.removeprefix("counter:"), safe=":-_.")
        return f"{name}-ns/op" if metric.unit == "ns" else f"{name}/op"
    if metric.key in PER_OP:
        return PER_OP[metric.key]
    return f"{metric.key}-ns" if metric.unit == "ns" else f"{metric.key}/op"


def _header(header):
    host, tool = header["host"], header["tool"]
    yield "toolchain", f"aioscope {tool['version']} {tool.get('commit') or ''}".rstrip()
    for key, name in (("host", "name"), ("kernel", "kernel"), ("cpu", "cpu_model")):
        if isinstance(host.get(name), str) and host[name]:
            yield key, host[name]


def _is_exact(metric, rows):
    """Whether it is a count that every row counted more than once, and the same each time:
    benchstat takes what is declared so for the same in every run."""
    if not metric.exact:
        return False
    counts = [[metric.of(item) for item in row.repetitions] for row in rows]
    counts = [known for of_row in counts if (known := [n for n in of_row if n is not None])]
    return all(len(of_row) > 1 and len(set(of_row)) == 1 for of_row in counts)


def export(summary, rows):
    metrics = [*METRICS, *counter_metrics(rows)]
    lines, used = [], set()
    for row in rows:
        for item in row.repetitions:
            values = [(metric, metric.of(item)) for metric in metrics]
            values = [(metric, value) for metric, value in values if value is not None]
            used.update(metric.key for metric, _ in values)
            if values:
                parts = "".join(f" {value!r} {_unit(metric)}" for metric, value in values)
                lines.append(f"{_name(row)} {item.measurement['operations']}{parts}\n")
    if not lines:
        raise NothingToExport("no row was measured")
    head = [f"{key}: {re.sub('[^ -~]', '?', text)}\n" for key, text in _header(summary.run.header)]
    units = [f"Unit {_unit(metric)} better={metric.better}"
             f"{' assume=exact' if _is_exact(metric, rows) else ''}\n"
             for metric in metrics if metric.key in used]
    return "".join([*head, *units, "\n", *lines])
