"""Two samples measured one after the other: the shift between them, by Hodges and Lehmann, and its
interval, which is the Mann-Whitney test turned round. Exact when both have one shape and no equal
values, and conservative with equal ones. It knows the variance within each run alone: what differs
from one run to the next (placement, neighbours, temperature) is not seen.

Source: Hodges and Lehmann, Ann. Math. Statist. 34 (1963); Moses, in Walker and Lev, Statistical
Inference (1953); Mann and Whitney, Ann. Math. Statist. 18 (1947), for the recurrence.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

MOST_EXACT = 30  # values on a side; with more of them the normal approximation is as good


@dataclass(frozen=True)
class Shift:
    """Natural log ratio second over first, with its interval."""

    estimate: float
    low: float
    high: float
    confidence: float  # that of [low, high]; less than asked when there are too few values
    enough: bool  # whether it is as much as asked


def _counts(m, n):
    """counts[u]: orders of m and n values in which u pairs have the second one larger."""
    ranks = np.zeros((m + 1, m * (m + n) + 1))  # [values placed, sum of their ranks]
    ranks[0, 0] = 1
    for rank in range(1, m + n + 1):
        ranks[1:, rank:] += ranks[:-1, :-rank]
    least = m * (m + 1) // 2
    return ranks[m, least:least + m * n + 1]


def shift(first, second, alpha):
    """Shift of the logs of `second`, (n,), against those of `first`, (m,); values of one unit,
    greater than 0, at least one of each (ValueError). With too few for 1 - alpha the interval is
    the whole range and says its own confidence."""
    x, y = (np.asarray(values, dtype=float) for values in (first, second))
    if not x.size or not y.size or np.any(x <= 0) or np.any(y <= 0) or not np.all(
            np.isfinite(np.concatenate([x, y]))):
        raise ValueError("a ratio needs values that are finite and greater than 0")
    differences = np.sort(np.subtract.outer(np.log(y), np.log(x)).ravel())
    tail = lower_tail(x.size, y.size)
    k = int(np.searchsorted(2 * tail, alpha, side="right"))
    enough = k > 0
    k = max(k, 1)
    return Shift(float(np.median(differences)), float(differences[k - 1]),
                 float(differences[differences.size - k]), max(0.0, 1 - 2 * float(tail[k - 1])),
                 enough)


@functools.lru_cache(maxsize=256)
def lower_tail(m, n):
    """P(U <= u) for u = 0, 1, ... up to the middle, of Mann and Whitney's U without equal values.
    Beyond MOST_EXACT values each the normal approximation with its correction for continuity."""
    half = (m * n) // 2
    if max(m, n) <= MOST_EXACT:
        return np.cumsum(_counts(min(m, n), max(m, n))[:half + 1]) / math.comb(m + n, m)
    mean, spread = m * n / 2, math.sqrt(m * n * (m + n + 1) / 12)
    return np.array([math.erfc((mean - u - 0.5) / spread / math.sqrt(2)) / 2
                     for u in range(half + 1)])
