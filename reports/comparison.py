"""Rows of one run against the same rows of another, for the page; in words and as effects that a
forest plot shows."""

import math
from dataclasses import dataclass

from . import environment, units
from .statistics.unpaired import Unpaired

FAMILYWISE = 0.05  # chance that any row of the same program is called better or worse

# Of the environment, what must be alike for a difference to be the program's.
DECISIVE = ("Kernel", "CPU", "CPUs usable", "CPUs of the control group", "Governors",
            "aioscope build type", "aioscope sanitizers")


@dataclass
class Effect:
    """One row in one metric; ratios are new over base."""

    row: str  # its name
    label: str  # shorter, within its group
    group: str
    ratio: float
    low: float
    high: float
    more_is_better: bool
    verdict: str
    margin: object = None  # what is allowed, as a part of 1
    noise: object = None  # how far the same code strays from itself, as a part of 1
    confidence: object = None  # of [low, high]


@dataclass
class Metric:
    name: str
    unit: str
    more_is_better: bool
    of_measurement: object


def _cpu(measurement):
    user, system = measurement["cpu_user_ns_per_op"], measurement["cpu_system_ns_per_op"]
    return None if user is None or system is None else user + system


METRICS = (Metric("Throughput", "op/s", True, lambda m: m["operations_per_s"]),
           Metric("CPU time", "ns/op", False, _cpu))


def _values(row, metric):
    found = (metric.of_measurement(item.measurement) for item in row.repetitions)
    return [value for value in found if value]


def _verdict(found, more_is_better):
    if found.low <= 0 <= found.high:
        return "not told apart"
    verdict = "better" if (found.low > 0) == more_is_better else "worse"
    return verdict if found.enough else f"perhaps {verdict}"


def _effect(base, new, metric, alpha):
    """Of two rows, or None."""
    old, now = _values(base, metric), _values(new, metric)
    if not old or not now:
        return None
    found = Unpaired(list(map(math.log, old)), list(map(math.log, now))).shift(alpha)
    config = new.row.config
    label = f"{new.driver} {new.layout}"
    group = f"{config['target_label']}, depth {config['depth']}, batch {config['batch']}"
    return Effect(new.row.name, label, group, math.exp(found.estimate), math.exp(found.low),
                  math.exp(found.high), metric.more_is_better,
                  _verdict(found, metric.more_is_better), confidence=found.confidence)


@dataclass
class Comparison:
    """`new` against `base`, both summarise.Summary."""

    base: object
    new: object
    pairs: list  # (base row, new row)
    only_base: list  # names
    only_new: list
    effects: dict  # name of the metric -> [Effect]
    unlike: list  # labels of unlike()


def _decisive(run):
    """{label: text} of a validate.Run."""
    known, plan = environment.of_run(run), run.header["plan"]
    found = {label: known.get(label, environment.UNKNOWN) for label in DECISIVE}
    found["Window"], found["Warm-up"] = (units.time(plan[key])
                                         for key in ("window_ns", "warmup_ns"))
    found["Pinning"] = str(plan.get("pin", environment.UNKNOWN))
    for target in run.header.get("targets") or []:
        if isinstance(target, dict):  # by the name that rows have; the path to it may differ
            found[f"Target {target.get('label', '?')}"] = environment.target_words(target)
    return found


def unlike(runs):
    """[(label, texts)] of what forbids to compare these validate.Run: unlike machines, builds,
    targets or windows. A target that only some of them have is in no row of all."""
    fields = list(map(_decisive, runs))
    labels = dict.fromkeys(label for one in fields for label in one)
    texts = {label: [one.get(label) for one in fields] for label in labels}
    found = [(label, values) for label, values in texts.items()
             if None not in values and len(set(values)) > 1]
    fingerprints = [run.header["host"].get("fingerprint") for run in runs]
    if not found and None not in fingerprints and len(set(map(str, fingerprints))) > 1:
        found = [("Fingerprint of the host", [str(one) for one in fingerprints])]
    return found


def compare(base, new):
    old = {row.row.name: row for row in base.measured}
    now = {row.row.name: row for row in new.measured}
    pairs = [(old[name], row) for name, row in now.items() if name in old]
    effects = {}
    for metric in METRICS:
        # Of all rows together, as far as there are repetitions for it.
        alpha = FAMILYWISE / max(1, len(pairs))
        found = (_effect(*pair, metric, alpha) for pair in pairs)
        effects[metric.name] = [effect for effect in found if effect]
    return Comparison(base, new, pairs, [name for name in old if name not in now],
                      [name for name in now if name not in old], effects,
                      [label for label, _ in unlike([base.run, new.run])])


def headline(comparison):
    effects = comparison.effects["CPU time"] or comparison.effects["Throughput"]
    if not effects:
        return "The two runs have no row in common"
    name = "CPU time per operation" if comparison.effects["CPU time"] else "throughput"
    counts = {verdict: sum(effect.verdict == verdict for effect in effects)
              for verdict in ("better", "worse", "perhaps better", "perhaps worse")}
    said = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items() if count)
    rest = len(effects) - sum(counts.values())
    return (f"Of {units.counted(len(effects), 'row')} in both runs, {name} is "
            + ", and ".join([said] * bool(said) + [f"not told apart in {rest}"] * bool(rest)))
