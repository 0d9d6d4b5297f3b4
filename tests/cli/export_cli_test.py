"""What `export` makes of a result file is what `run --format` printed of the same run."""

import csv
import io
import json
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AIOSCOPE_BIN", ROOT / "build/release/bin/aioscope"))

RUN = [str(BIN), "run", "--driver", "null,kioctx", "--workload", "shared", "--quiet",
       "--submitters", "2", "--repetitions", "2", "--warmup", "10ms", "--duration", "50ms",
       "--locks", "--split", "--counters", "default", "--counters-best-effort"]


def printed_and_exported(tmp_path, name):
    result = tmp_path / "r.jsonl"
    printed = subprocess.run([*RUN, "--format", name, "-o", result], check=True,
                             capture_output=True).stdout
    exported = subprocess.run([sys.executable, ROOT / "reports", "export", result, "--to", name],
                              check=True, capture_output=True).stdout
    return printed.decode(), exported.decode()


def test_csv(tmp_path):
    printed, exported = (list(csv.DictReader(io.StringIO(text)))
                         for text in printed_and_exported(tmp_path, "csv"))
    assert len(printed) == 4 and list(printed[0]) == list(exported[0])
    for one, other in zip(printed, exported, strict=True):
        for column, text in one.items():
            try:
                assert float(other[column]) == pytest.approx(float(text), rel=1e-12), column
            except ValueError:
                assert other[column] == text, column


def test_gbench(tmp_path):
    printed, exported = map(json.loads, printed_and_exported(tmp_path, "gbench"))
    assert list(printed["context"]) == list(exported["context"])
    for key, value in printed["context"].items():
        if key != "date":  # when it was printed, and when the run began
            assert exported["context"][key] == value, key
    for one, other in zip(printed["benchmarks"], exported["benchmarks"], strict=True):
        assert list(one) == list(other)
        for key, value in one.items():
            assert other[key] == (pytest.approx(value, rel=1e-12) if isinstance(value, float)
                                  else value), key
