"""aioscope compare: which rows stand beside each other, what is said of them, and in which form."""

import gzip
import json

import pytest
import synthetic
from reports.__main__ import main
from reports.compare import use_color
from reports.compare.show import escape_markdown

BASE = (1.00e6, 1.01e6, 0.99e6, 1.005e6, 0.995e6)


def records(rates=BASE, drivers=("libaio",), host=None, configs=None, **changes):
    configs = configs or [synthetic.config(driver) for driver in drivers]
    rows = [synthetic.row(i, config) for i, config in enumerate(configs)]
    header = synthetic.header(rows)
    header["host"].update(host or {})
    measured = [synthetic.repetition(row["row"], n, n, synthetic.measurement(
        rate, **{key: value(n) if callable(value) else value for key, value in changes.items()}))
        for n, rate in enumerate(rates) for row in rows]
    return [header, *measured, synthetic.end()]


@pytest.fixture(name="file")
def file_(tmp_path):
    def write(name, *args, **kwargs):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(synthetic.text(records(*args, **kwargs)))
        return str(path)
    return write


def compared(capsys, *arguments):
    """The JSON of a comparison, {metric: its table}."""
    assert main(["compare", *arguments, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    return document, {table["metric"]: table for table in document["metrics"]}


def effect(tables, metric, row=0, column=0):
    return tables[metric]["rows"][row]["effects"][column]


@pytest.mark.parametrize("factor, verdict", [(1.5, "improved"), (0.6, "regressed"),
                                             (1.0, "equivalent"), (1.05, "inconclusive")])
def test_verdicts(file, capsys, factor, verdict):
    _, tables = compared(capsys, file("a"), file("b", [factor * rate for rate in BASE]))
    found = effect(tables, "throughput")
    assert found["verdict"] == verdict and found["method"] == "unpaired"
    assert found["low"] <= found["ratio"] <= found["high"]
    assert found["ratio"] == pytest.approx(factor)
    assert found["confidence"] >= 0.95


def test_direction_of_each_metric(file, capsys):
    _, tables = compared(capsys, file("a"), file(
        "b", user_ns=50.0, system_ns=100.0, system_calls_per_op=0.125, fairness_jain=0.5))
    assert effect(tables, "cpu")["verdict"] == "improved"
    assert effect(tables, "system-calls")["verdict"] == "regressed"
    assert effect(tables, "fairness")["verdict"] == "regressed"
    assert tables["cpu"]["better"] == "lower" and tables["throughput"]["better"] == "higher"


def counts(acquisitions, varying=0):
    return lambda n: {"operations": 1000, "shared_rmw": 5000, "allocations": 0, "wakeups": None,
                      "lock_sites": [{"site": "ring/submit", "contended": 0, "wait_ns": 4000,
                                      "acquisitions": acquisitions + n * varying}]}


def test_one_more_lock_is_seen_without_an_interval(file, capsys):
    """From three repetitions, and beside noise."""
    _, tables = compared(capsys, file("a", BASE[:3], driver_counts=counts(6000)),
                         file("b", [0.2e6] * 3, driver_counts=counts(7000)))
    found = effect(tables, "acquisitions")
    assert (found["verdict"], found["method"]) == ("regressed", "exact")
    assert found["ratio"] == pytest.approx(7 / 6) and found["low"] is None
    assert effect(tables, "shared-rmw")["verdict"] == "equivalent"
    assert effect(tables, "allocations")["verdict"] == "equivalent"  # 0 and 0
    assert effect(tables, "throughput")["verdict"] == "inconclusive"
    assert "wakeups" not in tables


@pytest.mark.parametrize("base, new", [(1, 1), (2, 3), (3, 2)])
def test_a_count_of_few_repetitions_may_vary(file, capsys, base, new):
    document, tables = compared(
        capsys, file("a", [1e6] * base, driver_counts=counts(6000)),
        file("b", [1e6] * new, driver_counts=counts(7000)))
    found = effect(tables, "acquisitions")
    assert (found["verdict"], found["method"]) == ("inconclusive", "unpaired")
    assert any("exactly when 3 repetitions a side agree" in note for note in document["notes"])
    assert not any("varied" in note for note in document["notes"])


def test_counts_that_vary_are_compared_by_intervals(file, capsys):
    document, tables = compared(capsys, file("a", driver_counts=counts(6000, 100)),
                                file("b", driver_counts=counts(6000, 100)))
    assert effect(tables, "acquisitions")["method"] == "unpaired"
    assert any("varied between repetitions" in note and "lock acquisitions" in note
               for note in document["notes"])


def test_from_nothing_to_something(file, capsys):
    """No ratio, and a verdict nevertheless."""
    _, tables = compared(capsys, file("a", context_switches_per_op=0.0),
                         file("b", context_switches_per_op=lambda n: 0.5 + 0.01 * n))
    found = effect(tables, "switches")
    assert (found["ratio"], found["low"], found["verdict"]) == (None, None, "regressed")
    _, tables = compared(capsys, file("a", context_switches_per_op=0.0),
                         file("b", context_switches_per_op=0.0))
    assert effect(tables, "switches")["verdict"] == "equivalent"


def test_latency_percentiles_need_samples(file, capsys):
    _, tables = compared(capsys, file("a", latency_ns=[1000] * 1500),
                         file("b", latency_ns=[4000] * 1500))
    assert effect(tables, "p50")["ratio"] == pytest.approx(4, rel=0.02)
    assert effect(tables, "p99")["verdict"] == "regressed"
    assert "p999" not in tables


def test_profile_and_locks(file, capsys):
    def profile(aio):
        return {"event": "cpu-clock", "frequency_hz": 1000, "lost": 0, "layers": [
            {"layer": "aio core", "user_samples": 0, "kernel_samples": aio},
            {"layer": "harness", "user_samples": 100 - aio, "kernel_samples": 0}]}
    _, tables = compared(
        capsys, file("a", profile=profile(40), kernel_locks=synthetic.kernel_locks(100, 1000)),
        file("b", profile=profile(10), kernel_locks=synthetic.kernel_locks(300, 1000)))
    share = effect(tables, "aio-share")
    assert (share["ratio"], share["verdict"]) == (pytest.approx(0.25), "improved")
    wait = effect(tables, "lock-wait")
    assert (wait["ratio"], wait["verdict"]) == (pytest.approx(3), "regressed")


def test_counters_that_had_the_hardware_for_themselves(file, capsys):
    def counters(per_op):
        return [synthetic.counter("instructions:u", per_op, 1000),
                synthetic.counter("cycles:u", per_op, 1000, scaled=True)]
    _, tables = compared(capsys, file("a", counters=counters(100)),
                         file("b", counters=counters(300)))
    assert effect(tables, "counter:instructions:u")["verdict"] == "regressed"
    assert "counter:cycles:u" not in tables


def test_few_repetitions_say_what_they_know(file, capsys):
    document, tables = compared(capsys, file("a", BASE[:3]), file("b", [3e6, 3.1e6, 3.2e6]))
    found = effect(tables, "throughput")
    assert found["verdict"] == "inconclusive" and found["confidence"] == pytest.approx(0.9)
    assert any("--repetitions 4" in note for note in document["notes"])
    assert main(["compare", file("c", [1e6]), file("d", [3e6])]) == 0
    assert "one repetition" in capsys.readouterr().out


def test_holm_is_stricter_over_many_rows(file, capsys):
    drivers = synthetic.DRIVERS
    a, b = file("a", drivers=drivers), file("b", [0.5 * rate for rate in BASE], drivers)
    verdicts = {}
    for correction in ("none", "holm"):
        _, tables = compared(capsys, a, b, "--correct", correction)
        verdicts[correction] = {row["effects"][0]["verdict"]
                                for row in tables["throughput"]["rows"]}
    # 5 against 5 of 6 rows: 2 / 252 is less than 0.05, and more than 0.05 / 6 is not enough.
    assert verdicts == {"none": {"regressed"}, "holm": {"regressed"}}
    _, tables = compared(capsys, a, b, "--correct", "holm", "--confidence", "99")
    assert tables["throughput"]["rows"][0]["effects"][0]["verdict"] == "inconclusive"


def test_says_that_runs_in_sequence_are_no_pairs(file, capsys):
    document, _ = compared(capsys, file("a"), file("b"))
    assert not document["paired"]
    assert any("one after the other" in note and "aioscope gate" in note
               for note in document["notes"])


def test_rows_of_one_file_only_are_named(file, capsys):
    document, _ = compared(capsys, file("a", drivers=("libaio", "sync")),
                           file("b", drivers=("libaio", "io_uring")))
    [missing] = document["missing"]
    assert missing["column"] == "b.jsonl"
    assert [name.split("/")[0] for name in missing["lacks"]] == ["sync"]
    assert [name.split("/")[0] for name in missing["only"]] == ["io_uring"]
    assert main(["compare", file("a"), file("b", drivers=("sync",))]) == 4
    assert "no row of one name" in capsys.readouterr().err


@pytest.mark.parametrize("host, tool, named", [
    ({"kernel": "9.9"}, {}, "Kernel: 6.1.0-18-amd64 | 9.9"),
    ({"cpu_model": "Other"}, {}, "CPU: Example"), ({"fingerprint": "ff"}, {}, "Fingerprint"),
    ({}, {"build_type": "Debug"}, "aioscope build type: Release | Debug"),
    ({}, {"sanitizers": "address"}, "aioscope sanitizers")])
def test_unlike_runs_are_refused(tmp_path, file, capsys, host, tool, named):
    other = records(host=host)
    other[0]["tool"].update(tool)
    (tmp_path / "b.jsonl").write_text(synthetic.text(other))
    base = file("a", host={"fingerprint": "00"} if "fingerprint" in host else {})
    arguments = ["compare", base, str(tmp_path / "b.jsonl")]
    assert main(arguments) == 4
    captured = capsys.readouterr()
    assert not captured.out and named in captured.err and "--force" in captured.err
    assert main([*arguments, "--force"]) == 0
    if "fingerprint" not in host:
        assert "What differs of their environments" in capsys.readouterr().out


def test_injected_work_is_a_difference(tmp_path, file, capsys):
    other = records()
    other[0]["options"] = {**(other[0].get("options") or {}), "inject": "lock=1"}
    (tmp_path / "b.jsonl").write_text(synthetic.text(other))
    assert main(["compare", file("a"), str(tmp_path / "b.jsonl")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("Injected work" in line and "none" in line and "lock=1" in line for line in lines)


def test_several_files(file, capsys):
    a, b, c = file("a"), file("b", [2 * rate for rate in BASE]), file("c", drivers=("sync",
                                                                                   "libaio"))
    document, tables = compared(capsys, a, b, c)
    assert document["columns"] == ["a.jsonl", "b.jsonl", "c.jsonl"]
    effects = tables["throughput"]["rows"][0]["effects"]
    assert [one["verdict"] for one in effects] == ["improved", "equivalent"]
    assert main(["compare", a, b, c]) == 0
    text = capsys.readouterr().out
    assert "a.jsonl" in text and "base" in text and "2.00\u00d7" in text


def rows_of_two_drivers(rng_rates):
    return {"configs": [synthetic.config(driver, submitters=n) for n in (1, 4)
                        for driver in ("libaio", "kioctx@v3.7")], "rates": rng_rates}


def test_within_one_file_by_a_key(tmp_path, capsys):
    made = rows_of_two_drivers([1e6] * 8)
    rows = [synthetic.row(i, config) for i, config in enumerate(made["configs"])]
    # The machine is twice as slow in every second round: pairs do not see it.
    measured = [synthetic.repetition(row["row"], n, n, synthetic.measurement(
        1e6 * (1 + n % 2) * (3 if row["config"]["driver"] == "libaio" else 1)))
        for n in range(8) for row in rows]
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text([synthetic.header(rows), *measured, synthetic.end()]))
    document, tables = compared(capsys, str(path), "--baseline", "driver=kioctx@v3.7")
    assert document["paired"] and document["columns"] == ["driver=kioctx@v3.7", "driver=libaio"]
    assert [row["name"].split("/")[:3] for row in tables["throughput"]["rows"]] == [
        ["shared", "null", "submitters:1"], ["shared", "null", "submitters:4"]]
    found = effect(tables, "throughput")
    assert (found["method"], found["verdict"]) == ("paired", "improved")
    assert found["low"] == pytest.approx(3) and found["high"] == pytest.approx(3)
    document, _ = compared(capsys, str(path), "--by", "driver")
    assert document["columns"][0] == "driver=libaio"


def test_by_workload_leaves_the_reapers_aside(tmp_path, capsys):
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text(records(configs=[
        synthetic.config(workload=workload) for workload in ("shared", "per-thread")])))
    document, tables = compared(capsys, str(path), "--by", "workload")
    assert document["columns"] == ["workload=shared", "workload=per-thread"]
    assert effect(tables, "throughput")["verdict"] == "equivalent"


@pytest.mark.parametrize("arguments, problem", [
    (["--by", "colour"], "no key 'colour'; there are arrival,"),
    (["--baseline", "driver=uring"], "no row has driver=uring; there are libaio"),
    (["--by", "driver"], "no row differs from one of driver=libaio in driver alone")])
def test_by_says_what_there_is(file, capsys, arguments, problem):
    assert main(["compare", file("a"), *arguments]) == 4
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("arguments, problem", [
    (["A"], "two result files"), (["A", "B", "--by", "driver"], "one file"),
    (["A", "B", "--row", "("], "--row"), (["A", "B", "--metric", "speed"], "no metric 'speed'"),
    (["A", "B", "--margin", "much"], "no percentage"), (["A", "--baseline", "libaio"], "KEY=VALUE"),
    (["A", "--by", "driver", "--baseline", "target=null"], "--by is driver"),
    (["A", "B", "--confidence", "100"], "--confidence"), ([], "RESULT")])
def test_usage(file, capsys, arguments, problem):
    given = [file(word.lower()) if word in "AB" else word for word in arguments]
    with pytest.raises(SystemExit) as exit_code:
        main(["compare", *given])
    assert exit_code.value.code == 2 and problem in capsys.readouterr().err


def test_files_that_are_none(tmp_path, file, capsys):
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b"{}\n")[:-4])
    for bad, code in ((tmp_path / "none", 5), (cut, 4)):
        assert main(["compare", file("a"), str(bad)]) == code
        assert bad.name in capsys.readouterr().err


HOSTILE = "a|b`c`<script>alert(1)</script>*_[x](y)/shared/null/x:1"


def test_markdown_is_inert(tmp_path, capsys):
    paths = []
    for name in "ab":
        made = records()
        made[0]["plan"]["rows"][0]["name"] = HOSTILE
        made[0]["host"]["name"] = f"<b>{name}|"
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text(synthetic.text(made))
    assert main(["compare", *map(str, paths), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert "<script>" not in text and "<b>" not in text and "`c`" not in text
    assert len({line.count("|") for line in table[:3]}) == 1
    assert escape_markdown("a_b*c") == "a&#95;b&#42;c"


def test_folds_metrics_that_are_equivalent(file, capsys):
    a, b = file("a"), file("b", [2 * rate for rate in BASE])
    main(["compare", a, b])
    text = capsys.readouterr().out
    assert text.count("ROW") == 1 and "Equivalent in every row" in text
    main(["compare", a, b, "--metric", "cpu"])
    assert capsys.readouterr().out.count("ROW") == 1


def test_color(monkeypatch, file, capsys):
    a, b = file("a"), file("b", [2 * rate for rate in BASE])
    main(["compare", a, b])
    assert "\033" not in capsys.readouterr().out
    main(["compare", a, b, "--color", "always"])
    assert "\033[32mimproved\033[0m" in capsys.readouterr().out

    class Terminal:
        @staticmethod
        def isatty():
            return True
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert use_color("auto", Terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_color("auto", Terminal) and use_color("always", Terminal)


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_same_input_same_bytes(file, tmp_path, form):
    a, b = file("a"), file("b", [2 * rate for rate in BASE])
    outputs = [tmp_path / "1", tmp_path / "2"]
    for output in outputs:
        assert main(["compare", a, b, "--format", form, "-o", str(output)]) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes() != b""


def test_numbers_that_no_file_can_hold(file, capsys):
    """The ratio of the largest to the least number there is."""
    _, tables = compared(capsys, file("a", [5e-324] * 5), file("b", [1e18] * 5))
    found = effect(tables, "throughput")
    assert found["ratio"] is None and found["verdict"] == "improved"


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as exit_code:
        main(["compare", "--help"])
    text = capsys.readouterr().out
    assert exit_code.value.code == 0 and "examples:" in text and "acquisitions" in text
    assert max(map(len, text.splitlines())) <= 100
