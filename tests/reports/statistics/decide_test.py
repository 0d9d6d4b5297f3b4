"""Verdicts: how often they are false over many rows, and how often they find what is there."""

import math

import numpy as np
import pytest

from reports.statistics.decide import (EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED, adjusted,
                                       decide, noise_floor, split_over_looks)
from reports.statistics.power import deviation, least_detectable
from reports.statistics.unpaired import Unpaired

GATES = 200
ROWS = 12
BLOCKS = 12
ALPHA = 0.05


def gates(rng, shift, spread=0.02, blocks=BLOCKS, count=GATES):
    """Log ratios (gates, rows, blocks) of skewed noise whose median is `shift` (rows,)."""
    noise = spread * (np.exp(rng.normal(0, 0.8, (count, ROWS, blocks))) - 1)
    return noise + np.asarray(shift)[:, None]


def verdicts(values, margin, correction="holm"):
    return [[one.verdict for one in decide([(row, margin, 0.0) for row in gate], ALPHA, correction)]
            for gate in values]


@pytest.mark.parametrize("true_shift, false, correction", [
    (math.log1p(0.03), REGRESSED, "holm"), (-math.log1p(0.03), IMPROVED, "holm"),
    (math.log1p(0.03), EQUIVALENT, "holm"), (math.log1p(0.03), REGRESSED, "bonferroni")])
def test_false_verdicts_over_a_whole_gate(true_shift, false, correction):
    """At the edge of the margin, where each verdict is hardest to get right, of 10 blocks: a test
    of one row errs in 1 of 1024 cases then, so that 1.2 % of the gates have a false verdict."""
    count = 500
    values = gates(np.random.default_rng(11), [true_shift] * ROWS, blocks=10, count=count)
    found = verdicts(values, 0.03, correction)
    rate = np.mean([false in gate for gate in found])
    print(f"\nfalse {false} in {100 * rate:.1f} % of {count} gates of {ROWS} rows, {correction}")
    assert 0.012 - 0.011 <= rate <= 0.012 + 0.013


def test_no_red_on_the_same_code():
    found = verdicts(gates(np.random.default_rng(12), [0.0] * ROWS, spread=0.005), 0.03)
    flat = [verdict for gate in found for verdict in gate]
    assert flat.count(REGRESSED) == flat.count(IMPROVED) == 0
    print(f"\nsame code: {len(flat)} rows, none regressed or improved, "
          f"{flat.count(EQUIVALENT)} equivalent")
    assert flat.count(EQUIVALENT) > 0.8 * len(flat)


def test_uncorrected_verdicts_are_false_more_often():
    values = gates(np.random.default_rng(13), [math.log1p(0.03)] * ROWS)[:100]
    rates = [np.mean([REGRESSED in gate for gate in verdicts(values, 0.03, correction)])
             for correction in ("none", "holm")]
    assert rates[0] > 0.1 > 0.04 > rates[1]


def test_holm_finds_what_bonferroni_finds_and_more():
    shift = [0.10] * (ROWS - 2) + [0.045, 0.05]
    values = gates(np.random.default_rng(14), shift)
    found = {correction: np.array(verdicts(values, 0.03, correction)) == REGRESSED
             for correction in ("holm", "bonferroni")}
    assert np.all(found["holm"] >= found["bonferroni"])
    assert found["holm"].sum() > found["bonferroni"].sum()


def test_interval_agrees_with_its_verdict():
    rng = np.random.default_rng(15)
    bound = math.log1p(0.03)
    for gate in gates(rng, np.linspace(-0.08, 0.08, ROWS))[:100]:
        for one in decide([(row, 0.03, 0.0) for row in gate], ALPHA):
            if one.verdict == REGRESSED:
                assert one.low > bound
            elif one.verdict == IMPROVED:
                assert one.high < -bound
            elif one.verdict == EQUIVALENT:
                assert -bound < one.low and one.high < bound
            else:
                assert one.low <= bound and one.high >= -bound
                assert one.low <= -bound or one.high >= bound


def test_two_looks_err_no_more_than_one():
    first, second = split_over_looks(ALPHA)
    values = gates(np.random.default_rng(16), [math.log1p(0.03)] * ROWS, blocks=24)
    red = 0
    for gate in values:
        early = decide([(row[:12], 0.03, 0.0) for row in gate], first)
        late = decide([(row, 0.03, 0.0) for row in gate], second)
        red += any(one.verdict == REGRESSED for one in (*early, *late))
    assert red / GATES <= ALPHA / 2 + 3 * math.sqrt(ALPHA / 2 / GATES)
    assert first + second == ALPHA and split_over_looks(0.05, 0.2)[0] == pytest.approx(0.01)
    with pytest.raises(ValueError):
        split_over_looks(0.05, 1)


def test_margin_is_the_larger_of_declared_and_noise():
    values = np.full(10, math.log1p(0.04))
    for declared, noise, verdict in ((0.03, 0, REGRESSED), (0.03, 0.05, EQUIVALENT),
                                     (0.05, 0.01, EQUIVALENT), (0.04, 0, INCONCLUSIVE)):
        (one,) = decide([(values, declared, noise)], ALPHA)
        assert one.verdict == verdict and one.margin == max(declared, noise), (declared, noise)


def test_ratio_is_new_over_base():
    (worse,) = decide([(np.full(10, math.log(2)), 0.05, 0)], ALPHA)
    assert worse.ratio(more_is_better=False) == pytest.approx((2, 2, 2))
    assert worse.ratio(more_is_better=True) == pytest.approx((0.5, 0.5, 0.5))
    (few,) = decide([([0.1, 0.2], 0.05, 0)], ALPHA)
    assert few.verdict == INCONCLUSIVE and few.ratio(True)[1:] == (0, math.inf)
    assert few.least_detectable == math.inf


def test_rows_may_differ_in_blocks():
    found = decide([([0.5] * 12, 0.03, 0), ([0.5] * 4, 0.03, 0)], ALPHA)
    assert [one.verdict for one in found] == [REGRESSED, INCONCLUSIVE]
    assert decide([], ALPHA) == []


def test_adjusted_p_values():
    # Holm's own arithmetic: 0.01 * 3, 0.02 * 2, then no less than the one before.
    found, factors = adjusted([0.02, 0.01, 0.03], "holm")
    assert found == pytest.approx([0.04, 0.03, 0.04]) and list(factors) == [2, 3, 1]
    assert adjusted([0.02, 0.6], "bonferroni")[0] == pytest.approx([0.04, 1])
    assert adjusted([0.02, 0.6], "none")[0] == pytest.approx([0.02, 0.6])
    with pytest.raises(ValueError, match="holm, bonferroni, none"):
        adjusted([0.1], "sidak")


def test_noise_floor():
    effects = np.concatenate([np.full(95, 0.01), np.full(5, 0.5)])
    assert noise_floor(effects) == pytest.approx(math.expm1(0.01))
    assert noise_floor([-0.3, 0.1]) == pytest.approx(math.expm1(0.3))
    with pytest.raises(ValueError):
        noise_floor([])


@pytest.mark.parametrize("blocks", [8, 12, 20])
@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy"])
def test_least_detectable_change_is_detected(blocks, kind):
    """Found in 80 % of the cases, or nearly, however the blocks scatter."""
    rng = np.random.default_rng(blocks)
    noise = {"normal": rng.normal, "heavy": lambda _, s, size: s * rng.standard_t(3, size),
             "skewed": lambda _, s, size: s * (np.exp(rng.normal(0, 0.5, size)) - 1)}[kind]
    found = []
    for _ in range(150):
        before = noise(0, 0.02, blocks)
        change = math.log1p(least_detectable(before, 0.03, 0.05))
        (one,) = decide([(noise(0, 0.02, blocks) + change, 0.03, 0)], ALPHA)
        found.append(one.verdict == REGRESSED)
    print(f"\nleast detectable change found, {kind}, {blocks} blocks: {100 * np.mean(found):.0f} %")
    assert 0.65 < np.mean(found)


def test_least_detectable_change_is_detected_twice():
    """On fresh data as well: what the gate calls regressed."""
    rng = np.random.default_rng(21)
    found = {True: [], False: []}
    for _ in range(400):
        before = rng.normal(0, 0.02, 18)
        for counted in found:
            change = math.log1p(least_detectable(before, 0.03, 0.0005,
                                                 (10, 0.05) if counted else None))
            looks = ((18, 0.0005), (10, 0.05))
            found[counted].append(all(
                decide([(rng.normal(change, 0.02, blocks), 0.03, 0)], level)[0].verdict
                == REGRESSED for blocks, level in looks))
    for counted, cases in found.items():
        print(f"\nleast detectable change found and confirmed, confirmation counted: {counted}: "
              f"{100 * np.mean(cases):.0f} %")
    assert np.mean(found[False]) < np.mean(found[True])
    assert 0.7 < np.mean(found[True]) < 0.9


@pytest.mark.parametrize("count, alpha", [(8, 0.05), (12, 0.005), (18, 0.0005)])
def test_least_detectable_shift_is_detected(count, alpha):
    rng = np.random.default_rng(count)
    found = []
    for _ in range(400):
        before = Unpaired(rng.normal(0, 0.02, count), rng.normal(0, 0.02, count))
        change = math.log1p(before.least_detectable(0.03, alpha))
        now = Unpaired(rng.normal(0, 0.02, count), rng.normal(change, 0.02, count))
        (one,) = decide([(now, 0.03, 0)], alpha)
        found.append(one.verdict == REGRESSED)
    print(f"\nleast detectable shift found, {count} and {count}, {alpha}: "
          f"{100 * np.mean(found):.0f} %")
    assert 0.65 < np.mean(found)


def test_two_samples_err_seldom():
    """At the edge of the margin; and agree with their interval."""
    rng = np.random.default_rng(31)
    bound, verdicts_found = math.log1p(0.03), []
    for _ in range(300):
        pairs = [Unpaired(rng.lognormal(0, 0.02, 12), bound + rng.lognormal(0, 0.02, 12))
                 for _ in range(ROWS)]
        found = decide([(one, 0.03, 0) for one in pairs], ALPHA)
        verdicts_found.append([one.verdict for one in found])
        assert all(one.low > bound for one in found if one.verdict == REGRESSED)
    rate = np.mean([REGRESSED in gate for gate in verdicts_found])
    print(f"\nfalse regressed in {100 * rate:.1f} % of 300 comparisons of files of {ROWS} rows")
    assert rate <= ALPHA / 2 + 3 * math.sqrt(ALPHA / 2 / 300)
    (few,) = decide([(Unpaired([0, 0.01], [1, 1.01]), 0.03, 0)], ALPHA)
    assert few.verdict == INCONCLUSIVE and few.low == -math.inf
    assert few.least_detectable == math.inf


def test_least_detectable_change_shrinks_with_blocks_and_grows_with_spread():
    rng = np.random.default_rng(1)
    few, many = rng.normal(0, 0.02, 8), rng.normal(0, 0.02, 40)
    assert least_detectable(few, 0.03, 0.05) > least_detectable(many, 0.03, 0.05) > 0.03
    assert least_detectable(3 * few, 0.03, 0.05) > least_detectable(few, 0.03, 0.05)
    assert least_detectable(np.zeros(8), 0.03, 0.05) == pytest.approx(0.03)
    assert least_detectable(np.zeros(5), 0.03, 0.05) == math.inf
    assert deviation([1]) == math.inf and deviation([0, 0, 0, 9]) == pytest.approx(4.5)
