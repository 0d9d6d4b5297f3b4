"""Figures against numbers worked out by hand."""

import export_test
import pytest
import synthetic
from reports.summarise import Latency, summarise
from reports.validate import bucket_width_ns


def summary_of(rows, repetitions, others=(), **header):
    """A summary of rows and (row, repetition, measurement), without a file."""
    from reports.load import Lines
    from reports.validate import validate
    records = [synthetic.header(rows, **header)]
    records += [synthetic.repetition(row, n, position, m)
                for position, (row, n, m) in enumerate(repetitions)]
    records += [*others, synthetic.end()]
    return summarise(validate(Lines("r", b"", list(enumerate(records, 1)), False)))


def two_rows(**changes):
    return [synthetic.row(0, synthetic.config(workload="shared", **changes)),
            synthetic.row(1, synthetic.config(workload="per-thread", **changes))]


M = synthetic.measurement


def test_medians_and_spread():
    rows = [synthetic.row(0, synthetic.config())]
    row = summary_of(rows, [(0, 0, M(80.0, 10, 30)), (0, 1, M(100.0, 20, 10)),
                            (0, 2, M(110.0, 15, 45))]).rows[0]
    assert row.operations_per_s == 100
    assert (row.operations_per_s_min, row.operations_per_s_max) == (80, 110)
    assert row.spread == pytest.approx(0.3)
    assert (row.cpu_user_ns_per_op, row.cpu_system_ns_per_op) == (15, 30)
    # The median of the sums 40, 30, 60; not the sum of the medians, 45.
    assert (row.cpu_ns_per_op, row.cpu_ns_per_op_min, row.cpu_ns_per_op_max) == (40, 30, 60)


def test_one_repetition_has_no_spread():
    row = summary_of([synthetic.row(0, synthetic.config())], [(0, 0, M(80.0))]).rows[0]
    assert row.operations_per_s == 80 and row.spread is None


def test_unknown_values_are_left_out_and_never_0():
    rows = [synthetic.row(0, synthetic.config())]
    row = summary_of(rows, [(0, 0, M(None, None, 5)), (0, 1, M(50.0, None, 5))]).rows[0]
    assert row.operations_per_s == 50
    assert row.cpu_user_ns_per_op is None and row.cpu_ns_per_op is None


def test_system_calls_of_the_driver_never_mix_with_the_kernels():
    rows = [synthetic.row(0, synthetic.config())]
    row = summary_of(rows, [
        (0, 0, M(system_calls_per_op=9.0, system_calls_source="driver")),
        (0, 1, M(system_calls_per_op=2.0)), (0, 2, M(system_calls_per_op=4.0))]).rows[0]
    assert row.system_calls_per_op == 3 and row.system_calls_traced


def test_harness_share_and_its_warning():
    null = synthetic.config(driver="null")
    rows = [synthetic.row(0, synthetic.config(), price_row=1),
            synthetic.row(1, null, price_only=True)]
    low = summary_of(rows, [(0, 0, M(1.0, 100, 100)), (1, 0, M(1.0, 10, 10))])
    assert low.rows[0].harness_share == pytest.approx(0.1)
    assert [kind for kind, _ in low.warnings] == []
    high = summary_of(rows, [(0, 0, M(1.0, 100, 100)), (1, 0, M(1.0, 20, 10))])
    assert high.rows[0].harness_share == pytest.approx(0.15)
    assert [kind for kind, _ in high.warnings] == ["harness"]
    assert [row.row.index for row in high.shown] == [0]


def test_buckets_are_64_per_power_of_two():
    assert [bucket_width_ns(low) for low in (0, 1, 63, 64, 127, 128, 255, 256, 1 << 20)] == [
        1, 1, 1, 1, 1, 2, 2, 4, 1 << 14]


def test_percentiles_come_from_merged_histograms():
    latency = Latency()
    latency.merge({10: 50}, 10)
    latency.merge({1024: 40, 4096: 10}, 4100)
    assert latency.count == 100
    assert latency.percentile_ns(0.5) == 10
    assert latency.percentile_ns(0.51) == 1039  # the bucket 1024..1039
    assert latency.percentile_ns(0.9) == 1039
    assert latency.percentile_ns(0.95) is None  # only 5 samples beyond


def test_percentile_is_at_most_the_maximum():
    latency = Latency()
    latency.merge({4096: 100}, 4100)
    assert latency.percentile_ns(0.5) == 4100


def test_curve_ends_where_10_samples_lie_beyond():
    latency = Latency()
    latency.merge({10: 50, 20: 40, 30: 9, 40: 1}, 40)
    assert latency.curve() == [(0.5, 10), (0.9, 20)]
    latency.merge({30: 100}, 40)  # 20: 90 of 200, 30: 199, of which 190 are shown
    assert latency.curve() == [(0.25, 10), (0.45, 20), (0.95, 30)]
    assert latency.percentile_ns(0.95) == 30 and latency.percentile_ns(0.96) is None


def test_sharing_is_paired_by_round():
    pair, = summary_of(two_rows(), [
        (0, 0, M(50.0, 100, 100)), (1, 0, M(100.0, 50, 50)),
        (0, 1, M(60.0, 100, 100)), (1, 1, M(80.0, 50, 50)),
        (0, 2, M(40.0, 100, 100)), (1, 2, M(160.0, 50, 50))]).sharing
    assert pair.ratio == pytest.approx(50 / 100)
    assert (pair.ratio_min, pair.ratio_max) == (0.25, 0.75)
    assert pair.cpu_ratio == 2
    assert pair.differs


def test_sharing_that_rounds_disagree_on():
    pair, = summary_of(two_rows(), [(0, 0, M(50.0)), (1, 0, M(100.0)),
                                    (0, 1, M(110.0)), (1, 1, M(100.0))]).sharing
    assert not pair.differs


def test_sharing_in_one_round_says_nothing_of_chance():
    pair, = summary_of(two_rows(), [(0, 0, M(50.0)), (1, 0, M(100.0))]).sharing
    assert pair.ratio == 0.5 and pair.ratio_min is None and not pair.differs


def test_nothing_to_share_with_one_submitter_or_with_another_shape():
    both = [(0, 0, M(50.0)), (1, 0, M(100.0))]
    assert summary_of(two_rows(submitters=1), both).sharing == []
    other = [two_rows()[0], synthetic.row(1, synthetic.config(workload="per-thread", depth=1))]
    assert summary_of(other, both).sharing == []


@pytest.mark.parametrize("tool, kinds", [
    ({}, []), ({"build_type": "Debug"}, ["build"]), ({"sanitizers": "thread"}, ["build"])])
def test_builds_that_say_nothing_about_speed(tool, kinds):
    rows = [synthetic.row(0, synthetic.config())]
    header = synthetic.header(rows)["tool"] | tool
    summary = summary_of(rows, [(0, 0, M())], tool=header)
    assert [kind for kind, _ in summary.warnings] == kinds


@pytest.mark.parametrize("steady, warned", [((True, True, False), False),
                                            ((True, False, False), True)])
def test_unsteady_when_half_of_the_repetitions_are(steady, warned):
    rows = [synthetic.row(0, synthetic.config())]
    summary = summary_of(rows, [(0, n, M(steady=flag)) for n, flag in enumerate(steady)])
    assert summary.rows[0].unsteady == warned
    assert ("steady" in dict(summary.warnings)) == warned


def test_oversubscribed_skipped_failed_and_own_warnings():
    rows = two_rows()
    failed = {"record": "failed", "row": 1, "name": "n", "repetition": 0, "position": 1,
              "kind": "invalid", "message": "wrong data"}
    skipped = {"record": "skipped", "row": 1, "name": "n", "reason": "EPERM", "cure": "be root"}
    summary = summary_of(rows, [(0, 0, M(oversubscribed=True, warnings=["hot"]))],
                         [failed, skipped])
    assert {"oversubscribed", "failed", "row"} == set(dict(summary.warnings))
    assert "10 points" not in dict(summary.warnings)["oversubscribed"]
    sampled = summary_of(rows, [(0, 0, M(oversubscribed=True, profile=export_test.profile()))])
    assert "good to 10 points" in dict(sampled.warnings)["oversubscribed"]
    assert summary.rows[1].skipped["cure"] == "be root"
    assert summary.rows[1].failed[0]["message"] == "wrong data"
    assert not summary.rows[1].measured
