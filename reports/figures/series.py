"""The patch series stage by stage: what each patch adds or takes, as a waterfall."""

from .. import inside, units
from ..panels import by_shape, footer, more_panels, parameters, target_words
from ..sheet import Key, Words
from ..style import BETTER, MUTED, WORSE
from ..summarise import ratio
from .lanes import MOST_LANES, Axis, Bar, Lane, lane_sheet

KEY = "series"
TITLE = "The series, patch by patch"
CAPTION = ("Each line is a stage of kioctx: the patches up to there. The bar runs from the stage "
           "before to this one; a blue bar is a gain, an orange one a loss. It is filled where "
           "every round agrees on the direction and hollow where rounds disagree, so that the "
           "change may be chance. The whisker is the least and the most of the repetitions.")
FAMILY = "kioctx@"
LEAST_STAGES = 3
MOST_GROUPS = 4
KEYS = (Key("better", BETTER, bar=True), Key("worse", WORSE, bar=True),
        Key("rounds disagree", MUTED, bar=True, hollow=True))


def _cpu_of(measurement):
    user, system = measurement["cpu_user_ns_per_op"], measurement["cpu_system_ns_per_op"]
    return None if user is None or system is None else user + system


def _rmw_of(measurement):
    counts = measurement.get("driver_counts")
    return inside.per_op(counts.get("shared_rmw"), counts["operations"]) if counts else None


def _acquisitions_of(measurement):
    counts = measurement.get("driver_counts")
    return inside.per_op(sum(site["acquisitions"] for site in counts["lock_sites"]),
                         counts["operations"]) if counts else None


# title, unit, whether more is better, of a repetition
METRICS = [
    ("CPU time", "ns/op", False, _cpu_of, units.number_tick, units.three_digits),
    ("Throughput", "op/s", True, lambda m: m["operations_per_s"], units.rate_tick, units.rate),
    ("Lock acquisitions", "per op", False, _acquisitions_of, units.number_tick,
     units.three_digits),
    ("Shared atomic writes", "per op", False, _rmw_of, units.number_tick, units.three_digits),
]


def _rounds(row, of_measurement):
    return {item.repetition: of_measurement(item.measurement) for item in row.repetitions}


def _agree(before, now, of_measurement):
    """Whether every round, of two or more, sees the same direction."""
    first, second = _rounds(before, of_measurement), _rounds(now, of_measurement)
    ratios = [ratio(second[i], first[i]) for i in first.keys() & second.keys()]
    ratios = [value for value in ratios if value is not None]
    return len(ratios) > 1 and (max(ratios) < 1 or min(ratios) > 1)


def _stage(row):
    return row.driver.removeprefix(FAMILY)


def _lanes(rows, more_is_better, of_measurement, to_text):
    lanes, before, value_before = [], None, None
    for row in rows:
        found = inside.spread(of_measurement(item.measurement) for item in row.repetitions)
        lane = Lane(_stage(row), texts=["", ""])
        lanes.append(lane)
        if found is None:
            continue
        lane.whisker = (found.value, found.least, found.most)
        lane.texts[0] = to_text(found.value)
        if before is None:
            lane.bars = [Bar(0, found.value, MUTED)]
        else:
            colour = BETTER if (found.value > value_before) == more_is_better else WORSE
            lane.bars = [Bar(value_before, found.value, colour,
                             hollow=not _agree(before, row, of_measurement))]
            change = ratio(found.value - value_before, value_before)
            lane.texts[1] = "" if change is None else units.change(change)
        before, value_before = row, found.value
    return lanes


def _chosen(summary):
    """Rows of stages, for each shape and layout with enough of them."""
    groups = {}
    for shape, rows in by_shape(summary).items():
        for row in rows:
            if row.driver.startswith(FAMILY) and row.measured:
                groups.setdefault((shape, row.layout), []).append(row)
    return [same for same in groups.values() if len(same) >= LEAST_STAGES]


def draw(summary):
    groups = _chosen(summary)
    if not groups:
        return (f"fewer than {LEAST_STAGES} stages of kioctx were measured alike; the suite series "
                "measures all of them")
    sheets = []
    for rows in groups[:MOST_GROUPS]:
        config = rows[0].row.config
        for name, unit, more_is_better, of_measurement, to_tick, to_text in METRICS:
            lanes = _lanes(rows, more_is_better, of_measurement, to_text)
            if sum(bool(lane.bars) for lane in lanes) < LEAST_STAGES:
                continue
            words = Words(f"{name}, {rows[0].layout}, {target_words(config)}",
                          parameters(config) + (", more is better" if more_is_better
                                                else ", less is better"),
                          footer(summary.run) + more_panels(len(groups) - MOST_GROUPS), KEYS)
            sheets.append(lane_sheet(words, lanes[:MOST_LANES], Axis(f"{name}, {unit}", to_tick),
                                     (unit, "change"), len(lanes) - MOST_LANES))
    return sheets
