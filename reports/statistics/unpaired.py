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

from .power import least_detectable_shift

MOST_EXACT = 30  # values on a side; with more of them the normal approximation is as good


@dataclass(frozen=True)
class Shift:
    """How far the second sample lies above the first, with its interval."""

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


class Unpaired:
    """Two samples (m,) and (n,), finite, at least one value each (ValueError): logs of what is
    compared as a ratio."""

    def __init__(self, first, second):
        x, y = (np.asarray(values, dtype=float) for values in (first, second))
        if not x.size or not y.size or not np.all(np.isfinite(np.concatenate([x, y]))):
            raise ValueError("two samples of finite values are compared, none of them empty")
        self.first, self.second = x, y
        self._differences = np.sort(np.subtract.outer(y, x).ravel())
        self._tail = lower_tail(x.size, y.size)

    def least_detectable(self, margin, alpha):
        return least_detectable_shift(self.first, self.second, margin, alpha)

    def shift(self, alpha):
        """The Shift at a confidence of 1 - alpha. With too few values for that the interval is the
        whole range and says its own confidence."""
        k = int(np.searchsorted(2 * self._tail, alpha, side="right"))
        enough = k > 0
        k = max(k, 1)
        ordered = self._differences
        return Shift(float(np.median(ordered)), float(ordered[k - 1]),
                     float(ordered[ordered.size - k]), max(0.0, 1 - 2 * float(self._tail[k - 1])),
                     enough)

    def above(self, bound):
        """One-sided: the chance of so many differences above `bound` when the shift is not above
        it. Those equal to the bound count against."""
        return self._chance(int(np.searchsorted(self._differences, bound, side="right")))

    def below(self, bound):
        """The converse of above()."""
        found = int(np.searchsorted(self._differences, bound, side="left"))
        return self._chance(self._differences.size - found)

    def _chance(self, against):
        return float(self._tail[against]) if against < len(self._tail) else 1.0


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
