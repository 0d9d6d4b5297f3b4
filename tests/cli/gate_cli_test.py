"""aioscope gate with the real program, from its command line to the report of its verdict."""

import json
import shutil
import subprocess

import pytest

from cli_test import BIN, aioscope, records
from gate import instructions

ROWS = ["--", "--only", "(kioctx@series|libaio)/per-thread/null", "--warmup", "5ms", "--duration",
        "20ms"]


def test_a_program_against_itself(tmp_path):
    output, kept = tmp_path / "gate.json", tmp_path / "kept"
    # Too few blocks for what varies: it is the exact counts that this decides by. --force, because
    # the tests also run on builds with sanitizers.
    done = aioscope("gate", "--base", str(BIN), "--new", str(BIN), "--blocks", "4", "--max-blocks",
                    "4", "--no-instructions", "--no-calibration", "--force", "-o", str(output),
                    "--keep", str(kept), "--seed", "1", *ROWS)
    record = json.loads(output.read_text())
    assert record["verdict"] == "passed" and record["same_program"]
    assert len(record["order"]) == 4 and {one["name"].split("/")[0] for one in record["rows"]} == {
        "kioctx@series", "libaio"}
    counts = {(one["name"].split("/")[0], one["key"]): one for one in record["rows"]}
    assert counts["kioctx@series", "allocations"]["base"] == 1
    assert counts["kioctx@series", "allocations"]["verdict"] == "equivalent"
    assert 0 < counts["libaio", "driver-calls"]["base"] < 1
    assert "gate: PASSED" in done.stdout and "gate: first look: run 8 of 8" in done.stderr
    page = tmp_path / "gate.html"
    aioscope("report", str(output), str(kept / "new.jsonl"), "-o", str(page))
    assert "Gate: PASSED" in page.read_text()


def test_more_locks_are_found_again_on_fresh_data(tmp_path):
    output = tmp_path / "gate.json"
    aioscope("gate", "--base-driver", "kioctx@series", "--new-driver", "kioctx@v3.7", "--metric",
             "acquisitions", "--blocks", "4", "--max-blocks", "4", "--no-calibration", "--force",
             "-q", "-o", str(output), "--", "--only", "per-thread/null", "--warmup", "5ms",
             "--duration", "20ms", expect=1)
    one, = json.loads(output.read_text())["rows"]
    assert one["verdict"] == "regressed" and one["confirmed"] and one["tier"] == 1
    assert one["name"].startswith("kioctx@v3.7 against kioctx@series/per-thread/null/")
    assert one["ratio"] > 2


def test_instructions_are_those_of_the_threads_of_the_load(tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    command = [str(BIN), "run", "--driver", "kioctx@series", "--workload", "per-thread",
               "--submitters", "1", "--repetitions", "1", "--no-harness-price", "--operations",
               "500", "--quiet", "--format", "ndjson"]
    plain = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    if records(plain.stdout)[0]["tool"]["sanitizers"]:
        pytest.skip("valgrind cannot run a program with sanitizers")
    done = subprocess.run([*instructions.VALGRIND, *command], capture_output=True, text=True,
                          check=True, timeout=100)
    # Starting the program alone takes millions.
    assert 50_000 < int(instructions.COLLECTED.search(done.stderr)[1]) < 2_000_000


def test_a_program_that_needs_a_name():
    done = aioscope("gate", "--base", "/nothing/here", "--new", str(BIN), expect=2)
    assert done.stderr == "aioscope gate: /nothing/here: there is no such program or result file\n"
