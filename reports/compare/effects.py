"""What changed: a metric of a row in one column against the base, with its interval and verdict."""

import math
from dataclasses import dataclass
from statistics import median

import numpy as np

from .. import metrics
from ..statistics.decide import (EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED, log_margin, resolve)
from ..statistics.median import blocks_needed
from ..statistics.paired import Paired
from ..statistics.unpaired import Unpaired

EXACT_SPREAD = 0.005  # of a count between repetitions, as a part of its median
EXACT_MARGIN = 0.01  # the first and the last batch of a window belong to it in part
LEAST_EXACT = 3  # values a side that agree, before a count is taken for one that does not vary


@dataclass
class Effect:
    """New against base. Ratios are new over base; None where there is none."""

    base: object  # medians of the repetitions; None where it was not measured
    new: object
    ratio: object = None
    low: object = None
    high: object = None
    confidence: object = None  # of low to high
    verdict: str = INCONCLUSIVE
    method: str = ""  # "exact", "paired" or "unpaired"
    note: str = ""
    repetitions: tuple = (0, 0)


@dataclass
class Settings:
    margin: float  # as a part of 1
    alpha: float
    correction: str
    every_row: bool = True  # also of metrics that are equivalent in all of them


@dataclass
class Table:
    metric: object
    rows: list  # (name, [Effect or None] for each other column)


def _is_exact(metric, sides):
    """A count that does not vary. A driver may count what depends on who waits for whom, and one
    value does not show it."""
    return metric.exact and all(
        len(side) >= LEAST_EXACT and max(side) - min(side) <= EXACT_SPREAD * abs(median(side))
        for side in sides)


def _exact(effect, metric):
    effect.method, effect.confidence = "exact", None
    if effect.base > 0 and math.isfinite(effect.new / effect.base):
        effect.ratio = effect.new / effect.base
    change = effect.new - effect.base
    if abs(change) <= EXACT_MARGIN * abs(effect.base):
        effect.verdict = EQUIVALENT
    else:
        effect.verdict = IMPROVED if (change > 0) == metric.more_is_better else REGRESSED


@dataclass
class _Open:
    """An effect whose verdict needs all rows of its column."""

    effect: Effect
    sample: object
    bound: float
    as_ratio: bool


def _sample(base, new, settings, paired, metric):
    """Sample with + as worse, and the bound of its margin."""
    as_ratio = min(*base.values(), *new.values()) > 0
    sign = -1 if metric.more_is_better else 1

    def scaled(side):
        return sign * (np.log(side) if as_ratio else np.asarray(side, dtype=float))

    bound = (log_margin(settings.margin) if as_ratio
             else settings.margin * abs(median(base.values())))
    rounds = sorted(base.keys() & new.keys())
    if paired and len(rounds) >= blocks_needed(settings.alpha):
        return Paired(scaled([new[i] for i in rounds]) - scaled([base[i] for i in rounds])), \
            bound, as_ratio, "paired"
    return Unpaired(scaled(list(base.values())), scaled(list(new.values()))), bound, as_ratio, \
        "unpaired"


def _effect(base_row, new_row, metric, settings, paired):
    """Effect, or _Open, or None when neither row has the metric."""
    base, new = metrics.values(base_row, metric), metrics.values(new_row, metric)
    if not base and not new:
        return None
    effect = Effect(median(base.values()) if base else None,
                    median(new.values()) if new else None,
                    repetitions=(len(base), len(new)))
    if not base or not new:
        effect.note = "not in the base" if not base else "not measured"
        return effect
    if _is_exact(metric, (base.values(), new.values())):
        _exact(effect, metric)
        return effect
    sample, bound, as_ratio, effect.method = _sample(base, new, settings, paired, metric)
    return _Open(effect, sample, bound, as_ratio)


def _ratio(log):
    """None for one that no file can hold."""
    return math.exp(log) if abs(log) < 700 else None


def _close(opened, settings, sign):
    """Gives every _Open of one column and metric its interval and verdict."""
    found = resolve([one.sample.above(one.bound) for one in opened],
                    [one.sample.below(-one.bound) for one in opened],
                    [max(one.sample.above(-one.bound), one.sample.below(one.bound))
                     for one in opened], settings.alpha, settings.correction)
    for one, (verdict, level) in zip(opened, found):
        effect, shift = one.effect, one.sample.shift(level)
        effect.verdict, effect.confidence = verdict, shift.confidence
        if effect.base == effect.new and shift.low == shift.high == 0:
            effect.verdict = EQUIVALENT if shift.enough else verdict
        if one.as_ratio:
            effect.ratio = _ratio(sign * shift.estimate)
            effect.low, effect.high = map(_ratio, sorted((sign * shift.low, sign * shift.high)))
        if not shift.enough:
            effect.note = f"too few repetitions for {100 * (1 - level):g} %"


def tables(columns, wanted, settings):
    """[Table] of the metrics that some row has in the base and in another column, in the order of
    `wanted`; None as an effect where a column lacks the row."""
    found = []
    for metric in wanted:
        names = dict.fromkeys(name for name in columns.base.rows
                              if any(name in other.rows for other in columns.others))
        by_name = {name: [] for name in names}
        for other in columns.others:
            opened = []
            for name in names:
                effect = None
                if name in other.rows:
                    effect = _effect(columns.base.rows[name], other.rows[name], metric, settings,
                                     columns.paired)
                if isinstance(effect, _Open):
                    opened.append(effect)
                    effect = effect.effect
                by_name[name].append(effect)
            _close(opened, settings, -1 if metric.more_is_better else 1)
        rows = [(name, effects) for name, effects in by_name.items() if any(effects)]
        if any(effect.base is not None and effect.new is not None
               for _, effects in rows for effect in effects if effect):
            found.append(Table(metric, rows))
    return found


def all_equivalent(table):
    return all(effect and effect.verdict == EQUIVALENT for _, row in table.rows for effect in row)


def counts(table):
    """{verdict: number} of a table's effects that have both sides."""
    found = dict.fromkeys((REGRESSED, IMPROVED, EQUIVALENT, INCONCLUSIVE), 0)
    for _, effects in table.rows:
        for effect in effects:
            if effect and effect.base is not None and effect.new is not None:
                found[effect.verdict] += 1
    return found
