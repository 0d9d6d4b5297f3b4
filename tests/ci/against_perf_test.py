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


def test_aioscope_counts_what_perf_counts():
    done = subprocess.run([ROOT / "ci/against_perf", "--bin", BIN, "counters"], check=False,
                          capture_output=True, text=True, timeout=120)
    if done.returncode == 77:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("| ok |") == len(against_perf.COUNTERS)
