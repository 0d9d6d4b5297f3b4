"""Rows of two runs: pairs, ratios, verdicts, and what makes runs unlike."""

import pytest
import synthetic
from reports import comparison
from reports.load import Lines
from reports.summarise import summarise
from reports.validate import validate


def summary_of(rates, cpu=100.0, drivers=("libaio",), **host):
    """One row per driver with a repetition for each of the rates."""
    rows = [synthetic.row(i, synthetic.config(driver)) for i, driver in enumerate(drivers)]
    header = synthetic.header(rows)
    header["host"].update(host)
    records = [header, *(synthetic.repetition(row["row"], n, n, synthetic.measurement(rate, cpu))
                         for row in rows for n, rate in enumerate(rates)), synthetic.end()]
    return summarise(validate(Lines("r", b"", list(enumerate(records, 1)), False)))


@pytest.mark.parametrize("rates, verdict", [
    ([2e6, 2.1e6, 2.2e6], "perhaps better"), ([5e5, 4e5, 4.5e5], "perhaps worse"),
    ([1.2e6, 0.9e6, 1.3e6], "not told apart")])
def test_verdict_needs_repetitions_apart(rates, verdict):
    found = comparison.compare(summary_of([1e6, 1.1e6, 0.95e6]), summary_of(rates))
    (effect,) = found.effects["Throughput"]
    assert effect.verdict == verdict
    assert effect.ratio == pytest.approx(sorted(rates)[1] / 1e6, rel=0.05)
    assert effect.confidence == pytest.approx(0.9)
    assert effect.low == pytest.approx(min(rates) / 1.1e6)
    assert effect.high == pytest.approx(max(rates) / 0.95e6)


def test_enough_repetitions_are_sure():
    base, new = ([1e6 + 1e3 * (n + shift) for n in range(6)] for shift in (0, 100))
    found = comparison.compare(summary_of(base), summary_of(new))
    assert [effect.verdict for effect in found.effects["Throughput"]] == ["better"]
    assert comparison.headline(found) == (
        "Of 1 row in both runs, CPU time per operation is not told apart in 1")


def test_less_cpu_time_is_better():
    found = comparison.compare(summary_of([1e6] * 4, cpu=300), summary_of([1e6] * 4, cpu=100))
    assert [effect.verdict for effect in found.effects["CPU time"]] == ["better"]
    assert comparison.headline(found).startswith(
        "Of 1 row in both runs, CPU time per operation is better in 1")


def test_rows_without_a_partner_are_named():
    found = comparison.compare(summary_of([1e6], drivers=("libaio", "sync")),
                               summary_of([1e6], drivers=("libaio", "io_uring")))
    assert [name.split("/")[0] for name in found.only_base] == ["sync"]
    assert [name.split("/")[0] for name in found.only_new] == ["io_uring"]
    none = comparison.compare(summary_of([1e6]), summary_of([1e6], drivers=("sync",)))
    assert comparison.headline(none) == "The two runs have no row in common"


def test_unlike_runs():
    one = summary_of([1e6])
    assert comparison.compare(one, one).unlike == []
    assert comparison.compare(one, summary_of([1e6], kernel="9")).unlike == ["Kernel"]
    assert comparison.compare(one, summary_of([1e6], cgroup_cpus=1.5)).unlike == [
        "CPUs of the control group"]


@pytest.mark.parametrize("group, change, label, words", [
    ("plan", {"window_ns": 1000}, "Window", "1.00"), ("plan", {"warmup_ns": None}, "Warm-up", ""),
    ("plan", {"pin": "cores"}, "Pinning", "cores"),
    ("targets", {"file_system": "tmpfs"}, "Target file:aioscope.bin", "file system tmpfs"),
    ("targets", {"size_bytes": 1}, "Target file:aioscope.bin", "size 1 B"),
    ("targets", {"target": "file:/elsewhere/aioscope.bin"}, None, ""),
    ("targets", {"label": "file:other.bin"}, None, "")])
def test_unlike_measurements(group, change, label, words):
    """Rows of one name on another file system, or measured for another time."""
    one, other = summary_of([1e6]).run, summary_of([1e6]).run
    (other.header["targets"][0] if group == "targets" else other.header["plan"]).update(change)
    found = comparison.unlike([one, one, other])
    assert [name for name, _ in found] == ([label] if label else [])
    assert not found or words in found[0][1][2]
