"""The gate's test of itself finds what it should and fails where it cannot; instructions."""

import json

import pytest
from gate_world import row

SELF = ["--self-test", "--drill-row", "kioctx"]
VALGRIND = """#!/bin/sh
# Counts 1000000 instructions and then so many per operation.
while [ $# -gt 0 ]; do
  case $1 in
    --operations) operations=$2 ;;
    *new*) each={new} ;;
  esac
  shift
done
echo "==1== Collected : $((1000000 + 2 * operations * ${{each:-{base}}}))" >&2
"""


def self_test(world, expect=0, more=(), **settings):
    record, said = world.gate(*SELF, *more, "--program", world.program("p", **settings),
                              expect=expect)
    return record, said


def test_it_stays_green_and_goes_red(world):
    record, said = self_test(world)
    assert record["passed"] and record["against_itself"]["regressed"] == 0
    drills = {drill["inject"].split("=")[0]: drill for drill in record["drills"][3:]}
    assert drills["delay"]["found"] == 1 and drills["delay"]["required"]
    assert drills["lock"]["metrics"] == ["acquisitions"] and drills["lock"]["found"] == 1
    assert drills["syscall"]["metrics"] == ["system-calls", "driver-calls"]
    assert drills["syscall"]["found"] == 1
    assert [drill["found"] for drill in record["drills"][:3]] == [0, 1, 1]
    assert "delay of 20% of the CPU time per operation (delay=60ns): found 1 of 1 by cpu or" in said
    assert "self-test: passed" in said


def test_it_fails_where_injected_work_is_not_seen(world):
    record, said = self_test(world, expect=1, deaf=True)
    assert not record["passed"] and "self-test: FAILED" in said
    assert any("one lock more per operation" in text for text in record["failed"])
    assert any("times what it says it finds" in text for text in record["failed"])


def test_it_fails_where_the_same_program_is_red(world, monkeypatch):
    # The new arm is measured with another bias than the base, as by a gate that is broken.
    monkeypatch.setattr("gate.judge.log_ratios",
                        lambda base, new, more: [0.2 + 0.001 * i for i in range(len(base))])
    record, said = self_test(world, expect=1)
    assert "it is red against itself" in record["failed"]


def test_drills_are_only_for_a_program_alone(world):
    _, said = world.pair(expect=2, more=["--self-test"])
    assert "compares --program with itself" in said


@pytest.fixture
def valgrind(world, monkeypatch):
    def put(**per_op):
        directory = world.directory / "bin"
        directory.mkdir(exist_ok=True)
        (directory / "valgrind").write_text(VALGRIND.format(**per_op))
        (directory / "valgrind").chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
        original = world.start

        def start(command, timeout_s, standard_output=None):
            if command[0] != "valgrind":
                return original(command, timeout_s, standard_output)
            import subprocess
            done = subprocess.run(command, capture_output=True, text=True)
            return done.returncode, done.stdout, done.stderr
        monkeypatch.setattr(world, "start", start)
        return world
    return put


def gate_with_instructions(world, expect):
    return world.gate("--base", world.program("old"), "--new", world.program("new"), "--blocks",
                      "2", "--max-blocks", "2", "--quiet", quick=False, expect=expect)[0]


def test_instructions_per_operation(valgrind):
    record = gate_with_instructions(valgrind(base=100, new=100), 0)
    one = row(record, "instructions")
    assert one["verdict"] == "equivalent" and one["base"] == 100 and one["tier"] == 1
    record = gate_with_instructions(valgrind(base=100, new=102), 1)
    one = row(record, "instructions")
    assert one["verdict"] == "regressed" and one["new"] == 102
    assert len([r for r in record["rows"] if r["key"] == "instructions"]) == 1  # of kioctx alone


@pytest.mark.parametrize("asked, code", [([], 0), (["--metric", "instructions"], 4)])
def test_instructions_that_cannot_be_counted_are_undecided_or_missing(valgrind, asked, code):
    world = valgrind(base=100, new=100)
    (world.directory / "bin" / "valgrind").write_text("#!/bin/sh\nexit 1\n")
    record, _ = world.gate("--base", world.program("old"), "--new", world.program("new"),
                           "--blocks", "2", "--max-blocks", "2", "--quiet", *asked, quick=False,
                           expect=code)
    one = row(record, "instructions")
    assert one["verdict"] == ("invalid" if asked else "inconclusive")
    assert "not counted: base: under valgrind it ended with exit code 1" in one["reason"]


def test_instructions_for_which_no_time_was_left(valgrind, monkeypatch):
    world = valgrind(base=100, new=100)
    monkeypatch.setattr("gate.session.Gate._left_s", lambda gate: 0 if gate.compared else 1)
    record, _ = world.gate("--base", world.program("old"), "--new", world.program("new"),
                           "--blocks", "2", "--max-blocks", "2", "--quiet", "--strict",
                           quick=False, expect=3)
    assert row(record, "instructions")["reason"] == "not counted: base: no time was left for it"


def test_instructions_are_asked_for_or_not(world):
    _, said = world.pair(expect=2, more=["--metric", "instructions"])  # and --no-instructions
    assert "contradict each other" in said


def test_a_wrong_drill_row_is_known_before_anything_is_measured(world):
    _, said = world.gate("--self-test", "--drill-row", "(", "--program", world.program("p"),
                         expect=2)
    assert "'(' is no regular expression" in said and not world.commands


def test_without_valgrind_it_says_so(world, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None if name == "valgrind" else name)
    record = gate_with_instructions(world, 0)
    assert any("valgrind is not installed" in note for note in record["notes"])
    record, _ = world.gate("--base", world.program("old"), "--new", world.program("new"),
                           "--metric", "instructions", "--blocks", "2", "--max-blocks", "2",
                           "--quiet", quick=False, expect=4)
    assert "Nothing was compared" in record["reason"]
    assert "no row has it on both sides: instructions" in record["reason"]
    assert json.dumps(record)
