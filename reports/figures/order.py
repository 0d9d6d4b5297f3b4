"""Throughput over the time and the order of the run."""

from .. import units
from ..panels import curves_of, footer, more_panels, overview, styles, with_rows
from ..sheet import Key, Sheet, Words, cell_inches, linear_axis, marker
from ..style import FILL, LINE, MUTED
from .throughput import NOTHING, layout_keys

KEY = "order"
TITLE = "Over the run"
CAPTION = ("Every slice of every repetition when it ran, against the median of its row. "
           "Repetitions of all rows are interleaved: a slope over the whole figure is the machine, "
           "not a driver. What exceeds twice the median is drawn at the top edge.")
FARTHEST = 2.0  # times the median; what lies beyond is drawn at the edge
PLOT_INCHES = 1.7


def _slices(row, start_ns):
    """[(seconds, of the median)] of each repetition."""
    for item in row.repetitions:
        m = item.measurement
        if m["start_realtime_ns"] is None:
            continue
        first_s = (m["start_realtime_ns"] - start_ns) / 1e9
        slices = [(first_s + (i + 0.5) * m["slice_ns"] / 1e9,
                   min(value / row.operations_per_s, FARTHEST))
                  for i, value in enumerate(m["slices_ops_per_s"]) if value is not None]
        if slices:
            yield slices


def _sheet(summary, panel, look, start_ns, until_s, said):
    rows, more = curves_of([row for row in panel.measured if row.operations_per_s])
    drivers = dict.fromkeys(row.driver for row in rows)
    words = Words(f"Throughput over the run, {panel.title}", panel.parameters,
                  footer(summary.run) + said + more,
                  (*(Key(driver, *look[driver]) for driver in drivers), *layout_keys([panel])))
    sheet = Sheet(words, cell_inches(PLOT_INCHES))
    axes = sheet.cell(PLOT_INCHES, "of the row's median")
    seen = [0.85, 1.15]
    for row in rows:
        colour, shape = look[row.driver]
        workload = row.row.config["workload"]
        for slices in _slices(row, start_ns):
            seen += [y for _, y in slices]
            axes.plot(*zip(*slices), **{
                **marker(colour, shape, FILL.get(workload, "full"), 3.2), "linewidth": 0.9,
                "linestyle": LINE.get(workload, "-")})
    axes.axhline(1, color=MUTED, linewidth=0.8, zorder=1)
    margin = 0.05 * (max(seen) - min(seen))
    linear_axis(axes, "y", max(0, min(seen) - margin), max(seen) + margin, units.times_tick)
    linear_axis(axes, "x", -0.01 * until_s, 1.01 * until_s or 1, units.number_tick)
    axes.set_xlabel("seconds since the first window")
    return sheet


def draw(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.operations_per_s)
    if not panels:
        return NOTHING
    measurements = [item.measurement for item in summary.run.repetitions
                    if item.measurement["start_realtime_ns"] is not None]
    if not measurements:
        return "the file does not say when its repetitions began"
    start_ns = min(m["start_realtime_ns"] for m in measurements)
    until_s = max(m["start_realtime_ns"] + m["window_ns"] - start_ns for m in measurements) / 1e9
    look = styles(summary)
    return [_sheet(summary, panel, look, start_ns, until_s, more_panels(left_out))
            for panel in panels]
