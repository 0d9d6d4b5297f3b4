"""aioscope export: JUnit XML and Markdown, of a run and of a gate."""

import json
from xml.etree import ElementTree

import pytest
import synthetic
from reports.__main__ import main
from reports.export import junit, markdown
from reports.gate_file import Gate

HOSTILE = "a|b`c\n<script>alert(1)</script>]]>\u202e&\x01\ud800"


def gate_of(record):
    return Gate("gate.json", b"", record)


def cases(text):
    return {case.get("name"): case for case in ElementTree.fromstring(text).iter("testcase")}


def kinds(case):
    return [child.tag for child in case]


@pytest.fixture
def run(tmp_path):
    """Rows: one measured, one that failed in its second repetition, one skipped, one not begun."""
    rows = [synthetic.row(i, synthetic.config(driver))
            for i, driver in enumerate(("sync", "libaio", "io_uring", "null"))]
    records = [synthetic.header(rows),
               {"record": "skipped", "row": 2, "name": "", "reason": "EPERM <x>", "cure": "a & b"},
               synthetic.repetition(0, 0, 0, synthetic.measurement(latency_ns=range(1000, 9000))),
               synthetic.repetition(1, 0, 1, synthetic.measurement()),
               {"record": "failed", "row": 1, "name": "", "repetition": 1, "position": 2,
                "kind": "runtime", "message": "an operation failed: EIO"}]
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text([*records, synthetic.end(False, "interrupted")]))
    return path


def test_junit_of_a_run(run, capsys):
    assert main(["export", str(run), "--to", "junit"]) == 0
    text = capsys.readouterr().out
    suite = ElementTree.fromstring(text).find("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped", "hostname",
                                         "timestamp")] == ["4", "0", "1", "2", "bench1",
                                                           "2023-11-14T22:13:20"]
    passed, failed, skipped, absent = suite.iter("testcase")
    assert kinds(passed) == ["system-out"] and float(passed.get("time")) == 0.3
    assert "1.00 M op/s, CPU 300 ns per op, p50 5" in passed.find("system-out").text
    assert kinds(failed) == ["error"] and failed.find("error").get("type") == "runtime"
    assert skipped.find("skipped").get("message") == "EPERM <x> (a & b)"
    assert "not measured" in absent.find("skipped").get("message")


def test_markdown_of_a_run(run, capsys):
    assert main(["export", str(run), "--to", "markdown"]) == 0
    text = capsys.readouterr().out
    assert "| `sync/shared/null" in text and "1.00 M" in text
    assert "failed | an operation failed: EIO |" in text and "EPERM &#60;x&#62;" in text
    assert "Incomplete: the run ended early" in text


def test_junit_of_a_gate(tmp_path, capsys):
    record = synthetic.gate(rows=6, regressed=2)
    record["rows"].append({"name": "x", "metric": "cpu", "verdict": "invalid", "reason": "short"})
    (tmp_path / "gate.json").write_text(json.dumps(record))
    assert main(["export", str(tmp_path / "gate.json"), "--to", "junit"]) == 0
    suite = ElementTree.fromstring(capsys.readouterr().out).find("testsuite")
    # Of the three regressions one is waived; one row is undecided.
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] \
        == ["8", "2", "1", "2"]
    found = list(suite.iter("testcase"))
    assert found[0].find("failure").get("type") == "regression"
    assert "1.2" in found[0].find("failure").text and "margin 10 %" in found[0].find("failure").text
    assert "waived by somebody: known, until 2030" in found[1].find("skipped").get("message")
    assert "equivalent" in found[2].find("system-out").text
    assert kinds(found[-1]) == ["error"]


@pytest.mark.parametrize("code, kind", [(0, "system-out"), (1, "failure"), (3, "failure"),
                                        (4, "error"), (5, "error")])
def test_a_gate_that_fails_is_never_green(code, kind):
    record = {**synthetic.gate(rows=3, regressed=0), "exit_code": code, "verdict": "strange"}
    record["rows"] = [row for row in record["rows"] if row["verdict"] == "equivalent"]
    assert kinds(cases(junit.of_gate(gate_of(record)))["the gate"]) == [kind]


def test_hostile_names_stay_text():
    record = synthetic.gate(rows=6)
    for row in record["rows"]:
        row.update(name=HOSTILE, metric=HOSTILE, reason=HOSTILE)
    record.update(verdict=HOSTILE, reason=HOSTILE, base={"name": HOSTILE})
    text = junit.of_gate(gate_of(record))
    assert "<script>" not in text and "\x01" not in text
    [*_, last] = ElementTree.fromstring(text.encode("utf-8")).iter("testcase")
    assert "<script>alert(1)</script>]]>" in last.get("name")
    text = markdown.of_gate(gate_of(record))
    lines = text.splitlines()
    assert "<script>" not in text and "`c" not in text
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {8}


def test_markdown_of_a_gate_fits_a_comment():
    record = synthetic.gate(rows=3000, regressed=1500)
    text = markdown.of_gate(gate_of(record))
    assert len(text) < 65536 and "more rows do not fit here" in text
    assert text.index("**regressed**") < text.index("| inconclusive |" if "| inconclusive |" in text
                                                    else "Shown to be the same")
    assert text.count("<details>") == text.count("</details>") == 1


def test_only_some_formats_take_a_gate(tmp_path, capsys):
    (tmp_path / "gate.json").write_text(json.dumps(synthetic.gate()))
    assert main(["export", str(tmp_path / "gate.json"), "--to", "folded"]) == 4
    assert "can become junit, markdown" in capsys.readouterr().err


def test_same_input_same_bytes(run, tmp_path):
    for name in ("junit", "markdown"):
        texts = []
        for output in ("a", "b"):
            main(["export", str(run), "--to", name, "-o", str(tmp_path / output)])
            texts.append((tmp_path / output).read_bytes())
        assert texts[0] == texts[1]
