"""What a run shows, in sentences: numbers first, and no more than the rounds agree on."""

from . import inside, looking, units
from .panels import MOST_PANELS, by_shape, run_parameters, target_words
from .summarise import NULL_DRIVER


def _span(values, drivers, to_text):
    """"0.20x (io_uring) to 0.97x (sync)"."""
    ranked = sorted(zip(values, drivers))
    (least, first), (most, last) = ranked[0], ranked[-1]
    if len(ranked) == 1 or to_text(least) == to_text(most):
        return f"{to_text(least)} ({first})" if len(ranked) == 1 else to_text(least)
    return f"{to_text(least)} ({first}) to {to_text(most)} ({last})"


def _candidates(summary):
    """The comparisons that the headline is about: of real drivers, with the most submitters."""
    pairs = [pair for pair in summary.sharing if pair.shared.driver != NULL_DRIVER]
    most = max((pair.shared.row.config["submitters"] for pair in pairs), default=0)
    return [pair for pair in pairs if pair.shared.row.config["submitters"] == most]


def verdict(pair):
    if pair.ratio_min is None:
        return "one round only"
    if not pair.differs:
        return "rounds disagree"
    return "less in every round" if pair.ratio < 1 else "more in every round"


# The drivers that the question is about, in the order of the answer.
ASKED_ABOUT = ("kioctx@v3.7", "kioctx@series", "libaio", "io_uring")


def candidates(summary):
    """Shared rows of ASKED_ABOUT, of the combination that has most of them, or of all drivers."""
    best = []
    for rows in by_shape(summary).values():
        shared = [row for row in rows if row.measured and row.row.config["workload"] == "shared"
                  and row.row.config["submitters"] > 1]
        most = max((row.row.config["submitters"] for row in shared), default=0)
        shared = [row for row in shared if row.row.config["submitters"] == most]
        found = [row for row in shared if row.driver in ASKED_ABOUT]
        found.sort(key=lambda row: ASKED_ABOUT.index(row.driver))
        # One layout: the first, where several counts of reapers were run.
        found = [row for row in found if row.layout == found[0].layout]
        if len(found) > len(best):
            best = found
    return best


def _each(rows, to_spread, to_text):
    parts = [f"{to_text(found.value)} ({row.driver})" for row in rows
             if (found := to_spread(row)) is not None]
    return ", ".join(parts)


def _aio_share(row):
    profile = inside.profile(row)
    return profile.aio_share if profile else None


def answers(summary):
    """AIO's share of the CPU time and the waiting for its locks, in sentences."""
    rows = candidates(summary)
    if not rows:
        return []
    config = rows[0].row.config
    where = (f"with one context shared by {config['submitters']} submitters on "
             f"{config['target_label']}")
    said = []
    if shares := _each(rows, _aio_share, units.percent):
        said.append(f"AIO and its locks take {shares} of the CPU time {where}.")
    if waits := _each(rows, inside.lock_wait, lambda ns: f"{units.three_digits(ns)} ns"):
        said.append(f"An operation waits for locks for {waits} {where}.")
    return said


def glance_note(summary, rows):
    """Why there are dashes in the table of the first screen."""
    notes = []
    if not any(map(_aio_share, rows)):
        notes.append(f"AIO share: {inside.no_profile(rows)}.")
    unknown = [row for row in rows if inside.lock_wait(row) is None]
    if unknown:
        names = ", ".join(row.driver for row in unknown)
        notes.append(f"Lock wait of {names}: {inside.no_kernel_locks(unknown[0])}.")
    return " ".join(notes)


def headline(summary):
    """One line for the top of the page."""
    candidates = _candidates(summary)
    # The extremes of noise would make a fine headline and a wrong one.
    pairs = [pair for pair in candidates if pair.differs or pair.ratio_min is None]
    if candidates and not pairs:
        return "Sharing one context makes no difference that every round agrees on"
    if pairs:
        but = ("" if len(pairs) == len(candidates) else
               f", in the {len(pairs)} of {len(candidates)} comparisons where every round agrees")
        span = _span([pair.ratio for pair in pairs],
                     [f"{pair.shared.driver} on {pair.shared.row.config['target_label']}"
                      for pair in pairs], units.times)
        return f"One shared context has {span} the throughput of a context per thread{but}"
    measured = [row for row in summary.measured if row.operations_per_s is not None]
    if not measured:
        return "Nothing was measured"
    rows = [row for row in measured if row.driver != NULL_DRIVER] or measured
    fastest = max(rows, key=lambda row: row.operations_per_s)
    return (f"{units.counted(len(measured), 'row')} measured; the fastest is {fastest.driver} with "
            f"{units.rate(fastest.operations_per_s)}op/s "
            f"({fastest.layout}, {target_words(fastest.row.config)})")


def _sharing_sentence(pairs):
    config = pairs[0].shared.row.config
    drivers = [pair.shared.driver for pair in pairs]
    text = (f"{config['submitters']} submitters, {units.size(config['block_size_bytes'])} "
            f"{config['operation']}: one shared context has "
            f"{_span([pair.ratio for pair in pairs], drivers, units.times)} the throughput of a "
            "context per thread")
    costs = [(pair.cpu_ratio, pair.shared.driver) for pair in pairs if pair.cpu_ratio is not None]
    if costs:
        text += (f" and takes {_span(*zip(*costs), units.times)} the CPU time per operation")
    clear = sum(pair.differs for pair in pairs)
    if pairs[0].ratio_min is None:
        return text + ". One round only: how much of it is chance is not known."
    if clear == len(pairs):
        return text + ". Every round agrees."
    return text + f". Every round agrees in {clear or 'none'} of {len(pairs)} comparisons."


def _fastest_sentence(rows):
    fastest = max(rows, key=lambda row: row.operations_per_s)
    text = (f"Fastest: {fastest.driver} ({fastest.layout}) with "
            f"{units.rate(fastest.operations_per_s)}op/s")
    costs = [row for row in rows if row.cpu_ns_per_op is not None]
    if costs:
        cheapest = min(costs, key=lambda row: row.cpu_ns_per_op)
        text += (f"; least CPU time: {cheapest.driver} ({cheapest.layout}) with "
                 f"{units.three_digits(cheapest.cpu_ns_per_op)} ns/op")
    return text + "."


def findings(summary):
    """[(target, sentences)], one entry per combination, of MOST_PANELS at most."""
    groups = {}
    for row in summary.measured:
        if row.driver != NULL_DRIVER and row.operations_per_s is not None:
            groups.setdefault(row.shape, []).append(row)
    candidates = _candidates(summary)
    found = []
    for shape, rows in list(groups.items())[:MOST_PANELS]:
        pairs = [pair for pair in candidates if pair.shared.shape == shape]
        sentences = [_sharing_sentence(pairs)] if pairs else []
        found.append((target_words(rows[0].row.config), [*sentences, _fastest_sentence(rows)]))
    return found


def about(summary):
    """The run in one line, and one line for each instrument that slowed it down."""
    return [run_parameters(summary.run),
            *(f"Price of {instrument}: {price}."
              for instrument, price in looking.prices(summary.run.header).items())]
