"""Where an operation's nanoseconds go: the layers of the profile, user and kernel."""

from .. import inside, units
from ..panels import footer, more_panels, overview, with_rows
from ..sheet import Key, Words
from ..style import MUTED, layer_styles
from .lanes import MOST_LANES, Axis, Bar, Lane, by_layout, lane_sheet

KEY = "layers"
TITLE = "Where an operation's time goes"
CAPTION = ("CPU time per operation, divided as the samples of the profile were: each sample "
           "belongs to one layer, by its innermost known function. Time in the kernel is hatched. "
           "The whisker is the least and the most CPU time of the repetitions; the share at the "
           "right is that of the aio core and of waiting for its locks.")
KEYS = (Key("user", MUTED, bar=True), Key("kernel", MUTED, bar=True, hatch="//////"))
HATCH = "//////"
OTHER = "other"
LEAST_SHARE = 0.01  # of a row's samples


def _shown(profiles):
    """The layers that are worth a colour; the others are drawn as one."""
    found = {layer for profile in profiles for layer, samples in profile.layers.items()
             if sum(samples) >= LEAST_SHARE * profile.samples}
    return found | {OTHER}


def _merged(profile, look):
    """{layer of `look`: [user samples, kernel samples]}."""
    merged = {layer: [0, 0] for layer in look}
    for layer, samples in profile.layers.items():
        both = merged[layer if layer in look else OTHER]
        both[0] += samples[0]
        both[1] += samples[1]
    return merged


def _lane(row, profile, look):
    """Its bars in ns per operation."""
    lane, start = Lane(row.driver), 0.0
    merged = _merged(profile, look)
    for layer, colour in look.items():
        user, kernel = merged[layer]
        for samples, hatch in ((user, ""), (kernel, HATCH)):
            if samples:
                end = start + row.cpu_ns_per_op * samples / profile.samples
                lane.bars.append(Bar(start, end, colour, hatch))
                start = end
    lane.whisker = (row.cpu_ns_per_op, row.cpu_ns_per_op_min, row.cpu_ns_per_op_max)
    lane.texts = [units.three_digits(row.cpu_ns_per_op),
                  units.percent(profile.aio_share.value) if profile.aio_share else units.NONE]
    return lane


def draw(summary):
    profiles = {row.row.index: inside.profile(row) for row in summary.measured
                if row.cpu_ns_per_op is not None}
    panels, left_out = with_rows(overview(summary), lambda row: profiles.get(row.row.index))
    if not panels:
        return inside.no_profile(summary.measured)
    sheets = []
    for panel in panels:
        rows = [row for row in panel.measured if profiles.get(row.row.index)]
        look = layer_styles(_shown([profiles[row.row.index] for row in rows]))
        lanes = by_layout(rows, lambda row, look=look: _lane(row, profiles[row.row.index], look))
        samples = sum(profiles[row.row.index].samples for row in rows)
        events = ", ".join(sorted({profiles[row.row.index].event for row in rows} - {""}))
        words = Words(f"CPU time by layer, {panel.title}",
                      f"{panel.parameters}, {samples} samples of {events or 'unknown'}",
                      footer(summary.run) + more_panels(left_out),
                      (*(Key(layer, colour, bar=True) for layer, colour in look.items()), *KEYS))
        sheets.append(lane_sheet(words, lanes, Axis("CPU ns per operation", units.number_tick),
                                 ("ns/op", "aio"), len(rows) - MOST_LANES))
    return sheets
