"""Waivers, calibration and result files instead of programs."""

import datetime
import json

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
    for floors in stored["floors"].values():
        floors.update(cpu=0.4, throughput=0.4)
    calibrated.path.write_text(json.dumps(stored))
    record, _ = calibrated.pair(**slower)
    assert row(record, "cpu", "libaio")["verdict"] == "equivalent"
    calibrated.pair(expect=1, more=["--no-calibration"], **slower)


CHANGES = [
    ({"date": "2020-01-01"}, "days old, more than 30"),
    ({"date": "2999-01-01"}, "in the future"),
    ({"kernel": "5.0"}, "is of kernel 5.0, and this is 6.1.0-18-amd64"),
    ({"fingerprint": "f00"}, "is of another host (fingerprint f00, and this is this)"),
    ({"schema": "x/1"}, "its schema is 'x/1'"), ({"floors": {"a": {"cpu": -1}}}, "no calibration"),
    ({"floors": 3}, "no calibration"), ({"runs": None}, "no calibration"),
]


def test_calibration_that_does_not_hold(calibrated):
    stored = json.loads(calibrated.path.read_text())
    for change, message in CHANGES:
        calibrated.path.write_text(json.dumps({**stored, **change}))
        _, said = calibrated.pair(expect=4)
        assert message in said and "aioscope gate --calibrate" in said
    record, _ = calibrated.pair(more=["--no-calibration"])
    assert record["calibration"] is None


def test_calibration_of_one_s_own(calibrated, tmp_path):
    path = tmp_path / "own.json"
    calibrated.gate(*CALIBRATE, "--program", calibrated.program("p"), "--calibration", path)
    assert calibration.load(path).runs == 3
    _, said = calibrated.pair(expect=5, more=["--calibration", tmp_path / "nothing.json"])
    assert "nothing.json: No such file" in said
    assert any("lacks 1 row," in note for note in calibrated.pair(
        more=["--calibration", path], rows=["sync", "libaio"],
        base={"rows": ["sync", "libaio"]})[0]["notes"])


# Result files

def kept(world, **new):
    world.pair(more=["--keep", world.directory / "kept", "--blocks", "14", "--max-blocks", "14"],
               **new)
    return world.directory / "kept/base.jsonl", world.directory / "kept/new.jsonl"


def test_result_files(world):
    base, new = kept(world, expect=1, effects={"cpu": 1.2})
    record, _ = world.gate("--base", base, "--new", new, expect=1)
    one = row(record, "cpu")
    assert one["verdict"] == "regressed" and len(one["blocks"]) > 14
    assert any("paired in their order" in note for note in record["notes"])
    again, _ = world.gate("--base", base, "--new", base)
    assert row(again, "cpu")["verdict"] == "equivalent" and row(again, "cpu")["ratio"] == 1
    several, _ = world.gate("--base", base, base, "--new", new, new, expect=1)
    assert len(row(several, "cpu")["blocks"]) == 2 * len(one["blocks"])


def test_result_files_of_unlike_hosts_and_programs_among_them(world):
    base, new = kept(world)
    text = new.read_text().replace('"kernel":"6.1.0-18-amd64"', '"kernel":"6.2"')
    new.write_text(text)
    record, _ = world.gate("--base", base, "--new", new, expect=4)
    assert "Kernel: 6.1.0-18-amd64 | 6.2" in record["reason"]
    world.gate("--base", base, "--new", new, "--force")
    _, said = world.gate("--base", base, "--new", world.program("p"), expect=2)
    assert "programs and result files cannot be compared" in said
    new.write_text("{}\n")
    record, _ = world.gate("--base", base, "--new", new, expect=4)
    assert "no result file" in record["reason"]
