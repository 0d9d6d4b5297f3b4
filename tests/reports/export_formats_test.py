"""aioscope export: what each tool is known to want, of invented runs and of the golden file."""

import csv
import importlib.util
import io
import json
import math
import pathlib
import re
import subprocess
import sys

import pytest
import synthetic
from reports.__main__ import main
from reports.export import EXPORTERS
from reports.load import load
from reports.summarise import summarise
from reports.validate import validate

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "data" / "golden.result.jsonl"
COMPARE = pathlib.Path("/usr/share/benchmark/compare.py")  # of the package libbenchmark-tools
HOSTILE = "a\"b,c;d\\e\n<b>|`$(x) \u202eü"


@pytest.fixture(name="path")
def run_path(tmp_path):
    """Three rows of two repetitions, one skipped, with all that a run can look at."""
    configs = synthetic.quick_configs(["libaio", "kioctx@series"], ["null"])
    records = synthetic.run(configs[:3], repetitions=2, with_inside=True)
    plan = records[0]["plan"]["rows"]
    plan.append(synthetic.row(len(plan), synthetic.config("io_uring")))
    records.insert(1, {"record": "skipped", "row": len(plan) - 1, "name": "", "reason": "EPERM",
                       "cure": ""})
    (tmp_path / "r.jsonl").write_text(synthetic.text(records))
    return tmp_path / "r.jsonl"


@pytest.fixture
def export(capsys):
    def of(path, name, *more):
        code = main(["export", str(path), "--to", name, *more])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out
    return of


def summary_of(path):
    return summarise(validate(load(path)))


def measured(path):
    return [row for row in summary_of(path).measured]


def only(path):
    """--row of the first measured row."""
    return "--row", f"^{re.escape(measured(path)[0].row.name)}$"


def test_csv_of_the_golden_file(export):
    [line, failed, *_] = csv.DictReader(io.StringIO(export(GOLDEN, "csv")))
    record = next(json.loads(text) for text in GOLDEN.read_text().splitlines()
                  if '"record":"repetition"' in text.replace(" ", ""))
    found = record["measurement"]
    for column in ("operations", "operations_per_s", "cpu_user_ns_per_op", "fairness_jain",
                   "cpu_system_ns_per_op", "system_calls_per_op", "context_switches_per_op"):
        assert float(line[column]) == found[column], column
    for name in ("p50", "p90", "p99", "p999", "max"):
        assert float(line[f"latency_{name}_ns"]) == found["latency"][f"{name}_ns"]
    assert float(line["lock_acquisitions_per_op"]) == 80000 / 40000
    assert float(line["kernel_lock_wait_ns_per_op"]) == 1500000 / 40000
    assert line["futex_wait_ns_per_op"] == "" and line["wakeups_per_op"] == ""
    assert float(line["task-clock_per_op"]) == 8000 and float(line["harness_share"]) == 1
    assert failed["error"] == "an operation failed: EIO" and failed["operations"] == ""


def test_gbench_of_the_golden_file(export):
    document = json.loads(export(GOLDEN, "gbench"))
    assert document["context"]["caches"] == [] and document["context"]["mhz_per_cpu"] == 2600
    error, first, *_ = document["benchmarks"]
    assert error["error_occurred"] and error["error_message"] == "an operation failed: EIO"
    assert first["real_time"] == 1e9 / 80000 and first["cpu_time"] == 8512.5
    assert first["items_per_second"] == 80000 and first["threads"] == 5
    p99 = next(e for e in document["benchmarks"] if e["name"].endswith("/p99"))
    assert p99["real_time"] == 2981887.0


@pytest.mark.skipif(not COMPARE.exists(), reason="no compare.py (apt install libbenchmark-tools)")
def test_compare_py_reads_gbench(path, tmp_path, export):
    (tmp_path / "a.json").write_text(export(path, "gbench"))
    done = subprocess.run([sys.executable, COMPARE, "--no-color", "benchmarks",
                           tmp_path / "a.json", tmp_path / "a.json"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for row in measured(path):
        assert f"\n{row.row.name} " in done.stdout and f"\n{row.row.name}/p99 " in done.stdout


def read_benchfmt(text):
    """(keys, {unit: settings}, [(name keys, N, {unit: value})]) by the rules of the format."""
    keys, units, results = {}, {}, []
    for line in text.split("\n"):
        fields = line.split()
        if line.startswith("Benchmark") and fields[1:]:
            name, count, *rest = fields
            assert re.match("Benchmark[^a-z]", name) and len(rest) % 2 == 0
            parts = dict(part.split("=", 1) for part in name.split("/")[1:])
            assert len(parts) == name.count("/")
            results.append((parts, int(count), {unit: float(value) for value, unit
                                                in zip(rest[::2], rest[1::2])}))
        elif fields and fields[0] == "Unit":
            assert not results and fields[1] not in units
            units[fields[1]] = dict(part.split("=") for part in fields[2:])
        elif line:
            key, value = line.split(": ", 1)
            assert re.fullmatch("[a-z][^A-Z\\s:]*", key)
            keys[key] = value
    return keys, units, results


def test_benchfmt(path, export):
    keys, units, results = read_benchfmt(export(path, "benchfmt"))
    assert keys["host"] == "bench1" and "0.1.0" in keys["toolchain"]
    assert units["op/s"] == {"better": "higher"}
    assert units["acquisitions/op"] == {"better": "lower"}
    assert len(results) == 6
    parts, count, values = results[0]
    item = measured(path)[0].repetitions[0]
    assert parts["driver"] == "libaio" and parts["depth"] == "128"
    assert count == item.measurement["operations"]
    assert values["op/s"] == item.measurement["operations_per_s"]
    assert set(values) <= set(units)


def test_benchfmt_declares_exact_only_what_is(tmp_path, export):
    configs = synthetic.quick_configs(["libaio", "kioctx@series"], ["null"])[:2]
    records = synthetic.run(configs, repetitions=2, with_inside=True)
    path = tmp_path / "r.jsonl"

    def exact():
        path.write_text(synthetic.text(records))
        units = read_benchfmt(export(path, "benchfmt"))[1]
        return {unit for unit, settings in units.items() if settings.get("assume") == "exact"}
    found = [record["measurement"] for record in records if record["record"] == "repetition"]
    for measurement in found:
        measurement["system_calls_per_op"] = 0.25
        measurement["system_calls_source"] = "tracepoint"
    assert "system-calls/op" in exact()
    found[-1]["system_calls_per_op"] = 0.26
    assert "system-calls/op" not in exact()
    records = synthetic.run(configs, repetitions=1, with_inside=True)
    assert not exact()


def test_github_action_benchmark_has_one_direction(path, export):
    lower = json.loads(export(path, "github-action-benchmark"))
    higher = json.loads(export(path, "github-action-benchmark", "--better", "higher"))
    row = measured(path)[0]
    [rate] = [entry for entry in higher if entry["name"] == f"{row.row.name} throughput"]
    assert rate["value"] == row.operations_per_s and rate["unit"] == "op/s"
    assert rate["range"].startswith("± ") and rate["extra"] == row.row.command
    assert not {entry["name"] for entry in lower} & {entry["name"] for entry in higher}
    assert any(entry["name"].endswith("latency p99") for entry in lower)
    with pytest.raises(SystemExit) as leaves:
        main(["export", str(path), "--to", "csv", "--better", "higher"])
    assert leaves.value.code == 2


def test_bencher(path, export):
    document = json.loads(export(path, "bencher"))
    row = measured(path)[0]
    assert document[row.row.name]["throughput"] == {
        "value": row.operations_per_s, "lower_value": row.operations_per_s_min,
        "upper_value": row.operations_per_s_max}
    assert len(document) == 3


def test_names_that_are_not_unique_are_refused(tmp_path, capsys):
    rows = [synthetic.row(i, synthetic.config()) for i in range(2)]
    records = [synthetic.header(rows), *(synthetic.repetition(i, 0, i, synthetic.measurement())
                                         for i in range(2)), synthetic.end()]
    (tmp_path / "r").write_text(synthetic.text(records))
    assert main(["export", str(tmp_path / "r"), "--to", "bencher"]) == 4
    assert "two rows have the name" in capsys.readouterr().err


SAMPLE = re.compile(r'([a-z0-9_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)')


def test_openmetrics(path, export):
    text = export(path, "openmetrics")
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    families, seen = {}, set()
    for line in text.splitlines()[:-1]:
        if line.startswith("#"):
            _, what, name, value = line.split(" ", 3)
            families.setdefault(name, {})[what] = value
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        family = re.sub("_(bucket|count|sum|info)$", "", name)
        assert families[family] and list(families)[-1] == family
        assert math.isfinite(float(value)) and (name, labels) not in seen
        seen.add((name, labels))
    for name, lines in families.items():
        assert name.endswith(lines.get("UNIT", ""))
    row = measured(path)[0]
    buckets = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith("aioscope_latency_seconds_bucket")
               and f'row="{row.row.name}"' in line]
    assert buckets == sorted(buckets) and buckets[-1] == row.latency.count
    assert 'le="+Inf"' in text and "aioscope_latency_seconds_sum" not in text
    assert "aioscope_latency_seconds_sum" in export(GOLDEN, "openmetrics")


@pytest.mark.skipif(importlib.util.find_spec("prometheus_client") is None,
                    reason="no parser (apt install python3-prometheus-client)")
def test_prometheus_reads_openmetrics(export):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    families = {family.name: family for family
                in text_string_to_metric_families(export(GOLDEN, "openmetrics"))}
    [sample] = families["aioscope_throughput_operations_per_second"].samples
    assert sample.value == 80000
    latency = families["aioscope_latency_seconds"].samples
    assert [sample.value for sample in latency if sample.name.endswith("_count")] == [40000]


def test_hgrm_agrees_with_the_merged_histogram(path, export):
    text = export(path, "hgrm", *only(path))
    latency = measured(path)[0].latency
    lines = [line.split() for line in text.splitlines()[2:] if not line.startswith("#")]
    for value, fraction, seen, *rest in lines[:-1]:
        expected = latency.percentile_ns(float(fraction))
        if expected is not None:
            assert float(value) == expected
        assert int(seen) / latency.count >= float(fraction) - 1e-9
        assert float(rest[0]) == pytest.approx(1 / (1 - float(fraction)), abs=0.01, rel=1e-4)
    assert lines[-1] == [f"{latency.max_ns:.3f}", "1.000000000000", str(latency.count)]
    assert f"Total count    = {latency.count:>12}]" in text
    assert "SubBuckets     =          128" in text
    mean = float(re.search(r"Mean    = +([\d.]+)", text).group(1))
    assert min(latency.buckets) < mean < latency.max_ns


def test_hgrm_holds_one_row(path, capsys):
    assert main(["export", str(path), "--to", "hgrm"]) == 4
    assert "holds one histogram; choose with --row" in capsys.readouterr().err


def test_chrome_trace(path, export):
    document = json.loads(export(path, "chrome-trace"))
    events = document["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X", "C"}
    rows = measured(path)
    spans = [event for event in events if event.get("cat") == "repetition"]
    assert len(spans) == sum(len(row.repetitions) for row in rows)
    assert min(event["ts"] for event in spans) == 0
    item = rows[0].repetitions[0]
    mine = [event for event in events if event["pid"] == rows[0].row.index + 1]
    name, = [event["args"]["name"] for event in mine if event["name"] == "process_name"]
    assert name == rows[0].row.name
    counted = [event["args"]["op/s"] for event in mine if event["ph"] == "C"]
    assert counted[:len(item.measurement["slices_ops_per_s"])] \
        == item.measurement["slices_ops_per_s"]
    span = next(event for event in mine if event.get("cat") == "repetition")
    assert span["dur"] == item.measurement["window_ns"] / 1000
    threads = [event for event in mine if event.get("cat") == "thread"]
    assert [event["args"]["operations"] for event in threads[:len(item.measurement["thread"])]] \
        == [thread["operations"] for thread in item.measurement["thread"]]


def test_waits_of_threads_are_in_the_trace(export):
    events = json.loads(export(GOLDEN, "chrome-trace"))["traceEvents"]
    submitter = next(event for event in events if event["name"] == "submitter 0")
    assert submitter["args"]["off_cpu_lock_ns"] == 20000000
    repetition = next(event for event in events if event.get("cat") == "repetition")
    assert repetition["args"]["kernel_locks_wait_ns"] == 1500000
    assert "futex_waits_wait_ns" not in repetition["args"]


@pytest.mark.parametrize("name", sorted(EXPORTERS))
def test_hostile_names_and_absent_values(name, tmp_path, export):
    """Of a run whose texts are hostile, and whose values are null where they may be."""
    config = synthetic.config(driver=HOSTILE, target="file:" + HOSTILE, target_label=HOSTILE)
    row = synthetic.row(0, config)
    row.update(name=HOSTILE, command=HOSTILE)
    stacks = [{"frames": [HOSTILE], "samples": 3}]
    full = synthetic.measurement(
        latency_ns=range(100, 9000), profile={
            "event": "x", "frequency_hz": 99, "stacks": stacks, "layers": [
                {"layer": HOSTILE, "user_samples": 3, "kernel_samples": 0}]},
        counters=[synthetic.counter(HOSTILE, 1.5, 100), synthetic.counter("none", None, 1)])
    empty = {**full, **{field: None for field, value in full.items()
                        if value is None or isinstance(value, float)}, "profile": None}
    records = [synthetic.header([row], host={"name": HOSTILE, "caches": [None, {"level": "x"}],
                                             "load_average": ["x"], "cpu_model": 7}),
               synthetic.repetition(0, 0, 0, full), synthetic.repetition(0, 1, 1, empty),
               {"record": "failed", "row": 0, "name": "", "repetition": 2, "kind": HOSTILE,
                "message": HOSTILE}, synthetic.end()]
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text(records))
    text = export(path, name)
    assert text == export(path, name) and "NaN" not in text and "Infinity" not in text
    assert "\n<b>" not in text
    if name in ("gbench", "github-action-benchmark", "bencher", "speedscope", "chrome-trace"):
        assert json.loads(text)
    elif name == "csv":
        lines = list(csv.reader(io.StringIO(text)))
        assert {len(line) for line in lines} == {len(lines[0])} and len(lines) == 4
    elif name == "benchfmt":
        _, _, results = read_benchfmt(text)
        assert len(results) == 2
    elif name == "openmetrics":
        assert all(line.startswith("# ") or SAMPLE.fullmatch(line) for line in text.splitlines())
    elif name == "folded":
        assert re.fullmatch(r"[^;\n]*;[^;\n]* 3\n", text)


def test_a_file_that_is_not_utf8(tmp_path, capsys):
    (tmp_path / "r").write_bytes(b'{"record": "\xff"}\n')
    assert main(["export", str(tmp_path / "r"), "--to", "csv"]) == 4
    assert "not UTF-8" in capsys.readouterr().err
