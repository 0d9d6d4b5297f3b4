"""aioscope history: what is kept of a run, what is said of many, and the page."""

import json
import random
import re
import subprocess
import sys

import pytest
import synthetic
from reports.__main__ import main
from reports.load import ResultError
from reports.history import store

DAY_NS = 86400 * 10**9
RUNS = 30


def result(number, rate=1e6, rng=None, commit=None, name=None, **tool):
    """The records of the run of one day."""
    row = synthetic.row(0, synthetic.config())
    row["name"] = name or row["name"]
    header = synthetic.header([row])
    header["start_realtime_ns"] += number * DAY_NS
    header["tool"].update({"commit": commit or f"c{number:03}", **tool})
    rng = rng or random.Random(number)
    measured = [synthetic.repetition(0, n, n, synthetic.measurement(
        rate * rng.lognormvariate(0, 0.01), 300.0, 0.0)) for n in range(3)]
    return [header, *measured, synthetic.end()]


@pytest.fixture(name="add")
def add_(tmp_path):
    """Adds results to a history and returns its path."""
    history = tmp_path / "history.jsonl"

    def add(*runs, expect=0):
        paths = []
        for i, records in enumerate(runs):
            paths.append(tmp_path / f"r{i:03}.jsonl")
            paths[-1].write_text(synthetic.text(records))
        assert main(["history", "add", str(history), *map(str, paths)]) == expect
        return history
    return add


def stepping(at=20, factor=0.8):
    return [result(n, 1e6 * (factor if n >= at else 1)) for n in range(RUNS)]


def shown(history, capsys, *arguments):
    capsys.readouterr()
    assert main(["history", "show", str(history), "--format", "json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_step_is_named_near_its_commit(add, capsys):
    document = shown(add(*stepping()), capsys, "--metric", "throughput")
    [series] = document["series"]
    [change] = series["changes"]
    assert (change["commit"], change["after_commit"]) == ("c020", "c019")
    assert change["direction"] == "worse" and change["after"] == pytest.approx(8e5, rel=0.02)
    assert series["undecided"] == 2 and document["runs"] == RUNS


def test_in_words(add, capsys):
    history = add(*stepping())
    capsys.readouterr()
    assert main(["history", "show", str(history), "--metric", "throughput"]) == 0
    text = capsys.readouterr().out
    assert "1 change for the worse" in text and "near c020 (after c019)" in text
    assert "newest 2 runs" in text and max(map(len, text.splitlines())) < 200


def test_the_newest_runs_decide_nothing(add, capsys):
    document = shown(add(*stepping(at=RUNS - 2)), capsys, "--metric", "throughput")
    assert document["series"][0]["changes"] == []


def test_drift(add, capsys):
    runs = [result(n, 1e6 * 0.99 ** n) for n in range(RUNS)]
    document = shown(add(*runs), capsys, "--metric", "throughput")
    assert document["series"][0]["drift_per_run"] == pytest.approx(-0.01, rel=0.2)


def test_no_change_of_the_same_code(add, capsys):
    document = shown(add(*stepping(factor=1)), capsys, "--metric", "all")
    assert len(document["series"]) > 3
    assert all(not series["changes"] for series in document["series"])


def test_runs_are_ordered_by_their_time_not_by_their_line(add, capsys):
    runs = stepping()
    random.Random(1).shuffle(runs)
    [series] = shown(add(*runs), capsys, "--metric", "throughput")["series"]
    assert series["commits"] == [f"c{n:03}" for n in range(RUNS)]


def test_the_file_only_grows_and_knows_its_results(add, capsys):
    history = add(result(1))
    before = history.read_bytes()
    assert "added 1 of 1" in capsys.readouterr().err
    add(result(1), result(2))
    assert "added 1 of 2, 1 were there already" in capsys.readouterr().err
    assert history.read_bytes().startswith(before) and history.read_bytes().count(b"\n") == 2


def test_what_is_kept(add):
    (point,), cut = store.load(add(result(1, commit="abc", dirty=True)))
    assert not cut and point.commit == "abc (modified)"
    [values] = point.record["rows"].values()
    assert values["cpu"] == {"value": 300, "low": 300, "high": 300, "repetitions": 3}
    assert values["throughput"]["low"] < values["throughput"]["value"]


@pytest.mark.parametrize("change, named", [
    (lambda records: records.pop(), "incomplete"),
    (lambda records: records[0]["tool"].update(build_type="Debug"), "a Debug build"),
    (lambda records: records[0]["tool"].update(sanitizers="address"), "with sanitizers")])
def test_runs_that_say_nothing_are_refused(add, capsys, change, named):
    records = result(1)
    change(records)
    history = add(records, expect=4)
    error = capsys.readouterr().err
    assert named in error and "--force" in error and not history.exists()
    assert main(["history", "add", str(history), str(history.parent / "r000.jsonl"),
                 "--force"]) == 0


def test_other_machines_are_left_out_and_named(add, capsys):
    runs = stepping()
    other = result(RUNS // 2, 9e6)
    other[0]["host"].update(name="other", fingerprint="f00")
    document = shown(add(*runs, other), capsys, "--metric", "throughput")
    assert document["runs"] == RUNS and len(document["series"][0]["changes"]) == 1
    assert document["left_out"] == [
        {"why": "of host other, kernel 6.1.0-18-amd64, build Release", "runs": 1}]


def test_last(add, capsys):
    assert shown(add(*stepping()), capsys, "--last", "8")["runs"] == 8


def test_a_line_that_was_cut_off(add, capsys):
    history = add(*stepping()[:3])
    with open(history, "ab") as file:
        file.write(b'{"schema": "aioscope.hi')
    assert shown(history, capsys)["runs"] == 3
    assert main(["history", "show", str(history)]) == 0
    assert "its last line is cut off" in capsys.readouterr().err
    before = history.read_bytes()
    add(result(9), expect=4)
    assert "take that line out" in capsys.readouterr().err and history.read_bytes() == before


POINT = {"schema": "aioscope.history/1", "start_realtime_ns": 1, "commit": "", "rows": {}}


@pytest.mark.parametrize("line, problem", [
    (b"\xff", ":1: not UTF-8"), (b"{", ":1: not JSON"), (b"[" * 200 + b"]" * 200, "nested"),
    (b"[]", "point is not an object"), (b"{}", "point.schema is missing"),
    (json.dumps({**POINT, "schema": "x/1"}).encode(), "reads aioscope.history/1"),
    (json.dumps({**POINT, "rows": {"r": 5}}).encode(), "rows.r is not an object"),
    (json.dumps({**POINT, "rows": {"r": {"cpu": {"value": "1"}}}}).encode(), "rows.r.value"),
    (json.dumps({**POINT, "rows": {"r": {"cpu": {"value": float("nan")}}}}).encode(), "NaN"),
    (json.dumps({**POINT, "start_realtime_ns": -1}).encode(), "start_realtime_ns")])
def test_files_that_are_no_history(tmp_path, line, problem):
    path = tmp_path / "h"
    path.write_bytes(line + b"\n")
    with pytest.raises(ResultError, match=re.escape(problem)):
        store.load(path)


def test_from_nothing(add, tmp_path, capsys):
    (tmp_path / "h").write_text("")
    assert main(["history", "show", str(tmp_path / "h")]) == 4
    assert "no run in it yet" in capsys.readouterr().err
    assert main(["history", "show", str(tmp_path / "none")]) == 5
    assert main(["history", "add", str(tmp_path / "new" / "h"), str(tmp_path / "none")]) == 5
    assert shown(add(result(1)), capsys)["runs"] == 1


@pytest.mark.parametrize("arguments", [[], ["show"], ["page", "FILE"], ["add", "FILE"],
                                       ["show", "FILE", "--row", "("],
                                       ["show", "FILE", "--metric", "speed"],
                                       ["show", "FILE", "--last", "-1"],
                                       ["show", "FILE", "--least-change", "some"]])
def test_usage(add, arguments):
    history = str(add(result(1)))
    with pytest.raises(SystemExit) as exit_code:
        main(["history", *(history if word == "FILE" else word for word in arguments)])
    assert exit_code.value.code == 2


MARKUP = "<script>alert(1)</script>/shared/\"'&amp;"


def test_page(add, tmp_path, capsys):
    runs = [result(n, 1e6 * (1.3 if n >= 20 else 1), name=MARKUP, commit=f"<b>{n}")
            for n in range(RUNS)]
    history = add(*runs)
    pages = [tmp_path / "1.html", tmp_path / "2.html"]
    for page in pages:
        assert main(["history", "page", str(history), "-o", str(page)]) == 0
    text = pages[0].read_text()
    assert pages[1].read_text() == text
    assert "default-src 'none'" in text and "near &lt;b&gt;20" in text
    assert "<script>alert" not in text and "<b>20" not in text
    assert text.count("<svg") >= 2 and "undecided" in text
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert not re.search(r"\bNone\b|\bnan\b|\binf\b", re.sub(r"data:[^\"]*", "", text))


def test_writers_at_once_lose_nothing(tmp_path):
    paths = []
    for n in range(6):
        paths.append(tmp_path / f"{n}.jsonl")
        paths[-1].write_text(synthetic.text(result(n)))
    started = [subprocess.Popen([sys.executable, "reports", "history", "add",
                                 str(tmp_path / "h"), str(path)], stderr=subprocess.DEVNULL)
               for path in paths]
    assert [process.wait() for process in started] == [0] * 6
    assert len(store.load(tmp_path / "h")[0]) == 6
