"""How long an operation waits for locks, by place."""

from .. import inside, units
from ..panels import footer, more_panels, overview, styles, with_rows
from ..sheet import Key, Words
from ..style import FILL, LOCKS, MUTED
from .lanes import MOST_LANES, Axis, Bar, Lane, Mark, by_layout, lane_sheet

KEY = "locks"
TITLE = "Locks"
CAPTION = ("Time that all threads together waited for locks, over the operations, and the places "
           "that took them. Locks of a driver in user space count themselves; waits for the "
           "kernel's locks come from its tracepoints and are hatched. Marks are medians, whiskers "
           "the least and the most of the repetitions; 0 has no place on a logarithmic scale and "
           "stands at the right. A row that is not here was not asked, which is not the same as "
           "never waiting.")
NO_LOCKS = ("no row counts its locks: kioctx counts its own in the suite series or with --locks, "
            "and the kernel's need --locks and readable tracepoints")
MOST_SITES = 6
HATCH = "//////"


def _colours(rows):
    """{place: colour} of the places with the most wait; the others are drawn together."""
    totals = {}
    for row in rows:
        for site in inside.lock_sites(row):
            wait = site.wait_ns.value if site.wait_ns else 0
            totals[site.name] = totals.get(site.name, 0) + wait
    names = sorted((name for name, wait in totals.items() if wait), key=lambda name: -totals[name])
    return {name: LOCKS[i % len(LOCKS)] for i, name in enumerate(names[:MOST_SITES])}


def _wait_lane(row, style):
    wait, taken = inside.lock_wait(row), inside.acquisitions(row)
    fill = FILL.get(row.row.config["workload"], "full")
    lane = Lane(row.driver, texts=[units.three_digits(wait.value),
                                   units.three_digits(taken.value if taken else None)])
    if wait.value > 0:
        lane.marks.append(Mark(wait.value, wait.least, wait.most, *style, fill))
    return lane


def _places_lane(row, colours):
    """The places of a row, as shares of its waiting."""
    lane, start = Lane(row.driver), 0.0
    sites = [site for site in inside.lock_sites(row) if site.wait_ns and site.wait_ns.value]
    # The medians of the sites need not add up to the median of their sum.
    total = sum(site.wait_ns.value for site in sites)
    places, lengths = list(colours), {}
    for site in sorted(sites, key=lambda site: places.index(site.name) if site.name in colours
                       else len(places)):
        look = colours.get(site.name, MUTED), HATCH if site.of_kernel else ""
        key = site.name if site.name in colours else look  # those that share a look are one bar
        lengths[key] = look, lengths.get(key, (look, 0.0))[1] + site.wait_ns.value / total
    for (colour, hatch), length in lengths.values():
        lane.bars.append(Bar(start, start + length, colour, hatch))
        start += length
    return lane


def _sheets(summary, panel, look, colours, said):
    rows = [row for row in panel.measured if inside.lock_wait(row) is not None]
    waiting = [row for row in rows if inside.lock_wait(row).value > 0]
    said = footer(summary.run) + said
    if waiting:
        yield lane_sheet(
            Words(f"Waiting for locks, {panel.title}", panel.parameters, said),
            by_layout(rows, lambda row: _wait_lane(row, look[row.driver])),
            Axis("ns of waiting per operation, logarithmic", units.number_tick, log=True),
            ("wait\nns/op", "taken\nper op"), len(rows) - MOST_LANES)
    lanes = by_layout(waiting, lambda row: _places_lane(row, colours))
    if not any(lane.bars for lane in lanes):
        return
    used = {bar.colour for lane in lanes for bar in lane.bars}
    keys = [Key(units.shorten(name, 40), colour, bar=True) for name, colour in colours.items()
            if colour in used]
    if MUTED in used:
        keys.append(Key("other places", MUTED, bar=True))
    yield lane_sheet(
        Words(f"Where it waits, {panel.title}", panel.parameters, said, tuple(keys)), lanes,
        Axis("share of the waiting", units.percent_tick, values=(0.0, 1.0)),
        more=len(waiting) - MOST_LANES)


def draw(summary):
    panels, left_out = with_rows(overview(summary),
                                 lambda row: inside.lock_wait(row) is not None)
    if not panels:
        reasons = dict.fromkeys(inside.no_kernel_locks(row) for row in summary.measured)
        return NO_LOCKS + "".join(f" ({reason})" for reason in reasons if "asked" not in reason)
    look = styles(summary)
    colours = _colours([row for panel in panels for row in panel.measured])
    sheets = [sheet for panel in panels
              for sheet in _sheets(summary, panel, look, colours, more_panels(left_out))]
    return sheets or "no driver that counts its locks ever waited for one; the table has the counts"
