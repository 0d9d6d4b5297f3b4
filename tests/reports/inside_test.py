"""Locks, profiles, counters and threads of a row, from its repetitions."""

import pytest
import synthetic
from reports import inside
from reports.load import Lines
from reports.summarise import summarise
from reports.validate import validate

CONFIG = synthetic.config("kioctx@v3.7")


def row_of(*measurements):
    records = [synthetic.header([synthetic.row(0, CONFIG)])]
    records += [synthetic.repetition(0, n, n, synthetic.measurement(**changes))
                for n, changes in enumerate(measurements)]
    records.append(synthetic.end())
    return summarise(validate(Lines("r", b"", list(enumerate(records, 1)), False))).rows[0]


def counts(operations, **sites):
    return {"operations": operations, "shared_rmw": 2 * operations, "allocations": 0,
            "wakeups": None, "lock_sites": [
                {"site": name, "acquisitions": taken, "contended": contended, "wait_ns": wait}
                for name, (taken, contended, wait) in sites.items()]}


def test_locks_of_the_driver():
    row = row_of({"driver_counts": counts(1000, a=(3000, 30, 50_000), b=(1000, 0, 0))},
                 {"driver_counts": counts(2000, a=(6000, 20, 20_000), b=(2000, 0, 0))},
                 {"driver_counts": counts(1000, a=(3000, 10, 20_000))})
    first, second = inside.lock_sites(row)
    assert (first.name, second.name) == ("a", "b")
    assert first.wait_ns == inside.Spread(20, 10, 50)
    assert first.acquisitions.value == 3 and second.acquisitions == inside.Spread(1, 0, 1)
    assert inside.lock_wait(row).value == 20 and inside.acquisitions(row).most == 4
    assert inside.driver_count(row, "shared_rmw").value == 2
    assert inside.driver_count(row, "wakeups") is None
    assert (first.p50_ns, first.p99_ns, first.max_ns) == (None, None, None)


def test_one_wait_of_a_lock_of_the_driver():
    repetitions = []
    for p50, p99, most in ((100, None, 900), (300, 700, 800), (200, 500, 950), (None, None, None)):
        found = counts(1000, a=(3000, 30, 50_000))
        found["lock_sites"][0] |= {"wait_ns_p50": p50, "wait_ns_p99": p99, "wait_ns_max": most}
        repetitions.append({"driver_counts": found})
    site = inside.lock_sites(row_of(*repetitions))[0]
    assert (site.p50_ns, site.p99_ns, site.max_ns) == (200, 600, 950)


def test_locks_of_the_kernel_are_added_to_those_of_the_driver():
    locks = synthetic.kernel_locks(100, 1000)
    row = row_of({"operations": 1000, "kernel_locks": locks,
                  "driver_counts": counts(1000, a=(1, 0, 7000))})
    assert inside.lock_wait(row).value == pytest.approx(107)
    sites = inside.lock_sites(row)
    assert [site.of_kernel for site in sites] == [True, True, False]
    assert sites[0].name == "aio_complete (spinlock)" and sites[0].p99_ns == 31000
    assert inside.no_kernel_locks(row) == ""


def futex_waits(*sites):
    return {"source": "syscalls:sys_enter_futex", "reason": "", "lost": 0, "operations": 1000,
            "sites": [{"site": name, "layer": layer, "kind": "futex", "contended": 10,
                       "wait_ns": wait, "wait_ns_p50": 900, "wait_ns_p99": None,
                       "wait_ns_max": 4000} for name, layer, wait in sites]}


def test_futexes_stand_beside_the_locks_and_are_not_added_to_them():
    row = row_of({"operations": 1000, "driver_counts": counts(1000, a=(1, 1, 7000)),
                  "futex_waits": futex_waits(("take_a", "io_uring lock wait", 8000),
                                             ("run_thread", "harness", 3000))})
    assert inside.lock_wait(row).value == 7
    assert [site.name for site in inside.lock_sites(row)] == ["a"]
    assert [(site.name, site.whose, site.wait_ns.value) for site in inside.all_sites(row)] == [
        ("take_a (futex)", "user, asleep", 8), ("a", "driver", 7),
        ("run_thread (futex)", "harness, asleep", 3)]
    assert inside.all_sites(row)[0].p50_ns == 900


@pytest.mark.parametrize("locks, why", [
    (None, inside.NO_KERNEL_LOCKS),
    ({"source": "", "reason": "no tracepoints", "sites": []}, "no tracepoints")])
def test_locks_that_are_not_known_are_no_zero(locks, why):
    row = row_of({"kernel_locks": locks, "driver_counts": None})
    assert inside.lock_wait(row) is None
    assert inside.no_kernel_locks(row) == why


def profile(**layers):
    return {"event": "cpu-clock", "samples": 0, "lost": 1, "layers": [
        {"layer": name.replace("_", " "), "user_samples": user, "kernel_samples": kernel}
        for name, (user, kernel) in layers.items()], "stacks": []}


def test_aio_share_is_of_each_repetition():
    row = row_of({"profile": profile(harness=(50, None), aio_core=(0, 40), aio_lock_wait=(0, 10))},
                 {"profile": profile(harness=(90, 0), aio_core=(0, 10))},
                 {"profile": None})
    found = inside.profile(row)
    assert found.aio_share == inside.Spread(0.3, 0.1, 0.5)
    assert found.layers["harness"] == [140, 0] and found.samples == 200 and found.lost == 2


def test_profile_that_could_not_be_taken_says_why():
    row = row_of({"profile": {"event": None, "samples": 0, "layers": [], "stacks": [],
                              "reason": "perf_event_paranoid is 4"}})
    assert inside.profile(row) is None
    assert inside.no_profile([row]) == "perf_event_paranoid is 4"
    assert "--profile" in inside.no_profile([row_of({})])


def test_counters_keep_reasons_and_scaling():
    row = row_of({"counters": [
        synthetic.counter("cycles", 10.0, 100, scaled=True, time_running_ns=75_000_000),
        synthetic.counter("misses", None, 100, reason="no PMU")]},
        {"counters": [synthetic.counter("cycles", 14.0, 100)]})
    found = inside.counters(row)
    assert found["cycles"].per_op == inside.Spread(12, 10, 14)
    assert found["cycles"].scaled and found["cycles"].running == 0.25
    assert found["misses"].per_op is None and found["misses"].reason == "no PMU"


def test_thread_shares_are_of_submitters():
    threads = [{"role": "submitter", "operations": 30}, {"role": "submitter", "operations": 10},
               {"role": "reaper", "operations": 40}]
    assert inside.thread_shares(row_of({"thread": threads})) == [[1.5, 0.5]]
    assert inside.thread_shares(row_of({"thread": []})) == []


def test_time_off_the_cpu_is_of_all_threads():
    def thread(lock_ns, preempted_ns):
        return {"name": "t", "switches": 1, "completions_ns": 100, "lock_ns": lock_ns,
                "other_wait_ns": None, "preempted_ns": preempted_ns}
    taken = {"source": "s", "reason": "", "window_ns": 1000,
             "threads": [thread(300, 0), thread(None, 200)]}
    parts, whole = inside.off_cpu_shares(row_of({"off_cpu": taken}))
    assert parts["completions"].value == 0.1 and parts["lock"].value == 0.15
    assert parts["other_wait"] is None and whole.value == pytest.approx(0.35)
    # What a thread waited for may be unknown; threads of drivers sleep for good reasons.
    taken["threads"] = [{**thread(None, 0), "completions_ns": None, "wait_ns": 500},
                        {**thread(0, 0), "of_driver": True, "wait_ns": 900}]
    parts, whole = inside.off_cpu_shares(row_of({"off_cpu": taken}))
    assert parts["unknown"].value == 0.5 and whole.value == 0.5
    refused = {"source": "", "reason": "no tracepoints", "window_ns": 0, "threads": []}
    row = row_of({"off_cpu": refused})
    assert inside.off_cpu_shares(row)[1] is None
    assert inside.no_off_cpu([row]) == "no tracepoints"
