"""How evenly work falls on threads.

Source: Jain, Chiu and Hawe, A Quantitative Measure of Fairness, DEC TR-301 (1984).
"""

import numpy as np


def jain(amounts):
    """(sum x)^2 / (n * sum x^2) of `amounts`, (threads,), none negative: 1 when all have the same,
    1 / n when one has everything. None when there is nothing to share."""
    x = np.asarray(amounts, dtype=float)
    if x.size and np.min(x) < 0:
        raise ValueError("an amount of work is not negative")
    if not x.size or not np.any(x):
        return None
    x = x / np.max(x)  # so that squares neither overflow nor vanish
    return float(x.sum() ** 2 / (x.size * (x * x).sum()))


def least_over_most(amounts):
    """The least of `amounts` over the greatest, 0..1; None when there is nothing to share."""
    x = np.asarray(amounts, dtype=float)
    return float(x.min() / x.max()) if x.size and np.any(x) else None
