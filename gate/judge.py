"""From the values of the blocks, or of result files, to a verdict for each row and metric.

Tier 1, exact: a count that stays the same in each arm is compared without an interval. Tier 2:
everything else, blocks by the median of paired log ratios, files by the shift between two samples
(reports/statistics)."""

import math
from dataclasses import dataclass, field
from statistics import median

from reports.compare.effects import EXACT_SPREAD, LEAST_EXACT
from reports.statistics.decide import (EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED, decide)
from reports.statistics.median import log_ratios
from reports.statistics.paired import Paired
from reports.statistics.unpaired import Unpaired

from .policy import FLOOR_PER_OP, IMPLAUSIBLE, RARE_PER_OP, Policy

EXACT, STATISTICAL = 1, 2
INVALID = "invalid"
VARIES = "varies from block to block, so not compared exactly"
VERDICTS = (REGRESSED, INVALID, INCONCLUSIVE, IMPROVED, EQUIVALENT)


@dataclass
class Compared:
    """One metric of one row. Ratios are new over base; None where there is none. Margins are parts
    of 1."""

    name: str
    policy: Policy
    values: list = field(default_factory=list)  # (block, base, new), complete ones
    unpaired: object = None  # instead, of files: (values of the base, of the new one)
    calibrated_as: tuple = ()  # rows whose noise floors hold for it
    lacking: int = 0  # blocks in which a side has no value
    one_sided: bool = False  # in some of them, the other side has
    tier: int = STATISTICAL
    verdict: str = INCONCLUSIVE
    reason: str = ""
    ratio: object = None
    low: object = None
    high: object = None
    noise: object = None
    least_detectable: object = None
    level: object = None  # 1 - confidence of [low, high]
    waiver: object = None
    confirmed: object = None  # on fresh data; None where nobody asked
    suspicious: bool = False

    @property
    def metric(self):
        return self.policy.metric

    @property
    def margin(self):
        return self.policy.margin if self.tier == STATISTICAL else self.policy.exact_margin

    @property
    def sides(self):
        """(values of the base, values of the new arm)"""
        if self.unpaired is not None:
            return self.unpaired
        return [base for _, base, _ in self.values], [new for _, _, new in self.values]

    @property
    def base(self):
        return median(self.sides[0]) if self.sides[0] else None

    @property
    def new(self):
        return median(self.sides[1]) if self.sides[1] else None

    @property
    def floor(self):
        return FLOOR_PER_OP if self.policy.counted and self.tier == STATISTICAL else 0.0

    def block_ratios(self):
        """[(block, ratio or None)]"""
        return [(block, (new + self.floor) / (base + self.floor) if base + self.floor > 0 else None)
                for block, base, new in self.values]

    def worsening(self):
        """Factor, above 1 for worse; 1 where there is no ratio."""
        if not self.ratio:
            return 1.0
        return 1 / self.ratio if self.metric.more_is_better else self.ratio


def _says_something(policy, row):
    return policy.key != "fairness" or row.config["submitters"] > 1


def _why_not(policy, items, where=""):
    """Why these have no value; empty where the metric does not apply."""
    if policy.key in ("p50", "p99") and any(item.measurement["latency"]["count"] for item in items):
        return f"too few samples beyond it{where}: raise --duration (behind --)"
    return ""


def _one_sided(policy, items, in_base):
    """Why a value is missing in one arm: `items` are those that lack it."""
    where = " in the base" if in_base else " in the new arm"
    return _why_not(policy, items, where) or (
        "only the new arm has it" if in_base else "the new arm has it no more")


def collect(blocks, arms, policies):
    """{(row, metric): Compared} of the rows that every block has on both sides."""
    found = {}
    for block in blocks:
        sides = [block.taken[arm.side].by_name(arm) for arm in arms]
        rows = {arm.key(row.name): row for arm in arms for row in block.taken[arm.side].run.rows}
        for key in [key for key in sides[0] if key in sides[1]]:
            items = [side[key] for side in sides]
            for policy in policies:
                if not _says_something(policy, rows[key]):
                    continue
                base, new = map(policy.metric.of, items)
                why = _why_not(policy, items) if base is None and new is None else ""
                if base is None and new is None and not why:
                    continue
                one = found.setdefault((key, policy.key), Compared(
                    arms.row_name(key), policy, calibrated_as=arms.calibrated_as(key)))
                if base is None or new is None:
                    one.lacking += 1
                    one.one_sided |= not why
                    one.reason = why or _one_sided(policy, [items[base is not None]], base is None)
                else:
                    one.values.append((block.number, base, new))
    return found


def collect_files(measured, arms, policies):
    """The same of result files, with all repetitions of all files of a side as one sample."""
    sides = []
    for arm in arms:
        items, rows = {}, {}
        for taken in measured.runs(arm.side):
            for key, row, item in taken.items(arm):
                items.setdefault(key, []).append(item)
                rows[key] = row
        sides.append(items)
    found = {}
    for key in [key for key in sides[0] if key in sides[1]]:
        for policy in policies:
            if not _says_something(policy, rows[key]):
                continue
            given = [[(item, policy.metric.of(item)) for item in side[key]] for side in sides]
            values = tuple([value for _, value in one if value is not None] for one in given)
            without = [[item for item, value in one if value is None] for one in given]
            one = Compared(arms.row_name(key), policy, unpaired=values,
                           lacking=sum(map(len, without)), one_sided=any(map(len, without)))
            if not any(values):
                one.reason = _why_not(policy, without[0])
                if not one.reason:
                    continue
            elif one.one_sided:
                in_base = bool(without[0])
                one.reason = _one_sided(policy, without[0] or without[1], in_base)
            found[key, policy.key] = one
    return found


def _is_exact(one):
    """Fewer values do not show that a count does not vary."""
    return one.policy.counted and all(
        len(side) >= LEAST_EXACT
        and max(side) - min(side) <= max(EXACT_SPREAD * abs(median(side)), RARE_PER_OP / 2)
        for side in one.sides)


def judge_exact(one):
    """Gives a count its verdict."""
    one.tier, one.low, one.high, one.level = EXACT, None, None, None
    change = one.new - one.base
    # A ratio of two counts that are next to none says nothing.
    one.ratio = one.new / one.base if one.base > 0 and one.new > 0 and max(
        one.base, one.new) > RARE_PER_OP else None
    one.least_detectable = max(one.margin, RARE_PER_OP / one.base) if one.base > 0 else None
    if abs(change) <= max(one.margin * abs(one.base), RARE_PER_OP):
        one.verdict = EQUIVALENT
        return
    one.verdict = IMPROVED if (change > 0) == one.metric.more_is_better else REGRESSED
    one.reason = (f"{one.metric.to_text(one.base)} {one.metric.unit} became "
                  f"{one.metric.to_text(one.new)}")


def _sample(one, confirmation):
    """Logarithms, + being worse. Raises ValueError for what has none."""
    base, new = ([value + one.floor for value in side] for side in one.sides)
    if one.unpaired is None:
        return Paired(log_ratios(base, new, one.metric.more_is_better), confirmation)
    if min(*base, *new) <= 0:
        raise ValueError("a ratio needs values that are greater than 0")
    sign = -1 if one.metric.more_is_better else 1
    return Unpaired(*([sign * math.log(value) for value in side] for side in (base, new)))


def _finite(value):
    return value if value is not None and math.isfinite(value) else None


def _take(one, decision, settle):
    """`decision` as the new state of `one`; its verdict only when `settle`."""
    if math.isfinite(decision.low):
        one.ratio, one.low, one.high = decision.ratio(one.metric.more_is_better)
    else:
        one.ratio, one.low, one.high = math.exp(-decision.effect if one.metric.more_is_better
                                                else decision.effect), None, None
    one.level = decision.level
    one.least_detectable = _finite(decision.least_detectable)
    one.verdict = decision.verdict if settle else INCONCLUSIVE
    one.reason = VARIES * one.policy.counted
    if one.verdict == INCONCLUSIVE and one.low is None:
        one.reason = _too_few(one)


def _too_few(one):
    values = "blocks" if one.unpaired is None else "repetitions a side"
    found = min(map(len, one.sides))
    if one.policy.counted and found < LEAST_EXACT:
        return (f"too few {values}: {found}, and a count needs {LEAST_EXACT} to show whether it "
                "varies")
    return f"too few {values}"


def judge(compared, alpha, noise_of, settle=True, open_only=False, confirmation=None):
    """Gives each of `compared`, {key: Compared}, its verdict: at error `alpha` over all of them
    that vary (Holm). `noise_of(Compared)`: noise floor as a part of 1, or None. `settle` False says
    what there is and decides nothing. `open_only` leaves decided ones as they are; they remain of
    the family. `confirmation`: (blocks, alpha) of fresh data that a regression must hold on."""
    varying = []
    for one in compared.values():
        one.noise = noise_of(one)
        if one.one_sided or not any(one.sides):
            one.verdict = INCONCLUSIVE
            continue
        if _is_exact(one) and not (open_only and one.tier == STATISTICAL
                                   and one.verdict != INCONCLUSIVE):
            judge_exact(one)
            if not settle:
                one.verdict = INCONCLUSIVE
            continue
        was = one.tier
        one.tier = STATISTICAL
        try:
            varying.append((one, _sample(one, confirmation),
                            one.verdict if open_only and was == STATISTICAL else INCONCLUSIVE))
        except ValueError:
            one.verdict, one.reason = INCONCLUSIVE, "it is 0 in a block, which has no ratio"
    decisions = decide([(sample, one.policy.margin, one.noise or 0.0)
                        for one, sample, _ in varying], alpha) if varying else []
    for (one, _, decided), decision in zip(varying, decisions):
        if decided == INCONCLUSIVE:
            _take(one, decision, settle)


def undecided(compared):
    """Keys of those that more blocks may decide."""
    return [key for key, one in compared.items() if one.verdict == INCONCLUSIVE and one.values
            and not one.one_sided and one.tier == STATISTICAL]


def refuse_one_sided(compared):
    """A count that one arm alone has is as bad as a row that is gone: work that is not counted, or
    that was not before, is not shown to be the same."""
    for one in compared.values():
        if one.one_sided and one.policy.counted and not all(one.sides):
            one.verdict = INVALID
            one.reason += " (--missing warn lets that through)"


def flag_implausible(compared):
    """Marks improvements that are too good."""
    for one in compared.values():
        one.suspicious = (one.verdict == IMPROVED and not one.policy.counted
                          and one.worsening() < 1 / IMPLAUSIBLE)


def offenders(compared):
    """Keys of those that must hold again on fresh data."""
    return [key for key, one in compared.items() if one.verdict == REGRESSED or one.suspicious]


def confirm(compared, fresh):
    """Takes back what `fresh`, Compared of other blocks, does not show again."""
    for key in offenders(compared):
        one, again = compared[key], fresh.get(key)
        one.confirmed = again is not None and again.verdict == one.verdict
        if one.confirmed:
            one.reason = "; ".join(filter(None, (one.reason, "again on fresh data")))
            continue
        shown = ""
        if again is not None and again.ratio:
            shown = f": there it is {again.ratio:.3f}"
            if again.low is not None:
                shown += f" ({again.low:.3f} to {again.high:.3f})"
            shown += " of the base"
        one.reason = f"was {one.verdict}, but not again on fresh data{shown}"
        one.verdict, one.suspicious = INCONCLUSIVE, False
    for one in compared.values():
        if one.suspicious:
            one.reason = "implausibly good: does the new program still do its work?"
