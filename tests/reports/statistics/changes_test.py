"""Change points: found where they are, and not where there are none."""

import math

import numpy as np
import pytest

from reports.statistics.changes import LEAST_POINTS, MOST_POINTS, UNDECIDED, _split, trend


def noise(rng, count, spread=0.02):
    """Results scatter to the slow side."""
    return np.exp(spread * (np.exp(rng.normal(0, 0.7, count)) - 1))


def test_no_change_is_rarely_one():
    """Of 200 series of the same program 1 % may have one: 2, and chance allows 7."""
    rng = np.random.default_rng(1)
    false = sum(bool(trend(100 * noise(rng, 40)).changes) for _ in range(200))
    print(f"\nfalse changes in {false} of 200 series of 40 points")
    assert false <= 7


@pytest.mark.parametrize("count, at, size", [(30, 15, 1.1), (30, 27, 1.2), (12, 6, 1.3),
                                             (40, 20, 0.9)])
def test_a_step_is_found_where_it_is(count, at, size):
    rng = np.random.default_rng(count + at)
    near = 0
    for _ in range(20):
        values = 100 * noise(rng, count)
        values[at:] *= size
        found = trend(values).changes
        near += any(abs(change.index - at) <= 1 and change.after / change.before
                    == pytest.approx(size, rel=0.05) for change in found)
    print(f"\nstep of {size} at {at} of {count}: found in {near} of 20")
    assert near >= 18


def test_two_steps():
    values = 100 * noise(np.random.default_rng(3), 45)
    values[15:] *= 1.15
    values[30:] *= 0.8
    found = trend(values)
    assert [change.index for change in found.changes] == [15, 30]
    assert [level[:2] for level in found.levels] == [(0, 15), (15, 30), (30, 45)]
    assert all(change.chance <= 0.01 for change in found.changes)


@pytest.mark.parametrize("outliers", [[20], [5, 33], [39]])
def test_outliers_are_no_change(outliers):
    rng = np.random.default_rng(4)
    false = 0
    for _ in range(20):
        values = 100 * noise(rng, 40)
        values[outliers] *= 5
        false += bool(trend(values).changes)
    print(f"\noutliers at {outliers}: false changes in {false} of 20")
    assert false <= 1


def test_drift_is_called_drift():
    rng = np.random.default_rng(5)
    drifting = 0
    for _ in range(20):
        found = trend(100 * noise(rng, 40) * 1.01 ** np.arange(40))
        drifting += found.drift is not None and found.drift == pytest.approx(0.01, rel=0.3)
        assert found.drift is None or not found.changes
    print(f"\ndrift of 1 % per point: found in {drifting} of 20")
    assert drifting >= 18


def test_a_step_is_no_drift():
    rng = np.random.default_rng(6)
    for _ in range(20):
        values = 100 * noise(rng, 40)
        values[20:] *= 1.2
        assert trend(values).drift is None


def test_newest_points_decide_nothing():
    values = np.concatenate([100 * noise(np.random.default_rng(7), 30), [200] * UNDECIDED])
    assert not trend(values).changes
    values = np.append(values, 200)
    assert [change.index for change in trend(values).changes] == [30]


def test_small_changes_can_be_left_out():
    values = 100 * noise(np.random.default_rng(8), 45, spread=0.002)
    values[15:] *= 1.02
    values[30:] *= 1.30
    assert len(trend(values, least_change=0.01).changes) == 2
    (change,) = trend(values, least_change=0.05).changes
    assert change.index == 30 and trend(values, least_change=0.5).changes == []


def test_same_values_same_trend():
    values = noise(np.random.default_rng(9), 40)
    values[25:] *= 1.03
    assert trend(values) == trend(values.copy())


def test_counts_with_zeros_and_equal_values():
    assert trend([3.0] * 20).changes == [] and trend([0.0] * 20).changes == []
    (change,) = trend([0.0] * 10 + [1.0] * 10).changes
    assert (change.index, change.before, change.after) == (10, 0, 1)
    (change,) = trend([6.0] * 10 + [7.0] * 10).changes
    assert change.index == 10


def test_short_series():
    for count in range(2 * LEAST_POINTS):
        found = trend(np.arange(1.0, count + 1))
        assert found.changes == [] and found.drift is None
        assert len(found.levels) == (1 if count else 0)


def test_only_the_newest_points_are_searched():
    values = np.ones(MOST_POINTS + 50)
    values[:20] = 9
    values[-40:] = 2
    found = trend(values)
    assert found.first == 50 and [change.index for change in found.changes] == [MOST_POINTS + 10]


def test_statistic_is_the_energy_distance():
    """Written out, of one split of five values."""
    values = np.array([1.0, 1.5, 1.2, 4.0, 5.0, 4.4])
    distances = np.abs(values[:, None] - values)
    (found,), (place,) = _split(distances[None], 3)
    left, right = values[:3], values[3:]
    between = np.mean(np.abs(left[:, None] - right))
    within = [sum(abs(a - b) for i, a in enumerate(side) for b in side[:i]) / 3
              for side in (left, right)]
    assert place == 3
    assert found == pytest.approx((2 * between - sum(within)) * 9 / 6)
    assert math.isinf(_split(distances[None, :5, :5], 3)[0][0])
