"""What a page shows of a gate's verdict."""

import datetime
import pathlib
import shlex

from markupsafe import Markup

from . import environment, sheet, units
from .comparison import Effect
from .figures import forest, sequence
from .gate_file import EXACT
from .gate_words import strength, waiver
from .load import clean
from .sections import Section
from .sheet import SEPARATOR
from .table import Cell, Column, Table, quantity

MOST_ROWS = 1000
ARMS = ("base", "new")
EXIT_CODES = {0: "nothing regressed", 1: "something regressed", 3: "undecided, with --strict",
              4: "nothing may be said", 130: "interrupted"}


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
    arms = [f"{arm} {record[arm]['name']}" for arm in ARMS
            if isinstance(record.get(arm), dict) and record[arm].get("name")]
    parts = [clean(pathlib.PurePath(gate.path).name), *arms, f"seed {record.get('seed', '?')}"]
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


def _value(row, name):
    """A median with its unit."""
    unit = row.get("unit", "")
    if unit == "ns":
        return quantity(row.get(name), units.time)
    if unit == "op/s":
        return quantity(row.get(name), lambda value: units.rate(value) + f" {unit}" * (
            value is not None))
    return quantity(row.get(name), lambda value: units.three_digits(value) + f" {unit}" * (
        value is not None))


def _interval(row):
    if row.get("low") is None or row.get("high") is None:
        return "exact" if row.get("tier") == EXACT else units.NONE
    return f"{units.ratio(row['low'])} to {units.ratio(row['high'])}"


def _either_way(part):
    return units.NONE if part is None else f"\u00b1 {units.percent(part)}"


def _cells(row):
    return [Cell(row["name"], kind="code"), Cell(row["metric"]),
            Cell(row["verdict"], bold=row["verdict"] in ("regressed", "invalid")),
            _value(row, "base"), _value(row, "new"),
            quantity(row.get("ratio"), lambda ratio: units.NONE if ratio is None
                     else units.ratio(ratio)),
            Cell(_interval(row)), quantity(row.get("margin"), _either_way),
            quantity(row.get("noise"), _either_way),
            quantity(row.get("least_detectable"), units.percent),
            Cell(" ".join(filter(None, (row.get("reason", ""), waiver(row)))))]


def _tables(gate):
    columns = [Column("Row", "wide"), Column("Metric", "text"), Column("Verdict", "text"),
               Column("Base"), Column("New"), Column("New over base"), Column("Interval"),
               Column("Margin"), Column("Noise of this host"),
               Column("Least worsening that would be found"), Column("Why, waiver", "wide")]
    for folded, wanted in (("", lambda row: row["verdict"] != "equivalent"),
                           ("Those that were shown to be the same",
                            lambda row: row["verdict"] == "equivalent")):
        rows = [_cells(row) for row in gate.rows if wanted(row)]
        if rows:
            yield Table(folded or "Not shown to be the same", columns, rows[:MOST_ROWS],
                        folded=folded and f"{folded}: {len(rows)}",
                        title=folded or "Not shown to be the same",
                        note=units.more(len(rows) - MOST_ROWS, "row", "in the raw data."))


def _yes(value):
    return "yes" if value else "no"


def _facts(record):
    """(what, words) of what the file says of the whole."""
    known = record.keys()
    code = record["exit_code"]
    yield "Verdict", record["verdict"]
    yield "Exit code", f"{code}: {EXIT_CODES[code]}" if code in EXIT_CODES else str(code)
    yield "Seed of the order", str(record.get("seed"))
    for key, what, to_text in (
            ("complete", "Complete", _yes), ("suite", "Suite", lambda suite: suite or "none"),
            ("strict", "Undecided fails (--strict)", _yes),
            ("same_program", "Both arms are the same program", _yes),
            ("alpha", "Familywise error", units.percent),
            ("start_realtime_ns", "Started", _moment),
            ("elapsed_s", "Took", lambda seconds: f"{units.three_digits(seconds)} s"),
            ("calibration", "Calibration of this host", _calibration),
            ("order", "Order of the blocks", lambda order: ", ".join(order) or "none ran")):
        if key in known:
            yield what, to_text(record[key])


def _moment(time_ns):
    try:
        moment = datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return "unknown"
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _calibration(found):
    if not found:
        return "none: margins alone decide"
    return ", ".join(f"{key} {value}" for key, value in found.items())


def _decided(gate):
    rows = [[Cell(what, bold=True), Cell(units.shorten(text, environment.MOST_CHARACTERS))]
            for what, text in _facts(gate.record)]
    facts = Table("The gate", [Column("What", "text"), Column("Value", "wide")], rows,
                  sortable=False)
    looks = [[Cell(look["look"]), quantity(look["blocks"], str),
              quantity(look["alpha"], units.percent), quantity(look["comparisons"], str)]
             for look in gate.record.get("looks", [])]
    columns = [Column("Look", "text"), Column("Blocks"), Column("Error over all comparisons"),
               Column("Comparisons")]
    return Section("decided", "How it was decided", tables=[
        facts, *([Table("Looks", columns, looks, title="Looks at the data", sortable=False)]
                 if looks else [])])


def _listed(key, title, why, columns, rows):
    """A section that is one table, or says why it is none."""
    section = Section(key, title)
    if rows:
        section.tables = [Table(title, columns, rows[:MOST_ROWS],
                                note=units.more(len(rows) - MOST_ROWS, "row", "in the raw data."))]
    else:
        section.why = why
    return section


def _waivers(gate):
    rows = [[Cell(one["row"], kind="code"), Cell(one["metric"]), Cell(one["owner"]),
             Cell(one["reason"]), Cell(one["expires"]),
             Cell(units.counted(one.get("used", 0), "regression"), one.get("used", 0))]
            for one in gate.record.get("waivers", [])]
    columns = [Column("Rows", "wide"), Column("Metric", "text"), Column("Owner", "text"),
               Column("Reason", "wide"), Column("Expires", "text"), Column("Covers")]
    return _listed("waivers", "Waivers", "the gate was given no waivers", columns, rows)


def _alone(gate):
    rows = [[Cell(name, kind="code"), Cell(f"only the {arm} has it")]
            for arm, key in (("base", "missing_rows"), ("new arm", "new_rows"))
            for name in gate.record.get(key, [])]
    return _listed("left-out", "Rows without a counterpart", "both arms have the same rows",
                   [Column("Row", "wide"), Column("Why it is not compared", "text")], rows)


def _commands(gate):
    record = gate.record
    commands = [("the gate", record.get("command"))]
    commands += [(f"the first block of {arm}", shlex.join(command)) for arm in ARMS
                 if (command := record.get(arm, {}).get("command"))]
    rows = [[Cell(what), Cell(command, kind="command")] for what, command in commands if command]
    section = _listed("commands", "Commands", "the gate does not say how it was started",
                      [Column("What", "text"), Column("Command", "wide")], rows)
    if rows:
        section.note = ("One row alone: the gate's command with --only 'NAME OF THE ROW' behind "
                        "its --, and with --seed and the seed above in the same order.")
    return section


ARM_LABELS = {"name": "Compared", "program": "Program", "sha256": "SHA-256 of the program",
              "driver": "Driver", "driver_sha256": "SHA-256 of the driver",
              "files": "Result files"}


def _of_arm(arm):
    """{label: text}"""
    fields = {}
    for key, label in ARM_LABELS.items():
        if arm.get(key):
            fields[label] = ", ".join(arm[key]) if key == "files" else arm[key]
    return {**fields, **environment.of_machine(arm.get("tool", {}), arm.get("host", {}))}


def _environment(gate):
    columns = [_of_arm(gate.record.get(arm, {})) for arm in ARMS]
    return Section("environment", "Environment of both arms",
                   intro="As each arm's first block found it. What differs is highlighted.",
                   tables=[environment.side_by_side(columns, ["Base", "New"])])


def sections(gate, prefix):
    with sheet.settings():
        return [_forest(gate, prefix), _sequence(gate, prefix), _decided(gate), _waivers(gate),
                _alone(gate), _commands(gate), _environment(gate)]
