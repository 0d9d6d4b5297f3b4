"""The tables of a run."""

from . import inside, units, words
from .figures import counters, scaling
from .panels import by_shape, parameters, styles, target_words
from .summarise import MOST_HARNESS_SHARE, NULL_DRIVER
from .table import Cell, Column, Table, quantity, spread

MOST_ROWS = 1000  # of one table


def marks(row):
    found = []
    if row.oversubscribed:
        found.append(("O", "more threads than usable CPUs: waits include preemption"))
    if row.driver != NULL_DRIVER and (row.harness_share or 0) > MOST_HARNESS_SHARE:
        found.append(("H", "the harness is over 10 % of its CPU time"))
    if row.unsteady:
        found.append(("U", "throughput drifts within the window"))
    return found


def _driver(row, look):
    return Cell(row.driver, swatch=look[row.driver][0])


def _left_out(rows):
    return units.more(len(rows) - MOST_ROWS, "row", "left out here and in the raw data.")


def glance(summary):
    """What the question is about, for the drivers that it is about."""
    rows = words.candidates(summary)
    if not rows:
        return None
    look, config = styles(summary), rows[0].row.config
    pairs = {pair.shared.row.index: pair for pair in summary.sharing}
    cells = []
    for row in rows:
        profile, pair = inside.profile(row), pairs.get(row.row.index)
        aio, wait, taken = (profile.aio_share if profile else None, inside.lock_wait(row),
                            inside.acquisitions(row))
        cells.append([
            _driver(row, look), spread(aio, units.percent), spread(wait, units.three_digits),
            spread(taken, units.three_digits),
            quantity(row.cpu_ns_per_op, units.three_digits),
            quantity(row.operations_per_s, units.rate),
            quantity(pair.ratio if pair else None, units.times, bold=True)])
    return Table(
        "At a glance", [Column("Driver", "text"), Column("AIO share of CPU time"),
                        Column("Lock wait ns/op"), Column("Locks taken /op"), Column("CPU ns/op"),
                        Column("op/s"), Column("Shared over per-thread")], cells,
        title=f"One context shared by {config['submitters']} submitters, {target_words(config)}",
        parameters=parameters(config), note=words.glance_note(summary, rows), sortable=False)


def sharing(summary):
    look = styles(summary)
    rows = []
    for pair in summary.sharing[:MOST_ROWS]:
        config = pair.shared.row.config
        known = pair.ratio_min is not None
        target = config["target_label"] + ("" if config["operation"] == "read"
                                           else f" {config['operation']}")
        both = list(dict.fromkeys(marks(pair.shared) + marks(pair.alone)))
        rows.append([
            Cell(target), _driver(pair.shared, look), quantity(pair.ratio, units.times, bold=True),
            Cell(f"{units.times(pair.ratio_min)} to {units.times(pair.ratio_max)}",
                 pair.ratio_max - pair.ratio_min) if known else Cell(units.NONE, ""),
            Cell(words.verdict(pair)), Cell(str(config["submitters"]), config["submitters"]),
            quantity(pair.shared.operations_per_s, units.rate),
            quantity(pair.alone.operations_per_s, units.rate),
            quantity(pair.shared.cpu_ns_per_op, units.three_digits),
            quantity(pair.alone.cpu_ns_per_op, units.three_digits),
            quantity(pair.cpu_ratio, units.times), Cell("", marks=sorted(both))])
    columns = [Column("Target", "text"), Column("Driver", "text"), Column("Ratio"),
               Column("Range"), Column("Rounds", "text"), Column("Submitters"),
               Column("Shared op/s"), Column("Per-thread op/s"), Column("Shared CPU ns/op"),
               Column("Per-thread CPU ns/op"), Column("CPU ratio"), Column("Marks", "text")]
    return [Table("Shared against per-thread", columns, rows,
                  note=_left_out(summary.sharing))] if rows else []


def _row_cells(row, look):
    calls = quantity(row.system_calls_per_op, units.three_digits)
    if row.system_calls_per_op is not None and not row.system_calls_traced:
        calls.marks.append(("d", "as the driver counts them"))
    return [
        _driver(row, look), Cell(row.layout), quantity(row.operations_per_s, units.rate),
        quantity(row.spread, units.percent), quantity(row.cpu_ns_per_op, units.three_digits),
        quantity(row.cpu_user_ns_per_op, units.three_digits),
        quantity(row.cpu_system_ns_per_op, units.three_digits),
        *(quantity(row.latency.percentile_ns(fraction), units.time)
          for fraction in (0.5, 0.99, 0.999)), calls,
        quantity(row.context_switches_per_op, units.three_digits),
        quantity(row.fairness_jain, units.three_digits),
        quantity(row.harness_share, units.upper_bound_percent), Cell("", marks=marks(row))]


def rows(summary):
    """One table per combination, with the rows in the order of the plan."""
    look, left = styles(summary), MOST_ROWS
    columns = [Column("Driver", "text"), Column("Layout", "text"), Column("op/s"),
               Column("Spread"), Column("CPU ns/op"), Column("user ns/op"),
               Column("system ns/op"), Column("p50"), Column("p99"), Column("p99.9"),
               Column("System calls/op"), Column("Switches /op"), Column("Fairness (Jain)"),
               Column("Harness"), Column("Marks", "text")]
    for same in by_shape(summary).values():
        measured = [row for row in same if row.measured]
        if measured and left > 0:
            config = same[0].row.config
            yield Table(f"Rows of {target_words(config)}", columns,
                        [_row_cells(row, look) for row in measured[:left]],
                        title=target_words(config), parameters=parameters(config))
            left -= len(measured)


def _sites(row):
    for site in inside.all_sites(row):
        share = None
        if site.contended and site.acquisitions and site.acquisitions.value:
            share = site.contended.value / site.acquisitions.value
        yield [Cell(site.name, kind="code"), Cell(site.whose),
               spread(site.acquisitions, units.three_digits), quantity(share, units.percent),
               spread(site.contended, units.three_digits), spread(site.wait_ns, units.three_digits),
               quantity(site.p50_ns, units.time), quantity(site.p99_ns, units.time),
               quantity(site.max_ns, units.time)]


def lock_sites(summary):
    look = styles(summary)
    rows = []
    for row in summary.measured:
        for cells in _sites(row):
            rows.append([_driver(row, look), Cell(row.layout), Cell(row.row.config["target_label"]),
                         *cells])
    columns = [Column("Driver", "text"), Column("Layout", "text"), Column("Target", "text"),
               Column("Place", "text"), Column("Whose", "text"), Column("Taken /op"),
               Column("Found taken"), Column("Contended /op"), Column("Wait ns/op"),
               Column("Wait p50"), Column("Wait p99"), Column("Wait max")]
    return [Table("Locks by place", columns, rows[:MOST_ROWS], note=_left_out(rows),
                  folded=f"Every place that takes a lock, {len(rows)} in all")] if rows else []


def law(summary):
    """Parameters of the Universal Scalability Law."""
    cells = [[Cell(text) for text in row] for row in scaling.table(summary)]
    columns = [Column("Target", "text"), Column("Layout", "text"), Column("Driver", "text"),
               Column("One submitter op/s"), Column("Contention \u03c3"),
               Column("Coherence \u03ba"), Column("Peak at submitters"), Column("Fit", "text")]
    return [Table("The Universal Scalability Law fitted", columns, cells, sortable=False,
                  note="In brackets the range of the fits to each round alone. \u03c3 is the share "
                       "of the work that only one thread at a time can do, \u03ba what each pair "
                       "of threads costs the other.")] if cells else []


def counts(summary):
    found, look = counters.counts(summary), styles(summary)
    if not found:
        return []
    unit = {name: counters.unit_of(values) for name, values in found.items()}
    rows = [[_driver(row, look), Cell(row.layout), Cell(row.row.config["target_label"]),
             *(spread(counters.per_unit(values.get(row.row.index), unit[name][0]),
                      units.three_digits) for name, values in found.items())]
            for row in summary.measured]
    heads = [Column(f"{name} per {unit[name][1]}") for name in found]
    notes = [f"{name}: not measured, {why}." for name, why in counters.missing(summary)]
    notes += [f"{name} shared its counter and ran {units.percent(share)} of the time at least: "
              "its count is scaled up, an estimate."
              for name, share in counters.scaled(summary).items()]
    return [Table("Counts per operation", [Column("Driver", "text"), Column("Layout", "text"),
                                           Column("Target", "text"), *heads],
                  rows[:MOST_ROWS], note=" ".join([*notes, _left_out(rows)]),
                  folded=f"All counts of {len(rows)} rows")]


def splits(summary):
    """Where the time between submitting and reaping passes."""
    look, rows = styles(summary), []
    for row in summary.measured:
        found = inside.latency_split(row)
        if found:
            rows.append([_driver(row, look), Cell(row.layout), Cell(row.row.config["target_label"]),
                         *(spread(part, units.time) for part in found.values())])
    columns = [Column("Driver", "text"), Column("Layout", "text"), Column("Target", "text"),
               *(Column(f"{part} per op") for part in inside.SPLIT.values())]
    return [Table("An operation's way", columns, rows[:MOST_ROWS], note=_left_out(rows),
                  folded="Time in the calls and in flight")] if rows else []


def left_out(summary):
    rows = []
    for row in summary.rows:
        name = Cell(row.row.name, kind="code")
        if row.skipped:
            rows.append([name, Cell("skipped"), Cell(row.skipped["reason"]),
                         Cell(row.skipped["cure"])])
        for record in row.failed:
            rows.append([name, Cell(f"failed in repetition {record['repetition']} "
                                    f"({record['kind']})"), Cell(record["message"]), Cell("")])
    columns = [Column("Row", "wide"), Column("What", "text"), Column("Why", "wide"),
               Column("Cure", "wide")]
    return [Table("Skipped and failed rows", columns, rows[:MOST_ROWS], note=_left_out(rows),
                  sortable=False)] if rows else []


def commands(summary):
    rows = [[Cell(row.row.name + (" (prices the harness)" if row.row.price_only else ""),
                  kind="code"), Cell(row.row.command, kind="command"), Cell(row.setup)]
            for row in summary.rows[:MOST_ROWS]]
    return [Table("Commands", [Column("Row", "wide"), Column("Command", "wide"),
                               Column("Set-up in force", "wide")], rows, sortable=False,
                  note=_left_out(summary.rows),
                  folded=f"The command and the set-up in force of each of {len(summary.rows)} "
                         "rows")]
