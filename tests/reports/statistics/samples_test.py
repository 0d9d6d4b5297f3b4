"""Unpaired shifts, percentiles from histograms, fairness."""

import math

import numpy as np
import pytest
from scipy import stats

from reports.statistics.fairness import jain, least_over_most
from reports.statistics.percentile import TooFewSamples, percentile_interval
from reports.statistics.unpaired import Unpaired, lower_tail


def shift(first, second, alpha):
    return Unpaired(np.log(first), np.log(second)).shift(alpha)


@pytest.mark.parametrize("m, n", [(3, 3), (4, 7), (12, 12), (30, 30)])
def test_mann_whitney_distribution_agrees_with_scipy(m, n):
    rng = np.random.default_rng(m)
    tail = lower_tail(m, n)
    for _ in range(20):
        x, y = rng.normal(0, 1, m), rng.normal(0.4, 1, n)
        u = stats.mannwhitneyu(x, y).statistic
        p = stats.mannwhitneyu(x, y, method="exact").pvalue
        assert min(1, 2 * tail[int(min(u, m * n - u))]) == pytest.approx(p, rel=1e-9)


def test_mann_whitney_of_many_is_nearly_exact():
    rng = np.random.default_rng(3)
    x, y = rng.normal(0, 1, 40), rng.normal(0.4, 1, 35)
    u = stats.mannwhitneyu(x, y).statistic
    exact = stats.mannwhitneyu(x, y, method="exact").pvalue
    assert 2 * lower_tail(40, 35)[int(min(u, 40 * 35 - u))] == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize("m, n", [(4, 4), (5, 8)])
def test_shift_covers(m, n):
    rng = np.random.default_rng(m)
    held, runs = 0, 3000
    for _ in range(runs):
        found = shift(rng.lognormal(0, 0.5, m), 2 * rng.lognormal(0, 0.5, n), 0.05)
        held += found.low <= math.log(2) <= found.high
    assert found.enough and found.confidence >= 0.95
    print(f"\ncoverage unpaired {m} and {n}: {100 * held / runs:.1f} % "
          f"(says {100 * found.confidence:.1f} %)")
    assert held / runs == pytest.approx(found.confidence, abs=0.012)


def test_too_few_repetitions_say_so():
    found = shift([1, 2, 4], [8, 16, 32], 0.05)
    assert not found.enough and found.confidence == pytest.approx(0.9)
    assert found.estimate == pytest.approx(math.log(8))
    assert (found.low, found.high) == pytest.approx((math.log(2), math.log(32)))
    one = shift([1], [2], 0.05)
    assert (one.estimate, one.confidence) == (pytest.approx(math.log(2)), 0)
    for first, second in (([], [1]), ([1], []), ([math.inf], [1]), ([1], [math.nan])):
        with pytest.raises(ValueError):
            Unpaired(first, second)


def test_unpaired_test_and_interval_say_the_same():
    rng = np.random.default_rng(4)
    for _ in range(300):
        sample = Unpaired(np.round(rng.normal(0, 1, 6), 1), np.round(rng.normal(1.5, 1, 7), 1))
        for alpha in (0.05, 0.01):
            found = sample.shift(alpha)
            assert (found.low > 0.1) == (sample.above(0.1) <= alpha / 2)
            assert (found.high < 0.1) == (sample.below(0.1) <= alpha / 2)


def test_unpaired_test_agrees_with_scipy():
    rng = np.random.default_rng(4)
    x, y = rng.normal(0, 1, 6), rng.normal(1, 1, 9)
    sample = Unpaired(x, y)
    for bound, alternative, p in ((-1, "greater", sample.above(-1)), (0, "greater",
                                  sample.above(0)), (2, "less", sample.below(2))):
        assert p == pytest.approx(
            stats.mannwhitneyu(y - bound, x, alternative=alternative, method="exact").pvalue)
    assert sample.above(9) == sample.below(-9) == 1


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99])
def test_percentile_covers(fraction):
    rng = np.random.default_rng(9)
    true = math.exp(stats.norm.ppf(fraction)) * 1000
    held, runs = 0, 1000
    for samples in rng.lognormal(math.log(1000), 1, (runs, 1500)).astype(int):
        values, counts = np.unique(samples, return_counts=True)
        found = percentile_interval(dict(zip(values.tolist(), counts.tolist())), fraction, 0.05,
                                    lambda low: low + 1)
        assert found.low <= found.estimate <= found.high
        held += found.low <= true <= found.high
    print(f"\ncoverage percentile {fraction} of 1500 samples: {100 * held / runs:.1f} %")
    assert 0.94 < held / runs < 0.985


def test_percentile_ranks_agree_with_scipys_binomial():
    mine = percentile_interval({v: 1 for v in range(1, 5001)}, 0.99, 0.05, lambda low: low)
    low, high = mine.low, mine.high
    assert stats.binom.cdf(low - 1, 5000, 0.99) <= 0.025 < stats.binom.cdf(low, 5000, 0.99)
    assert stats.binom.sf(high - 1, 5000, 0.99) <= 0.025 < stats.binom.sf(high - 2, 5000, 0.99)
    assert mine.estimate == 4950 and mine.samples == 5000 and mine.beyond == 50


def test_percentile_refuses_what_chance_decides():
    with pytest.raises(TooFewSamples, match="999 samples; this percentile needs 1000, of which 10"):
        percentile_interval({5: 999}, 0.99, 0.05, lambda low: low)
    assert percentile_interval({5: 1000}, 0.99, 0.05, lambda low: low + 7).high == 12
    with pytest.raises(TooFewSamples):
        percentile_interval({}, 0.5, 0.05, lambda low: low)
    with pytest.raises(ValueError):
        percentile_interval({5: 1000}, 1, 0.05, lambda low: low)


def test_percentile_of_many_samples():
    found = percentile_interval({100: 9_900_000, 200: 60_000, 300: 40_000}, 0.99, 0.05,
                                lambda low: low + 99)
    assert (found.low, found.estimate, found.high) == (100, 199, 299)


def test_jain():
    assert jain([3, 3, 3]) == pytest.approx(1)
    assert jain([5, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([1, 2, 3]) == pytest.approx(36 / (3 * 14))
    assert jain([1e200, 1e200]) == pytest.approx(1)
    assert jain([]) is None and jain([0, 0]) is None
    with pytest.raises(ValueError):
        jain([1, -1])
    assert least_over_most([2, 4]) == 0.5 and least_over_most([0]) is None
