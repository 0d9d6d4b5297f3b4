"""A forest plot: the effect of each row with its interval, the margin and the noise."""

from .. import units
from ..sheet import SEPARATOR, Key, Words
from ..style import BETTER, MUTED, WORSE
from .lanes import MOST_LANES, Axis, Lane, Mark, lane_sheet

CAPTION = ("Each row's value in the new run over that in the base. Blue is better, orange worse, "
           "grey is neither. The shaded bands, where there are any: the margin that is allowed, "
           "and how far the same code strays from itself on this host; they overlap.")
COLOURS = {"better": BETTER, "improved": BETTER, "worse": WORSE, "regressed": WORSE,
           "perhaps better": BETTER, "perhaps worse": WORSE}
SHAPES = {"better": "o", "improved": "o", "perhaps better": "o", "worse": "D", "regressed": "D",
          "perhaps worse": "D", "equivalent": "s", "not told apart": "s"}
FILLED = {"better", "improved", "worse", "regressed", "equivalent"}


def _bands(effect):
    parts = [part for part in (effect.margin, effect.noise) if part]
    return [(1 / (1 + part), 1 + part) for part in parts]


def _lane(effect):
    mark = Mark(effect.ratio, effect.low, effect.high, COLOURS.get(effect.verdict, MUTED),
                SHAPES.get(effect.verdict, "X"), "full" if effect.verdict in FILLED else "none")
    return Lane(effect.label, [mark], texts=[units.ratio(effect.ratio)], bands=_bands(effect))


def sheet_of(title, parameters, footer, effects):
    groups = {}
    for effect in effects[:MOST_LANES]:
        groups.setdefault(effect.group, []).append(effect)
    lanes = []
    for group, same in groups.items():
        lanes += [Lane(group, heading=True), *map(_lane, same)]
    keys = tuple(
        Key(verdict, COLOURS.get(verdict, MUTED), marker=SHAPES.get(verdict, "X"),
            fill="full" if verdict in FILLED else "none")
        for verdict in dict.fromkeys(effect.verdict for effect in effects))
    if any(map(_bands, effects)):
        keys += (Key("margin and noise", MUTED, bar=True, faint=True),)
    better = "more" if effects and effects[0].more_is_better else "less"
    words = Words(title, f"{parameters} {SEPARATOR} {better} is better", footer, keys)
    axis = Axis("new over base, logarithmic", units.times_tick, log=True, reference=1.0)
    return lane_sheet(words, lanes, axis, ("ratio",), len(effects) - MOST_LANES)
