"""Result files with invented numbers, for the tests of the report and for looking at its figures.

usage: python3 synthetic.py [--scaling] [--repetitions N] [--cut] [--debug] -o FILE
"""

import argparse
import json
import math
import random

DRIVERS = ["null", "sync", "libaio", "io_uring", "kioctx@v3.7", "kioctx@series"]
# Operations per second and CPU ns per operation on null with a context per thread; what sharing
# one context leaves of the throughput.
SPEED = {"null": (90e6, 11, 0.35), "sync": (6e6, 330, 0.97), "libaio": (3.1e6, 620, 0.45),
         "io_uring": (7.4e6, 260, 0.21), "kioctx@v3.7": (2.2e6, 830, 0.24),
         "kioctx@series": (9.8e6, 190, 0.71)}
STAGES = ["kioctx@no-retry", "kioctx@refcounting", "kioctx@bulk-reap"]
TARGETS = ["null", "zero", "file:/data/aioscope.bin"]
SLOWER = {"null": (1, 0), "zero": (0.72, 90), "file": (0.02, 4200)}  # factor, more CPU ns


def config(driver="libaio", workload="shared", target="null", submitters=4, **changes):
    reapers = 1 if workload in ("shared", "grouped") else 0
    contexts = 1 if workload == "shared" else submitters
    result = {
        "driver": driver, "workload": workload, "target": target,
        "target_label": "file:" + target.split("/")[-1] if target.startswith("file:") else target,
        "submitters": submitters, "reapers": reapers, "contexts": contexts,
        "threads": submitters + reapers, "depth": 128, "batch": 32, "reap_min": 1,
        "block_size_bytes": 4096 if target.startswith("file:") else 512, "operation": "read",
        "read_percent": 50, "pattern": "random", "buffered": False, "verify": False,
        "rate_per_s": 0.0, "arrival": "constant", "latency": "auto"}
    result.update(changes)
    return result


def name_of(config):
    reapers = f"/reapers:{config['reapers']}" if config["reapers"] else ""
    return (f"{config['driver']}/{config['workload']}/{config['target_label']}/submitters:"
            f"{config['submitters']}{reapers}/depth:{config['depth']}/batch:{config['batch']}/"
            f"bs:{config['block_size_bytes']}/{config['operation']}")


def row(index, config, price_row=None, price_only=False):
    return {"row": index, "name": name_of(config), "config": config, "price_only": price_only,
            "price_row": price_row,
            "command": f"aioscope run --driver {config['driver']} --workload "
                       f"{config['workload']} --target {config['target']}"}


def bucket_low_ns(value_ns):
    width = 1 << max(0, value_ns.bit_length() - 7)
    return value_ns // width * width


def latency(values_ns):
    buckets = {}
    for value in sorted(values_ns):
        low = str(bucket_low_ns(value))
        buckets[low] = buckets.get(low, 0) + 1
    return {"count": len(values_ns), "mean_ns": None, "p50_ns": None, "p90_ns": None,
            "p99_ns": None, "p999_ns": None, "min_ns": min(values_ns, default=None),
            "max_ns": max(values_ns, default=None), "buckets": buckets}


def measurement(rate=1e6, user_ns=100.0, system_ns=200.0, latency_ns=(), **changes):
    operations = int((rate or 0) * 0.3)
    result = {
        "setup": "queue 128", "threads": 5, "oversubscribed": False,
        "start_realtime_ns": 1_700_000_000_000_000_000, "window_ns": 300_000_000,
        "operations": operations, "bytes": operations * 512, "operations_per_s": rate,
        "slice_ns": 100_000_000, "slices_ops_per_s": [rate] * 3, "drift": 0.0, "steady": True,
        "fairness_jain": 0.99, "fairness_min_max": 0.9, "latency_mode": "sampled",
        "latency": latency(list(latency_ns)), "cpu_user_ns_per_op": user_ns,
        "cpu_system_ns_per_op": system_ns, "context_switches_per_op": 0.01,
        "voluntary_switches_per_op": 0.005, "faults_per_op": 0.0, "migrations_per_op": None,
        "migrations_reason": "", "system_calls_per_op": 0.0625,
        "harness_system_calls_per_op": 0.001, "system_calls_source": "tracepoint",
        "system_calls_reason": "", "submitted": 1, "completed": 1, "verified_blocks": 0,
        "late_starts": 0, "thread": [], "warnings": []}
    result.update(changes)
    return result


def repetition(row, repetition, position, measurement, name=""):
    return {"record": "repetition", "row": row, "name": name, "repetition": repetition,
            "position": position, "seed": 1, "measurement": measurement}


def header(rows, **changes):
    result = {
        "record": "header", "schema": "aioscope.result/1",
        "tool": {"name": "aioscope", "version": "0.1.0", "commit": "0123456789ab", "dirty": False,
                 "build_type": "Release", "sanitizers": "", "compiler": "GNU 12.2.0"},
        "host": {"name": "bench1", "kernel": "6.1.0-18-amd64", "machine": "x86_64",
                 "cpu_model": "Example CPU @ 2.80GHz", "cpus_online": 2, "cpus_usable": 2,
                 "numa_nodes": 1, "governors": ["performance"], "virtual_machine": True,
                 "caches": [{"level": 1, "type": "Data", "size_bytes": 49152, "num_sharing": 1},
                            {"level": 2, "type": "Unified", "size_bytes": 2097152,
                             "num_sharing": 1}],
                 "clock_source": "tsc", "memory_bytes": 8 << 30,
                 "sysctl": {"kernel.perf_event_paranoid": "2", "kernel.io_uring_disabled": "0"},
                 "load_average": [0.1, 0.2, 0.3]},
        "targets": [{"target": TARGETS[2], "label": "file:aioscope.bin", "file_system": "ext4",
                     "device": "/dev/vda1", "size_bytes": 1 << 28}],
        "seed": 123, "command": ["aioscope", "run", "--suite", "quick"], "options": {},
        "start_realtime_ns": 1_700_000_000_000_000_000,
        "plan": {"repetitions": 3, "warmup_ns": 100_000_000, "window_ns": 300_000_000,
                 "pin": "none", "rows": rows}}
    result.update(changes)
    return result


def end(complete=True, reason="", **changes):
    return {"record": "end", "complete": complete, "reason": reason, "elapsed_ns": 60_000_000_000,
            "repetitions": 0, "skipped": 0, "failed": 0, **changes}


def threads(config, operations, rng):
    """Each submitter's part of the operations."""
    weights = [rng.lognormvariate(0, 0.2) for _ in range(config["submitters"])]
    return [{"role": "submitter", "cpu": -1, "operations": int(operations * w / sum(weights))}
            for w in weights]


# Layer and frames below the thread, from the root to the leaf; their part of the samples of a row
# that spends `aio` of its time in the context.
STACKS = [
    ("harness", ["lane::submit"], 0.4), ("harness", ["lane::reap", "histogram::add"], 0.6),
    ("driver library", ["lane::submit", "io_submit"], 1.0),
    ("system call", ["lane::submit", "io_submit", "entry_SYSCALL_64_[k]"], 1.0),
    ("aio core", ["lane::submit", "io_submit", "entry_SYSCALL_64_[k]", "io_submit_one_[k]"], 0.7),
    ("aio core", ["lane::reap", "io_getevents", "entry_SYSCALL_64_[k]", "read_events_[k]"], 0.3),
    ("aio lock wait", ["lane::submit", "io_submit", "entry_SYSCALL_64_[k]", "io_submit_one_[k]",
                       "native_queued_spin_lock_slowpath_[k]"], 1.0),
    ("scheduler", ["lane::reap", "io_getevents", "entry_SYSCALL_64_[k]", "schedule_[k]"], 1.0),
]
LAYER_PARTS = {"harness": 0.2, "driver library": 0.1, "system call": 0.15, "scheduler": 0.1}


def profile(aio, lock, rng, samples=2000):
    """`aio` and `lock`: parts of the samples in the context and waiting for its locks."""
    rest = (1 - aio - lock) / sum(LAYER_PARTS.values())
    parts = {**{layer: part * rest for layer, part in LAYER_PARTS.items()}, "aio core": aio,
             "aio lock wait": lock}
    stacks = [{"frames": ["main", "worker", *frames], "layer": layer,
               "samples": int(samples * parts[layer] * part * rng.lognormvariate(0, 0.05))}
              for layer, frames, part in STACKS]
    stacks = [stack for stack in stacks if stack["samples"]]
    layers = {}
    for stack in stacks:
        both = layers.setdefault(stack["layer"], [0, 0])
        both[stack["frames"][-1].endswith("_[k]")] += stack["samples"]
    return {"event": "cpu-clock", "frequency_hz": 999, "lost": 0, "unmatched": [],
            "samples": sum(stack["samples"] for stack in stacks), "stacks": stacks,
            "layers": [{"layer": layer, "user_samples": user, "kernel_samples": kernel}
                       for layer, (user, kernel) in layers.items()]}


def kernel_locks(wait_ns_per_op, operations):
    wait = wait_ns_per_op * operations
    return {"source": "lock:contention_begin", "reason": "", "lost": 0, "operations": operations,
            "sites": [{"site": "aio_complete", "kind": "spinlock", "contended": operations // 50,
                       "wait_ns": int(wait * 0.8), "wait_ns_p50": 900, "wait_ns_p99": 31000,
                       "wait_ns_max": 4_100_000},
                      {"site": "aio_read_events", "kind": "mutex", "contended": operations // 900,
                       "wait_ns": int(wait * 0.2), "wait_ns_p50": 2100, "wait_ns_p99": 52000,
                       "wait_ns_max": 9_000_000}]}


def driver_counts(per_op, wait_ns_per_op, operations):
    taken = int(per_op * operations)
    return {"operations": operations, "shared_rmw": taken + operations, "allocations": operations,
            "wakeups": operations // 300,
            "lock_sites": [
                {"site": "ctx_lock/submit", "acquisitions": taken // 2 + 1,
                 "contended": taken // 20, "wait_ns": int(wait_ns_per_op * operations * 0.7),
                 "wait_ns_p50": 1151.0, "wait_ns_p99": 40959.0, "wait_ns_max": 5_242_879.0},
                {"site": "ring_lock/reap", "acquisitions": taken // 2 + 1,
                 "contended": taken // 60, "wait_ns": int(wait_ns_per_op * operations * 0.3),
                 "wait_ns_p50": 639.0, "wait_ns_p99": None, "wait_ns_max": 65_535.0}]}


def counter(name, per_op, operations, **changes):
    return {"name": name, "value": None if per_op is None else int(per_op * operations),
            "per_op": per_op, "time_enabled_ns": 300_000_000, "time_running_ns": 300_000_000,
            "scaled": False, "reason": "", **changes}


def off_cpu(config, lock_wait, rng, window=300_000_000):
    def thread(number):
        waited = rng.random() * 0.4 * window
        return {"name": f"thread {number}", "switches": 20, "completions_ns": int(waited),
                "lock_ns": int(min(lock_wait, 1000) * 0.0002 * window),
                "other_wait_ns": int(0.01 * window), "preempted_ns": int(0.2 * window)}
    return {"source": "sched:sched_switch", "reason": "", "window_ns": window,
            "threads": [thread(i) for i in range(config["threads"])]}


def inside(config, rng, operations):
    """What a run with --profile, --locks and counters adds to a measurement."""
    shared, driver = config["workload"] == "shared", config["driver"]
    aio = {"kioctx@v3.7": 0.3, "libaio": 0.16, "io_uring": 0.12}.get(driver, 0.05)
    wait = (180 if driver == "kioctx@v3.7" else 40) * (config["submitters"] - 1) * shared
    found = {
        "profile": profile(aio, aio * 0.6 * shared, rng),
        "counters": [counter("cycles:u", rng.lognormvariate(6, 0.05), operations, scaled=True,
                             time_running_ns=150_000_000),
                     counter("instructions:k", None, operations, value=None,
                             reason="no PMU in this virtual machine")],
        "off_cpu": off_cpu(config, wait, rng),
        "latency_split": {"submit_call_ns_per_op": rng.lognormvariate(5, 0.1),
                          "in_flight_ns_per_op": rng.lognormvariate(10, 0.1),
                          "reap_call_ns_per_op": rng.lognormvariate(4, 0.1)},
        "kernel_locks": None, "driver_counts": None}
    wait *= rng.lognormvariate(0, 0.2)
    if driver.startswith("kioctx"):
        taken = {"kioctx@v3.7": 6.1, "kioctx@series": 1.05}.get(driver, 3.0)
        found["driver_counts"] = driver_counts(taken, wait, operations)
    elif driver != "null":
        found["kernel_locks"] = kernel_locks(wait, operations)
    return found


def invented(config, rng):
    """A measurement of plausible size for a row."""
    kind = config["target"].split(":")[0]
    rate, cpu_ns, kept = SPEED.get(config["driver"], (1e6, 800, 0.5))
    factor, more_ns = SLOWER[kind]
    rate *= factor * (config["submitters"] / 4) ** 0.9
    if config["workload"] == "shared":
        part = kept ** ((config["submitters"] - 1) / 3) if kind != "file" else 0.93
        rate *= part
        cpu_ns /= part ** 0.8
    rate *= rng.lognormvariate(0, 0.04)
    cpu_ns = (cpu_ns + more_ns * (config["driver"] != "null")) * rng.lognormvariate(0, 0.03)
    in_flight = config["submitters"] * config["depth"]
    typical_ns = in_flight / rate * 1e9
    latency_ns = [int(typical_ns * (rng.lognormvariate(-0.2, 0.5) if rng.random() < 0.985
                                    else rng.paretovariate(0.9) * 3)) for _ in range(4000)]
    user = 0.95 if config["driver"].startswith(("null", "kioctx")) and kind == "null" else 0.25
    return measurement(
        rate, cpu_ns * user, cpu_ns * (1 - user), [min(v, 2**41) for v in latency_ns],
        oversubscribed=config["threads"] > 2, thread=threads(config, rate * 0.3, rng),
        slices_ops_per_s=[rate * rng.lognormvariate(0, 0.03) for _ in range(3)],
        steady=rng.random() > 0.03,
        system_calls_per_op=0.0 if config["driver"] in ("null", "kioctx@v3.7", "kioctx@series")
        else 1.0 if config["driver"] == "sync" else 0.0625,
        context_switches_per_op=0.0004 if config["workload"] == "per-thread" else 0.021)


def plan(configs):
    """Rows with the null rows that price their harness behind them."""
    rows = [row(i, c) for i, c in enumerate(configs)]

    def shape(config):
        return {**config, "driver": "", "target": "", "target_label": ""}

    for wanted in configs:
        same = [r for r in rows if r["config"]["driver"] == "null"
                and shape(r["config"]) == shape(wanted)]
        if not same:
            null = {**wanted, "driver": "null", "target": "null", "target_label": "null"}
            rows.append(row(len(rows), null, price_only=True))
    for r in rows:
        price = [p["row"] for p in rows if p["config"]["driver"] == "null" and p is not r
                 and shape(p["config"]) == shape(r["config"])]
        if r["config"]["driver"] != "null":
            r["price_row"] = price[0]
    return rows


def run(configs, repetitions=3, seed=1, with_inside=False):
    """The records of a whole run; `with_inside`: with profile, locks and counters."""
    rng = random.Random(seed)
    rows = plan(configs)
    records = [header(rows)]
    records[0]["plan"]["repetitions"] = repetitions
    position = 0
    for n in range(repetitions):
        for r in rng.sample(rows, len(rows)):
            m = invented(r["config"], rng)
            m["start_realtime_ns"] += position * 420_000_000
            if with_inside:
                m.update(inside(r["config"], rng, m["operations"]))
            records.append(repetition(r["row"], n, position, m, r["name"]))
            position += 1
    return [*records, end(repetitions=position)]


def _functions(rng, count=80):
    """Names as long as those of real functions."""
    parts = ["aioscope", "context", "submit", "reap", "complete", "ring", "wait", "queue"]
    return [f"{rng.choice(parts)}::{rng.choice(parts)}_{rng.choice(parts)}_{i}"
            + "_[k]" * rng.randrange(2) for i in range(count)]


def _walks(rng, functions, count=120):
    """Stacks that begin alike, as those of a program do: each function calls a few others."""
    calls = {function: rng.sample(functions, 2) for function in functions}
    walks = {}
    while len(walks) < count:
        walk = [functions[0]]
        for _ in range(rng.randint(2, 10)):
            walk.append(calls[walk[-1]][rng.random() < 0.2])
        walks[tuple(walk)] = None
    return [list(walk) for walk in walks]


def as_large_as_real(records, seed=1):
    """Gives each repetition as many stacks, places that wait, counters and slices as one of two
    seconds has that was run with --profile, --locks and --counters default."""
    rng = random.Random(seed)
    layers = [layer for layer, _, _ in STACKS]
    of_driver = {}
    for record in records:
        if record["record"] != "repetition":
            continue
        m, driver = record["measurement"], record["name"].partition("/")[0]
        if driver not in of_driver:
            of_driver[driver] = _walks(rng, _functions(rng))
        stacks = [{"frames": ["main", "worker", *frames], "layer": rng.choice(layers),
                   "samples": max(1, int(rng.paretovariate(0.9) * 8))}
                  for frames in rng.sample(of_driver[driver], 95)]
        m["profile"].update(stacks=stacks, samples=sum(stack["samples"] for stack in stacks))
        m["slices_ops_per_s"] = [m["operations_per_s"] * rng.lognormvariate(0, 0.05)
                                 for _ in range(20)]
        m["counters"] = [counter(f"counter-{i}", rng.lognormvariate(3, 0.1), m["operations"])
                         for i in range(10)]
        m["kernel_locks"] = {"source": "lock:contention_begin", "reason": "", "lost": 0,
                             "operations": m["operations"], "sites": [
                                 {"site": f"{driver}_site_{i}", "kind": "spinlock",
                                  "contended": rng.randrange(1, 9999),
                                  "wait_ns": rng.randrange(10 ** 6), "wait_ns_p50": 400 + i,
                                  "wait_ns_p99": 9000 + i, "wait_ns_max": rng.randrange(10 ** 6)}
                                 for i in range(8)]}
    return records


def gate(rows=12, blocks=8, seed=1, regressed=2):
    """A gate's verdict on CPU time and system calls."""
    rng = random.Random(seed)
    compared = []
    for i in range(rows):
        name = name_of(config(DRIVERS[i % len(DRIVERS)], "shared" if i % 2 else "per-thread"))
        effect = 1.22 if i < regressed else 1.0
        ratios = [effect * rng.lognormvariate(0, 0.02) for _ in range(blocks)]
        ordered = sorted(ratios)
        wide = i == rows - 1
        compared.append({
            "name": name, "metric": "CPU time", "unit": "ns/op", "better": "lower", "tier": 2,
            "ratio": ordered[blocks // 2], "low": ordered[0] * (0.8 if wide else 1),
            "high": ordered[-1], "base": 100.0, "new": 100.0 * ordered[blocks // 2],
            "margin": 0.1, "noise": 0.04 + 0.01 * (i % 3), "least_detectable": 0.08,
            "verdict": "regressed" if i < regressed else "inconclusive" if wide else "equivalent",
            "reason": "", "blocks": [{"block": n, "ratio": ratio}
                                     for n, ratio in enumerate(ratios)],
            "waiver": {"owner": "somebody", "reason": "known", "expires": "2030-01-01"}
            if i == 1 else None})
    compared.append({"name": name_of(config()), "metric": "system calls", "unit": "per op",
                     "better": "lower", "tier": 1, "ratio": 1.5, "low": None, "high": None,
                     "verdict": "regressed", "reason": "0.0625 became 0.0938 per op"})
    return {"schema": "aioscope.gate/1", "verdict": "regressed", "exit_code": 1, "reason": "",
            "seed": 7, "alpha": 0.05, "base": gate_arm("v1"), "new": gate_arm("v2"),
            "complete": True, "strict": False, "same_program": False, "suite": "gate",
            "command": "aioscope gate --base v1/aioscope --new v2/aioscope -o gate.json",
            "start_realtime_ns": 1_700_000_000_000_000_000, "elapsed_s": 66.12,
            "looks": [{"look": "first", "blocks": 16, "alpha": 0.025, "comparisons": 13}],
            "order": ["new base", "base new"], "calibration": None,
            "missing_rows": ["sync/gone"], "new_rows": ["io_uring/added"],
            "notes": ["No calibration of this host: margins alone decide."],
            "waivers": [{"row": "null/*", "metric": "cpu", "owner": "somebody", "reason": "known",
                         "expires": "2030-01-01", "used": 1}],
            "rows": compared}


def gate_arm(name):
    """What a gate.json says of one arm."""
    made = header([])
    return {"name": name, "program": f"{name}/aioscope", "sha256": f"sha-of-{name}", "driver": "",
            "driver_sha256": "", "files": [], "tool": {**made["tool"], "commit": f"commit-{name}"},
            "host": made["host"], "command": [f"{name}/aioscope", "run", "--seed", "1"]}


def quick_configs(drivers=DRIVERS, targets=TARGETS, submitters=(4,)):
    return [config(driver, workload, target, n) for target in targets for driver in drivers
            for workload in ("shared", "per-thread") for n in submitters]


def text(records):
    return "".join(json.dumps(record) + "\n" for record in records)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scaling", action="store_true", help="1 to 8 submitters, on null")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cut", action="store_true", help="cut the last record off")
    parser.add_argument("--series", action="store_true", help="stages of kioctx")
    parser.add_argument("--inside", action="store_true", help="with profile, locks, counters")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--debug", action="store_true", help="of a Debug build")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    configs = quick_configs()
    if options.scaling:
        configs = quick_configs(targets=["null", "zero"], submitters=(1, 2, 4, 8))
    if options.series:
        configs = quick_configs(["kioctx@v3.7", *STAGES, "kioctx@series"], ["null"])
    records = run(configs, options.repetitions, options.seed, options.inside)
    if options.debug:
        records[0]["tool"].update(build_type="Debug", sanitizers="address;undefined")
    whole = text(records)
    if options.cut:
        whole = whole[:math.floor(len(whole) * 0.6)]
    with open(options.output, "w") as file:
        file.write(whole)


if __name__ == "__main__":
    main()
