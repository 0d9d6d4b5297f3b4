"""The figures of a run. Each takes a Summary and returns a Sheet, or a sentence that says why there
is nothing to draw."""

import math

from . import units
from .panels import overview, run_parameters, scaling, styles, with_rows, workload_of
from .sheet import (CHARACTER_INCHES, MARGIN_INCHES, SEPARATOR, WIDTH_INCHES, Sheet, legend_height,
                    log_axis)
from .style import FILL, GRID, INK, LINE, MUTED, PAPER
from .summarise import NULL_DRIVER

LANE_INCHES = 0.3
PANEL_HEAD_INCHES = 0.62
PANEL_FOOT_INCHES = 0.5
HEAD_INCHES = 0.5  # of the sheet, above the legend
NAME_CHARACTERS = 22
COLUMN_INCHES = 0.86
NOTHING = "nothing was measured"


def _marker(axes, x, y, style, workload, **more):
    colour, marker = style
    fill = FILL.get(workload, "full")
    axes.plot([x], [y], marker=marker, color=colour, fillstyle=fill, linestyle="none",
              markerfacecoloralt=PAPER, markeredgecolor=colour, markeredgewidth=1.3, zorder=4,
              **({"markerfacecolor": PAPER} if fill == "none" else {}), **more)


def _names_width(panels):
    longest = max(len(driver) for panel in panels for driver in panel.drivers)
    return MARGIN_INCHES + CHARACTER_INCHES * min(longest, NAME_CHARACTERS) + 0.15


def _layout_entry(workload):
    return workload, lambda axes: _marker(axes, 0.5, 0, (MUTED, "o"), workload)


def _driver_entry(driver, style):
    def sample(axes):
        axes.plot([0, 1], [0, 0], color=style[0], linewidth=1.4)
        _marker(axes, 0.5, 0, style, "per-thread")
    return units.shorten(driver, NAME_CHARACTERS), sample


def _line_entry(workload):
    return workload, lambda axes: axes.plot([0, 1], [0, 0], color=MUTED, linewidth=1.4,
                                            linestyle=LINE.get(workload, "-"))


def _workloads(panels):
    return list(dict.fromkeys(workload_of(layout) for panel in panels for layout in panel.layouts))


def _more(count):
    return f" {SEPARATOR} {count} more combinations are in the table" if count else ""


def _panel_head(sheet, top, panel):
    sheet.text(MARGIN_INCHES, top + 0.12, panel.title, weight="bold")
    sheet.text(MARGIN_INCHES, top + 0.29, panel.parameters, color=MUTED)


def _lane_axes(sheet, top, panel, left, right, lanes):
    """Axes with a lane per entry of `lanes`, the first on top."""
    axes = sheet.axes(left, top + PANEL_HEAD_INCHES, WIDTH_INCHES - left - right,
                      LANE_INCHES * len(lanes))
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_color(GRID)
    axes.grid(True, axis="x")
    for lane in range(1, len(lanes)):
        axes.axhline(lane - 0.5, color=GRID, linewidth=0.5, zorder=0)
    for lane, driver in enumerate(lanes):
        y = top + PANEL_HEAD_INCHES + LANE_INCHES * (lane + 0.5)
        sheet.text(left - 0.1, y, units.shorten(driver, NAME_CHARACTERS), ha="right")
    return axes


def _state(row):
    """Why a row shows no number."""
    if row is None:
        return ""
    if row.skipped:
        return "skipped"
    return "failed" if row.failed else "not run"


def throughput(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.operations_per_s)
    if not panels:
        return NOTHING
    look = styles(summary)
    left = _names_width(panels)
    entries = [_layout_entry(workload) for workload in _workloads(panels)]
    height = HEAD_INCHES + legend_height(entries) + 0.1 + sum(
        PANEL_HEAD_INCHES + LANE_INCHES * len(panel.drivers) + PANEL_FOOT_INCHES
        for panel in panels)
    sheet = Sheet(height, "Throughput by driver: median, with the least and the most of the "
                  "repetitions", run_parameters(summary.run) + _more(left_out))
    top = HEAD_INCHES - 0.05
    top += sheet.legend(top, entries) + 0.15
    for panel in panels:
        _throughput_panel(sheet, top, panel, left, look)
        top += PANEL_HEAD_INCHES + LANE_INCHES * len(panel.drivers) + PANEL_FOOT_INCHES
    return sheet


def _ratio_pair(panel):
    """The layouts whose ratio the last column shows."""
    shared = [layout for layout in panel.layouts if workload_of(layout) == "shared"]
    alone = [layout for layout in panel.layouts if workload_of(layout) == "per-thread"]
    return (shared[0], alone[0]) if len(shared) == len(alone) == 1 else None


def _throughput_panel(sheet, top, panel, left, look):
    columns = panel.layouts[:4]
    pair = _ratio_pair(panel)
    right = MARGIN_INCHES + COLUMN_INCHES * (len(columns) + (pair is not None))
    axes = _lane_axes(sheet, top, panel, left, right, panel.drivers)
    _panel_head(sheet, top, panel)
    # The null driver is decades faster: with it on the scale the others would be one spot.
    rows = [row for row in panel.measured if row.driver != NULL_DRIVER] or panel.measured
    values = [value for row in rows
              for value in (row.operations_per_s_min, row.operations_per_s_max)]
    log_axis(axes, "x", values, units.rate_tick)
    axes.set_xlabel("operations per second, logarithmic")
    edge = WIDTH_INCHES - right
    for i, name in enumerate([*columns, *(["ratio"] if pair else [])]):
        workload, _, counts = name.partition(" ")
        for line, text in enumerate((workload, counts) if counts else ("", workload)):
            sheet.text(edge + COLUMN_INCHES * (i + 1) - 0.05,
                       top + PANEL_HEAD_INCHES - 0.21 + 0.14 * line, text, ha="right",
                       color=MUTED)
    for lane, driver in enumerate(panel.drivers):
        _throughput_lane(axes, panel, lane, driver, look[driver])
        y = top + PANEL_HEAD_INCHES + LANE_INCHES * (lane + 0.5)
        for i, layout in enumerate(columns):
            row = panel.of(driver, layout)
            known = row is not None and row.operations_per_s is not None
            sheet.text(edge + COLUMN_INCHES * (i + 1) - 0.05, y,
                       units.rate(row.operations_per_s) if known else _state(row), ha="right",
                       color=INK if known else MUTED)
        if pair:
            shared, alone = (panel.of(driver, layout) for layout in pair)
            if shared and alone and shared.operations_per_s and alone.operations_per_s:
                sheet.text(edge + COLUMN_INCHES * (len(columns) + 1) - 0.05, y,
                           units.times(shared.operations_per_s / alone.operations_per_s),
                           ha="right", weight="bold")


def _throughput_lane(axes, panel, lane, driver, style):
    rows = [(i, panel.of(driver, layout)) for i, layout in enumerate(panel.layouts)]
    rows = [(i, row) for i, row in rows if row is not None and row.operations_per_s]
    if len(rows) > 1:
        rates = [row.operations_per_s for _, row in rows]
        axes.plot([min(rates), max(rates)], [lane, lane], color=style[0], alpha=0.35, linewidth=3,
                  solid_capstyle="butt", zorder=1)
    if any(row.operations_per_s > axes.get_xlim()[1] for _, row in rows):
        axes.plot([0.99], [lane], marker=">", color=style[0], linestyle="none", clip_on=False,
                  transform=axes.get_yaxis_transform())
    for i, row in rows:
        # A little apart, so that neither hides the other where they are equal.
        y = lane + 0.32 * ((i + 0.5) / len(panel.layouts) - 0.5)
        axes.errorbar([row.operations_per_s], [y],
                      xerr=[[row.operations_per_s - row.operations_per_s_min],
                            [row.operations_per_s_max - row.operations_per_s]],
                      ecolor=style[0], elinewidth=1.2, fmt="none", zorder=3)
        _marker(axes, row.operations_per_s, y, style, row.row.config["workload"])


def _bar_entry(label, hatch):
    def sample(axes):
        axes.barh([0], [1], height=1.4, color=MUTED if hatch is None else "none",
                  edgecolor=MUTED, hatch=hatch, linewidth=0.6)
    return label, sample


def _price_sample(axes):
    axes.plot([0.5, 0.5], [-1, 1], color=INK, linewidth=2)


def cpu(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.cpu_ns_per_op is not None)
    if not panels:
        return NOTHING
    look = styles(summary)
    entries = [_bar_entry("user", None), _bar_entry("system", "//////"),
               ("what the harness alone costs in this layout", _price_sample)]
    heights = [PANEL_HEAD_INCHES + PANEL_FOOT_INCHES + LANE_INCHES * 0.75
               * len(_lanes(panel)) for panel in panels]
    sheet = Sheet(HEAD_INCHES + legend_height(entries) + 0.1 + sum(heights),
                  "CPU time per operation, user and system: medians; whiskers are the least and the"
                  " most", run_parameters(summary.run) + _more(left_out))
    top = HEAD_INCHES - 0.05
    top += sheet.legend(top, entries) + 0.15
    left = _names_width(panels) + CHARACTER_INCHES * max(
        len(layout) for panel in panels for layout in panel.layouts) + 0.1
    for panel, height in zip(panels, heights):
        _cpu_panel(sheet, top, panel, left, look)
        top += height
    return sheet


def _lanes(panel):
    return [(driver, layout) for driver in panel.drivers for layout in panel.layouts
            if panel.of(driver, layout) is not None]


def _cpu_panel(sheet, top, panel, left, look):
    lanes = _lanes(panel)
    lane_inches = LANE_INCHES * 0.75
    right = MARGIN_INCHES + COLUMN_INCHES
    _panel_head(sheet, top, panel)
    axes = sheet.axes(left, top + PANEL_HEAD_INCHES, WIDTH_INCHES - left - right,
                      lane_inches * len(lanes))
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(True, axis="x")
    axes.set_xlabel("CPU ns per operation")
    sheet.text(WIDTH_INCHES - MARGIN_INCHES - 0.05, top + PANEL_HEAD_INCHES - 0.08, "ns per op",
               ha="right", color=MUTED)
    before = None
    for lane, (driver, layout) in enumerate(lanes):
        row = panel.of(driver, layout)
        y = top + PANEL_HEAD_INCHES + lane_inches * (lane + 0.5)
        if driver != before:
            sheet.text(MARGIN_INCHES, y, units.shorten(driver, NAME_CHARACTERS))
            if lane:
                axes.axhline(lane - 0.5, color=GRID, linewidth=0.7, zorder=0)
        before = driver
        sheet.text(left - 0.08, y, layout, ha="right", color=MUTED)
        known = row.cpu_ns_per_op is not None
        sheet.text(WIDTH_INCHES - MARGIN_INCHES - 0.05, y,
                   units.three_digits(row.cpu_ns_per_op) if known else _state(row), ha="right",
                   color=INK if known else MUTED)
        if known:
            _cpu_lane(axes, lane, row, look[driver][0])
    most = max(row.cpu_ns_per_op_max for row in panel.measured if row.cpu_ns_per_op is not None)
    prices = [row.price_ns_per_op or 0 for row in panel.measured]
    axes.set_xlim(0, max([most, *prices]) * 1.06 or 1)


def _cpu_lane(axes, lane, row, colour):
    # The split is of two medians: scaled so that they add up to the median of the sum.
    parts = (row.cpu_user_ns_per_op or 0) + (row.cpu_system_ns_per_op or 0)
    user = row.cpu_ns_per_op * ((row.cpu_user_ns_per_op or 0) / parts if parts else 0)
    axes.barh([lane], [user], height=0.62, color=colour, edgecolor=colour, linewidth=0.6)
    axes.barh([lane], [row.cpu_ns_per_op - user], left=[user], height=0.62, color="none",
              edgecolor=colour, hatch="//////", linewidth=0.6)
    axes.errorbar([row.cpu_ns_per_op], [lane],
                  xerr=[[row.cpu_ns_per_op - row.cpu_ns_per_op_min],
                        [row.cpu_ns_per_op_max - row.cpu_ns_per_op]], ecolor=INK, elinewidth=1,
                  fmt="none", zorder=3)
    if row.price_ns_per_op is not None:
        axes.plot([row.price_ns_per_op] * 2, [lane - 0.46, lane + 0.46], color=INK, linewidth=2,
                  zorder=4)


PERCENTILES = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"),
               (0.99999, "p99.999"), (0.999999, "p99.9999")]
CELL_FOOT_INCHES = 0.52
CELL_LEFT_INCHES = 0.72


class Grid:
    """Cells of equal size, a row of them per panel, wrapped after `most` columns."""

    def __init__(self, panels, columns_of, most=2, cell_inches=2.0):
        self.columns_of = columns_of
        self.columns = min(most, max(len(columns_of(panel)) for panel in panels))
        self.cell_inches = cell_inches
        self.width = (WIDTH_INCHES - MARGIN_INCHES) / self.columns

    def rows(self, panel):
        return -(-len(self.columns_of(panel)) // self.columns)

    def height(self, panel):
        return 0.42 + self.rows(panel) * (self.cell_inches + 0.2 + CELL_FOOT_INCHES)

    def cells(self, sheet, top, panel):
        """(column, axes, whether it is the first of its line) for each column of the panel."""
        _panel_head(sheet, top, panel)
        for i, column in enumerate(self.columns_of(panel)):
            line, place = divmod(i, self.columns)
            y = top + 0.42 + line * (self.cell_inches + 0.2 + CELL_FOOT_INCHES)
            x = place * self.width
            sheet.text(x + CELL_LEFT_INCHES, y + 0.1, column, weight="bold", color=MUTED)
            yield column, sheet.axes(x + CELL_LEFT_INCHES, y + 0.2,
                                     self.width - CELL_LEFT_INCHES - 0.1, self.cell_inches)


def _grid_sheet(panels, grid, entries, title, footer):
    sheet = Sheet(HEAD_INCHES + legend_height(entries) + 0.1 + sum(map(grid.height, panels)),
                  title, footer)
    top = HEAD_INCHES - 0.05
    return sheet, top + sheet.legend(top, entries) + 0.12


def _nines(fraction):
    """Where a percentile lies: 50 % at 0.3, 90 % at 1, 99 % at 2."""
    return -math.log10(1 - fraction)


def latency(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.latency.count)
    if not panels:
        return "no latencies were recorded (--latency off), or nothing was measured"
    look = styles(summary)
    grid = Grid(panels, lambda panel: [
        layout for layout in panel.layouts
        if any(row.layout == layout and row.latency.count for row in panel.measured)])
    entries = [_driver_entry(driver, look[driver]) for driver in look]
    sheet, top = _grid_sheet(panels, grid, entries,
                             "Latency that so many of the operations do not exceed",
                             "Merged histograms of all repetitions, as far as 10 samples lie beyond"
                             f" the percentile {SEPARATOR} " + run_parameters(summary.run)
                             + _more(left_out))
    for panel in panels:
        bounds = [value for row in panel.measured for _, value in row.latency.curve() if value]
        for layout, axes in grid.cells(sheet, top, panel):
            curves = [(row, row.latency.curve()) for row in panel.measured
                      if row.layout == layout]
            _latency_cell(axes, curves, look, bounds or [1])
        top += grid.height(panel)
    return sheet


def _thinned(curve):
    """The curve without points that lie on top of each other."""
    kept = []
    for fraction, value in curve:
        x = _nines(fraction)
        if not kept or x - kept[-1][0] > 0.012 or value > kept[-1][1] * 1.05:
            kept.append((x, value))
    return kept


def _latency_cell(axes, curves, look, bounds):
    furthest = 1.0
    for row, curve in curves:
        points = [(x, value) for x, value in _thinned(curve) if value > 0]
        if not points:
            continue
        furthest = max(furthest, points[-1][0])
        style = look[row.driver]
        axes.plot(*zip(*points), color=style[0], linewidth=1.3, drawstyle="steps-pre")
        for fraction, _ in PERCENTILES:
            value = row.latency.percentile_ns(fraction)
            if value:
                _marker(axes, _nines(fraction), value, style, "per-thread")
    modes = sorted({row.latency_mode for row, curve in curves if curve})
    axes.set_xlim(0, furthest * 1.04)
    _percentile_ticks(axes, furthest * 1.04)
    log_axis(axes, "y", bounds, units.time_tick, margin=1.5)
    axes.set_xlabel(f"percentile of the operations (latency mode {', '.join(modes) or 'off'})")
    axes.set_ylabel("latency")


def _percentile_ticks(axes, limit):
    """A tick at each percentile, with its name where it does not touch the one before."""
    width_inches = axes.get_position().width * WIDTH_INCHES
    positions, labels, free_from = [], [], 0
    for fraction, label in PERCENTILES:
        x = _nines(fraction)
        half = (len(label) + 1) * CHARACTER_INCHES / 2 * limit / width_inches
        if x <= limit:
            positions.append(x)
            labels.append(label if x - half >= free_from else "")
            free_from = x + half if labels[-1] else free_from
    axes.set_xticks(positions, labels)


def _count(value):
    return f"{value:g}"


def scaling_figure(summary):
    panels, left_out = with_rows(scaling(summary), lambda row: row.operations_per_s)
    if not panels:
        counts = sorted({row.row.config["submitters"] for row in summary.measured})
        only = f"only with {counts[0]}" if len(counts) == 1 else "with no two counts that compare"
        return (f"every row ran {only} submitters; --submitters 1,2,4 or the suite scaling shows "
                "how throughput grows" if counts else NOTHING)
    look = styles(summary)
    grid = Grid(panels, _series)
    entries = [_driver_entry(driver, look[driver]) for driver in look]
    entries.append(("in proportion to the submitters", lambda axes: axes.plot(
        [0, 1], [-0.7, 0.7], color=MUTED, linewidth=0.9, linestyle=(0, (1, 1.5)))))
    sheet, top = _grid_sheet(panels, grid, entries,
                             "Throughput by number of submitters: medians; bars are the least and "
                             "the most", run_parameters(summary.run) + _more(left_out))
    usable = summary.run.header["host"].get("cpus_usable")
    for panel in panels:
        rates = [value for row in panel.measured
                 for value in (row.operations_per_s_min, row.operations_per_s_max)]
        for series, axes in grid.cells(sheet, top, panel):
            _scaling_cell(axes, [row for row in panel.measured if _series_of(row) == series],
                          look, rates, usable)
        top += grid.height(panel)
    return sheet


def _series_of(row):
    """The layout but for the number of submitters."""
    config = row.row.config
    words = {"shared": f"shared, {config['reapers']} reaping",
             "grouped": f"grouped over {config['contexts']}, {config['reapers']} reaping"}
    return words.get(config["workload"], config["workload"])


def _series(panel):
    return list(dict.fromkeys(_series_of(row) for row in panel.measured))


def _scaling_cell(axes, rows, look, rates, usable):
    counts = sorted({row.row.config["submitters"] for row in rows})
    log_axis(axes, "x", counts, _count, margin=1.15)
    axes.set_xticks(counts, [_count(count) for count in counts])
    log_axis(axes, "y", rates, units.rate_tick)
    axes.set_xlabel("submitters, logarithmic")
    axes.set_ylabel("operations/s, logarithmic")
    low, high = axes.get_ylim()
    if isinstance(usable, int) and counts[0] <= usable < counts[-1]:
        axes.axvline(usable, color=MUTED, linewidth=0.9, linestyle=(0, (6, 3)), zorder=1)
        axes.annotate(f"{usable} CPUs", (usable, 0.01), xycoords=("data", "axes fraction"),
                      xytext=(3, 2), textcoords="offset points", color=MUTED, size="small")
    for driver in dict.fromkeys(row.driver for row in rows):
        points = sorted(((row.row.config["submitters"], row) for row in rows
                         if row.driver == driver and row.operations_per_s),
                        key=lambda point: point[0])
        if not points:
            continue
        style = look[driver]
        xs = [count for count, _ in points]
        ys = [row.operations_per_s for _, row in points]
        axes.plot([xs[0], xs[-1]], [ys[0], ys[0] * xs[-1] / xs[0]], color=style[0], alpha=0.55,
                  linewidth=0.9, linestyle=(0, (1, 1.5)))
        axes.errorbar(xs, ys, yerr=[[row.operations_per_s - row.operations_per_s_min
                                     for _, row in points],
                                    [row.operations_per_s_max - row.operations_per_s
                                     for _, row in points]],
                      color=style[0], linewidth=1.3, elinewidth=1.1)
        for x, y in zip(xs, ys):
            _marker(axes, x, y, style, "per-thread")
    axes.set_ylim(low, high)


FARTHEST = 2.0  # times the median; what lies beyond is drawn at the edge


def order(summary):
    panels, left_out = with_rows(overview(summary), lambda row: row.operations_per_s)
    if not panels:
        return NOTHING
    look = styles(summary)
    grid = Grid(panels, lambda panel: [""], cell_inches=1.5)
    entries = [_driver_entry(driver, look[driver]) for driver in look]
    entries += [_layout_entry(workload) for workload in _workloads(panels)]
    sheet, top = _grid_sheet(panels, grid, entries,
                             "Throughput over the run: each slice of each repetition against the "
                             "median of its row",
                             run_parameters(summary.run) + _more(left_out))
    starts_ns = [item.measurement["start_realtime_ns"] for item in summary.run.repetitions]
    until_s = (max(starts_ns) - min(starts_ns)) / 1e9 + max(
        item.measurement["window_ns"] for item in summary.run.repetitions) / 1e9
    for panel in panels:
        for _, axes in grid.cells(sheet, top, panel):
            _order_cell(axes, panel, look, min(starts_ns))
            axes.set_xlim(-0.01 * until_s, 1.01 * until_s or 1)
        top += grid.height(panel)
    return sheet


def _order_cell(axes, panel, look, start_ns):
    seen = [0.85, 1.15]
    for row in panel.measured:
        if not row.operations_per_s:
            continue
        colour = look[row.driver][0]
        for item in row.repetitions:
            m = item.measurement
            first_s = (m["start_realtime_ns"] - start_ns) / 1e9
            slices = [(first_s + (i + 0.5) * m["slice_ns"] / 1e9, value / row.operations_per_s)
                      for i, value in enumerate(m["slices_ops_per_s"]) if value is not None]
            if not slices:
                continue
            xs = [x for x, _ in slices]
            ys = [min(y, FARTHEST) for _, y in slices]
            seen += ys
            axes.plot(xs, ys, color=colour, linewidth=1, linestyle=LINE.get(
                row.row.config["workload"], "-"))
            for x, y in zip(xs, ys):
                _marker(axes, x, y, look[row.driver], row.row.config["workload"], markersize=3.2)
    axes.axhline(1, color=MUTED, linewidth=0.8, zorder=1)
    low, high = max(0, min(seen)), max(seen)
    axes.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.yaxis.set_major_formatter(lambda value, _: units.times(value))
    axes.set_xlabel("seconds since the first window")
    axes.set_ylabel("of the median")


FIGURES = {"throughput": throughput, "cpu": cpu, "latency": latency, "scaling": scaling_figure,
           "order": order}
