"""What a page shows of a gate's verdict."""

import pathlib

from markupsafe import Markup

from . import sheet, units
from .comparison import Effect
from .figures import forest, sequence
from .gate_words import strength, waiver
from .sections import Section
from .sheet import SEPARATOR
from .table import Cell, Column, Table, quantity

MOST_ROWS = 1000


def _effect(row):
    parts = row["name"].split("/")
    return Effect(row["name"], " ".join(parts[:2]), "/".join(parts[2:]) or row["name"],
                  row["ratio"], row["low"] or row["ratio"], row["high"] or row["ratio"],
                  row.get("better") == "higher", row["verdict"], row.get("margin"),
                  row.get("noise"))


def _by_metric(gate):
    metrics = {}
    for row in gate.rows:
        if row.get("ratio"):
            metrics.setdefault(row["metric"], []).append(
                {"low": None, "high": None, **row})
    return metrics


def _footer(gate):
    record = gate.record
    arms = [f"{arm} {record[arm]['name']}" for arm in ("base", "new")
            if isinstance(record.get(arm), dict) and record[arm].get("name")]
    parts = [pathlib.PurePath(gate.path).name, *arms, f"seed {record.get('seed', '?')}"]
    if record.get("alpha") is not None:
        parts.append(f"familywise error {units.percent(record['alpha'])}")
    return f" {SEPARATOR} ".join(parts)


def _forest(gate, prefix):
    section = Section("forest", "Every comparison", forest.CAPTION, tables=list(_tables(gate)))
    sheets = [forest.sheet_of(metric, units.counted(len(rows), "row"), _footer(gate),
                              list(map(_effect, rows)))
              for metric, rows in _by_metric(gate).items()]
    section.svgs = [Markup(sheet.to_inline_svg(one, f"{prefix}-forest{i}"))
                    for i, one in enumerate(sheets)]
    if not sheets:
        section.why, section.caption = "the gate holds no ratio", ""
    return section


def _points(row):
    return [(block["block"], block["ratio"]) for block in row.get("blocks", []) if block["ratio"]]


def _sequence(gate, prefix):
    section = Section("blocks", "The blocks in their order", sequence.CAPTION)
    for metric, rows in _by_metric(gate).items():
        rows = sorted(rows, key=lambda row: -strength(row))
        chosen = [(row["name"], _points(row)) for row in rows if len(_points(row)) > 1]
        chosen = chosen[:sequence.MOST_ROWS]
        if chosen:
            drawn = sequence.sheet_of(metric, _footer(gate), chosen)
            section.svgs.append(Markup(sheet.to_inline_svg(
                drawn, f"{prefix}-blocks{len(section.svgs)}")))
    if not section.svgs:
        section.why, section.caption = "the gate holds no ratios of single blocks", ""
    return section


def _change(row, name):
    return quantity(row.get(name), lambda part: units.NONE if part is None
                    else f"\u00b1 {units.percent(part)}")


def _cells(row):
    known = row.get("low") is not None and row.get("high") is not None
    return [Cell(row["name"], kind="code"), Cell(row["metric"]),
            Cell(row["verdict"], bold=row["verdict"] in ("regressed", "invalid")),
            quantity(row.get("ratio"), lambda ratio: units.NONE if ratio is None
                     else units.ratio(ratio)),
            Cell(f"{units.ratio(row['low'])} to {units.ratio(row['high'])}" if known
                 else units.NONE),
            _change(row, "margin"), _change(row, "noise"), _change(row, "least_detectable"),
            Cell(" ".join(filter(None, (row.get("reason", ""), waiver(row)))))]


def _tables(gate):
    columns = [Column("Row", "wide"), Column("Metric", "text"), Column("Verdict", "text"),
               Column("New over base"), Column("Interval"), Column("Margin"),
               Column("Noise of this host"), Column("Least that would be found"),
               Column("Why, waiver", "wide")]
    for folded, wanted in (("", lambda row: row["verdict"] != "equivalent"),
                           ("Those that were shown to be the same",
                            lambda row: row["verdict"] == "equivalent")):
        rows = [_cells(row) for row in gate.rows if wanted(row)]
        if rows:
            yield Table(folded or "Not shown to be the same", columns, rows[:MOST_ROWS],
                        folded=folded and f"{folded}: {len(rows)}",
                        title=folded or "Not shown to be the same",
                        note=units.more(len(rows) - MOST_ROWS, "row", "in the raw data."))


def sections(gate, prefix):
    with sheet.settings():
        return [_forest(gate, prefix), _sequence(gate, prefix)]
