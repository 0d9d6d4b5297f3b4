"""The least change that a row of so many blocks and of such a spread can show."""

import math
from statistics import NormalDist

import numpy as np

from .binomial import success_needed
from .median import rank

POWER = 0.8
MAD_TO_DEVIATION = 1.4826  # of a normal distribution


def deviation(values):
    """The spread of `values`, (n,): the greater of standard deviation and scaled median absolute
    deviation, so that neither an outlier nor a heap of equal values hides the other."""
    values = np.asarray(values, dtype=float)
    if values.size < 2:
        return math.inf
    scaled = MAD_TO_DEVIATION * np.median(np.abs(values - np.median(values)))
    return float(max(values.std(ddof=1), scaled))


def least_detectable(values, margin, alpha, confirmation=None, power=POWER):
    """The worsening, as a part of 1, that is called REGRESSED with probability `power` at a
    two-sided level of `alpha` (already divided by the number of rows) and as many blocks as in
    `values`, (blocks,), log ratios, and is so again in the `confirmation`, (blocks, alpha), if
    there is one; infinite where so few blocks can show nothing. The test asks for n - k + 1 of n
    blocks above the margin; blocks scatter as a normal distribution of the deviation() of these.
    It is an estimate, as good as that of the spread."""
    tests = [(count, rank(count, level)) for count, level in
             ((len(values), alpha), *([confirmation] if confirmation else []))]
    if any(k == 0 for _, k in tests) or len(values) < 2:
        return math.inf
    each = success_needed(tuple((count, count - k + 1) for count, k in tests), power)
    return _change(margin, each, deviation(values))


def least_detectable_shift(first, second, margin, alpha, power=POWER):
    """The same of two samples that are not paired, (m,) and (n,), by the test of Mann and Whitney:
    Noether's approximation (J. Am. Stat. Assoc. 82, 1987) of how often a value of the second must
    exceed one of the first."""
    if min(len(first), len(second)) < 2:
        return math.inf
    normal = NormalDist()
    reach = ((normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power))
             / math.sqrt(12 * len(first) * len(second) / (len(first) + len(second))))
    if reach >= 0.5:
        return math.inf
    return _change(margin, 0.5 + reach, math.hypot(deviation(first), deviation(second)))


def _change(margin, each, spread):
    return math.expm1(math.log1p(margin) + NormalDist().inv_cdf(each) * spread)
