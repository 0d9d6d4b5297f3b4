"""What a repetition is compared by: each metric with its direction, and how it is written."""

from dataclasses import dataclass

from . import inside, units
from .summarise import Latency


@dataclass(frozen=True)
class Metric:
    key: str  # as on the command line
    words: str
    unit: str  # of the values, spelled out in JSON as well
    more_is_better: bool
    of: object  # validate.Repetition -> number, or None where it was not measured
    to_text: object  # value -> text, its unit included where `in_text`
    in_text: bool = False
    exact: bool = False  # a count: the same program counts the same again

    @property
    def better(self):
        return "higher" if self.more_is_better else "lower"


def _field(name):
    return lambda item: item.measurement.get(name)


def cpu_ns_per_op(item):
    user = item.measurement["cpu_user_ns_per_op"]
    system = item.measurement["cpu_system_ns_per_op"]
    return None if user is None or system is None else user + system


def percentile_ns(fraction):
    """Of one repetition's histogram; None when fewer than 10 samples lie beyond it."""
    def of(item):
        latency = Latency()
        latency.merge(item.buckets, item.measurement["latency"]["max_ns"])
        return latency.percentile_ns(fraction) if latency.count else None
    return of


def _traced_calls(item):
    found = item.measurement
    return found["system_calls_per_op"] if found["system_calls_source"] == "tracepoint" else None


def _driver_calls(item):
    """System calls that the driver counts itself."""
    calls = [thread.get("driver_system_calls") for thread in item.measurement.get("thread") or []]
    if calls and None not in calls:
        return inside.per_op(sum(calls), item.measurement["operations"])
    found = item.measurement
    return found["system_calls_per_op"] if found["system_calls_source"] == "driver" else None


def _acquisitions(item):
    counts = item.measurement.get("driver_counts")
    return counts and inside.per_op(sum(site["acquisitions"] for site in counts["lock_sites"]),
                                    counts["operations"])


def _counted(name):
    def of(item):
        counts = item.measurement.get("driver_counts")
        return counts and inside.per_op(counts.get(name), counts["operations"])
    return of


def _count(key, words, of, exact=True):
    return Metric(key, words, "per op", False, of, units.three_digits, exact=exact)


def _time(key, words, of):
    return Metric(key, words, "ns", False, of, units.time, in_text=True)


METRICS = (
    Metric("throughput", "throughput", "op/s", True, _field("operations_per_s"), units.rate),
    Metric("cpu", "CPU time per operation", "ns", False, cpu_ns_per_op, units.time, in_text=True),
    _time("p50", "latency p50", percentile_ns(0.5)),
    _time("p90", "latency p90", percentile_ns(0.9)),
    _time("p99", "latency p99", percentile_ns(0.99)),
    _time("p999", "latency p99.9", percentile_ns(0.999)),
    _count("system-calls", "system calls, traced", _traced_calls),
    _count("driver-calls", "system calls, as the driver counts them", _driver_calls),
    _count("acquisitions", "lock acquisitions", _acquisitions),
    _count("shared-rmw", "shared read-modify-writes", _counted("shared_rmw")),
    _count("allocations", "allocations", _counted("allocations")),
    _count("wakeups", "wakeups", _counted("wakeups")),
    _count("switches", "context switches", _field("context_switches_per_op"), exact=False),
    _time("lock-wait", "lock wait per operation", inside.wait_per_op),
    Metric("aio-share", "AIO's share of CPU time", "part of 1", False, inside.aio_share,
           units.percent, in_text=True),
    Metric("fairness", "fairness (Jain)", "part of 1", True, _field("fairness_jain"),
           units.three_digits),
)
BY_KEY = {metric.key: metric for metric in METRICS}


def counter_metrics(rows):
    """A metric for each counter that some repetition of `rows` (RowSummary) has per operation. One
    that shared the hardware with others is an estimate and is left out."""
    units_of = {}
    for row in rows:
        for item in row.repetitions:
            for counter in item.measurement.get("counters") or []:
                if counter.get("per_op") is not None and not counter.get("scaled"):
                    units_of.setdefault(counter["name"], counter.get("unit", "count"))
    return [counter_metric(name, unit) for name, unit in units_of.items()]


def counter_metric(name, unit):
    def of(item):
        for counter in item.measurement.get("counters") or []:
            if counter["name"] == name and not counter.get("scaled"):
                return counter.get("per_op")
        return None
    key, words = f"counter:{name}", f"counter {name}"
    return _time(key, words, of) if unit == "ns" else _count(key, words, of, exact=False)


def values(row, metric):
    """{repetition: value} of a RowSummary, of those that have one."""
    found = {item.repetition: metric.of(item) for item in row.repetitions}
    return {number: value for number, value in found.items() if value is not None}
