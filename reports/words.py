"""What a run shows, in sentences: numbers first, and no more than the rounds agree on."""

from . import units
from .panels import run_parameters, target_words
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
    return (f"{len(measured)} rows measured; the fastest is {fastest.driver} with "
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
    """[(target, sentences)], one entry per combination that the first figure has a panel of."""
    groups = {}
    for row in summary.measured:
        if row.driver != NULL_DRIVER and row.operations_per_s is not None:
            groups.setdefault(row.shape, []).append(row)
    candidates = _candidates(summary)
    found = []
    for shape, rows in groups.items():
        pairs = [pair for pair in candidates if pair.shared.shape == shape]
        sentences = [_sharing_sentence(pairs)] if pairs else []
        found.append((target_words(rows[0].row.config), [*sentences, _fastest_sentence(rows)]))
    return found


def about(summary):
    """The run in one line."""
    return run_parameters(summary.run)
