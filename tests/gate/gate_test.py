"""Verdicts and exit codes of whole gates."""

import json
import os
import subprocess
import xml.etree.ElementTree as xml

import pytest
from gate_world import QUICK, row, verdicts
from gate.plan import narrowed
from reports.gate_file import load_gate


def test_same_code_is_green(world):
    record, said = world.pair()
    assert record["verdict"] == "passed" and record["exit_code"] == 0 and record["complete"]
    assert "regressed" not in verdicts(record) and "improved" not in verdicts(record)
    assert row(record, "cpu")["verdict"] == "equivalent"
    assert row(record, "acquisitions")["tier"] == 1
    assert "gate: PASSED" in said


def test_slower_is_red_and_confirmed(world):
    record, said = world.pair(expect=1, effects={"cpu": 1.2})
    one = row(record, "cpu")
    assert one["verdict"] == "regressed" and one["confirmed"] is True
    assert 1.15 < one["low"] < 1.2 < one["high"] < 1.25
    assert len(one["blocks"]) == 12 and one["margin"] == 0.05
    assert record["looks"][-1]["look"] == "confirmation"
    assert row(record, "p50")["verdict"] == "equivalent"
    assert "gate: REGRESSED" in said


def test_faster_is_improved_and_green(world):
    record, _ = world.pair(effects={"cpu": 0.8})
    assert row(record, "cpu")["verdict"] == "improved"
    assert row(record, "throughput")["verdict"] == "improved"
    assert not row(record, "cpu")["suspicious"]


def test_too_good_is_said_so(world):
    record, said = world.pair(effects={"cpu": 0.1})
    assert row(record, "cpu")["suspicious"]
    assert "does the new program still do its work?" in said


def test_noise_is_undecided_and_strict_says_so(world):
    noisy = {"noise": 0.3, "base": {"noise": 0.3}}
    record, _ = world.pair(**noisy)
    assert row(record, "cpu")["verdict"] == "inconclusive"
    assert row(record, "cpu")["least_detectable"] > 0.3
    assert record["verdict"] == "passed" and "undecided" in record["reason"]
    record, _ = world.pair(expect=3, more=["--strict"], **noisy)
    assert record["verdict"] == "inconclusive"


def test_one_count_is_found_amid_noise(world):
    record, _ = world.pair(expect=1, noise=0.5, base={"noise": 0.5}, effects={"locks": 1.5})
    one = row(record, "acquisitions")
    assert one["verdict"] == "regressed" and one["tier"] == 1 and one["ratio"] == 1.5
    assert one["low"] is None and one["confirmed"]
    assert [r["key"] for r in record["rows"] if r["verdict"] == "regressed"] == ["acquisitions"]
    assert record["looks"][-1]["blocks"] == 4  # exact: few are enough


def test_a_count_that_varies_gets_an_interval(world):
    one = row(world.pair()[0], "wakeups")
    assert one["tier"] == 2 and "varies" in one["reason"]


def test_a_red_that_does_not_come_again_is_undecided(world):
    # 12 blocks of the first look are slower, and what is measured after them is not.
    record, _ = world.pair(effects={"cpu": 1.3}, later={"at": 12, "effects": {}})
    one = row(record, "cpu")
    assert one["verdict"] == "inconclusive" and one["confirmed"] is False
    assert "not again on fresh data" in one["reason"]


def test_second_look_measures_only_what_is_undecided(world):
    record, _ = world.pair(
        noise=0.06, base={"noise": 0.06}, quick=False,
        more=["--blocks", "12", "--max-blocks", "40", "--seed", "3", "--quiet",
              "--metric", "cpu,acquisitions", "--no-instructions"])
    assert [look["look"] for look in record["looks"]] == ["first", "second"]
    assert [look["alpha"] for look in record["looks"]] == [0.025, 0.025]
    assert {len(one["blocks"]) for one in record["rows"] if one["key"] == "cpu"} >= {40}
    narrowed = [command for command in world.commands if "--only" in command]
    assert len(narrowed) == 2 * 28
    assert row(record, "acquisitions")["verdict"] == "equivalent"


def test_a_percentile_of_too_few_samples_is_refused(world):
    record, _ = world.pair(samples=3, base={"samples": 3})
    assert row(record, "p50")["verdict"] == "equivalent"
    one = row(record, "p99")
    assert one["verdict"] == "inconclusive" and "too few samples beyond it" in one["reason"]
    assert one["ratio"] is None and one["blocks"] == []


def test_a_percentile_that_one_arm_has_too_few_samples_for(world):
    for new, base, where in ((3, 4, "in the new arm"), (4, 3, "in the base")):
        one = row(world.pair(samples=new, base={"samples": base})[0], "p99")
        assert one["verdict"] == "inconclusive"
        assert one["reason"] == f"too few samples beyond it {where}: raise --duration (behind --)"


def test_a_declared_margin_holds_for_exact_counts(world):
    slower = {"effects": {"locks": 1.5}}
    world.pair(expect=1, more=["--margin", "acquisitions=40"], **slower)
    record, _ = world.pair(more=["--margin", "acquisitions=60"], **slower)
    one = row(record, "acquisitions")
    assert (one["tier"], one["verdict"], one["margin"]) == (1, "equivalent", 0.6)


@pytest.mark.parametrize("blocks, verdict", [(2, "inconclusive"), (3, "regressed")])
def test_a_count_of_few_blocks_may_vary(world, blocks, verdict):
    record, _ = world.pair(expect=int(blocks > 2), effects={"locks": 1.5},
                           more=["--blocks", blocks, "--max-blocks", blocks])
    one = row(record, "acquisitions")
    assert one["verdict"] == verdict
    if blocks < 3:
        assert "2, and a count needs 3 to show whether it varies" in one["reason"]


@pytest.mark.parametrize("base, new, reason", [
    ({}, {"uncounted": True}, "the new arm has it no more"),
    ({"uncounted": True}, {}, "only the new arm has it"),
])
def test_a_count_that_one_arm_alone_has_is_as_bad_as_a_row_that_is_gone(world, base, new, reason):
    junit = world.directory / "g.xml"
    record, _ = world.pair(expect=4, base=base, more=["--junit", junit], **new)
    one = row(record, "acquisitions")
    assert one["verdict"] == "invalid" == record["verdict"] and reason in one["reason"]
    assert reason in record["reason"] and "--missing warn lets that through" in record["reason"]
    assert xml.parse(junit).getroot().find(".//error") is not None
    record, _ = world.pair(base=base, more=["--missing", "warn"], **new)
    one = row(record, "acquisitions")
    assert one["verdict"] == "inconclusive" and one["reason"] == reason


def test_two_kinds_of_drivers_need_not_count_the_same(world):
    record, _ = world.gate("--base-driver", "libaio", "--new-driver", "kioctx@series", "--program",
                           world.program("p"))
    assert row(record, "acquisitions")["verdict"] == "inconclusive"


@pytest.mark.parametrize("metrics, rows, reason", [
    ("acquisitions", ["libaio"], "Nothing was compared"),
    ("cpu,acquisitions,wakeups", ["libaio"], "no row has it on both sides: acquisitions, wakeups."),
    ("p99", ["libaio"], "Nothing was compared"),
])
def test_a_gate_that_compares_nothing_that_was_asked_for_is_not_green(world, metrics, rows, reason):
    few = {"rows": rows, "samples": 3}
    junit = world.directory / "g.xml"
    record, said = world.pair(expect=4, base=few, more=["--metric", metrics, "--junit", junit],
                              **few)
    assert record["verdict"] == "invalid" and reason in record["reason"] and reason in said
    assert xml.parse(junit).getroot().find(".//error") is not None


@pytest.mark.parametrize("deep", [f"x = {'[' * 3000}{']' * 3000}", f"x = {'9' * 5000}"])
def test_waivers_out_of_all_bounds_are_a_usage_error(world, deep):
    path = world.directory / "w.toml"
    path.write_text(deep)
    _, said = world.pair(expect=2, more=["--waivers", path])
    assert str(path) in said and "internal" not in said


def test_what_nobody_foresaw_is_no_regression(world, monkeypatch):
    def fails(*arguments):
        raise RuntimeError("odd")
    monkeypatch.setattr("gate.judge.collect", fails)
    _, said = world.pair(expect=5)
    assert "internal error: RuntimeError: odd" in said and "Traceback" not in said


def test_any_encoding_of_standard_output_will_do(world):
    names = ["base", "größer"]
    for name in names:
        (world.directory / name).mkdir()
    paths = [world.program(f"{name}/p") for name in names]
    done = subprocess.run(
        world.command("--base", paths[0], "--new", paths[1], *QUICK, "--metric", "cpu"),
        capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and "gr\\xf6\\xdfer" in done.stdout


def test_rows_of_a_second_look_stand_for_what_the_user_chose():
    assert narrowed(["--only", "kio", "--depth", "8", "--only=x"], ["a.b/c:1", "d(e)"]) == [
        "--depth", "8", "--only", r"^(a\.b/c:1|d\(e\))$"]


def test_arms_take_turns_and_begin_equally_often(world):
    record, _ = world.pair()
    firsts = [order.split()[0] for order in record["order"]]
    assert len(firsts) == 12 and firsts.count("base") == 6
    pairs = list(zip(firsts[::2], firsts[1::2]))
    assert all(a != b for a, b in pairs) and len(set(pairs)) == 2
    again, _ = world.pair()
    assert again["order"] == record["order"] and again["seed"] == 7


def test_both_arms_of_a_block_have_the_same_offsets(world):
    world.pair()
    seeds = [command[command.index("--seed") + 1] for command in world.commands
             if "--seed" in command]
    assert seeds[::2] == seeds[1::2] and len(set(seeds)) == 12


def test_two_drivers_of_one_program(world):
    program = world.program("p")
    record, _ = world.gate("--base-driver", "libaio", "--new-driver", "kioctx@series", "--program",
                           program)
    assert record["rows"][0]["name"].startswith("kioctx@series against libaio/per-thread/")
    assert not record["same_program"]
    record, _ = world.gate("--base-driver", "libaio", "--new-driver", "libaio", "--program",
                           program)
    assert record["same_program"] and "Same program" in record["reason"]


def test_two_builds_of_an_external_driver(world):
    for side in ("base", "new"):
        (world.directory / side).mkdir()
        (world.directory / side / "engine.so").write_text("code")
    given = ["--base-driver", "base/engine.so", "--new-driver", "new/engine.so", "--program",
             world.program("p")]
    assert world.gate(*given)[0]["same_program"]
    (world.directory / "new/engine.so").write_text("other code")
    record, _ = world.gate(*given)
    assert not record["same_program"]
    assert record["rows"][0]["name"].startswith("engine/per-thread/")
    assert (record["base"]["name"], record["new"]["name"]) == ("base/engine.so", "new/engine.so")
    (world.directory / "new/engine.so").unlink()
    world.gate(*given, expect=5)


def test_rows_that_are_gone_fail(world):
    gone = {"rows": ["libaio"], "base": {"rows": ["kioctx@series", "libaio"]}}
    record, said = world.pair(expect=4, **gone)
    assert record["verdict"] == "invalid" and "Gone: 1 row is of the base alone" in record["reason"]
    assert "kioctx@series/per-thread" in said
    record, _ = world.pair(expect=0, more=["--missing", "warn"], **gone)
    assert len(record["missing_rows"]) == 1
    record, _ = world.pair(rows=["libaio", "sync"], base={"rows": ["libaio"]})
    assert len(record["new_rows"]) == 1 and any("nothing judges" in n for n in record["notes"])


def test_outputs(world):
    junit, markdown = world.directory / "g.xml", world.directory / "g.md"
    kept = world.directory / "kept"
    record, _ = world.pair(expect=1, effects={"cpu": 1.4},
                           more=["--junit", junit, "--markdown", markdown, "--keep", kept])
    assert load_gate(world.directory / "gate.json").record["verdict"] == "regressed"
    suite = xml.parse(junit).getroot().find("testsuite")
    failures = suite.findall("testcase/failure")
    assert len(failures) == 4 == int(suite.get("failures"))
    assert "of the base" in failures[0].text
    text = markdown.read_text()
    assert "REGRESSED" in text and len(text) < 60_000
    from reports.load import load
    from reports.validate import validate
    run = validate(load(kept / "new.jsonl"))
    assert not run.incomplete and len(run.repetitions) == len(record["order"]) * 2
    assert list(world.directory.glob("*.partial")) == []


def test_numbers_of_gate_json_are_numbers(world):
    world.pair(more=["--blocks", "2", "--max-blocks", "2"])
    text = (world.directory / "gate.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    one = row(json.loads(text), "cpu")
    assert one["low"] is None and one["least_detectable"] is None
    assert one["verdict"] == "inconclusive" and one["reason"] == "too few blocks"


def test_dry_run_measures_nothing(world):
    record, said = world.pair(more=["--dry-run"])
    assert record is None and "12 blocks of both arms" in said
    assert "at most 24 s, with a confirmation of all" in said
    assert not any("-o" in command for command in world.commands)
    _, said = world.pair(more=["--dry-run", "--time-budget", "20s"])
    assert "--time-budget ends it after 20 s" in said


def test_time_budget_for_less_than_a_first_look(world):
    _, said = world.pair(expect=2, more=["--time-budget", "1s"])
    assert "the first look alone takes" in said


@pytest.fixture
def clock(world, monkeypatch):
    """Says so many seconds more with each run of a program."""
    def put(seconds):
        start, now = world.start, [0.0]

        def slow(command, *arguments):
            now[0] += seconds if "-o" in command or command[0] == "valgrind" else 0
            return start(command, *arguments)
        monkeypatch.setattr(world, "start", slow)
        monkeypatch.setattr("gate.session.time.monotonic", lambda: now[0])
        return now
    return put


def test_the_budget_ends_a_first_look_that_takes_longer(world, clock):
    clock(1)
    record, _ = world.pair(expect=4, more=["--time-budget", "10s"])
    assert "ended the first look after 10 of 12 blocks" not in record["reason"]
    assert "--time-budget of 10 s ended the first look after 6 of 12 blocks" in record["reason"]
    assert len(record["order"]) == 6


@pytest.mark.parametrize("budget_s, blocks", [(25, 12), (34, 18)])
def test_what_is_not_confirmed_for_want_of_time_stays_red(world, clock, budget_s, blocks):
    # The first look takes 24 s; a confirmation is planned to take less than 10.
    clock(1)
    record, _ = world.pair(expect=1, more=["--time-budget", f"{budget_s}s"],
                           effects={"cpu": 1.2}, later={"at": 12, "effects": {}})
    one = row(record, "cpu")
    assert one["verdict"] == "regressed" and one["confirmed"] is None
    assert "not confirmed: no time was left" in one["reason"]
    assert any("not confirmed on fresh data" in note for note in record["notes"])
    assert len(record["order"]) == blocks


def test_the_second_look_leaves_time_for_a_confirmation(world, clock):
    clock(1)
    record, _ = world.pair(
        noise=0.06, base={"noise": 0.06}, quick=False,
        more=["--blocks", "12", "--max-blocks", "40", "--seed", "3", "--quiet", "--time-budget",
              "60s", "--metric", "cpu,acquisitions", "--no-instructions"])
    assert [look["look"] for look in record["looks"]] == ["first", "second"]
    assert record["looks"][1]["blocks"] == 8  # 36 s are left after the first, and 20 kept


def test_the_budget_ends_blocks_that_are_measured_again(world, clock, monkeypatch):
    now = clock(1)
    ticks = iter(range(10**6))
    monkeypatch.setattr("gate.validity.stolen", lambda: (next(ticks) * 50, next(ticks) * 100))
    record, _ = world.pair(expect=4, more=["--time-budget", "8s"])
    assert "ended the first look after 0 of 12 blocks" in record["reason"] and now[0] == 8


def test_an_arm_is_one_driver(world):
    twice = world.program("p", rows=["libaio", "libaio"])
    _, said = world.gate("--base", twice, "--new", twice, expect=2)
    assert "is several drivers" in said


@pytest.mark.parametrize("arguments, message", [
    (["--base", "a"], "nothing to compare"),
    (["--base-driver", "a"], "go together"),
    (["--base", "/x/nothing", "--new", "/x/nothing"], "no such program"),
    (["--metric", "speed"], "no metric 'speed'"),
    (["--margin", "cpu"], "METRIC=PERCENT"),
    (["--", "-o", "x"], "-o behind -- is for the gate to say"),
])
def test_usage(world, arguments, message):
    _, said = world.gate(*arguments, expect=2)
    assert message in said


def test_options_behind_the_dashes_are_for_the_program(world):
    _, said = world.pair(expect=2, more=["--", "--nonsense"])
    assert "base (" in said and "does not take these options: aioscope: unknown" in said
