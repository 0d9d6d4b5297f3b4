"""The binomial distribution, exact where n is small and to nine digits where it is not."""

import functools
import math

import numpy as np

MOST_EXACT = 1000  # beyond it whole numbers of hundreds of digits are slower than floats
REACH = 12  # standard deviations on each side that are summed; the rest is below 1e-30


@functools.lru_cache(maxsize=4096)
def half_tail(n, k):
    """P(X <= k) of n fair coins. Exact up to the last division."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if n > MOST_EXACT:
        return tail(n, 0.5, k)
    return sum(math.comb(n, i) for i in range(k + 1)) / 2**n


@functools.lru_cache(maxsize=64)
def half_tails(n):
    """(n + 1,): half_tail(n, k) for each k."""
    return np.array([half_tail(n, k) for k in range(n + 1)])


@functools.lru_cache(maxsize=256)
def _cumulative(n, p):
    """(first, array): array[i] = P(X <= first + i) around the mean; 0 below, 1 above."""
    mean, deviation = n * p, math.sqrt(n * p * (1 - p))
    first = max(0, math.floor(mean - REACH * deviation - REACH))
    last = min(n, math.ceil(mean + REACH * deviation + REACH))
    k = np.arange(first + 1, last + 1, dtype=float)
    # Each term over the one before it: (n - k + 1) / k * p / (1 - p).
    log_terms = np.concatenate([[0.0], np.cumsum(np.log((n - k + 1) / k * (p / (1 - p))))])
    terms = np.exp(log_terms - log_terms.max())
    return first, np.cumsum(terms) / terms.sum()


def tail(n, p, k):
    """P(X <= k) of n trials that each succeed with probability p, 0 < p < 1."""
    first, cumulative = _cumulative(n, p)
    if k < first:
        return 0.0
    return float(cumulative[min(k - first, len(cumulative) - 1)])


def quantile(n, p, probability):
    """The least k with P(X <= k) >= probability, 0 < probability < 1."""
    first, cumulative = _cumulative(n, p)
    return first + min(int(np.searchsorted(cumulative, probability)), len(cumulative) - 1)


@functools.lru_cache(maxsize=256)
def success_needed(tests, power):
    """The p at which all of `tests`, ((n, k), ...), have X >= k, 1 <= k <= n, with a probability
    of `power`; by bisection, to 1e-12."""
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        found = math.prod(
            1 - sum(math.comb(n, i) * middle**i * (1 - middle)**(n - i) for i in range(k))
            for n, k in tests)
        if found < power:
            low = middle
        else:
            high = middle
    return (low + high) / 2
