"""Verdicts over many rows, with a bounded chance that any of them is false.

A row is REGRESSED when its median is above the margin, IMPROVED when below the converse,
EQUIVALENT when between both, each by the test of its sample (Paired: the sign test; Unpaired: Mann
and Whitney's); INCONCLUSIVE when none of the three is shown.
With Holm or Bonferroni over the rows, each of "some row is falsely REGRESSED", "falsely IMPROVED"
and "falsely EQUIVALENT" happens with a probability of at most alpha / 2, whatever the rows have to
do with each other.

Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6 (1979);
Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987), for equivalence by two one-sided tests.
"""

import math
from dataclasses import dataclass

import numpy as np

from .paired import Paired
from .unpaired import Unpaired

REGRESSED = "regressed"
IMPROVED = "improved"
EQUIVALENT = "equivalent"
INCONCLUSIVE = "inconclusive"
CORRECTIONS = ("holm", "bonferroni", "none")


@dataclass(frozen=True)
class Decision:
    """About one row. Effects are natural log ratios, + is worse."""

    verdict: str
    effect: float  # the median
    low: float  # infinite where there are too few blocks
    high: float
    level: float  # 1 - the confidence asked of this interval, which the verdict was reached at
    margin: float  # as a part of 1: the larger of the declared one and the noise floor
    least_detectable: float  # as a part of 1; infinite where there are too few blocks

    def ratio(self, more_is_better):
        """(estimate, low, high) as new over base, low <= high."""
        sign = -1 if more_is_better else 1
        low, high = sorted((math.exp(sign * self.low), math.exp(sign * self.high)))
        return math.exp(sign * self.effect), low, high


def adjusted(p_values, correction):
    """(adjusted p-values, the factor each was multiplied by), both (rows,): a row is significant
    at alpha when its adjusted p-value is at most alpha. `correction`: one of CORRECTIONS."""
    p = np.asarray(p_values, dtype=float)
    factors = np.ones(p.size)
    if correction == "bonferroni":
        factors[:] = p.size
    elif correction == "holm":
        order = np.argsort(p, kind="stable")
        factors[order] = np.arange(p.size, 0, -1)
        found = np.empty(p.size)
        found[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors[order]))
        return found, factors
    elif correction != "none":
        raise ValueError(f"no correction {correction!r}; there are {', '.join(CORRECTIONS)}")
    return np.minimum(1, p * factors), factors


def log_margin(margin):
    """A margin as a part of 1 on the scale of log ratios."""
    return math.log1p(margin)


def decide(rows, alpha, correction="holm"):
    """[Decision] for `rows`: a list of (Paired or Unpaired, + being worse, or the log ratios of
    blocks; declared margin; noise floor), margins as parts of 1. Rows may have different numbers
    of blocks, at least one each."""
    margins = [max(declared, noise) for _, declared, noise in rows]
    bounds = [log_margin(margin) for margin in margins]
    samples = [one if isinstance(one, (Paired, Unpaired)) else Paired(one) for one, _, _ in rows]
    shown = resolve([one.above(b) for one, b in zip(samples, bounds)],
                    [one.below(-b) for one, b in zip(samples, bounds)],
                    [max(one.above(-b), one.below(b)) for one, b in zip(samples, bounds)],
                    alpha, correction)
    decisions = []
    for (verdict, level), sample, margin in zip(shown, samples, margins):
        shift = sample.shift(level)
        low, high = (shift.low, shift.high) if shift.enough else (-math.inf, math.inf)
        decisions.append(Decision(
            verdict, shift.estimate, low, high, level, margin,
            sample.least_detectable(margin, _unresolved(alpha, rows, correction))))
    return decisions


def _unresolved(alpha, rows, correction):
    return alpha if correction == "none" else alpha / max(1, len(rows))


def resolve(worse, better, alike, alpha, correction):
    """[(verdict, level)] from one-sided p-values, each (rows,): that a row is worse than its
    margin, better, or within it. An interval at 1 - level agrees with the verdict."""
    shown = {}
    for verdict, p_values in ((REGRESSED, worse), (IMPROVED, better), (EQUIVALENT, alike)):
        found, factors = adjusted(p_values, correction)
        for row in np.flatnonzero(found <= alpha / 2):
            shown[int(row)] = verdict, alpha / factors[row]
    unresolved = INCONCLUSIVE, _unresolved(alpha, worse, correction)
    return [shown.get(row, unresolved) for row in range(len(worse))]


def split_over_looks(alpha, first=0.5):
    """(alpha of the first look, alpha of the second): they add up to alpha, so that looking twice
    at growing data errs no more often than looking once. `first`: part of 1 for the first."""
    if not 0 < first < 1:
        raise ValueError("the part of the first look lies between 0 and 1")
    return alpha * first, alpha - alpha * first


def noise_floor(effects, fraction=0.95):
    """How far the same code strays from itself, as a part of 1: the order statistic that at least
    `fraction` of |median log ratio| of A/A runs do not exceed; the greatest of fewer than
    1 / (1 - fraction) of them. `effects`: (runs,), at least one."""
    sizes = np.sort(np.abs(np.asarray(effects, dtype=float)))
    if sizes.size == 0:
        raise ValueError("a noise floor needs A/A runs")
    return math.expm1(sizes[min(sizes.size, math.ceil(fraction * sizes.size - 1e-9)) - 1])
