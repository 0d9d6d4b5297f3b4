"""ci/against_perf: what it takes for agreement, and that aioscope and perf do agree here."""

import importlib.machinery
import importlib.util
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AIOSCOPE_BIN", ROOT / "build/release/bin/aioscope")).parent


def load():
    loader = importlib.machinery.SourceFileLoader("against_perf", str(ROOT / "ci/against_perf"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("against_perf",
                                                                             loader))
    loader.exec_module(module)
    return module


against_perf = load()


def test_perfs_counts_are_read():
    text = ("# started on Mon Nov 23\n\n"
            "20000,,syscalls:sys_enter_io_submit,276900852,100.00,,\n"
            "276.95,msec,task-clock,276950000,100.00,0.9,CPUs utilized\n"
            "<not supported>,,cycles,0,100.00,,\n")
    assert against_perf.perf_counts(text) == {
        "syscalls:sys_enter_io_submit": 20000, "task-clock": 276950000, "cycles": None}


@pytest.mark.parametrize("ours, theirs, limit, agree", [
    (100, 100, 0, True), (101, 100, 0, False), (101, 100, 0.01, True), (99, 100, 0.01, True),
    (102, 100, 0.01, False), (None, 100, 1, False), (100, None, 1, False), (0, 0, 1, False)])
def test_agreement(ours, theirs, limit, agree):
    assert against_perf.within(ours, theirs, limit) is agree


def test_the_table_marks_what_differs():
    text = against_perf.table([("cs", 1078, 1078, 0.01), ("faults", 90, 100, 0.01),
                               ("cycles", None, None, 0)])
    assert [line.split("|")[-2].strip() for line in text.splitlines()[2:]] == [
        "ok", "DIFFERS", "DIFFERS"]
    assert "-10.000%" in text


SCRIPT = """
   41  100.000001000: lock:contention_begin: 0xffff8881 (flags=MUTEX|SPIN)
\tffffffff81000010 __mutex_lock ([kernel.kallsyms])
\tffffffff81000020 ext4_read ([ext4])
\t            20ca3 _Zread (/usr/lib/libc.so.6)
\t                0 [unknown] ([unknown])

   42  100.000001500: lock:contention_begin: 0xffff8881 (flags=SPIN)
\tffffffff81000010 __mutex_lock ([kernel.kallsyms])

   41  100.000002000: lock:contention_begin: 0xffff8881 (flags=MUTEX)
\tffffffff81000030 other ([kernel.kallsyms])

   41  100.000009000: lock:contention_end: 0xffff8881 (ret=0)
\tffffffff81000010 __mutex_lock ([kernel.kallsyms])

"""
MUTEX_STACK = ((True, "__mutex_lock", "kernel"), (True, "ext4_read", "[ext4]"),
               (False, "_Zread", "/usr/lib/libc.so.6"))


def test_perfs_stacks_are_put_together_to_waits():
    waits = against_perf.Waits()
    records = list(against_perf.script_records(SCRIPT))
    assert tuple(records[0][1]) == MUTEX_STACK
    for head, frames in records:
        waits.add(head, tuple(frames))
    assert waits.events == 3
    assert waits.contended == {(MUTEX_STACK, "mutex"): 1, (MUTEX_STACK[:1], "spin"): 1}
    assert waits.wait_ns == {(MUTEX_STACK, "mutex"): 8000}
    functions = {MUTEX_STACK: ("x", "ext4_read"), MUTEX_STACK[:1]: ("x", "__mutex_lock")}
    assert against_perf.site_sums(waits, functions) == {
        "ext4_read (mutex)": (1, 8000, 1), "__mutex_lock (spin)": (1, 0, 0)}
    ours = {"events": 3, "sites": [{"site": "ext4_read", "kind": "mutex", "contended": 2,
                                    "wait_ns": 8000}]}
    assert against_perf.lock_rows(ours, waits, functions) == [
        ("lock:contention_begin", 3, 3, 0), ("contended: ext4_read (mutex)", 2, 1, 0),
        ("contended: __mutex_lock (spin)", None, 1, 0)]


@pytest.mark.parametrize("flags, kind", [
    ("SPIN", "spin"), ("MUTEX", "mutex"), ("MUTEX|SPIN", "mutex"), ("READ", "rwsem read"),
    ("SPIN|WRITE", "rwlock write"), ("PERCPU|READ", "percpu read"), ("RT", "rtmutex"),
    ("RT|READ", "rwlock read"), ("0", "semaphore")])
def test_the_kind_of_a_lock(flags, kind):
    assert against_perf.lock_kind(flags.split("|")) == kind


def test_shares_agree_within_three_points():
    rows = against_perf.share_rows({"aio core": 800, "device": 200}, {"aio core": 1000})
    assert rows == [("aio core", 80, 100), ("device", 20, 0)]
    assert against_perf.share_table(rows).count("| DIFFERS |") == 2
    assert against_perf.share_agrees(52.9, 50) and not against_perf.share_agrees(46.9, 50)
    with pytest.raises(against_perf.CannotTell):
        against_perf.share_rows({"device": 999}, {"device": 2000})


def compared(part):
    done = subprocess.run([ROOT / "ci/against_perf", "--bin", BIN, part], check=False,
                          capture_output=True, text=True, timeout=120)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_aioscope_counts_what_perf_counts():
    done = compared("counters")
    assert done.stdout.count("| ok |") == len(against_perf.COUNTERS)


def test_aioscope_sees_the_waits_that_perf_sees():
    assert "| lock:contention_begin |" in compared("locks").stdout
