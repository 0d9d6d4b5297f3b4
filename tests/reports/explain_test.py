"""aioscope explain: one row in words, against numbers worked out by hand."""

import export_test
import pytest
import synthetic
from reports import units
from reports.__main__ import main

THREAD = {"name": "submitter 0", "completions_ns": 150_000_000, "lock_ns": 30_000_000,
          "other_wait_ns": 0, "preempted_ns": 3_000_000, "switches": 1234}


def off_cpu(**changes):
    return {"source": "sched:sched_switch", "reason": "", "window_ns": 300_000_000,
            "threads": [THREAD], **changes}


def explain(tmp_path, capsys, row="0", **measured):
    rows = [synthetic.row(0, synthetic.config("libaio")),
            synthetic.row(1, synthetic.config("io_uring"))]
    m = synthetic.measurement(rate=1e6, user_ns=50, system_ns=133, **measured)
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text([synthetic.header(rows), synthetic.repetition(0, 0, 0, m),
                                    synthetic.end()]))
    code = main(["explain", str(path), *([row] if row else [])])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def cells(out, name):
    """The columns behind the line of the tree that is called `name`."""
    [line] = [line for line in out.splitlines() if line.lstrip("|`- ").startswith(name + "  ")]
    return line.split()[-2:]


def test_layers_in_nanoseconds_and_percent(tmp_path, capsys):
    code, out, _ = explain(tmp_path, capsys, profile=export_test.profile(), off_cpu=off_cpu())
    assert code == 0
    # 300 000 operations, 55 samples of 1 ms.
    assert cells(out, "an operation, on the CPU") == ["183.3", "100.0"]
    assert cells(out, "kernel") == ["100.0", "54.5"] == cells(out, "aio core")
    assert cells(out, "user") == ["83.3", "45.5"] == cells(out, "harness")
    assert cells(out, "io_submit_one") == ["100.0", "54.5"]
    assert "55 samples, 2 lost" in out
    assert "they stand for 100 % of the CPU time" in out
    [thread] = [line for line in out.splitlines() if "submitter 0" in line]
    assert thread.split() == ["submitter", "0", "50.0", "10.0", "0.0", "\u2013", "1.0", "1,234"]


def test_waits_for_what_is_not_known(tmp_path, capsys):
    nothing = {"completions_ns": None, "lock_ns": None, "other_wait_ns": None}
    _, out, _ = explain(tmp_path, capsys, off_cpu=off_cpu(threads=[
        {**THREAD, **nothing, "wait_ns": 240_000_000},
        {**THREAD, "name": "submitter 1", "wait_ns": 180_000_000}]))
    first, second = (line.split()[2:] for line in out.splitlines() if "submitter " in line)
    assert first == ["\u2013", "\u2013", "\u2013", "80.0", "1.0", "1,234"]
    assert second == ["50.0", "10.0", "0.0", "0.0", "1.0", "1,234"]


def test_threads_of_a_driver_with_one_name_are_one_line(tmp_path, capsys):
    worker = {**THREAD, "name": "kioctx file", "of_driver": True, "preempted_ns": 0}
    _, out, _ = explain(tmp_path, capsys, off_cpu=off_cpu(threads=[
        {**worker, "completions_ns": 300_000_000}, {**worker, "completions_ns": 0},
        THREAD, THREAD]))
    [line] = [line for line in out.splitlines() if "kioctx file" in line]
    assert line.split()[:6] == ["kioctx", "file", "x", "2,", "mean", "50.0"]
    assert line.split()[-1] == "2,468"
    assert out.count("submitter 0") == 2


def test_futexes_are_marked(tmp_path, capsys):
    waits = synthetic.kernel_locks(100, 300_000)
    waits["sites"] = [{**waits["sites"][0], "site": "SharedRing::submit", "kind": "futex",
                       "layer": "io_uring lock wait"}]
    _, out, _ = explain(tmp_path, capsys, futex_waits=waits)
    assert "user, asleep: SharedRing::submit (futex)" in out and "not to be added up" in out


def test_says_what_was_moved(tmp_path, capsys):
    _, out, _ = explain(tmp_path, capsys, profile=export_test.profile(
        moved=[{"from": "aio core", "to": "aio lock wait", "samples": 11}]))
    assert "20.0 % of the samples are shown as aio lock wait, not as aio core" in out


def test_says_what_is_missing(tmp_path, capsys):
    code, out, _ = explain(tmp_path, capsys, off_cpu=off_cpu(
        source="", reason="perf_event_open: EACCES", threads=[{**THREAD, "lock_ns": None}]))
    assert code == 0
    assert "No profile: the run took no profile; --profile takes one" in out
    assert "perf_event_open: EACCES" in out and "\u2013" in out
    _, out, _ = explain(tmp_path, capsys, profile=export_test.profile(
        event=None, layers=[], stacks=[], reason="not allowed here"))
    assert "No profile: not allowed here" in out
    _, out, _ = explain(tmp_path, capsys, profile=export_test.profile(
        whole=False, reason="the kernel's part is missing",
        unmatched=[{"symbol": "strange", "samples": 11}]))
    assert "the kernel's part is missing" in out and "strange 20.0 %" in out


def test_locks_of_the_driver_and_of_the_kernel(tmp_path, capsys):
    _, out, _ = explain(tmp_path, capsys, driver_counts=synthetic.driver_counts(2, 10, 300_000),
                        kernel_locks=synthetic.kernel_locks(100, 300_000))
    lines = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert ["kernel:", "aio_complete", "(spinlock)", "0.02000", "80.00", "900", "ns",
            "31.0", "\u00b5s", "4.10", "ms"] in lines
    assert ["user:", "ring_lock/reap", "0.03333", "3.00", "639", "ns", units.NONE,
            "65.5", "\u00b5s"] in lines


@pytest.mark.parametrize("row, expected", [("io_uring|libaio", "2 rows match"),
                                           ("x", "no row matches"), ("7", "no row matches"),
                                           ("", "2 rows match")])
def test_asks_for_one_row(tmp_path, capsys, row, expected):
    code, out, error = explain(tmp_path, capsys, row)
    assert (code, out) == (2, "")
    assert expected in error and "  1 io_uring/" in error


def test_a_row_without_a_result(tmp_path, capsys):
    code, _, error = explain(tmp_path, capsys, "io_uring")
    assert code == 4 and "has no result" in error
