"""The price of looking, from the header of a result to what people read."""

import json

import pytest
import synthetic
from reports import looking
from reports.__main__ import main

SHARED = "libaio/shared/null/submitters:4"
LOCKS = {"instrument": "locks", "with": "999 Hz", "reason": "", "price": {
    "instrument": "locks", "with": "999 Hz", "measured_realtime_ns": 1_700_000_000_000_000_000,
    "rows": [{"row": "sync/per-thread", "slow_down": -0.0004, "slow_down_low": None,
              "slow_down_high": None, "pairs": 3},
             {"row": SHARED, "slow_down": 0.22, "slow_down_low": 0.012, "slow_down_high": 0.501,
              "pairs": 21}]}}
UNPRICED = {"instrument": "profile", "with": "999 Hz", "price": None, "reason": "not measured here"}


def changed(**price):
    return {**LOCKS, "price": {**LOCKS["price"], **price}}


def result(tmp_path, *instruments):
    rows = [synthetic.row(0, synthetic.config("libaio"))]
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text([
        synthetic.header(rows, looking=list(instruments)),
        synthetic.repetition(0, 0, 0, synthetic.measurement(rate=1e6, user_ns=50, system_ns=133)),
        synthetic.end()]))
    return path


def test_names_the_dearest_row():
    assert looking.prices({"looking": [LOCKS]}) == {"locks": (
        f"rows are 22.0 % slower (95 %: 1.2 to 50.1); the dearest of 2 rows, {SHARED}, measured on "
        "this host on 2023-11-14")}
    assert looking.prices({}) == {}


def test_without_an_interval_and_without_minus_zero():
    alone = changed(rows=LOCKS["price"]["rows"][:1])
    said = looking.prices({"looking": [alone]})["locks"]
    assert said.startswith("rows are 0.0 % slower; the dearest of 1 row, sync/per-thread,")


def test_says_when_it_was_priced_with_something_else():
    assert looking.prices({"looking": [changed(**{"with": "99 Hz"})]})["locks"].endswith(
        "2023-11-14 with 99 Hz")


def test_says_that_it_is_not_known():
    assert looking.prices({"looking": [UNPRICED]}) == {"profile": "not measured here"}
    assert looking.prices({"looking": [changed(rows=[])]}) == {"locks": "not measured"}


@pytest.mark.parametrize("command", [["explain", "R", "0"], ["report", "R", "-o", "-"],
                                     ["export", "R", "--to", "markdown", "-o", "-"]])
def test_stands_with_every_result(tmp_path, capsys, command):
    path = result(tmp_path, LOCKS, UNPRICED)
    assert main([str(path) if word == "R" else word for word in command]) == 0
    said = capsys.readouterr().out.replace("\\", "")
    assert "Price of locks: rows are 22.0 % slower" in said and SHARED in said
    assert "Price of profile: not measured here." in said


def test_without_instruments_nothing_is_said(tmp_path, capsys):
    assert main(["explain", str(result(tmp_path)), "0"]) == 0
    assert "Price of" not in capsys.readouterr().out


@pytest.mark.parametrize(("broken", "said"), [
    ({}, "looking[0].instrument is missing"),
    (changed(rows=3), "looking[0].price.rows is not a list"),
    (changed(measured_realtime_ns=-1), "measured_realtime_ns"),
    (changed(rows=[{"row": "x", "slow_down": "1", "pairs": 1}]), "slow_down"),
])
def test_refuses_what_is_broken(tmp_path, capsys, broken, said):
    assert main(["explain", str(result(tmp_path, json.loads(json.dumps(broken)))), "0"]) == 4
    assert said in capsys.readouterr().err
