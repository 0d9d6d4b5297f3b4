"""The sections of a comparison of two runs."""

from markupsafe import Markup

from . import flame, inside, sheet, units
from .figures import forest
from .panels import footer
from .sections import MOST_FLAME_BYTES, Flame, Section
from .sheet import SEPARATOR
from .table import Cell, Column, Table, quantity

MOST_ROWS = 1000
NOT_PAIRED = (" The interval is of the repetitions alone, with the confidence that the table "
              "states: perhaps is where they lie apart but are too few to be sure of 95 % over all "
              "rows. What differs from one run to the next it does not see. 'aioscope gate' "
              "measures both in turns, knows the noise of this host, and decides.")
NO_PAIR = "the two runs have no row of the same name"


def _footer(comparison):
    return f"new: {footer(comparison.new.run)} {SEPARATOR} base: {footer(comparison.base.run)}"


def _forest(comparison, prefix):
    section = Section("forest", "What changed", forest.CAPTION + NOT_PAIRED)
    sheets = [forest.sheet_of(f"{name}, new over base", f"{len(effects)} rows", _footer(comparison),
                              effects)
              for name, effects in comparison.effects.items() if effects]
    section.svgs = [Markup(sheet.to_inline_svg(one, f"{prefix}-forest{i}"))
                    for i, one in enumerate(sheets)]
    if not section.svgs:
        section.why, section.caption = NO_PAIR, ""
    section.tables = _changes(comparison)
    section.note = _unpaired(comparison)
    return section


def _changes(comparison):
    rows = []
    for name, effects in comparison.effects.items():
        for effect in effects:
            rows.append([Cell(effect.row, kind="code"), Cell(name),
                         quantity(effect.ratio, units.ratio, bold=True),
                         Cell(f"{units.ratio(effect.low)} to {units.ratio(effect.high)}",
                              effect.high - effect.low),
                         quantity(effect.confidence, units.percent), Cell(effect.verdict)])
    columns = [Column("Row", "wide"), Column("Metric", "text"), Column("New over base"),
               Column("Interval"), Column("Confidence"), Column("Verdict", "text")]
    return [Table("Changes", columns, rows[:MOST_ROWS],
                  folded=f"Each of {len(rows)} changes")] if rows else []


def _names(names, most=10):
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _unpaired(comparison):
    parts = []
    if comparison.only_base:
        parts.append(f"Only in the base: {_names(comparison.only_base)}.")
    if comparison.only_new:
        parts.append(f"Only in the new run: {_names(comparison.only_new)}.")
    return " ".join(parts)


def _function_table(before, after, name):
    rows = [[Cell(function, kind="code"), quantity(old, units.percent),
             quantity(new, units.percent), Cell(units.points(new - old).removesuffix(" than"),
                                                new - old)]
            for function, old, new in flame.largest_changes(before, after)]
    columns = [Column("Function", "wide"), Column("Base"), Column("New"), Column("Change")]
    return Table(f"Functions of {name}", columns, rows, title=name,
                 parameters="share of the samples in the function itself, the largest changes",
                 folded=f"The functions that changed most: {name}")


def _flames(comparison):
    section = Section(
        "difference", "Where the change is",
        "As wide as the new run's samples, each as a share of its own run, so that profiles of "
        "different length compare. Orange is a larger share than in the base, blue a smaller one; "
        "a change of 5 points has the deepest colour.")
    left = MOST_FLAME_BYTES
    for old, new in comparison.pairs:
        before, after = inside.profile(old), inside.profile(new)
        if before is None or after is None or left <= 0:
            continue
        svg = flame.difference(before, after, f"Difference of {new.row.name}")
        if svg:
            left -= len(svg)
            name = f"{new.driver}, {new.layout}, {new.row.config['target_label']}"
            section.flames.append(Flame(
                f"{name}: {after.samples} samples against {before.samples}", svg,
                [("larger share", "#e07600"), ("as before", "#e6e8ea"),
                 ("smaller share", "#0068aa")]))
            section.tables.append(_function_table(before, after, name))
    if not section.flames:
        section.caption = ""
        section.why = "no row of both runs has a profile; --profile takes one"
    return section


def sections(comparison, prefix):
    with sheet.settings():
        return [_forest(comparison, prefix), _flames(comparison)]
