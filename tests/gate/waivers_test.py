"""Waivers and calibration."""

import datetime
import json
import math
import os

import pytest
from gate_world import row
from gate import calibration, waivers
from gate.errors import UsageError

WAIVER = """[[waiver]]
row = "kioctx@series/*"
metric = "cpu"
owner = "someone"
reason = "traded for p99"
expires = {expires}
"""
LATER, PAST = "2999-01-01", "2020-01-01"


def with_waiver(world, text, **more):
    path = world.directory / "waivers.toml"
    path.write_text(text)
    return world.pair(effects={"cpu": 1.3, "rate": 1.3}, rows=["kioctx@series"],
                      base={"rows": ["kioctx@series"]}, more=["--waivers", path], **more)


def test_a_waiver_lets_through_and_is_listed(world):
    record, said = with_waiver(world, WAIVER.format(expires=LATER))
    assert row(record, "cpu")["verdict"] == "regressed" and record["exit_code"] == 0
    assert row(record, "cpu")["waiver"]["owner"] == "someone"
    assert "1 regression is waived" in record["reason"]
    assert "waived by someone until 2999-01-01: traded for p99" in said
    assert record["waivers"][0]["used"] == 1


def test_a_waiver_covers_nothing_else(world):
    record, said = with_waiver(world, WAIVER.format(expires=LATER).replace("cpu", "p99"), expect=1)
    assert "covers nothing that regressed: take it out" in said
    assert row(record, "cpu")["waiver"] is None


def test_an_expired_waiver_is_ignored_loudly(world):
    record, said = with_waiver(world, WAIVER.format(expires=PAST), expect=1)
    assert said.count("EXPIRED on 2020-01-01, and ignored") >= 2
    assert "it would cover a regression" in said
    assert record["waivers"][0]["expires"] == PAST


def test_a_calibration_that_cannot_be_kept_is_known_before_anything_is_measured(world):
    _, said = world.gate("--calibrate", "--calibration", "/proc/nothing/c.json", "--program",
                         world.program("p"), expect=5)
    assert "/proc/nothing" in said and not world.commands


def test_a_waiver_holds_on_its_last_day(tmp_path):
    (tmp_path / "w.toml").write_text(WAIVER.format(expires="2030-01-31"))
    one, = waivers.load(tmp_path / "w.toml")
    assert not one.expired(datetime.date(2030, 1, 31)) and one.expired(datetime.date(2030, 2, 1))


@pytest.mark.parametrize("text, message", [
    (WAIVER.format(expires=LATER).replace('owner = "someone"\n', ""), "has no owner"),
    (WAIVER.format(expires=LATER).replace("someone", ""), "has no owner"),
    (WAIVER.format(expires='"soon"'), "expires is no date"),
    (WAIVER.format(expires=LATER) + 'until = "x"\n', "unknown 'until'"),
    ("waiver = 3\n", "written as [[waiver]]"), ("[[waivers]]\n", "written as [[waiver]]"),
    ("[[waiver\n", "waivers.toml"),
])
def test_waivers_that_are_none(world, text, message):
    _, said = with_waiver(world, text, expect=2)
    assert message in said


def test_waivers_from_a_pipe_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "w.toml")
    with pytest.raises(UsageError, match="no regular file"):
        waivers.load(tmp_path / "w.toml")


def test_a_file_of_waivers_that_is_not_there(tmp_path):
    with pytest.raises(Exception, match="No such file"):
        waivers.load(tmp_path / "nothing.toml")
    (tmp_path / "w.toml").write_text("")
    assert waivers.load(tmp_path / "w.toml") == []
    with pytest.raises(UsageError):
        (tmp_path / "w.toml").write_bytes(b"\xff")
        waivers.load(tmp_path / "w.toml")


# Calibration

CALIBRATE = ["--calibrate", "--calibration-runs", "3"]


@pytest.fixture
def calibrated(world, monkeypatch):
    """A world with a calibration of a noisy program, and its file."""
    monkeypatch.setattr("platform.release", lambda: "6.1.0-18-amd64")  # as in the fake's results
    program = world.program("p", noise=0.08)
    _, said = world.gate(*CALIBRATE, "--program", program)
    world.path = next((world.directory / "state").rglob("*.json"))
    assert "noise floors of 2 rows, from 3 runs of 12 blocks" in said
    return world


def test_calibration_widens_the_margin(calibrated):
    record, _ = calibrated.pair(noise=0.08, base={"noise": 0.08})
    one = row(record, "cpu")
    assert 0.01 < one["noise"] < 0.2
    assert record["calibration"]["blocks"] == 12 and record["calibration"]["runs"] == 3
    slower = {"effects": {"cpu": 1.15}, "rows": ["libaio"], "base": {"rows": ["libaio"]}}
    calibrated.pair(expect=1, **slower)
    stored = json.loads(calibrated.path.read_text())
    for one in stored["rows"].values():
        one["floors"].update(cpu=0.4, throughput=0.4)
    calibrated.path.write_text(json.dumps(stored))
    record, _ = calibrated.pair(**slower)
    assert row(record, "cpu", "libaio")["verdict"] == "equivalent"
    calibrated.pair(expect=1, more=["--no-calibration"], **slower)


def test_fewer_blocks_stray_more(calibrated):
    record, _ = calibrated.pair()
    few, _ = calibrated.pair(more=["--blocks", "3", "--max-blocks", "3"])
    floors = [math.log1p(row(one, "cpu")["noise"]) for one in (record, few)]
    assert floors[1] == pytest.approx(2 * floors[0])  # of 12 blocks and of 3
    many, _ = calibrated.pair(more=["--blocks", "14", "--max-blocks", "14"])
    assert row(many, "cpu")["noise"] == row(record, "cpu")["noise"]


def test_a_confirmation_has_the_margin_of_the_look(calibrated):
    stored = json.loads(calibrated.path.read_text())
    for one in stored["rows"].values():
        one["floors"].update(cpu=0.1, throughput=0.1)
    calibrated.path.write_text(json.dumps(stored))
    # Of 10 blocks, which a confirmation has, the floor would be 11 %.
    record, _ = calibrated.pair(expect=1, noise=0.0005, effects={"cpu": 1.106}, rows=["libaio"],
                                base={"noise": 0.0005, "rows": ["libaio"]},
                                more=["--metric", "cpu"])
    assert row(record, "cpu", "libaio")["confirmed"] and record["looks"][-1]["blocks"] < 12


def changed(stored, change):
    """The calibration with fields of its own or of each of its rows changed."""
    of_rows = {key: value for key, value in change.items() if key in stored["rows"]["a"]}
    rows = {name: {**one, **of_rows} for name, one in stored["rows"].items()}
    return {**stored, "rows": rows, **{key: value for key, value in change.items()
                                       if key not in of_rows}}


CHANGES = [
    ({"date": "2020-01-01"}, "days old, more than 30"),
    ({"date": "2999-01-01"}, "in the future"),
    ({"kernel": "5.0"}, "is of kernel 5.0, and this is 6.1.0-18-amd64"),
    ({"fingerprint": "f00"}, "is of another host (fingerprint f00, and this is this)"),
    ({"window_ns": 10**9}, "with windows of 1.00 s, and here it is 300 ms"),
    ({"warmup_ns": 10**9}, "with a warm-up of 1.00 s, and here it is 100 ms"),
    ({"schema": "x/1"}, "its schema is 'x/1'"), ({"floors": {"cpu": -1}}, "no calibration"),
    ({"floors": 3}, "no calibration"), ({"runs": None}, "no calibration"),
    ({"rows": {}}, "no calibration"), ({"rows": 3}, "no calibration"),
]


def test_calibration_that_does_not_hold(calibrated):
    stored = json.loads(calibrated.path.read_text())
    for change, message in CHANGES:
        rows = {**stored["rows"], "a": next(iter(stored["rows"].values()))}
        calibrated.path.write_text(json.dumps(changed({**stored, "rows": rows}, change)))
        for more in ([], ["--force"]):  # which is for unlike arms
            _, said = calibrated.pair(expect=4, more=more)
            assert message in said and "aioscope gate --calibrate" in said
    record, _ = calibrated.pair(more=["--no-calibration"])
    assert record["calibration"] is None


def test_calibration_of_another_version_is_said(calibrated):
    assert not any("of version" in note for note in calibrated.pair()[0]["notes"])
    record, _ = calibrated.pair(version="9", base={"version": "8"})
    assert any("of version 0.1.0, and these are of 8 and 9" in note for note in record["notes"])


def test_calibration_of_one_s_own(calibrated, tmp_path):
    path = tmp_path / "own.json"
    calibrated.gate(*CALIBRATE, "--program", calibrated.program("p"), "--calibration", path)
    assert {one.runs for one in calibration.load(path).rows.values()} == {3}
    _, said = calibrated.pair(expect=5, more=["--calibration", tmp_path / "nothing.json"])
    assert "nothing.json: No such file" in said
    assert any("lacks 1 row," in note for note in calibrated.pair(
        more=["--calibration", path], rows=["sync", "libaio"],
        base={"rows": ["sync", "libaio"]})[0]["notes"])


def test_calibration_of_drivers(calibrated):
    """Two are held to the larger floor of both; what was there stays."""
    program = calibrated.program("p", noise=0.08)
    two = ["--base-driver", "libaio", "--new-driver", "base/engine.so", "--program", program]
    for side in ("base", "new"):
        (calibrated.directory / side).mkdir()
        (calibrated.directory / side / "engine.so").write_text(side)
    record, said = calibrated.gate(*two)
    assert row(record, "cpu", "engine")["noise"] is None and "lacks 1 row," in said
    assert "gate --calibrate --program" in said and "--new-driver base/engine.so" in said
    _, said = calibrated.gate(*CALIBRATE, *two)
    assert "noise floors of 2 rows" in said and "exceeds in 1 of 4 cases" in said
    stored = json.loads(calibrated.path.read_text())
    assert {name.split("/")[0] for name in stored["rows"]} == {"kioctx@series", "libaio", "engine"}
    floors = [one["floors"]["cpu"] for name, one in stored["rows"].items()
              if name.startswith(("libaio", "engine"))]
    record, said = calibrated.gate(*two)
    assert row(record, "cpu", "engine")["noise"] == max(floors) and "lacks" not in said
    record, _ = calibrated.gate("--base-driver", "base/engine.so", "--new-driver", "new/engine.so",
                                "--program", program)
    assert row(record, "cpu", "engine")["noise"] in floors


def test_calibration_forgets_what_does_not_hold(calibrated):
    stored = json.loads(calibrated.path.read_text())
    names = list(stored["rows"])
    stored["rows"][names[0]]["date"] = "2020-01-01"
    calibrated.path.write_text(json.dumps(stored))
    calibrated.gate(*CALIBRATE, "--base-driver", "sync", "--program", calibrated.program("p"))
    assert list(json.loads(calibrated.path.read_text())["rows"])[0] == names[1]
