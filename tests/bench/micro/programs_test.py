"""The programs of bench/micro run and measure what they say. Needs the build of preset release."""

import json
import pathlib
import subprocess

import pytest

BIN = pathlib.Path(__file__).resolve().parents[3] / "build/release/bin"


def run(program, *arguments):
    return subprocess.run([BIN / program, *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)


def usable_drivers():
    listed = json.loads(run("aioscope", "list", "drivers", "--json").stdout)
    return {driver["name"] for driver in listed["drivers"]
            if driver["usable"] and not driver["alias"]}


def test_every_usable_driver_and_every_part_has_its_benchmark():
    done = run("aioscope_micro", "--benchmark_min_time=0.001", "--benchmark_format=json")
    assert done.returncode == 0
    results = {result["name"]: result for result in json.loads(done.stdout)["benchmarks"]}
    usable = usable_drivers()
    assert {"null", "sync"} <= usable
    for driver in usable:
        for batch in (1, 32):
            result = results[f"submit_reap/{driver}/{batch}"]
            assert "error_message" not in result, result
            assert result["items_per_second"] > 0
    for name in ("clock/clock_gettime/monotonic", "histogram/record",
                 "lock/std_mutex/uncontended", "lock/kioctx_spin_lock/uncontended",
                 "lock/std_mutex/contended/threads:4/manual_time"):
        assert results[name]["real_time"] > 0


@pytest.mark.parametrize("engine", ["libaio", "io_uring"])
@pytest.mark.parametrize("regular", [False, True])
def test_a_bare_loop_reads_and_reports(engine, regular, tmp_path):
    if engine not in usable_drivers():
        pytest.skip(f"{engine} cannot run here")
    path = "/dev/zero"
    if regular:
        path = tmp_path / "data"
        path.write_bytes(bytes(1 << 20))
    done = run("aioscope_bare_loops", "--engine", engine, "--file", str(path),
               "--block-size", "4096", "--duration", "0.02")
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["engine"] == engine
    assert result["operations"] >= 128
    rate = result["operations"] / result["elapsed_s"]
    assert abs(result["operations_per_s"] / rate - 1) < 0.001


@pytest.mark.parametrize("arguments, code, message", [
    (["--engine", "aio"], 2, "give libaio or io_uring"),
    (["--engine", "libaio", "--depth", "0"], 2, "--depth 0"),
    (["--engine", "libaio", "--depth", "4", "--batch", "8"], 2, "larger than --depth"),
    (["--engine", "libaio", "--file", "/nowhere"], 5, "/nowhere: No such file"),
    (["--engine", "libaio", "--file", "/dev/null"], 5, "short"),
])
def test_bad_options_and_bad_files_are_refused(arguments, code, message):
    done = run("aioscope_bare_loops", "--duration", "0.02", *arguments)
    assert done.returncode == code
    assert message in done.stderr
