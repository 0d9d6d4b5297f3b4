"""A gate's verdict on a page."""

import json
import re

import pytest
import synthetic
from reports.__main__ import main
from reports.gate_file import load_gate
from reports.load import ResultError

HOSTILE = "</script><script>alert(1)</script>"


def page_of(tmp_path, record, *more):
    (tmp_path / "gate.json").write_text(json.dumps(record, indent=1))
    assert main([str(tmp_path / "gate.json"), *map(str, more), "-o",
                 str(tmp_path / "g.html")]) == 0
    return (tmp_path / "g.html").read_text()


def words(page):
    page = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_verdict_comes_first(tmp_path):
    text = words(page_of(tmp_path, synthetic.gate()))
    assert "Gate: REGRESSED. Of 13 comparisons 3 worse beyond their margin, 9 shown" in text
    assert re.search(r"null/per-thread/\S+: CPU time 1\.\d+× \(1\.\d+× to 1\.\d+×\) of the base",
                     text)
    assert "waived by somebody: known" in text and "until 2030-01-01" in text
    assert "0.0625 became 0.0938 per op" in text
    assert "The blocks in their order" in text and "familywise error 5.0 %" in text


def test_everything_that_the_file_says_is_shown(tmp_path):
    page = page_of(tmp_path, synthetic.gate())
    text = words(page)
    for wanted in (
            "No calibration of this host: margins alone decide.", "sync/gone only the base has it",
            "io_uring/added only the new arm has it", "Exit code 1: something regressed",
            "Took 66.1 s", "Seed of the order 7", "new base, base new", "first 16 2.5 % 13",
            "null/* cpu somebody known 2030-01-01 1 regression", "sha-of-v1 sha-of-v2",
            "commit-v1 commit-v2", "6.1.0-18-amd64 6.1.0-18-amd64",
            "aioscope gate --base v1/aioscope --new v2/aioscope -o gate.json",
            "v2/aioscope run --seed 1", "Save gate.json"):
        assert wanted in text, wanted
    differing = re.findall(r'class="differs">\s*<td[^>]*><span><b>([^<]*)', page)
    assert differing == ["Compared", "Program", "SHA-256 of the program", "aioscope git commit"]


def test_sections_without_data_say_why(tmp_path):
    record = {"schema": "aioscope.gate/1", "verdict": "invalid", "exit_code": 4, "rows": []}
    text = words(page_of(tmp_path, record))
    assert text.count("Not shown: ") == 5
    assert "the gate was given no waivers" in text and "both arms have the same rows" in text


def test_what_has_one_side_is_told_as_one_side(tmp_path):
    page = page_of(tmp_path, synthetic.gate(rows=1))
    row = re.search(r"<span>system calls</span>.*?</tr>", page, re.DOTALL).group()
    assert ">exact<" in row
    least = re.findall(r'data-label="Least worsening[^>]*><span>([^<]*)', page)
    assert "8.0 %" in least and not any("\u00b1" in text for text in least)
    assert "the row that changed most" in page and "the 1 rows" not in page


def test_gate_beside_results(tmp_path):
    (tmp_path / "r.jsonl").write_text(synthetic.text(
        synthetic.run(synthetic.quick_configs(["libaio"], ["null"]))))
    page = page_of(tmp_path, synthetic.gate(), tmp_path / "r.jsonl")
    assert page.count("<h1>") + page.count('<h1 class="headline">') == 1
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert "One shared context has" in page


def test_names_stay_text(tmp_path):
    record = synthetic.gate(rows=2)
    for row in record["rows"]:
        row.update(name=HOSTILE, metric=HOSTILE, reason=HOSTILE)
    record.update(verdict=HOSTILE, reason=HOSTILE, base={"name": HOSTILE}, seed=None)
    page = page_of(tmp_path, record)
    assert page.count("<script") == 1 and words(page).count("&lt;/script&gt;") > 5


@pytest.mark.parametrize("change, message", [
    ({"schema": "aioscope.gate/9"}, "schema is 'aioscope.gate/9'"),
    ({"rows": [{"name": "a", "metric": "b"}]}, "gate.rows[0].verdict is missing"),
    ({"rows": [{"name": "a", "metric": "b", "verdict": "c", "ratio": -1}]},
     "gate.rows[0].ratio is negative"),
    ({"exit_code": "1"}, "gate.exit_code is not a whole number"),
])
def test_broken_files(tmp_path, change, message):
    path = tmp_path / "gate.json"
    path.write_text(json.dumps({**synthetic.gate(), **change}))
    with pytest.raises(ResultError, match=re.escape(message)):
        load_gate(path)
    assert main([str(path), "-o", str(tmp_path / "g.html")]) == 4


def test_file_that_is_no_json(tmp_path):
    path = tmp_path / "gate.json"
    path.write_text('{"schema": "aioscope.gate/1", "rows": [NaN')
    with pytest.raises(ResultError, match="NaN is not JSON"):
        load_gate(path)
