"""Bad days: what cannot be run, read, written or trusted, and signals."""

import os
import signal
import subprocess
import time

import pytest

from cli_test import BIN, BRIEF, BROKEN, NULL, aioscope, only, records


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for more in ([], ["--operation", "write"], ["--create", "1M"]):
        done = aioscope("run", "--driver", "sync", "--target", f"file:{tmp_path}/fifo", *BRIEF,
                        *more, expect=5, timeout=20)
        assert "regular file" in done.stderr


def test_making_a_file_spares_what_stands_beside_it(tmp_path):
    data, beside = tmp_path / "data", tmp_path / "data.partial"
    beside.write_text("precious")
    aioscope("run", "--driver", "sync", "--target", f"file:{data}", "--create", "1M", *BRIEF)
    assert beside.read_text() == "precious"
    assert sorted(tmp_path.iterdir()) == [data, beside]


def test_a_file_that_was_copied_over_ours_is_not_ours(tmp_path):
    data, mine = tmp_path / "data", tmp_path / "mine"
    aioscope("run", "--driver", "sync", "--target", f"file:{data}", "--create", "1M", *BRIEF)
    mine.write_bytes(bytes(2 << 20))
    subprocess.run(["cp", mine, data], check=True)
    done = aioscope("run", "--driver", "sync", "--target", f"file:{data}", "--operation", "write",
                    "--block-size", "4k", *BRIEF, expect=5)
    assert "was not made by aioscope" in done.stderr
    assert data.read_bytes() == bytes(2 << 20)


def test_a_control_character_in_a_name_is_refused():
    done = aioscope("run", "--driver", "sync", "--target", "file:/tmp/a\nb", expect=2)
    assert "control character" in done.stderr and done.stderr.count("\n") == 1


def test_verified_blocks_are_those_that_were_checked(tmp_path):
    def verified(*arguments):
        done = aioscope("run", "--driver", "sync", "--verify", *BRIEF, "-o", "-", *arguments)
        return [line["measurement"]["verified_blocks"]
                for line in only("repetition", records(done.stdout))]

    assert verified("--target", "null", "--no-harness-price") == [0, 0]
    assert all(verified("--target", "zero", "--no-harness-price"))
    file = ["--target", f"file:{tmp_path}/data", "--create", "1M", "--block-size", "4k",
            "--no-harness-price"]
    assert all(0 < count <= 256 for count in verified(*file, "--operation", "write"))
    few = aioscope("run", "--driver", "sync", "--verify", "--operation", "mixed", *file[:4],
                   "--block-size", "256k", expect=5)
    assert "too few to verify reads and writes at once" in few.stderr


def test_what_cannot_run_is_skipped_with_reason_and_cure_and_alone_is_invalid():
    done = aioscope("run", "--driver", "libaio", "--operation", "nop", *BRIEF, "-o", "-", expect=4)
    (skipped,) = only("skipped", records(done.stdout))
    assert skipped["reason"] == "libaio cannot nop" and skipped["cure"]
    assert "skipped libaio/" in done.stderr
    done = aioscope("run", "--driver", str(BROKEN), "--only", "unusable", *BRIEF, expect=4)
    assert "it is never usable; use another" in done.stderr


@pytest.mark.parametrize("variant, kind, code", [
    ("loses", "invalid", 4), ("doubles", "invalid", 4), ("fails", "runtime", 5)])
def test_a_broken_driver_is_caught_and_the_others_are_measured(tmp_path, variant, kind, code):
    path = tmp_path / "result.jsonl"
    done = aioscope("run", "--driver", f"{BROKEN},null", "--only", f"@{variant}/|^null", *BRIEF,
                    "--no-harness-price", "--watchdog", "1s", "-o", str(path), expect=code)
    lines = records(path.read_text())
    (failed,) = only("failed", lines)
    assert failed["name"].startswith(f"broken@{variant}/")
    assert failed["kind"] == kind and failed["message"] in done.stderr
    assert [line["name"].split("/")[0] for line in only("repetition", lines)] == ["null", "null"]
    assert lines[-1]["complete"] is True


def test_a_driver_that_hangs_is_named_and_ends_the_run_without_a_final_file(tmp_path):
    path = tmp_path / "result.jsonl"
    done = aioscope("run", "--driver", str(BROKEN), "--only", "@hangs/", *BRIEF, "--watchdog", "1s",
                    "-o", str(path), expect=5)
    assert "the driver hangs: broken@hangs/" in done.stderr
    partial = tmp_path / "result.jsonl.partial"
    assert list(tmp_path.iterdir()) == [partial]
    assert records(partial.read_text())[-1]["record"] == "failed"
    assert str(partial) in done.stderr


@pytest.mark.parametrize("workload", ["shared", "per-thread"])
@pytest.mark.parametrize("variant, where", [("hangs-in-open", "opening a context"),
                                            ("hangs-in-close", "closing a context")])
def test_a_context_that_hangs_outside_the_load_is_named(variant, where, workload):
    done = aioscope("run", "--driver", str(BROKEN), "--only", f"@{variant}/", "--workload",
                    workload, *BRIEF, "--watchdog", "1s", expect=5)
    assert f"the driver hangs: broken@{variant}/{workload}/" in done.stderr
    assert where in done.stderr


def test_a_probe_that_hangs_is_named():
    done = aioscope("run", "--driver", str(BROKEN), "--only", "@hangs-in-probe/", *BRIEF,
                    "--watchdog", "1s", expect=5)
    assert "the driver hangs: broken@hangs-in-probe does not return from probing" in done.stderr


@pytest.mark.parametrize("workload", ["shared", "per-thread", "aggregate"])
@pytest.mark.parametrize("length, message", [
    (["--operations", "100"], "nothing is in flight, and nothing more came for 1.0 s"),
    (["--duration", "50ms"], "no operation completed within "),
])
def test_a_driver_that_accepts_nothing_has_no_result(workload, length, message):
    done = aioscope("run", "--driver", f"{BROKEN},null", "--only", "@accepts-none/|^null",
                    "--workload", workload, "--repetitions", "1", *length, "--no-harness-price",
                    "--watchdog", "1s", "-o", "-", expect=4)
    (failed,) = only("failed", records(done.stdout))
    assert failed["kind"] == "invalid" and message in failed["message"]
    assert len(only("repetition", records(done.stdout))) == 1


def test_an_open_loop_without_an_operation_in_its_window_says_so():
    done = aioscope("run", "--driver", "null", "--rate", "0.001", "--warmup", "10ms",
                    "--duration", "50ms", "--repetitions", "1", "--no-harness-price", "-o", "-")
    (line,) = only("repetition", records(done.stdout))
    assert line["measurement"]["operations"] == 0
    assert line["measurement"]["cpu_user_ns_per_op"] is None
    (warning,) = line["measurement"]["warnings"]
    assert "raise --rate or --duration" in warning


def test_an_overload_is_said_with_both_rates():
    done = aioscope("run", "--driver", "null", "--rate", "1e9", "--warmup", "10ms",
                    "--duration", "50ms", "--repetitions", "1", "--no-harness-price", "-o", "-")
    (line,) = only("repetition", records(done.stdout))
    (warning,) = line["measurement"]["warnings"]
    assert "of the 1000000000 operations/s asked for were reached" in warning


@pytest.mark.parametrize("variant, message", [
    ("throws", "an exception of its own"), ("throws-number", "no std::exception")])
@pytest.mark.parametrize("workload", ["shared", "per-thread"])
def test_whatever_a_driver_throws_fails_its_row_alone(variant, message, workload):
    done = aioscope("run", "--driver", f"{BROKEN},null", "--only", f"@{variant}/|^null",
                    "--workload", workload, *BRIEF, "--no-harness-price", "-o", "-", expect=5)
    (failed,) = only("failed", records(done.stdout))
    assert failed["name"].startswith(f"broken@{variant}/") and message in failed["message"]
    assert len(only("repetition", records(done.stdout))) == 2


@pytest.mark.parametrize("make, message", [
    (lambda path: None, "--create SIZE"),
    (lambda path: path.mkdir(), "is a directory"),
    (lambda path: path.write_bytes(b"x" * 100), "are too few"),
])
def test_a_bad_target_ends_the_run_before_anything_is_measured(tmp_path, make, message):
    data, result = tmp_path / "data", tmp_path / "result.jsonl"
    make(data)
    done = aioscope("run", "--driver", "null,libaio", "--target", f"file:{data}", "--buffered",
                    *BRIEF, "-o", str(result), expect=5)
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert done.stdout == "" and not list(tmp_path.glob("result*"))


def test_a_file_of_somebody_else_is_not_written_to(tmp_path):
    data = tmp_path / "data"
    data.write_bytes(b"precious" * 1024)
    write = ["run", "--driver", "sync", "--target", f"file:{data}", "--operation", "write",
             "--buffered", *BRIEF]
    done = aioscope(*write, expect=5)
    assert "--allow-destructive" in done.stderr
    assert data.read_bytes() == b"precious" * 1024
    aioscope(*write, "--allow-destructive")
    assert data.read_bytes() != b"precious" * 1024


def test_a_result_file_that_cannot_be_written(tmp_path):
    done = aioscope(*NULL, "-o", str(tmp_path / "none" / "result.jsonl"), expect=5)
    assert "No such file or directory" in done.stderr
    with open("/dev/full", "w") as full:
        for arguments in (["--format", "ndjson"], ["--format", "csv"]):
            done = aioscope(*NULL, *arguments, expect=5, stdout=full)
            assert "No space left on device; free space" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_a_valid_file_marked_incomplete(tmp_path, number):
    path = tmp_path / "result.jsonl"
    process = subprocess.Popen(
        [str(BIN), "run", "--driver", "null,libaio", "--warmup", "10ms", "--duration", "100ms",
         "--repetitions", "500", "-o", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    partial = tmp_path / "result.jsonl.partial"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.read_text().count("\n") >= 4):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    lines = records(path.read_text())
    assert len(only("repetition", lines)) >= 3
    assert lines[-1]["record"] == "end" and lines[-1]["complete"] is False
    assert list(tmp_path.iterdir()) == [path]


def wait_for(ready):
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_a_target_is_made_leaves_nothing(tmp_path, number):
    process = subprocess.Popen(
        [str(BIN), "run", "--driver", "sync", "--target", f"file:{tmp_path}/data", "--buffered",
         "--create", "100G", *BRIEF], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: any(path.stat().st_size > 0 for path in tmp_path.glob("data.*.partial")))
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 130 and b"interrupted" in text
    assert not list(tmp_path.iterdir())


def test_a_signal_that_is_ignored_stays_so(tmp_path):
    path = tmp_path / "result.jsonl"
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", str(BIN), "run", "--driver", "null",
         "--repetitions", "4", "--duration", "100ms", "-o", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for((tmp_path / "result.jsonl.partial").exists)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert records(path.read_text())[-1]["complete"] is True
