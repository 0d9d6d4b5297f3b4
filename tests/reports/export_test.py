"""aioscope export: what other tools get of an invented run."""

import json
import subprocess
import sys

import pytest
import synthetic
from reports.__main__ import main
from reports.export import EXPORTERS

STACKS = [{"frames": ["run", "submit", "io_submit_one_[k]"], "layer": "aio core", "samples": 30},
          {"frames": ["run", "a;b"], "layer": "harness", "samples": 20}]


def profile(**changes):
    return {"event": "cpu-clock", "frequency_hz": 1000, "reason": "", "symbols_reason": "",
            "whole": True, "samples": 55, "lost": 2, "duration_ns": 300_000_000,
            "layers": [{"layer": "aio core", "user_samples": 0, "kernel_samples": 30},
                       {"layer": "harness", "user_samples": 25, "kernel_samples": 0}],
            "stacks": STACKS, "rest_samples": 5, "unmatched": [], **changes}


@pytest.fixture
def result(tmp_path):
    """Two repetitions of a row with a profile, one without."""
    rows = [synthetic.row(0, synthetic.config("libaio")), synthetic.row(1, synthetic.config())]
    rows[1]["name"] += "/other"
    records = [synthetic.header(rows)]
    for n in range(2):
        records.append(synthetic.repetition(0, n, n, synthetic.measurement(profile=profile())))
    records.append(synthetic.repetition(1, 0, 2, synthetic.measurement(profile=None)))
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text([*records, synthetic.end()]))
    return path


def test_folded(result, capsys):
    assert main(["export", str(result), "--to", "folded"]) == 0
    row = synthetic.name_of(synthetic.config("libaio"))
    assert capsys.readouterr().out.splitlines() == [
        f"{row};(stacks not kept) 10", f"{row};run;a:b 40",
        f"{row};run;submit;io_submit_one_[k] 60"]


def test_speedscope_weighs_in_nanoseconds(result, tmp_path):
    output = tmp_path / "out.json"
    assert main(["export", str(result), "--to", "speedscope", "-o", str(output)]) == 0
    document = json.loads(output.read_text())
    [drawn] = document["profiles"]
    assert drawn["type"] == "sampled" and drawn["unit"] == "nanoseconds"
    assert drawn["endValue"] == sum(drawn["weights"]) == 110 * 1e6
    names = [frame["name"] for frame in document["shared"]["frames"]]
    stacks = {tuple(names[i] for i in stack): weight
              for stack, weight in zip(drawn["samples"], drawn["weights"])}
    assert stacks[("run", "submit", "io_submit_one_[k]")] == 60e6
    assert len(set(names)) == len(names)


def test_says_what_is_missing(result, capsys):
    assert main(["export", str(result), "--to", "folded", "--row", "/other"]) == 4
    assert "no profile: the run took no profile; --profile takes one" in capsys.readouterr().err
    assert main(["export", str(result), "--to", "folded", "--row", "uring"]) == 4
    error = capsys.readouterr().err
    assert "no row matches 'uring'" in error and "/other" in error


def test_usage(result):
    for arguments in (["--to", "none"], [], ["--to", "folded", "--row", "("]):
        with pytest.raises(SystemExit) as exit_code:
            main(["export", str(result), *arguments])
        assert exit_code.value.code == 2


def test_not_a_result_file(tmp_path, capsys):
    (tmp_path / "x").write_text("{}\n")
    assert main(["export", str(tmp_path / "x"), "--to", "folded"]) == 4
    assert "no header record" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "none"), "--to", "folded"]) == 5


def test_every_format_says_what_it_is(capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    text = capsys.readouterr().out
    for name, module in EXPORTERS.items():
        assert name in text and module.SUMMARY in text


def test_a_reader_that_leaves_early_is_no_error(result):
    command = f"{sys.executable} reports export {result} --to folded | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True,
                          check=False)
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
