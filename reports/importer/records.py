"""From what a tool measured to the records of a result file. What nobody said is null."""

import pathlib
from dataclasses import dataclass, field

from ..load import ResultError
from ..validate import SCHEMA

MOST_ROWS = 100_000


@dataclass
class Measured:
    """One repetition of a row: its configuration, and a measurement, or why there is none."""

    config: dict
    name: str
    measurement: object = None
    problem: str = ""
    skipped: bool = False  # with the problem as its reason


@dataclass
class Imported:
    """What one file holds."""

    path: str
    tool: str
    version: str
    host: dict = field(default_factory=dict)
    start_realtime_ns: object = None
    command: list = field(default_factory=list)
    window_ns: object = None
    warmup_ns: object = None
    measured: list = field(default_factory=list)  # Measured, several of one name are repetitions


def config(driver, target, label, **changes):
    """Of a row of threads that share nothing. 0 in the shape of a row is what nobody said."""
    return {"driver": driver, "workload": "per-thread", "target": target, "target_label": label,
            "submitters": 1, "reapers": 0, "contexts": 1, "threads": 1, "depth": 0, "batch": 0,
            "reap_min": 0, "block_size_bytes": 0, "operation": "unknown", "read_percent": None,
            "pattern": "unknown", "buffered": False, "verify": False, "rate_per_s": None,
            "arrival": "unknown", "latency": "auto", **changes}


def name_of(config):
    """As the program names such a row."""
    of_file = []
    if config["target"].startswith("file:"):
        of_file = ["sequential"] * (config["pattern"] == "sequential") \
            + ["buffered"] * config["buffered"]
    return (f"{config['driver']}/{config['workload']}/{config['target_label']}/submitters:"
            f"{config['submitters']}/depth:{config['depth']}/batch:{config['batch']}/"
            f"bs:{config['block_size_bytes']}/{config['operation']}"
            + "".join(f"/{word}" for word in of_file)
            + (f"/rate:{config['rate_per_s']:g}" if config["rate_per_s"] else "")
            + ("/verify" if config["verify"] else ""))


def measurement(setup, operations, operations_per_s, **changes):
    """Of which only this is known, and what `changes` say."""
    return {"setup": setup, "threads": None, "oversubscribed": None, "start_realtime_ns": None,
            "window_ns": 0, "operations": operations, "bytes": None,
            "operations_per_s": operations_per_s, "slice_ns": 0, "slices_ops_per_s": [],
            "drift": None, "steady": None, "fairness_jain": None, "fairness_min_max": None,
            "latency_mode": "unknown", "latency": latency({}, None, None, None),
            "cpu_user_ns_per_op": None, "cpu_system_ns_per_op": None,
            "context_switches_per_op": None, "voluntary_switches_per_op": None,
            "faults_per_op": None, "migrations_per_op": None, "system_calls_per_op": None,
            "system_calls_source": "", "thread": [], "warnings": [], **changes}


def latency(buckets, mean_ns, min_ns, max_ns):
    """`buckets`: {lower bound in ns: count}."""
    return {"count": sum(buckets.values()), "mean_ns": mean_ns, "min_ns": min_ns,
            "max_ns": max_ns, "p50_ns": None, "p90_ns": None, "p99_ns": None, "p999_ns": None,
            "buckets": {str(low): count for low, count in sorted(buckets.items()) if count}}


def _header(files, rows):
    first = files[0]
    return {"record": "header", "schema": SCHEMA,
            "tool": {"name": first.tool, "version": first.version, "commit": None,
                     "build_type": "", "sanitizers": ""},
            "imported": {"from": first.tool, "version": first.version,
                         "files": [pathlib.PurePath(file.path).name for file in files]},
            "host": first.host, "targets": [], "seed": None, "command": first.command,
            "options": {}, "start_realtime_ns": first.start_realtime_ns,
            "plan": {"repetitions": max((len(row) for row in rows.values()), default=0),
                     "warmup_ns": first.warmup_ns, "window_ns": first.window_ns, "pin": None,
                     "rows": [{"row": i, "name": name, "config": row[0].config,
                               "price_only": False, "price_row": None, "command": ""}
                              for i, (name, row) in enumerate(rows.items())]}}


def _refuse_mixtures(files):
    for file in files[1:]:
        for what in ("tool", "version", "host"):
            one, other = getattr(files[0], what), getattr(file, what)
            if what == "host":
                one, other = one.get("name"), other.get("name")
            if one != other:
                raise ResultError(file.path, 0, f"{what} is {other!r:.80}, and {one!r:.80} in "
                                  f"{files[0].path}; a result file holds one run")


def records(files):
    """All records of one result file, of Imported. Raises ResultError."""
    _refuse_mixtures(files)
    rows = {}
    for file in files:
        for one in file.measured:
            rows.setdefault(one.name, []).append(one)
    if not rows:
        raise ResultError(files[0].path, 0, "nothing was measured")
    if len(rows) > MOST_ROWS:
        raise ResultError(files[0].path, 0, f"{len(rows)} rows are more than {MOST_ROWS}")
    found, counts = [_header(files, rows)], {"repetition": 0, "skipped": 0, "failed": 0}
    for index, (name, row) in enumerate(rows.items()):
        for number, one in enumerate(row):
            record = {"record": "repetition", "row": index, "name": name, "repetition": number}
            if one.measurement is not None:
                record.update(position=counts["repetition"] + counts["failed"], seed=None,
                              measurement=one.measurement)
            elif one.skipped:
                record = {"record": "skipped", "row": index, "name": name,
                          "reason": one.problem, "cure": ""}
            else:
                record.update(record="failed", kind="runtime", message=one.problem,
                              position=counts["repetition"] + counts["failed"])
            counts[record["record"]] += 1
            found.append(record)
    return [*found, {"record": "end", "complete": True, "reason": "", "elapsed_ns": None,
                     "repetitions": counts["repetition"], "skipped": counts["skipped"],
                     "failed": counts["failed"]}]
