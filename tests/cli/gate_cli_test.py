"""aioscope gate with the real program, from its command line to the report of its verdict."""

import json

from cli_test import BIN, aioscope

ROWS = ["--", "--only", "(kioctx@series|libaio)/per-thread/null", "--warmup", "5ms", "--duration",
        "20ms"]


def test_a_program_against_itself(tmp_path):
    output, kept = tmp_path / "gate.json", tmp_path / "kept"
    # Too few blocks for what varies: it is the exact counts that this decides by. --force, because
    # the tests also run on builds with sanitizers.
    done = aioscope("gate", "--base", str(BIN), "--new", str(BIN), "--blocks", "2", "--max-blocks",
                    "2", "--no-instructions", "--no-calibration", "--force", "-o", str(output),
                    "--keep", str(kept), "--seed", "1", *ROWS)
    record = json.loads(output.read_text())
    assert record["verdict"] == "passed" and record["same_program"]
    assert len(record["order"]) == 2 and {one["name"].split("/")[0] for one in record["rows"]} == {
        "kioctx@series", "libaio"}
    counts = {(one["name"].split("/")[0], one["key"]): one for one in record["rows"]}
    assert counts["kioctx@series", "allocations"]["base"] == 1
    assert counts["kioctx@series", "allocations"]["verdict"] == "equivalent"
    assert 0 < counts["libaio", "driver-calls"]["base"] < 1
    assert "gate: PASSED" in done.stdout and "gate: first look: run 4 of 4" in done.stderr
    page = tmp_path / "gate.html"
    aioscope("report", str(output), str(kept / "new.jsonl"), "-o", str(page))
    assert "Gate: PASSED" in page.read_text()


def test_more_locks_are_found_again_on_fresh_data(tmp_path):
    output = tmp_path / "gate.json"
    aioscope("gate", "--base-driver", "kioctx@series", "--new-driver", "kioctx@v3.7", "--metric",
             "acquisitions", "--blocks", "2", "--max-blocks", "2", "--no-calibration", "--force",
             "-q", "-o", str(output), "--", "--only", "per-thread/null", "--warmup", "5ms",
             "--duration", "20ms", expect=1)
    one, = json.loads(output.read_text())["rows"]
    assert one["verdict"] == "regressed" and one["confirmed"] and one["tier"] == 1
    assert one["name"].startswith("kioctx@v3.7 against kioctx@series/per-thread/null/")
    assert one["ratio"] > 2


def test_a_program_that_needs_a_name():
    done = aioscope("gate", "--base", "/nothing/here", "--new", str(BIN), expect=2)
    assert done.stderr == "aioscope gate: /nothing/here: there is no such program or result file\n"
