"""The median of paired log ratios: its interval from order statistics, which is the sign test
turned round. Assumes that blocks are independent; nothing about their distribution.

Source: Conover, Practical Nonparametric Statistics, 3rd ed., 3.2 (confidence interval for a
quantile) and 3.4 (sign test); Gibbons and Chakraborti, Nonparametric Statistical Inference, 5.2.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np

from .binomial import half_tail, half_tails


@dataclass(frozen=True)
class Interval:
    """Of a median, natural log ratios. `low` and `high` are infinite where there are too few
    values; they have the shape of the input without its last axis."""

    median: object
    low: object
    high: object
    confidence: float  # the chance that it holds the median, at least; 1 when it is infinite

    @property
    def finite(self):
        return bool(np.all(np.isfinite(self.low)))


def log_ratios(base, new, more_is_better):
    """ln(new / base) of each block, turned so that + is worse. `base` and `new`: (blocks,) of the
    same unit, greater than 0. Raises ValueError where they are not, or differ in length."""
    base, new = np.asarray(base, dtype=float), np.asarray(new, dtype=float)
    if base.shape != new.shape:
        raise ValueError(f"{base.size} blocks of the base and {new.size} of the new one: they are "
                         "compared in pairs")
    if not (np.all(np.isfinite(base)) and np.all(np.isfinite(new)) and np.all(base > 0)
            and np.all(new > 0)):
        raise ValueError("a ratio needs values that are finite and greater than 0")
    return (np.log(base) - np.log(new)) if more_is_better else (np.log(new) - np.log(base))


@functools.lru_cache(maxsize=1024)
def rank(count, alpha):
    """The k for which [k-th smallest, k-th largest] of `count` values holds the median with a
    probability of at least 1 - alpha; 0 when even the whole range does not."""
    k = 0
    while 2 * half_tail(count, k) <= alpha:
        k += 1
    return k


def median_interval(values, alpha):
    """Interval of the median of `values`, shape (..., n), finite, at a confidence of at least
    1 - alpha. Equal values are no trouble: the interval is closed, and they only make it hold the
    median more often."""
    ordered = np.sort(np.asarray(values, dtype=float), axis=-1)
    count = ordered.shape[-1]
    if count == 0:
        raise ValueError("no values, no median")
    middle = np.median(ordered, axis=-1)
    k = rank(count, alpha)
    if k == 0:
        return Interval(middle, np.full_like(middle, -math.inf)[()],
                        np.full_like(middle, math.inf)[()], 1.0)
    return Interval(middle, ordered[..., k - 1], ordered[..., count - k],
                    1 - 2 * half_tail(count, k - 1))


def above(values, bound):
    """Sign test, one-sided: the chance of so many of `values`, (..., n), above `bound` when the
    median is not above it. Values equal to the bound count against."""
    values = np.asarray(values, dtype=float)
    return half_tails(values.shape[-1])[np.sum(values <= bound, axis=-1)]


def below(values, bound):
    """The converse of above()."""
    return above(-np.asarray(values, dtype=float), -bound)


def blocks_needed(alpha, comparisons=1):
    """The least number of blocks with a finite interval at confidence 1 - alpha / comparisons:
    the n with 2 * 0.5**n <= alpha / comparisons."""
    return max(1, math.ceil(1 + math.log2(comparisons / alpha) - 1e-9))
