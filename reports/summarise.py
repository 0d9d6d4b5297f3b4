"""Makes figures of repetitions: medians, spreads, merged percentiles, harness shares, and what
sharing one context does to throughput and CPU time."""

import math
import statistics
from dataclasses import dataclass, field

from .validate import bucket_width_ns

MOST_HARNESS_SHARE = 0.10
MOST_ROWS = 2000  # of a run, that a page shows
SAMPLES_BEYOND = 10  # that a percentile needs beyond it
NULL_DRIVER = "null"  # completes at once: it prices the harness and is no candidate

# What makes two rows comparable but for the driver and the layout of threads and contexts.
SHAPE = ("target", "depth", "batch", "reap_min", "block_size_bytes", "operation", "read_percent",
         "pattern", "buffered", "verify", "rate_per_s", "arrival", "latency")


@dataclass
class Latency:
    """A histogram merged over repetitions."""

    buckets: dict = field(default_factory=dict)  # lower bound in ns -> count
    max_ns: float = 0.0
    count: int = 0

    def merge(self, buckets, max_ns):
        for low, count in buckets.items():
            self.buckets[low] = self.buckets.get(low, 0) + count
            self.count += count
        self.max_ns = max(self.max_ns, max_ns or 0)

    def percentile_ns(self, fraction):
        """The bound that `fraction` (0..1] of the samples do not exceed; None when fewer than
        SAMPLES_BEYOND lie beyond it."""
        rank = max(1, math.ceil(fraction * self.count))
        if self.count - rank < SAMPLES_BEYOND:
            return None
        seen = 0
        for low in sorted(self.buckets):
            seen += self.buckets[low]
            if seen >= rank:
                return min(low + bucket_width_ns(low) - 1, self.max_ns)
        return self.max_ns

    def curve(self):
        """[(fraction of the samples, ns that they do not exceed)] as far as percentiles go."""
        count = self.count
        last = max(0, count - SAMPLES_BEYOND)
        points = []
        seen = 0
        for low in sorted(self.buckets):
            if seen >= last:
                break
            seen += self.buckets[low]
            points.append((min(seen, last) / count,
                           min(low + bucket_width_ns(low) - 1, self.max_ns)))
        return points


@dataclass
class RowSummary:
    row: object  # validate.Row
    repetitions: list  # validate.Repetition, in the order they ran
    skipped: object = None  # its record
    failed: list = field(default_factory=list)  # its records
    operations_per_s: object = None  # medians; None where there is none
    operations_per_s_min: object = None
    operations_per_s_max: object = None
    spread: object = None  # (max - min) / median, of two repetitions or more
    cpu_user_ns_per_op: object = None
    cpu_system_ns_per_op: object = None
    cpu_ns_per_op: object = None
    cpu_ns_per_op_min: object = None
    cpu_ns_per_op_max: object = None
    system_calls_per_op: object = None
    system_calls_traced: bool = False
    context_switches_per_op: object = None
    fairness_jain: object = None
    latency: Latency = field(default_factory=Latency)
    latency_mode: str = ""
    price_ns_per_op: object = None  # what the harness alone costs in this shape
    harness_share: object = None
    oversubscribed: bool = False
    unsteady: bool = False
    setup: str = ""
    warnings: list = field(default_factory=list)

    @property
    def measured(self):
        return bool(self.repetitions)

    @property
    def driver(self):
        return self.row.config["driver"]

    @property
    def layout(self):
        return layout(self.row.config)

    @property
    def shape(self):
        config = self.row.config
        return (*(config[name] for name in SHAPE), config.get("observe", "asked"))


@dataclass
class Sharing:
    """One driver: a context shared by all submitters against a context for each."""

    shared: RowSummary
    alone: RowSummary
    ratio: float  # throughput shared / per-thread, of the medians
    ratio_min: object  # over the rounds, which ran both; None with a single one
    ratio_max: object
    cpu_ratio: object

    @property
    def differs(self):
        """Every round agrees on the direction, and there are enough of them to say so."""
        return self.ratio_min is not None and (self.ratio_max < 1 or self.ratio_min > 1)


@dataclass
class Summary:
    run: object
    rows: list  # RowSummary, in the order of the plan
    sharing: list
    warnings: list  # (kind, sentence)

    @property
    def shown(self):
        """The rows that were asked for; the others only price the harness."""
        return [row for row in self.rows if not row.row.price_only]

    @property
    def measured(self):
        return [row for row in self.shown if row.measured]


def layout(config):
    """Threads and contexts in short: "shared 4+1", "per-thread 4", "grouped 4+2 over 2"."""
    workload, submitters = config["workload"], config["submitters"]
    if workload in ("shared", "grouped"):
        over = f" over {config['contexts']}" if workload == "grouped" else ""
        return f"{workload} {submitters}+{config['reapers']}{over}"
    return f"{workload} {submitters}"


def _known(values):
    return [value for value in values if value is not None]


def median(values):
    known = _known(values)
    return statistics.median(known) if known else None


def ratio(numerator, denominator):
    if numerator is None or not denominator:
        return None
    return numerator / denominator


def _total(a, b):
    return None if a is None or b is None else a + b


def _summarise_row(row, repetitions):
    summary = RowSummary(row, sorted(repetitions, key=lambda item: item.position))
    if not repetitions:
        return summary
    measurements = [item.measurement for item in repetitions]

    def field_values(name):
        return [measurement[name] for measurement in measurements]

    rates = _known(field_values("operations_per_s"))
    if rates:
        summary.operations_per_s = statistics.median(rates)
        summary.operations_per_s_min, summary.operations_per_s_max = min(rates), max(rates)
        if len(rates) > 1:
            summary.spread = ratio(max(rates) - min(rates), summary.operations_per_s)
    summary.cpu_user_ns_per_op = median(field_values("cpu_user_ns_per_op"))
    summary.cpu_system_ns_per_op = median(field_values("cpu_system_ns_per_op"))
    totals = _known(map(_total, field_values("cpu_user_ns_per_op"),
                        field_values("cpu_system_ns_per_op")))
    if totals:
        summary.cpu_ns_per_op = statistics.median(totals)
        summary.cpu_ns_per_op_min, summary.cpu_ns_per_op_max = min(totals), max(totals)
    summary.context_switches_per_op = median(field_values("context_switches_per_op"))
    summary.fairness_jain = median(field_values("fairness_jain"))
    # The tracepoint counts every call, a driver only its own: never mixed.
    traced = [m for m in measurements if m["system_calls_source"] == "tracepoint"]
    summary.system_calls_traced = bool(traced)
    summary.system_calls_per_op = median(m["system_calls_per_op"] for m in traced or measurements)
    for item in repetitions:
        summary.latency.merge(item.buckets, item.measurement["latency"]["max_ns"])
    summary.latency_mode = measurements[0]["latency_mode"]
    summary.setup = measurements[0]["setup"]
    summary.oversubscribed = any(field_values("oversubscribed"))
    unsteady = sum(steady is False for steady in field_values("steady"))
    summary.unsteady = unsteady > 0 and 2 * unsteady >= len(measurements)
    summary.warnings = list(dict.fromkeys(w for m in measurements for w in m["warnings"]))
    return summary


def _price(rows):
    for summary in rows:
        if summary.row.price_row is None or summary.row.price_row >= len(rows):
            continue
        summary.price_ns_per_op = rows[summary.row.price_row].cpu_ns_per_op
        summary.harness_share = ratio(summary.price_ns_per_op, summary.cpu_ns_per_op)


def _rate_by_round(summary):
    return {item.repetition: item.measurement["operations_per_s"] for item in summary.repetitions}


def compare_sharing(rows):
    """Each shared row against the per-thread row of the same driver, shape and submitters."""
    alone = {}
    for summary in rows:
        if summary.row.config["workload"] == "per-thread" and summary.measured:
            key = (summary.driver, summary.shape, summary.row.config["submitters"])
            alone.setdefault(key, summary)
    pairs = []
    for summary in rows:
        config = summary.row.config
        other = alone.get((summary.driver, summary.shape, config["submitters"]))
        # With one submitter there is nobody to share with.
        if config["workload"] != "shared" or config["submitters"] < 2 or other is None:
            continue
        of_medians = ratio(summary.operations_per_s, other.operations_per_s)
        if of_medians is None:
            continue
        first, second = _rate_by_round(summary), _rate_by_round(other)
        rounds = _known(ratio(first[i], second[i]) for i in sorted(first.keys() & second.keys()))
        several = len(rounds) > 1
        pairs.append(Sharing(summary, other, of_medians, min(rounds) if several else None,
                             max(rounds) if several else None,
                             ratio(summary.cpu_ns_per_op, other.cpu_ns_per_op)))
    return pairs


def _some(names, most=4):
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def imported(run):
    """The tool that measured a run which was imported, with its version; empty for our own."""
    if not isinstance(run.header.get("imported"), dict):
        return ""
    tool = run.header["tool"]
    return " ".join(filter(None, (str(tool.get("name") or "another tool"), tool["version"])))


def _warn_of_run(run, rows):
    tool = run.header["tool"]
    if run.incomplete:
        yield "incomplete", f"This file is incomplete: {run.incomplete}."
    if imported(run):
        yield "imported", (f"{imported(run)} measured this, and it was imported: what that tool "
                           "does not say is missing below, and it measures in its own way.")
    elif tool["sanitizers"] or tool["build_type"] != "Release":
        sanitizers = f" with sanitizers ({tool['sanitizers']})" if tool["sanitizers"] else ""
        yield "build", (f"This is a {tool['build_type'] or 'nameless'} build{sanitizers}: its "
                        "numbers say nothing about speed. Build the preset release.")
    if len(run.rows) > len(rows):
        yield "left out", (f"This run has {len(run.rows)} rows. Only the first {len(rows)} are "
                           "shown; the others are in the raw data.")
    if any(row.failed for row in rows):
        count = sum(len(row.failed) for row in rows)
        yield "failed", f"{count} repetitions failed; they are listed below."


def _warn_of_rows(rows):
    shown = [row for row in rows if not row.row.price_only and row.measured]
    heavy = [row for row in shown if row.driver != NULL_DRIVER
             and (row.harness_share or 0) > MOST_HARNESS_SHARE]
    if heavy:
        most = max(row.harness_share for row in heavy)
        yield "harness", (f"In {len(heavy)} of {len(shown)} rows the harness is over "
                          f"{MOST_HARNESS_SHARE:.0%} of the CPU time (up to {most:.0%}): compare "
                          "differences rather than ratios there, or raise --batch.")
    unsteady = [row.row.name for row in shown if row.unsteady]
    if unsteady:
        yield "steady", (f"Throughput drifts within the window in {len(unsteady)} of {len(shown)} "
                         f"rows ({_some(unsteady)}): raise --warmup or --duration.")
    over = [row for row in shown if row.oversubscribed]
    if over:
        sampled = any(item.measurement.get("profile") for row in over for item in row.repetitions)
        yield "oversubscribed", (f"{len(over)} of {len(shown)} rows ran more threads than usable "
                                 "CPUs (marked O): their waits include preemption"
                                 + (", and the layers of their profiles are good to 10 points only."
                                    if sampled else "."))


def summarise(run, every_row=False):
    """The Summary of a validate.Run: of its first MOST_ROWS rows, or of all."""
    by_row = {}
    for item in run.repetitions:
        by_row.setdefault(item.row, []).append(item)
    shown_rows = run.rows if every_row else run.rows[:MOST_ROWS]
    rows = [_summarise_row(row, by_row.get(row.index, [])) for row in shown_rows]
    for record in run.skipped:
        if record["row"] < len(rows):
            rows[record["row"]].skipped = record
    for record in run.failed:
        if record["row"] < len(rows):
            rows[record["row"]].failed.append(record)
    _price(rows)
    shown = [row for row in rows if not row.row.price_only]
    warnings = [*_warn_of_run(run, rows), *_warn_of_rows(rows)]
    for row in shown:
        for warning in row.warnings:
            warnings.append(("row", f"{row.row.name}: {warning}"))
    return Summary(run, rows, compare_sharing(shown), warnings)
