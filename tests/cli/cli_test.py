"""The program from outside: what it prints where, and with which exit code it ends.

The environment variable AIOSCOPE_BIN names the program; without it the one of the preset release.
"""

import csv
import io
import json
import os
import pathlib
import re
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AIOSCOPE_BIN", ROOT / "build/release/bin/aioscope"))
LIB = BIN.parent.parent / "lib"
BROKEN = LIB / "broken.so"
EXAMPLE = LIB / "ramdisk.so"

BRIEF = ["--repetitions", "2", "--warmup", "10ms", "--duration", "50ms"]
NULL = ["run", "--driver", "null", *BRIEF]


def aioscope(*arguments, expect=0, env=None, timeout=120, **more):
    done = subprocess.run([str(BIN), *arguments], stdin=subprocess.DEVNULL, text=True,
                          stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})}, timeout=timeout, **more)
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def only(kind, lines):
    return [line for line in lines if line["record"] == kind]


# Help

@pytest.mark.parametrize("command", [[], ["run"], ["list"], ["doctor"]])
def test_help_goes_to_standard_output_with_examples(command):
    done = aioscope(*command, "--help")
    assert "Usage: aioscope" in done.stdout
    assert "Examples:\n  aioscope " in done.stdout
    assert done.stderr == ""
    assert max(len(line) for line in done.stdout.splitlines()) <= 100


# Simulated devices

@pytest.mark.parametrize("target, name", [("device:latency=5us", "kioctx device"),
                                          ("FILE", "kioctx file")])
def test_threads_of_a_driver_have_names_in_the_profile(tmp_path, target, name):
    path, file = tmp_path / "result.jsonl", tmp_path / "data"
    file.write_bytes(bytes(1 << 20))
    aioscope("run", "--driver", "kioctx@series", *BRIEF, "-o", str(path), "--profile",
             "--no-harness-price", "--target",
             f"file:{file}" if target == "FILE" else target)
    off_cpu = only("repetition", records(path.read_text()))[0]["measurement"]["off_cpu"]
    if not off_cpu["source"]:
        pytest.skip(off_cpu["reason"])
    assert name in [thread["name"] for thread in off_cpu["threads"] if thread["of_driver"]]


def test_a_device_fails_as_it_was_asked_to_and_other_drivers_are_skipped(tmp_path):
    path = tmp_path / "result.jsonl"
    done = aioscope("run", "--driver", "kioctx,libaio", *BRIEF, "-o", str(path), "--target",
                    "device:latency=5us,coalesce=4,error-rate=0.5")
    assert "libaio cannot use the target device:latency=5us" in done.stdout
    assert "operations fail as error-rate asks" in done.stdout
    assert "  failed  " in done.stdout
    measured = [line["measurement"] for line in only("repetition", records(path.read_text()))
                if line["name"].startswith("kioctx")]
    for measurement in measured:
        assert 0.3 < measurement["failed_operations"] / measurement["operations"] < 0.7
        assert " device=latency=5us,jitter=0ns,cpus=1,coalesce=4," in measurement["setup"]


# Injected work

def test_who_reads_a_result_with_injected_work_is_told(tmp_path):
    path = tmp_path / "result.jsonl"
    done = aioscope("run", "--driver", "sync", "--workload", "per-thread", "--submitters", "1",
                    "--inject", "delay=100ns,lock=2", "--operations", "3000",
                    "--no-harness-price", "-o", str(path))
    assert "made slower on purpose, by --inject" in done.stdout
    lines = records(path.read_text())
    assert lines[0]["options"]["inject"] == "delay=100ns,lock=2"
    measurement = only("repetition", lines)[0]["measurement"]
    assert measurement["operations"] == 3000
    sites = {site["site"]: site for site in measurement["driver_counts"]["lock_sites"]}
    assert sites["injected"]["acquisitions"] == 6000


# Stages

def test_the_stages_are_those_of_the_series_in_order():
    stages = json.loads(aioscope("list", "stages", "--json").stdout)["stages"]
    names = [stage["name"] for stage in stages]
    assert names[0] == "kioctx@v3.7"
    assert names.index("kioctx@lazy-cancel") < names.index("kioctx@series")
    by_name = {stage["name"]: stage["notes"] for stage in stages}
    assert by_name["kioctx@series"]["patch"] == "aio: use xchg() instead of completion_lock"
    assert by_name["kioctx@v3.7"]["submit"] != by_name["kioctx@series"]["submit"]
    text = aioscope("list", "stages").stdout
    assert all(f"\n  {name}\n" in text for name in names)


def test_the_baseline_must_be_one_driver():
    assert "did you mean" in aioscope("run", "--baseline", "libaoi", "--dry-run", expect=2).stderr
    several = aioscope("run", "--baseline", "kioctx@*", "--dry-run", expect=2).stderr
    assert "name one" in several


def test_locks_and_baseline_are_shown():
    table = aioscope("run", "--driver", "kioctx@v3.7,kioctx@series", "--baseline", "kioctx@v3.7",
                     "--locks", "--duration", "20ms", "--warmup", "10ms", "--repetitions", "1",
                     "--quiet").stdout
    assert "1.00x" in table
    assert "ctx_lock/complete" in table and "tail/complete" in table


def test_the_help_names_every_command():
    text = aioscope("--help").stdout
    for command in ("run", "list", "doctor", "report", "compare", "gate", "history"):
        assert f"\n  {command} " in text


def test_version():
    assert aioscope("--version").stdout.startswith("aioscope ")


# Usage

@pytest.mark.parametrize("arguments, message", [
    ([], "no command"),
    (["rnu"], "unknown command 'rnu'; did you mean 'run'?"),
    (["run", "--drivr", "null"], "unknown option '--drivr'; did you mean '--driver'?"),
    (["doctor", "--jsno"], "unknown option '--jsno'; did you mean '--json'?"),
    (["run", "null"], "unexpected argument 'null'"),
    (["run", "--depth"], "--depth needs a value"),
    (["run", "--driver", "libiao"], "unknown driver 'libiao'; did you mean 'libaio'?"),
    (["run", "--driver", "io_uring@sqpol"], "did you mean 'io_uring@sqpoll'?"),
    (["run", "--driver", "./none.so"], "./none.so"),
    (["run", "--workload", "per-tread"], "did you mean 'per-thread'?"),
    (["run", "--target", "nul"], "--target: unknown target 'nul'; did you mean 'null'?"),
    (["run", "--target", "device:latncy=1us"],
     "--target: device: unknown key 'latncy'; did you mean 'latency'?"),
    (["run", "--target", "device:latency=10"],
     "--target: device: latency: '10' is not a time from 0ns to 10s with its unit"),
    (["run", "--target", "null,device:cpus=1,cpus=2"], "device: cpus is given twice"),
    (["run", "--driver", "kioctx", "--target", "device:latency=1us", "--verify"],
     "--verify: the target device:latency=1us simulates times and keeps no data"),
    (["run", "--suite", "quik"], "unknown suite 'quik'; did you mean 'quick'?"),
    (["run", "--suite", "./none.toml"], "./none.toml: cannot be read"),
    (["run", "--depth", "0"], "--depth: '0' is out of range; from 1 to 65536"),
    (["run", "--submitters", "2000"], "--submitters: '2000' is out of range; from 1 to 1024"),
    (["run", "--rate=-5"], "--rate: '-5' is out of range; from 0 to 1e+09"),
    (["run", "--block-size", "4q"], "--block-size: '4q' is not a size such as 512, 4k or 1M"),
    (["run", "--operation", "raed"], "did you mean 'read'?"),
    (["run", "--pin", "9999"], "--pin: CPU 9999 cannot be used by this process; usable are "),
    (["run", "--only", "("], "--only: '(' is not a regular expression"),
    (["run", "--only", "no such row"], "--only and --skip leave no rows"),
    (["run", "--format", "xml"], "--format: unknown format 'xml'"),
    (["run", "--time-budget", "100ms"], "--time-budget: 100 ms is too little"),
    (["run", "--duration", "1s", "--time-budget", "9s"], "exclude each other"),
    (["run", "--operations", "5", "--duration", "1s"],
     "--operations and --duration exclude each other; leave out one"),
    (["run", "--operations", "5", "--rate", "9"], "--operations: not together with --rate"),
    (["run", "--inject", "lck=2"], "--inject: 'lck=2' is none of delay=TIME, lock=N"),
    (["list", "driver"], "cannot list 'driver'; did you mean 'drivers'?"),
    (["run", "--profile=0"], "--profile: '0' is out of range; from 1 to 20000"),
    (["run", "--color", "alwys"], "--color: unknown 'alwys'; did you mean 'always'?"),
])
def test_mistakes_are_one_line_on_standard_error_and_exit_code_2(arguments, message):
    done = aioscope(*arguments, expect=2)
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("option", [["--profile", "--layers"], ["--suite"]])
def test_a_pipe_is_not_waited_for(option, tmp_path):
    os.mkfifo(tmp_path / "x.toml")
    done = aioscope("run", *option, str(tmp_path / "x.toml"), expect=2, timeout=20)
    assert "x.toml" in done.stderr and "no regular file" in done.stderr


def test_a_mistake_in_a_suite_is_named_with_its_line(tmp_path):
    suite = tmp_path / "mine.toml"
    suite.write_text('driver = "null"\nsubmiters = 4\n')
    done = aioscope("run", "--suite", str(suite), expect=2)
    assert f"{suite}:2: unknown key 'submiters'; did you mean 'submitters'?" in done.stderr


# Plan

def test_a_dry_run_prints_the_rows_and_measures_nothing(tmp_path):
    path = tmp_path / "data"
    begin = time.monotonic()
    done = aioscope("run", "--suite", "quick", "--file", str(path), "--create", "1M", "--dry-run")
    assert time.monotonic() - begin < 10
    *rows, total = done.stdout.splitlines()
    assert not path.exists()
    assert any(row.startswith("libaio/shared/file:data/submitters:4/reapers:1/") for row in rows)
    assert any(row.startswith("io_uring/per-thread/zero/submitters:4/") for row in rows)
    assert any(row.endswith("(price of the harness)") for row in rows)
    assert total.startswith(f"{len(rows)} rows (")
    assert done.stderr == ""


@pytest.mark.parametrize("suite, most_s", [("gate", 9), ("quick", 60), ("smoke", 5),
                                           ("series", 180)])
def test_suites_keep_their_promise_of_time(suite, most_s):
    total = aioscope("run", "--suite", suite, "--file", "/x", "--dry-run").stdout.splitlines()[-1]
    minutes, seconds = re.fullmatch(r".*about (?:(\d+) m )?([\d.]+) s", total).groups()
    assert 60 * int(minutes or 0) + float(seconds) < most_s


def test_without_a_file_the_rows_of_quick_say_what_is_missing():
    text = aioscope("run", "--suite", "quick", "--dry-run").stdout
    assert "SKIPPED: no file is named; add --file PATH" in text


def test_the_command_line_overrides_the_suite():
    text = aioscope("run", "--suite", "seed", "--driver", "libaio", "--depth", "8..16*2",
                    "--only", "shared", "--no-harness-price", "--dry-run").stdout
    names = [line.split("/") for line in text.splitlines()[:-1]]
    assert {name[0] for name in names} == {"libaio"}
    assert {name[1] for name in names} == {"shared"}
    assert {part for name in names for part in name if "depth" in part} == {"depth:8", "depth:16"}


# List and doctor

def test_list_says_what_there_is():
    text = aioscope("list").stdout
    for word in ("null", "libaio@user-reap", "per-thread", "file:PATH", "quick", "scaling"):
        assert f"\n  {word} " in text


def test_list_as_json():
    everything = json.loads(aioscope("list", "--json").stdout)
    assert everything["schema"] == "aioscope.list/1"
    drivers = {driver["name"]: driver for driver in everything["drivers"]}
    assert drivers["null"]["usable"] is True
    assert drivers["null"]["reason"] is None
    assert drivers["libaio@user-reap"]["variant"] == "user-reap"
    assert drivers["libaio@user-reap"]["capabilities"]["max_reapers"] == 1
    assert drivers["libaio"]["capabilities"]["max_reapers"] is None
    names = {suite["name"] for suite in everything["suites"]}
    assert names >= {"quick", "seed", "smoke", "scaling"}
    suites = json.loads(aioscope("list", "suites", "--json").stdout)
    assert "drivers" not in suites and suites["suites"] == everything["suites"]


def test_doctor_as_json():
    report = json.loads(aioscope("doctor", "--json").stdout)
    assert report["schema"] == "aioscope.doctor/1"
    findings = {finding["id"]: finding for finding in report["findings"]}
    assert {"kernel", "cpus", "governor", "smt", "perf_event_paranoid", "pmu", "io_uring_disabled",
            "aio_max_nr", "tracefs", "memlock", "clock_source", "steal"} <= set(findings)
    for finding in findings.values():
        assert finding["status"] in ("ok", "note", "problem")
        assert finding["meaning"]
    assert findings["kernel"]["value"] == os.uname().release


def test_colour_follows_the_option_and_never_a_pipe():
    assert "\033[" not in aioscope("doctor").stdout
    assert "\033[" in aioscope("doctor", "--color", "always").stdout
    assert "\033[" in aioscope("--color=always", "doctor").stdout
    assert "\033[" not in aioscope("doctor", "--color", "never").stdout


# Run

def test_the_table_goes_to_standard_output_and_progress_to_standard_error():
    done = aioscope(*NULL)
    assert "null" in done.stdout
    assert "[2/2] 0 s left" in done.stderr and "[2/2]" not in done.stdout
    assert "\r" not in done.stderr and "\033" not in done.stderr + done.stdout
    assert aioscope(*NULL, "--quiet").stderr == ""


def test_the_result_file_has_a_record_per_repetition_in_plan_order(tmp_path):
    path = tmp_path / "result.jsonl"
    aioscope("run", "--driver", "null,libaio", *BRIEF, "--seed", "7", "-o", str(path))
    lines = records(path.read_text())
    header, end = lines[0], lines[-1]
    assert header["record"] == "header" and header["schema"] == "aioscope.result/1"
    assert header["seed"] == 7
    assert header["command"][1:4] == ["run", "--driver", "null,libaio"]
    repetitions = only("repetition", lines)
    assert [line["position"] for line in repetitions] == [0, 1, 2, 3]
    assert [line["repetition"] for line in repetitions] == [0, 0, 1, 1]
    assert all(line["measurement"]["operations"] > 0 for line in repetitions)
    assert end["record"] == "end" and end["complete"] is True
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_of_a_row_measures_that_row_alone(tmp_path):
    path, data = tmp_path / "result.jsonl", tmp_path / "a b,c"
    aioscope("run", "--driver", "libaio", "--workload", "shared", "--target", f"file:{data}",
             "--create", "1M", "--block-size", "4k", "--buffered", "--no-harness-price", *BRIEF,
             "-o", str(path))
    (row,) = records(path.read_text())[0]["plan"]["rows"]
    assert row["command"].startswith("aioscope run ")
    again = subprocess.run(f"{BIN.parent}/{row['command']} --no-harness-price --format ndjson",
                           shell=True, check=True, capture_output=True, text=True)
    (repeated,) = records(again.stdout)[0]["plan"]["rows"]
    assert repeated["config"] == row["config"]


def test_the_command_of_a_row_has_what_was_in_force_when_it_was_measured():
    in_force = ["--watchdog", "7s", "--no-tracepoints", "--locks", "--profile", "500"]
    (row,) = records(aioscope(*NULL, *in_force, "-o", "-").stdout)[0]["plan"]["rows"]
    assert "--watchdog 7000000000ns" in row["command"]
    assert "--no-tracepoints" in row["command"]
    assert "--locks" in row["command"] and "--profile 500 " in row["command"]
    (plain,) = records(aioscope(*NULL, "-o", "-").stdout)[0]["plan"]["rows"]
    for option in ("watchdog", "tracepoints", "locks", "profile", "layers"):
        assert option not in plain["command"]


def test_ndjson_on_standard_output_is_nothing_else():
    for arguments in (["--format", "ndjson"], ["-o", "-"]):
        lines = records(aioscope(*NULL, *arguments).stdout)
        assert [line["record"] for line in lines] == ["header", "repetition", "repetition", "end"]


def test_csv_and_gbench():
    table = list(csv.DictReader(io.StringIO(aioscope(*NULL, "--format", "csv").stdout)))
    assert len(table) == 2
    benchmarks = json.loads(aioscope(*NULL, "--format", "gbench").stdout)["benchmarks"]
    assert len([one for one in benchmarks if "items_per_second" in one]) >= 2


def test_pinned_threads_say_where(tmp_path):
    cpu = min(os.sched_getaffinity(0))
    lines = records(aioscope(*NULL, "--pin", str(cpu), "--submitters", "2", "-o", "-").stdout)
    for line in only("repetition", lines):
        assert [thread["cpu"] for thread in line["measurement"]["thread"]] == [cpu, cpu]
        assert line["measurement"]["oversubscribed"] is True


# External drivers

def test_an_external_driver_runs_and_is_listed_by_its_own_name():
    lines = records(aioscope("run", "--driver", str(EXAMPLE), "--target", "zero", *BRIEF,
                             "--no-harness-price", "-o", "-").stdout)
    assert {line["name"].split("/")[0] for line in only("repetition", lines)} == {"ramdisk"}


# Python commands

def test_report_is_done_by_the_reports_package(tmp_path):
    package = tmp_path / "reports"
    package.mkdir()
    (package / "__main__.py").write_text("import sys\nprint(sys.argv[1:], sys.executable)\n"
                                         "sys.exit(3)\n")
    elsewhere = tmp_path / "elsewhere" / "reports"  # of the user, and no package of ours
    elsewhere.mkdir(parents=True)
    (elsewhere / "__main__.py").write_text("raise SystemExit(9)\n")
    done = aioscope("report", "a.jsonl", "-o", "b c.html", "--help", expect=3,
                    cwd=elsewhere.parent, env={"AIOSCOPE_REPORTS": str(tmp_path)})
    assert done.stdout == "['report', 'a.jsonl', '-o', 'b c.html', '--help'] /usr/bin/python3\n"


def test_a_missing_reports_package_is_said_so(tmp_path):
    done = aioscope("report", "a.jsonl", expect=5, env={"AIOSCOPE_REPORTS": str(tmp_path)})
    assert "holds no reports/__main__.py" in done.stderr
