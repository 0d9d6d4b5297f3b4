"""Programs that fail in every way: one clear line, the right exit code, and an end."""

import json
import pathlib
import signal
import subprocess
import time
import xml.etree.ElementTree as xml

import pytest
from gate_world import QUICK, row
from gate import child
from gate.errors import Invalid


@pytest.mark.parametrize("fault, code, message", [
    ("exit", 5, "ended with exit code 5: aioscope: io_setup: EAGAIN: too many; raise fs.aio"),
    ("failed", 4, "failed: block 3 has other bytes than were written"),
    ("nothing", 4, "it measured nothing"),
    ("lost", 4, "submitted 20000 operations and completed 19999"),
    ("short", 4, "was measured for 100 ms of 300 ms"),
    ("debug", 4, "is a Debug build with sanitizers (address)"),
    ("half", 4, "its result is incomplete"),
    ("silent", 4, "wrote no result file"),
])
def test_an_arm_that_is_not_valid(world, fault, code, message):
    record, said = world.pair(expect=code, fault=fault, more=["--junit", world.directory / "g.xml"])
    assert record["verdict"] == "invalid" and record["exit_code"] == code
    assert not record["complete"]
    assert message in record["reason"] and message in said
    assert "new (" in record["reason"].lower()
    assert xml.parse(world.directory / "g.xml").getroot().find(".//error") is not None


def test_what_was_measured_before_a_fault_is_kept_but_decides_nothing(world):
    record, _ = world.pair(expect=4, fault="failed", at=9, effects={"cpu": 2})
    assert len(record["order"]) == 9
    assert {one["verdict"] for one in record["rows"]} == {"inconclusive"}
    assert record["rows"][0]["ratio"] is not None


def test_a_fault_before_the_confirmation_leaves_it_undecided(world):
    record, _ = world.pair(expect=4, fault="failed", at=14, effects={"cpu": 2})
    one = row(record, "cpu")
    assert one["verdict"] == "inconclusive" and one["reason"] == "ended before it was confirmed"
    assert one["ratio"] > 1.8


def test_arms_of_unlike_hosts_are_refused(world):
    record, _ = world.pair(expect=4, fault="other-host")
    assert "unlike machines" in record["reason"]
    record, _ = world.pair(fault="other-host", more=["--force"])
    assert any("differ: Fingerprint" in note for note in record["notes"])


def test_arms_of_unlike_windows_are_refused(world):
    record, _ = world.pair(expect=4, window_ns=200_000_000)
    assert "Window: 300 ms | 200 ms" in record["reason"]


def test_a_host_that_changes_meanwhile(world):
    record, _ = world.pair(expect=4, fault="other-host", at=3)
    assert "the host changed while it was measured" in record["reason"]


def test_a_program_that_is_not_ours(world):
    path = world.directory / "true"
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    done = subprocess.run(world.command("--base", path, "--new", path, *QUICK),
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 4 and done.stderr.count("\n") == 1
    assert "does not plan a run as aioscope does: it says nothing" in done.stderr


# With processes


@pytest.mark.parametrize("fault, message", [
    ("crash", "crashed with SIGSEGV"), ("rubbish", "wrote no result file: line 1: not UTF-8"),
    ("hang", "does not end: stopped after 1 s"),
])
def test_processes_that_go_wrong(world, fault, message, monkeypatch):
    monkeypatch.setattr(child, "GRACE_S", 0.1)
    record, _ = world.pair(expect=4, fault=fault, processes=True, more=["--timeout", "1s"])
    assert message in record["reason"]


def _wait_for(path):
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def _children(pid):
    def parent(path):
        try:
            return int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            return None
    return [path for path in pathlib.Path("/proc").glob("[0-9]*") if parent(path) == pid]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(world, number):
    hanging = world.program("now", fault="sleep", at=2)
    output = world.directory / "gate.json"
    process = subprocess.Popen(
        world.command("--base", world.program("old"), "--new", hanging, *QUICK, "-o", output),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    counter = pathlib.Path(f"{hanging}.count")
    _wait_for(counter)
    while counter.read_text() != "3":
        time.sleep(0.02)
    children = _children(process.pid)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert children and not any(path.exists() for path in children)
    record = json.loads(output.read_text())
    assert record["verdict"] == "interrupted" and not record["complete"]
    assert record["exit_code"] == 130 and len(record["order"]) == 2
    assert {one["verdict"] for one in record["rows"]} == {"inconclusive"}


def ends(pid):
    """Whether the process is dead, or dies now: it is killed before it is gone."""
    stat = pathlib.Path(f"/proc/{pid}/stat")
    for _ in range(200):
        try:
            if stat.read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_a_child_takes_its_children_along(world):
    mark = world.directory / "pid"
    script = world.directory / "parent"
    script.write_text(f"#!/bin/sh\nsleep 50 &\necho $! > {mark}\nwait\n")
    script.chmod(0o755)
    with pytest.raises(Invalid, match="does not end"):
        child.start([str(script)], 0.5)
    pid = int(mark.read_text())
    assert ends(pid)


def test_nohup_is_heeded(world):
    hanging = world.program("now", fault="sleep", at=1)
    process = subprocess.Popen(
        world.command("--base", world.program("old"), "--new", hanging, *QUICK),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    _wait_for(pathlib.Path(f"{hanging}.count"))
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 130


@pytest.mark.parametrize("option", ["-o", "--junit", "--markdown", "--keep"])
def test_output_that_cannot_be_written_is_known_before_anything_is_measured(world, option):
    _, said = world.pair(expect=5, more=[option, "/proc/nothing/g"])
    assert "/proc/nothing" in said and not world.commands


def test_output_that_fails_at_the_end_loses_no_verdict(world, monkeypatch):
    monkeypatch.setattr("reports.output.check", lambda path: None)
    record, said = world.pair(expect=5, more=["--junit", "/proc/nothing/g.xml"])
    assert record["verdict"] == "passed"
    assert "gate: PASSED" in said and "/proc/nothing/g.xml: No such file" in said


def test_a_terminal_that_is_gone_loses_no_file(world, monkeypatch):
    def gone(text):
        raise OSError(5, "Input/output error")
    monkeypatch.setattr("gate.__main__._print", gone)
    record, _ = world.pair(expect=5)
    assert record["verdict"] == "passed"


def test_a_file_on_standard_output_stands_there_alone(world):
    command = world.command("--base", world.program("old"), "--new", world.program("now"), *QUICK)
    done = subprocess.run([*command, "-o", "-"], cwd=world.directory, capture_output=True)
    assert done.returncode == 0 and json.loads(done.stdout)["verdict"] == "passed"
    done = subprocess.run([*command, "--markdown", "-"], cwd=world.directory, capture_output=True)
    assert done.stdout.startswith(b"**Gate: PASSED") and b"gate: PASSED" not in done.stdout
    assert not (world.directory / "-").exists()
    _, said = world.gate("--junit", "-", "--markdown", "-", expect=2)
    assert "one file can go to standard output" in said


def test_steal_measures_again_and_then_gives_up(world, monkeypatch):
    ticks = iter(range(10**6))
    monkeypatch.setattr("gate.validity.stolen", lambda: (next(ticks) * 50, next(ticks) * 100))
    record, _ = world.pair(expect=4)
    assert "he hypervisor took" in record["reason"] and record["order"] == []
    count = iter(range(10**6))

    def seldom():
        number = next(count)
        return (100 if number == 5 else 0), number * 100
    monkeypatch.setattr("gate.validity.stolen", seldom)
    record, _ = world.pair()
    assert len(record["order"]) == 12
    assert any("measured again because the hypervisor" in note for note in record["notes"])


def test_processes_of_the_fake_are_like_the_function(world):
    """That the other tests mean something for real programs."""
    inside, _ = world.pair(more=["--blocks", "2", "--max-blocks", "2"])
    outside, _ = world.pair(more=["--blocks", "2", "--max-blocks", "2"], processes=True)
    assert [one["blocks"] for one in inside["rows"]] == [one["blocks"] for one in outside["rows"]]
