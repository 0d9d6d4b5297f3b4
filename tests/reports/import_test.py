"""aioscope import: what fio and Google Benchmark measured as result files, and files that are not
what they say."""

import copy
import json
import pathlib
import random
import re

import pytest
import synthetic
from reports.__main__ import main
from reports.load import load
from reports.statistics.fairness import jain
from reports.summarise import summarise
from reports.validate import bucket_width_ns, validate

# fio 3.33, json+: two clones of a job on /dev/zero, then a job of its own (numbers of a real run).
FIO = pathlib.Path(__file__).resolve().parents[1] / "data" / "fio.json"
CLONES = "fio:libaio/per-thread/zero/submitters:2/depth:8/batch:1/bs:4096/read/rate:6000"
ALONE = "fio:psync/per-thread/zero/submitters:1/depth:1/batch:1/bs:512/read/rate:500"


@pytest.fixture
def imported(tmp_path):
    """Imports documents, or files that are there; the Summary of the result file."""
    def of(*documents):
        paths = []
        for i, document in enumerate(documents):
            path = document
            if isinstance(document, dict):
                path = tmp_path / f"{i}.json"
                path.write_text(json.dumps(document))
            paths.append(str(path))
        assert main(["import", *paths, "-o", str(tmp_path / "r.jsonl")]) == 0
        return summarise(validate(load(tmp_path / "r.jsonl")))
    return of


@pytest.fixture
def refused(tmp_path, capsys):
    """What is said about a file that is refused."""
    def of(data):
        path = tmp_path / "bad.json"
        path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        assert main(["import", str(path), "-o", str(tmp_path / "r.jsonl")]) == 4
        assert not (tmp_path / "r.jsonl").exists()
        error = capsys.readouterr().err
        assert error.startswith(f"aioscope: {path}") and error.count("\n") == 1
        return error
    return of


def fio():
    return json.loads(FIO.read_text())


def gbench():
    def entry(name, **changes):
        return {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1,
                "repetition_index": 0, "threads": 2, "iterations": 1000, "real_time": 2.0,
                "cpu_time": 1.5, "time_unit": "us", **changes}
    return {"context": {"date": "2026-01-02T03:04:05+00:00", "host_name": "h", "num_cpus": 4,
                        "executable": "./build/io_bench", "library_version": "v1.7.1",
                        "caches": [{"type": "Data", "level": 1, "size": 32768, "num_sharing": 2}]},
            "benchmarks": [entry("BM_a/threads:2"),
                           entry("BM_a/threads:2", real_time=3.0, repetition_index=1),
                           entry("BM_a/threads:2", run_type="aggregate", real_time=2.5),
                           entry("BM_b", error_occurred=True, error_message="EIO"),
                           entry("BM_c", items_per_second=7e6, locks_per_op=2.5, other=9.0)]}


def test_fio_row_is_what_fio_says(imported):
    document = fio()
    summary = imported(FIO)
    assert [row.row.name for row in summary.rows] == [CLONES, ALONE]
    row, jobs = summary.rows[0], document["jobs"][:2]
    [item] = row.repetitions
    found = item.measurement
    total = sum(job["read"]["total_ios"] for job in jobs)
    assert found["operations"] == total
    assert row.operations_per_s == pytest.approx(sum(job["read"]["iops"] for job in jobs))
    cpu_ns = sum((job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] * 1e6
                 for job in jobs)
    assert row.cpu_ns_per_op == pytest.approx(cpu_ns / total)
    assert row.context_switches_per_op == sum(job["ctx"] for job in jobs) / total
    assert row.fairness_jain == jain([job["read"]["total_ios"] for job in jobs])
    assert found["window_ns"] == max(job["read"]["runtime"] for job in jobs) * 1_000_000


def test_fio_bins_are_ours(imported):
    document = fio()
    row = imported(FIO).rows[0]
    bins = {}
    for job in document["jobs"][:2]:
        for middle, count in job["read"]["clat_ns"]["bins"].items():
            bins[int(middle)] = bins.get(int(middle), 0) + count
    assert row.latency.count == sum(bins.values()) == row.repetitions[0].measurement["operations"]
    # The key is the middle of the bucket, so that no two of fio's fall into one of ours.
    assert {low + bucket_width_ns(low) // 2: count for low, count in row.latency.buckets.items()} \
        == bins
    one = imported({**document, "jobs": document["jobs"][2:]}).rows[0]
    said = document["jobs"][2]["read"]["clat_ns"]["percentile"]["90.000000"]
    assert one.latency.percentile_ns(0.9) == pytest.approx(said, rel=1 / 32)
    assert any("completion latency" in warning for warning in one.warnings)


def test_what_fio_does_not_say_is_not_there(imported):
    summary = imported(FIO)
    row, found = summary.rows[0], summary.rows[0].repetitions[0].measurement
    for name in ("start_realtime_ns", "system_calls_per_op", "steady", "oversubscribed", "drift"):
        assert found[name] is None
    assert row.system_calls_per_op is None and not row.unsteady and not row.oversubscribed
    header = summary.run.header
    assert header["host"] == {} and header["tool"]["version"] == "3.33"
    assert header["imported"]["from"] == "fio" and header["imported"]["files"] == ["fio.json"]
    assert ("imported", "build") != tuple(kind for kind, _ in summary.warnings)[:2]
    assert any(kind == "imported" and "fio 3.33" in text for kind, text in summary.warnings)


def test_plain_fio_json_has_no_histogram(imported):
    document = fio()
    for job in document["jobs"]:
        for kind in ("clat_ns", "lat_ns"):
            job["read"][kind].pop("bins", None)
    row = imported(document).rows[0]
    assert row.latency.count == 0 and any("json+" in warning for warning in row.warnings)


def test_fio_messages_around_the_json(imported, tmp_path):
    path = tmp_path / "noisy.json"
    path.write_bytes(b"fio: this platform {x}\n" + FIO.read_bytes() + b"\nbye\n")
    assert len(imported(path).rows) == 2


def test_fio_job_options(imported):
    document = fio()
    document["global options"] = {"direct": "1", "rw": "randrw", "ioengine": "io_uring"}
    [*_, job] = document["jobs"]
    job["job options"] = {"filename": "/data/a b", "iodepth": "1k", "verify": "crc32c"}
    job["write"] = copy.deepcopy(job["read"])
    document["jobs"] = [job]
    row = imported(document).rows[0]
    config = row.row.config
    assert config["driver"] == "fio:io_uring" and config["target"] == "file:/data/a b"
    assert (config["depth"], config["operation"], config["read_percent"]) == (1024, "mixed", 50)
    assert config["pattern"] == "random" and not config["buffered"] and config["verify"]
    assert row.latency.count == 2 * job["read"]["total_ios"]


def test_fio_job_that_failed(imported):
    document = fio()
    document["jobs"][2]["error"] = 5
    row = imported(document).rows[1]
    assert not row.measured and "job alone failed with error 5" in row.failed[0]["message"]


def test_several_files_are_repetitions(imported):
    summary = imported(FIO, FIO, FIO)
    assert [len(row.repetitions) for row in summary.rows] == [3, 3]


def test_files_of_unlike_tools_are_no_run(imported, tmp_path, capsys):
    (tmp_path / "g.json").write_text(json.dumps(gbench()))
    assert main(["import", str(FIO), str(tmp_path / "g.json")]) == 4
    assert "tool is 'Google Benchmark'" in capsys.readouterr().err


def test_jobs_of_one_shape_keep_apart(imported):
    document = fio()
    document["jobs"] = [copy.deepcopy(document["jobs"][2]) for _ in range(3)]
    document["jobs"][1]["jobname"] = "other"
    names = [row.row.name for row in imported(document).rows]
    assert len(set(names)) == 3 and f"{ALONE}/job:other:2" in names


def test_gbench(imported):
    summary = imported(gbench())
    names = {row.row.name: row for row in summary.rows}
    assert list(names) == ["BM_a/threads:2", "BM_b", "BM_c"]
    row = names["BM_a/threads:2"]
    assert [item.measurement["operations_per_s"] for item in row.repetitions] \
        == pytest.approx([5e5, 1e9 / 3000])
    assert row.driver == "gbench:io_bench" and row.row.config["submitters"] == 2
    [item] = names["BM_c"].repetitions
    counters = {c["name"]: c["per_op"] for c in item.measurement["counters"]}
    assert counters == {"cpu-time": 1500.0, "locks": 2.5}
    assert names["BM_c"].operations_per_s == 7e6
    assert names["BM_b"].failed[0]["message"] == "EIO" and row.cpu_ns_per_op is None
    assert summary.run.header["host"]["cpus_online"] == 4
    assert summary.run.header["start_realtime_ns"] == 1767323045 * 10**9


def test_our_gbench_comes_back(imported, tmp_path):
    configs = synthetic.quick_configs(["libaio", "io_uring"], ["null"])
    (tmp_path / "ours").write_text(synthetic.text(synthetic.run(configs)))
    assert main(["export", str(tmp_path / "ours"), "--to", "gbench", "-o",
                 str(tmp_path / "g.json")]) == 0
    before = summarise(validate(load(tmp_path / "ours")))
    for row, back in zip(before.shown, imported(tmp_path / "g.json").rows, strict=True):
        assert back.row.name == row.row.name
        assert back.operations_per_s == row.operations_per_s
        for key in ("driver", "workload", "submitters", "depth", "batch", "block_size_bytes",
                    "operation", "threads"):
            assert back.row.config[key] == row.row.config[key], key


@pytest.mark.parametrize("document", [fio, gbench])
def test_reports_and_exports_take_it(document, tmp_path, capsys):
    (tmp_path / "i.json").write_text(json.dumps(document()))
    (tmp_path / "ours").write_text(synthetic.text(
        synthetic.run(synthetic.quick_configs(["libaio"], ["null"]))))
    result = str(tmp_path / "r.jsonl")
    assert main(["import", str(tmp_path / "i.json"), "-o", result]) == 0
    assert main([str(tmp_path / "ours"), result, "-o", str(tmp_path / "p.html")]) == 0
    page = (tmp_path / "p.html").read_text()
    assert "seed None" not in page and "aioscope version 3.33" not in page
    assert "and it was imported" in page and "the file does not say when" in page
    page = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert "NaN" not in page and ">None<" not in page and ">nan" not in page
    assert main(["compare", result, result]) == 0
    for name in ("gbench", "csv", "junit", "markdown", "benchfmt", "bencher", "openmetrics"):
        assert main(["export", result, "--to", name]) == 0
    assert main(["export", result, "--to", "chrome-trace"]) == 4
    assert "does not say when" in capsys.readouterr().err


def test_history_does_not_take_it_for_ours(tmp_path, capsys):
    result = str(tmp_path / "r.jsonl")
    assert main(["import", str(FIO), "-o", result]) == 0
    assert main(["history", "add", str(tmp_path / "h"), result]) == 4
    assert "build" in capsys.readouterr().err


@pytest.mark.parametrize("data, message", [
    (b"", "no JSON object"), (b"[1]", "no JSON object"), (b"{}", "neither JSON of fio"),
    (b'{"fio version": 1, "jobs": []}', "fio.fio version is not a string"),
    (b'{"fio version": "x", "jobs": {}}', "fio.jobs is not a list"),
    (b'{"fio version": "x", "jobs": []}', "nothing was measured"),
    (b'{"fio version": "x", "jobs": [3]}', "fio.jobs[0] is not an object"),
    (b'{"fio version": "x", "jobs": [{"jobname": "a", "read": {"total_ios": -1}}]}',
     "fio.jobs[0].read.total_ios is not a whole number"),
    (b'{"context": {}, "benchmarks": [{"name": 1}]}', "benchmarks[0].name is not a string"),
    (b'{"context": {}, "benchmarks": [{"name": "a", "real_time": NaN}]}', "NaN is not JSON"),
    (b'{"context": {}, "benchmarks": [{"name": "a", "real_time": 1, "time_unit": "h"}]}',
     "time_unit is 'h'"),
    (b'{"context": {}, "benchmarks": [{"name": "a", "run_type": "aggregate"}]}', "aggregates only"),
    (b'{"fio version": "\xff"}', "not UTF-8"),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, "nested too deeply"),
    (b'{"fio version": "x", "jobs": [' + b"9" * 6000 + b"]}", "thousands of digits")])
def test_refuses(data, message, refused):
    assert message in refused(data)


def test_bins_that_are_none(refused):
    document = fio()
    document["jobs"][0]["read"]["clat_ns"]["bins"] = {"1e3": 1}
    assert "'1e3' is no time in ns" in refused(document)
    document["jobs"][0]["read"]["clat_ns"]["bins"] = {"1000": -1}
    assert "clat_ns.bins.1000 is not a whole number" in refused(document)


def test_numbers_beyond_all_bounds(refused):
    document = gbench()
    document["benchmarks"][0]["real_time"] = 5e-324
    assert "not finite" in refused(document)
    document["benchmarks"][0]["real_time"] = 1e-15
    assert "operations_per_s is too large" in refused(document)


def test_too_many_rows(refused, monkeypatch):
    monkeypatch.setattr("reports.importer.records.MOST_ROWS", 2)
    assert "3 rows are more than 2" in refused(gbench())


def _places(value, found):
    """(container, key) of all that is within `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        found.append((value, key))
        if isinstance(inner, (dict, list)):
            _places(inner, found)
    return found


STRANGE = (None, True, -1, 0, 1e300, 2**63, 2**70, "", "x" * 5000, "<b>\n\0", [], {}, [[]],
           {"a": 1}, 0.5, "9" * 30)


@pytest.mark.parametrize("document", [fio, gbench])
def test_any_damage_is_a_file_or_a_sentence(document, tmp_path, capsys):
    """Values of other kinds, keys lost, cut off anywhere: a valid result file, or exit code 4."""
    rng = random.Random(4)
    codes = set()
    for _ in range(400):
        damaged = document()
        for _ in range(rng.choice((1, 1, 3))):
            container, key = rng.choice(_places(damaged, []))
            if rng.random() < 0.2:
                del container[key]
            else:
                container[key] = rng.choice(STRANGE)
        data = json.dumps(damaged).encode()
        if rng.random() < 0.2:
            data = data[:rng.randrange(len(data))]
        (tmp_path / "d").write_bytes(data)
        code = main(["import", str(tmp_path / "d"), "-o", str(tmp_path / "r")])
        error = capsys.readouterr().err
        codes.add(code)
        if code == 0:
            summarise(validate(load(tmp_path / "r")))
        else:
            assert code == 4 and error.count("\n") == 1, error
    assert codes == {0, 4}


def test_same_input_same_bytes(capsys):
    texts = []
    for _ in range(2):
        assert main(["import", str(FIO)]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
