"""A program that answers like aioscope run, with the effects, noise and faults a test asks for.

A test writes a script of two lines that calls main(SETTINGS). Settings, all optional:
  effects    {metric: factor}: of cpu, rate, latency, locks, calls
  noise      sigma of the lognormal noise of times and rates (default 0.01)
  salt       of the noise, so that two arms differ
  rows       names of drivers, one row each (default kioctx@series, libaio)
  fault      crash, hang, sleep, rubbish, silent, exit, failed, nothing, lost, short, debug,
             other-host, half
  at         the measuring run from which on the fault is there (default 0, the first)
  samples    of latency, in units of 300 (default 4)
  window_ns  planned (default 300 ms)
  version    of the program
  uncounted  whether kioctx counts nothing of itself
  deaf       whether --inject does nothing
  later      settings that hold from the measuring run `at` of theirs on
"""

import json
import os
import pathlib
import random
import re
import signal
import sys
import time

import synthetic

WINDOW_OPS = 20000


def _value(arguments, name, default=None):
    return arguments[arguments.index(name) + 1] if name in arguments else default


def _rows(settings, arguments):
    drivers = settings.get("rows", ["kioctx@series", "libaio"])
    if "--driver" in arguments:  # an external one has a name of its own
        drivers = [pathlib.PurePath(_value(arguments, "--driver")).stem]
    only = re.compile(_value(arguments, "--only", ""))
    configs = [synthetic.config(driver, "per-thread", "null", 2) for driver in drivers]
    rows = [synthetic.row(i, one) for i, one in enumerate(
        one for one in configs if only.search(synthetic.name_of(one)))]
    return rows


def _injected(settings, arguments):
    if settings.get("deaf"):
        return {}
    kind, _, size = _value(arguments, "--inject", "").partition("=")
    return {kind: float(size.removesuffix("ns"))} if kind else {}


def _latency(typical_ns, times):
    """`times` 300 samples of few values, one in sixty of them twice as long."""
    buckets = {}
    for factor, count in ((0.8, 75), (0.9, 75), (1, 75), (1.1, 70), (2, 5)):
        low = str(synthetic.bucket_low_ns(int(typical_ns * factor)))
        buckets[low] = buckets.get(low, 0) + count * times
    return {"count": 300 * times, "max_ns": 2.1 * typical_ns, "buckets": buckets}


def _measurement(settings, injected, rng, driver):
    effects, noise = settings.get("effects", {}), settings.get("noise", 0.01)

    def noisy(value, name):
        return value * effects.get(name, 1) * rng.lognormvariate(0, noise)

    cpu = noisy(300, "cpu") + injected.get("delay", 0)
    latency_ns = noisy(20000, "latency")
    locks = 2 * effects.get("locks", 1) + injected.get("lock", 0)
    calls = 1 / 16 * effects.get("calls", 1) + injected.get("syscall", 0) / 16
    found = synthetic.measurement(noisy(3e6, "rate") * 300 / cpu, cpu, 0.0,
                                  system_calls_per_op=calls, operations=WINDOW_OPS,
                                  submitted=WINDOW_OPS, completed=WINDOW_OPS)
    found["latency"] = _latency(latency_ns, settings.get("samples", 4))
    found["thread"] = [{"role": "submitter", "operations": WINDOW_OPS,
                        "driver_system_calls": round(calls * WINDOW_OPS)}]
    if driver.startswith("kioctx") and not settings.get("uncounted"):
        found["driver_counts"] = {
            "operations": WINDOW_OPS, "shared_rmw": 3 * WINDOW_OPS, "allocations": WINDOW_OPS,
            "wakeups": int(rng.random() * 400), "lock_sites": [
                {"site": "a/b", "acquisitions": round(locks * WINDOW_OPS), "contended": 0,
                 "wait_ns": 0}]}
    return found


def _fault_before(fault, path):
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault in ("hang", "sleep"):
        if fault == "hang":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(100)
    if fault == "rubbish":
        path.write_bytes(b"\x00\xff{{{ rubbish\n" * 3)
        sys.stderr.buffer.write(b"\xff\xfe rubbish\n" * 200000)
        sys.exit(0)


def _number(script):
    """Of this measuring run, over processes."""
    counter = pathlib.Path(f"{script}.count")
    number = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(number + 1))
    return number


def _records(settings, arguments, fault, number):
    rows = _rows(settings, arguments)
    rng = random.Random(f"{_value(arguments, '--seed')} {settings.get('salt', '')} {number}")
    header = synthetic.header(rows)
    header["host"].update(fingerprint="other" if fault == "other-host" else "this",
                          kernel=settings.get("kernel", header["host"]["kernel"]))
    header["tool"]["version"] = settings.get("version", header["tool"]["version"])
    header["plan"]["window_ns"] = settings.get("window_ns", header["plan"]["window_ns"])
    if fault == "debug":
        header["tool"].update(build_type="Debug", sanitizers="address")
    yield header
    for row in rows:
        if fault == "nothing":
            continue
        if fault == "failed":
            yield {"record": "failed", "row": row["row"], "name": row["name"], "repetition": 0,
                   "kind": "invalid", "message": "block 3 has other bytes than were written"}
            continue
        measurement = _measurement(settings, _injected(settings, arguments), rng,
                                   row["config"]["driver"])
        measurement["window_ns"] = header["plan"]["window_ns"]
        if fault == "lost":
            measurement["completed"] -= 1
        if fault == "short":
            measurement["window_ns"] //= 3
        yield synthetic.repetition(row["row"], 0, row["row"], measurement, row["name"])
    if fault != "half":
        yield synthetic.end()


def answer(settings, script, arguments):
    """(exit code, standard output, standard error) of one run."""
    if "--help" in arguments:
        return 0, "--operations N\n", ""
    if "--nonsense" in arguments:
        return 2, "", "aioscope: unknown option '--nonsense'\n"
    if "--dry-run" in arguments:
        rows = _rows(settings, arguments)
        return 0, ("".join(f"{row['name']}\n" for row in rows)
                   + f"{len(rows)} rows (0 skipped), 1 repetitions of 1 ms after 1 ms of warm-up, "
                     "seed 1: about 3.5 ms\n"), ""
    number = _number(script)
    fault = settings.get("fault") if number >= settings.get("at", 0) else None
    later = settings.get("later")
    if later and number >= later["at"]:
        settings = {**settings, **later}
    path = pathlib.Path(_value(arguments, "-o", os.devnull))
    if fault == "exit":
        return 5, "", "aioscope: io_setup: EAGAIN: too many; raise fs.aio-max-nr\n"
    if fault == "silent":
        return 0, "", ""
    _fault_before(fault, path)
    path.write_text("".join(json.dumps(record) + "\n"
                            for record in _records(settings, arguments, fault, number)))
    return (4 if fault == "failed" else 0), "", ""


def main(settings):
    code, printed, said = answer(settings, sys.argv[0], sys.argv[1:])
    sys.stdout.write(printed)
    sys.stderr.write(said)
    sys.exit(code)
