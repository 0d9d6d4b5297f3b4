"""Where a series of results changes its level: E-divisive with a permutation test.

The split that tells the two sides of a segment apart best, by the energy statistic, is kept when
as good a one is rare among random orders of the segment's values; then both sides are searched.
Values are taken as logarithms when all are above 0, so that a change is a ratio. One outlier is no
change: it stands out in every order alike. A slope looks like many steps; where a straight line
describes the series better than the steps, it is a drift.

Source: Matteson and James, A Nonparametric Approach for Multiple Change Point Analysis of
Multivariate Data, J. Amer. Statist. Assoc. 109 (2014), without its second bound; Daly et al.,
The Use of Change Point Detection to Identify Software Performance Regressions in a Continuous
Integration System, ICPE 2020; Theil and Sen for the line.
"""

import math
from dataclasses import dataclass, field

import numpy as np

LEAST_POINTS = 3  # of a level; fewer newest ones are undecided
UNDECIDED = LEAST_POINTS - 1
SIGNIFICANCE = 0.01  # of one split of a series that does not change
ORDERS = 499  # random ones; at most 4 of them may be as good
BATCH = 25
MOST_POINTS = 400  # the newest ones are searched: the work grows with the square


@dataclass
class Change:
    index: int  # of the first point of the new level
    before: float  # medians of the levels, in the unit of the values
    after: float
    chance: float  # of as good a split in a random order


@dataclass
class Trend:
    """Of n points. Levels are (first, last + 1, median)."""

    levels: list = field(default_factory=list)
    changes: list = field(default_factory=list)
    drift: object = None  # per point: a part of 1, or the unit where `as_ratio` is not; or None
    as_ratio: bool = True
    first: int = 0  # of the points that were searched


def _split(distances, least):
    """(best statistic, its place) of each matrix of `distances`, (orders, n, n), symmetric; -inf
    where a segment is too short. `least`: points on each side."""
    n = distances.shape[-1]
    if n < 2 * least:
        return np.full(distances.shape[0], -math.inf), np.zeros(distances.shape[0], dtype=int)
    # Sums of the pairs within the first t points, and within those from t on.
    left = np.cumsum(np.tril(distances).sum(axis=2), axis=1)
    right = np.cumsum(np.triu(distances).sum(axis=2)[:, ::-1], axis=1)[:, ::-1]
    places = np.arange(least, n - least + 1)
    m, k = places, n - places
    within_left, within_right = left[:, places - 1], right[:, places]
    between = left[:, -1:] - within_left - within_right
    energy = (2 * between / (m * k) - 2 * within_left / (m * (m - 1))
              - 2 * within_right / (k * (k - 1)))
    statistic = energy * m * k / n
    best = np.argmax(statistic, axis=1)
    return statistic[np.arange(len(best)), best], places[best]


def _test(values, rng):
    """(place, chance) of the best split of `values`, or None when it is not rare."""
    distances = np.abs(values[:, None] - values[None, :])
    (found,), (place,) = _split(distances[None], LEAST_POINTS)
    # Equal values make equal statistics but for rounding.
    if not found > 1e-12 * distances.max(initial=0):
        return None
    allowed = math.floor(SIGNIFICANCE * (ORDERS + 1)) - 1
    as_good = 0
    for start in range(0, ORDERS, BATCH):
        orders = [rng.permutation(len(values)) for _ in range(min(BATCH, ORDERS - start))]
        others, _ = _split(np.stack([distances[np.ix_(order, order)] for order in orders]),
                           LEAST_POINTS)
        as_good += int(np.sum(others >= found * (1 - 1e-9)))
        if as_good > allowed:
            return None
    return int(place), (1 + as_good) / (ORDERS + 1)


def _places(values, rng):
    """[(first point of a new level, chance)] in order."""
    found, open_segments = [], [(0, len(values))]
    while open_segments:
        first, end = open_segments.pop()
        split = _test(values[first:end], rng) if end - first >= 2 * LEAST_POINTS else None
        if split:
            place, chance = split
            found.append((first + place, chance))
            open_segments += [(first, first + place), (first + place, end)]
    return _without_undecided(values, sorted(found))


def _without_undecided(values, found):
    """Without a last change that only the newest UNDECIDED points bear out: the shortest level
    can hold a point of the old one as well."""
    if not found:
        return found
    place = found[-1][0]
    start = found[-2][0] if len(found) > 1 else 0
    before, after = np.median(values[start:place]), np.median(values[place:])
    new_side = np.abs(values[place:] - after) < np.abs(values[place:] - before)
    return found if new_side.sum() >= LEAST_POINTS else found[:-1]


def _line(values):
    """(slope per point, intercept) of the median of all slopes."""
    x = np.arange(len(values), dtype=float)
    later, earlier = np.triu_indices(len(values), 1)[::-1]
    slope = float(np.median((values[later] - values[earlier]) / (x[later] - x[earlier])))
    return slope, float(np.median(values - slope * x))


def _cost(residuals, parameters):
    """Schwarz's criterion of a model whose errors have two-sided exponential tails."""
    n = len(residuals)
    return 2 * n * math.log(max(float(np.mean(np.abs(residuals))), 1e-15)) \
        + parameters * math.log(n)


def _is_drift(values, edges):
    slope, intercept = _line(values)
    steps = np.concatenate([values[a:b] - np.median(values[a:b]) for a, b in zip(edges, edges[1:])])
    line = values - intercept - slope * np.arange(len(values))
    # A step has a level and a place.
    return slope, _cost(line, 2) < _cost(steps, 2 * (len(edges) - 1) - 1)


def trend(values, least_change=0.0, seed=1):
    """The Trend of `values`, (points,), oldest first, finite. Changes smaller than `least_change`,
    a part of 1, are left out and their levels joined. The same values and seed give the same
    trend."""
    whole = np.asarray(values, dtype=float)
    first = max(0, len(whole) - MOST_POINTS)
    points = whole[first:]
    if not len(points):
        return Trend()
    as_ratio = bool(np.all(points > 0))
    scaled = np.log(points) if as_ratio else points
    found = _places(scaled, np.random.default_rng(seed))
    found = _large_enough(scaled, found, least_change, as_ratio)
    edges = [0, *(place for place, _ in found), len(points)]
    levels = [(first + a, first + b, float(np.median(points[a:b])))
              for a, b in zip(edges, edges[1:])]
    if found:
        slope, drifts = _is_drift(scaled, edges)
        if drifts:
            return Trend([(first, len(whole), float(np.median(points)))], [],
                         math.expm1(slope) if as_ratio else slope, as_ratio, first)
    changes = [Change(first + place, before[2], after[2], chance)
               for (place, chance), before, after in zip(found, levels, levels[1:])]
    return Trend(levels, changes, None, as_ratio, first)


def _large_enough(scaled, found, least_change, as_ratio):
    """Without the smallest change, again and again, until all are as large as `least_change`."""
    found = list(found)
    while found:
        edges = [0, *(place for place, _ in found), len(scaled)]
        levels = [float(np.median(scaled[a:b])) for a, b in zip(edges, edges[1:])]
        sizes = [abs(b - a) if as_ratio else abs(b - a) / max(abs(a), abs(b), 1e-300)
                 for a, b in zip(levels, levels[1:])]
        bound = math.log1p(least_change) if as_ratio else least_change
        smallest = int(np.argmin(sizes))
        if sizes[smallest] >= bound:
            break
        del found[smallest]
    return found
