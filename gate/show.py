"""The verdict as a table, for standard output."""

import textwrap

from reports import units
from reports.statistics.decide import EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED

from .judge import EXACT, INVALID, STATISTICAL, VARIES
from .progress import duration
from .write import value

ORDER = (REGRESSED, INVALID, IMPROVED, INCONCLUSIVE, EQUIVALENT)
COLORS = {REGRESSED: "31", INVALID: "31", IMPROVED: "32", INCONCLUSIVE: "33", EQUIVALENT: "2"}
MOST_LINES = 400
COLUMNS = 110


def _aligned(heads, rows, left):
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        yield "  ".join(text.ljust(width) if i in left else text.rjust(width)
                        for i, (text, width) in enumerate(zip(row, widths))).rstrip()


def _ratio(number):
    return units.NONE if number is None else units.ratio(number)


def _cells(one):
    span = (f"{_ratio(one.low)} to {_ratio(one.high)}" if one.low is not None
            else "exact" if one.tier == EXACT else units.NONE)
    verdict = one.verdict + (", waived" if one.waiver else "")
    return [verdict, one.metric.words, value(one, one.base), value(one, one.new),
            _ratio(one.ratio), span, units.percent(one.margin),
            units.NONE if one.noise is None else units.percent(one.noise),
            units.percent(one.least_detectable),
            str(len(one.values)) if one.unpaired is None else " + ".join(
                str(len(side)) for side in one.sides)]


HEADS = ["verdict", "metric", "base", "new", "ratio", "interval", "margin", "noise", "finds",
         "blocks"]


def _table(outcome, color):
    shown = [one for one in outcome.compared
             if one.tier == STATISTICAL or one.verdict != EQUIVALENT]
    shown.sort(key=lambda one: ORDER.index(one.verdict))
    by_row = {}
    for one in shown[:MOST_LINES]:
        by_row.setdefault(one.name, []).append(one)
    cells = [_cells(one) for ones in by_row.values() for one in ones]
    lines = list(_aligned(HEADS, cells, (0, 1)))
    yield lines[0]
    at = 1
    for name, ones in by_row.items():
        yield name
        for one in ones:
            line = lines[at]
            at += 1
            yield f"\x1b[{COLORS[one.verdict]}m{line}\x1b[0m" if color else line
            if one.reason and one.reason != VARIES and one.verdict != EQUIVALENT:
                yield f"    {one.reason}"
            if one.waiver:
                yield (f"    waived by {one.waiver.owner} until {one.waiver.expires}: "
                       f"{one.waiver.reason}")
    if len(shown) > MOST_LINES:
        yield units.more(len(shown) - MOST_LINES, "comparison", "in the file of -o")


def _wrapped(text):
    return textwrap.wrap(text, COLUMNS, subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)


def to_text(outcome, color):
    """Lines of the table, the notes and the verdict, which stands last."""
    lines = []
    if outcome.compared:
        lines += _table(outcome, color)
        same = sum(one.tier == EXACT and one.verdict == EQUIVALENT for one in outcome.compared)
        lines.append("")
        lines += _wrapped("ratio: new over base. margin: a change up to it is none. noise: how far "
                          "the same program strays on this host. finds: the least change for the "
                          "worse that so many blocks"
                          f"{'' if outcome.arms.offline else ', and a confirmation,'} find in 80 % "
                          f"of the cases. {same} counts per operation are exactly the same and not "
                          "listed.")
    for note in outcome.notes:
        lines += _wrapped(f"note: {note}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in outcome.counts.items() if count)
    lines.append("")
    lines.append(f"gate: {outcome.verdict.upper()}: {outcome.arms.new.name} against "
                 f"{outcome.arms.base.name}: {counts or 'nothing was compared'}; "
                 f"{duration(outcome.elapsed_s)}, seed {outcome.options.seed}")
    if outcome.reason:
        lines += _wrapped(outcome.reason)
    return "\n".join(lines) + "\n"
