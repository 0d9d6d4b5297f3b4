"""A forest plot: the effect of each row with its interval, the margin and the noise."""

from .. import units
from ..sheet import SEPARATOR, Key, Words
from ..style import BETTER, MUTED, WORSE
from .lanes import MOST_LANES, Axis, Lane, Mark, lane_sheet

CAPTION = ("Each row's value in the new run over that in the base. Blue is better, orange worse, "
           "grey is not told apart. The shaded bands, where there are any: the margin that is "
           "allowed, and how far the same code strays from itself on this host.")
COLOURS = {"better": BETTER, "improved": BETTER, "worse": WORSE, "regressed": WORSE}
SHAPES = {"better": "o", "improved": "o", "worse": "D", "regressed": "D"}
KEYS = (Key("better", BETTER, marker="o"), Key("worse", WORSE, marker="D"),
        Key("not told apart", MUTED, marker="s", fill="none"))


def _lane(effect):
    known = effect.verdict in COLOURS
    mark = Mark(effect.ratio, effect.low, effect.high, COLOURS.get(effect.verdict, MUTED),
                SHAPES.get(effect.verdict, "s"), "full" if known else "none")
    band = (1 / effect.noise, effect.noise) if effect.noise else ()
    return Lane(effect.label, [mark], texts=[units.ratio(effect.ratio)], band=band)


def sheet_of(title, parameters, footer, effects, margin=None):
    """`margin`: the largest ratio that still passes, or None."""
    groups = {}
    for effect in effects[:MOST_LANES]:
        groups.setdefault(effect.group, []).append(effect)
    lanes = []
    for group, same in groups.items():
        lanes += [Lane(group, heading=True), *map(_lane, same)]
    keys = KEYS
    if margin:
        keys += (Key(f"margin {units.change(margin - 1)}", MUTED, bar=True, hollow=True),)
    better = "more" if effects and effects[0].more_is_better else "less"
    words = Words(title, f"{parameters} {SEPARATOR} {better} is better", footer, keys)
    axis = Axis("new over base, logarithmic", units.times_tick, log=True, reference=1.0,
                band=(1 / margin, margin) if margin else ())
    return lane_sheet(words, lanes, axis, ("ratio",), len(effects) - MOST_LANES)
