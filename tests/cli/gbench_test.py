"""Google Benchmark's own compare.py accepts what `run --format gbench` prints."""

import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AIOSCOPE_BIN", ROOT / "build/release/bin/aioscope"))
COMPARE = "/usr/share/benchmark/compare.py"  # of the package libbenchmark-tools

RUN = [str(BIN), "run", "--driver", "null,libaio", "--workload", "shared,per-thread", "--quiet",
       "--submitters", "2", "--repetitions", "2", "--warmup", "10ms", "--duration", "50ms",
       "--format", "gbench"]


def test_compare_py_reads_two_runs(tmp_path):
    paths = [tmp_path / "before.json", tmp_path / "after.json"]
    for path in paths:
        path.write_bytes(subprocess.run(RUN, check=True, capture_output=True).stdout)
    done = subprocess.run(["/usr/bin/python3", COMPARE, "--no-color", "benchmarks", *paths],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = {entry["name"] for entry in json.loads(paths[0].read_text())["benchmarks"]}
    assert any(name.startswith("libaio/shared/null/submitters:2/") for name in names)
    for name in names:
        assert f"\n{name} " in done.stdout
