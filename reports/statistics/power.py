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


def least_detectable(values, margin, alpha, power=POWER):
    """The worsening, as a part of 1, that is called REGRESSED with probability `power` at a
    two-sided level of `alpha` (already divided by the number of rows) and as many blocks as in
    `values`, (blocks,), log ratios; infinite where so few blocks can show nothing. The test asks
    for n - k + 1 of n blocks above the margin; blocks scatter as a normal distribution of the
    deviation() of these. It is an estimate, as good as that of the spread."""
    count = len(values)
    k = rank(count, alpha)
    if k == 0 or count < 2:
        return math.inf
    each = success_needed(count, count - k + 1, power)
    spread = deviation(values)
    return math.expm1(math.log1p(margin) + NormalDist().inv_cdf(each) * spread)
