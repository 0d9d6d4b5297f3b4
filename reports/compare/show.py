"""A comparison as text: a table for people, Markdown for a comment, JSON for programs."""

import json
import re
import textwrap

from .. import units
from ..statistics.decide import EQUIVALENT, IMPROVED, INCONCLUSIVE, REGRESSED
from . import effects

SCHEMA = "aioscope.compare/1"
COLORS = {REGRESSED: "31", IMPROVED: "32", EQUIVALENT: "2", INCONCLUSIVE: "33"}
MOST_NAMES = 10
TARGETS = ("file:", "device:")
MOST_DIFFERENCES = 30

SEQUENTIAL = ("The runs were measured one after the other, so that what differs between runs (the "
              "machine's load, placement in memory, temperature) is in the ratios and not in the "
              "intervals. 'aioscope gate' measures both in turns and decides.")
UNPAIRED = ("Intervals: Hodges-Lehmann shift of the repetitions' logarithms with the interval of "
            "the Mann-Whitney test.")
PAIRED = ("Intervals: median over the rounds, each measured in turns, with the interval of the "
          "sign test; with few rounds Hodges-Lehmann and Mann-Whitney over the repetitions. All "
          "of it is one run: another may differ by more.")


def _shorten(names):
    """({name: without the parts that all names have}, those parts). Driver and layout stay."""
    split = {name: name.split("/") for name in names}
    if len(split) < 2 or not all(":" in "".join(parts[2:]) for parts in split.values()):
        return {name: name for name in names}, ""
    first = next(iter(split.values()))
    common = [part for part in first[2:] if ":" in part and not part.startswith(TARGETS)
              and all(part in parts[2:] for parts in split.values())]
    short = {name: "/".join(part for i, part in enumerate(parts) if i < 2 or part not in common)
             for name, parts in split.items()}
    if len(set(short.values())) < len(short):
        return {name: name for name in names}, ""
    return short, "/".join(common)


def _value(metric, value):
    return units.NONE if value is None else metric.to_text(value)


def _interval(effect):
    if effect.method == "exact":
        return "exact"
    if effect.confidence == 0:
        return "one repetition"
    if effect.low is None and effect.high is None:
        return units.NONE
    low = units.ratio(effect.low) if effect.low is not None else "0"
    high = units.ratio(effect.high) if effect.high is not None else "\u221e"
    few = f" ({100 * effect.confidence:.0f} %)" if effect.note else ""
    return f"{low} to {high}{few}"


def _verdict(effect):
    if effect.base is None or effect.new is None:
        return effect.note
    return effect.verdict


def _ratio(effect):
    if effect.ratio is not None:
        return units.ratio(effect.ratio)
    return units.NONE if effect.base is None or effect.new is None or effect.base != effect.new \
        else units.ratio(1)


def _changes(metric, found):
    """Texts of one effect: ratio, interval, verdict."""
    if found is None:
        return [units.NONE, units.NONE, "no such row"]
    return [_ratio(found), _interval(found), _verdict(found)]


def _pairs(table, columns, short, confidence):
    """Heads, rows of texts, and which are aligned to the left: a line per row of the file."""
    heads = ["ROW", "BASE", "NEW", "RATIO", f"{confidence} INTERVAL", "VERDICT"]
    rows = [[short[name], _value(table.metric, found.base), _value(table.metric, found.new),
             *_changes(table.metric, found)] for name, (found,) in table.rows]
    return heads, rows, {0, 5}


def _many(table, columns, short, confidence):
    """The same with several others: a line for each of them below that of the base."""
    heads = ["ROW", columns.key.upper() or "RUN", "VALUE", "RATIO", f"{confidence} INTERVAL",
             "VERDICT"]
    labels = [column.label.removeprefix(f"{columns.key}=") for column in columns.columns]
    rows = []
    for name, found in table.rows:
        base = next((effect.base for effect in found if effect), None)
        rows.append([short[name], labels[0], _value(table.metric, base), "", "", "base"])
        for label, effect in zip(labels[1:], found):
            rows.append([short[name], label, _value(table.metric, effect and effect.new),
                         *_changes(table.metric, effect)])
    return heads, rows, {0, 1, 5}


def _grid(table, columns, short, confidence):
    layout = _pairs if len(columns.others) == 1 else _many
    return layout(table, columns, short, confidence)


def _aligned(heads, rows, left, color):
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    above = None
    for number, row in enumerate([heads, *rows]):
        parts = []
        for i, (cell, width) in enumerate(zip(row, widths)):
            again = i == 0 and row[0] == above  # of several lines only the first has the name
            text = ("" if again else cell).ljust(width) if i in left else cell.rjust(width)
            if color and number and i == 5 and cell in COLORS:
                text = f"\033[{COLORS[cell]}m{text.rstrip()}\033[0m"
            parts.append(text)
        above = row[0]
        yield "  ".join(parts).rstrip()


def _title(table, margin):
    metric = table.metric
    return (f"{metric.words} ({metric.unit}, {metric.better} is better, margin "
            f"{100 * margin:g} %)")


def _margin(table, settings):
    exact = any(effect and effect.method == "exact" for _, found in table.rows for effect in found)
    several = any(effect and effect.method in ("paired", "unpaired")
                  for _, found in table.rows for effect in found)
    return effects.EXACT_MARGIN if exact and not several else settings.margin


def _count_words(table):
    found = effects.counts(table)
    return ", ".join(f"{number} {verdict}" for verdict, number in found.items() if number)


def _names(names):
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def notes(columns, tables, settings):
    """Sentences below the tables."""
    yield from columns.notes
    for column, lacks, new in columns.missing():
        if lacks:
            yield f"{column.label} lacks {_names(lacks)}."
        if new:
            yield f"Only {column.label} has {_names(new)}."
    found = [effect for table in tables for _, row in table.rows for effect in row if effect]
    if any(effect.note.startswith("too few") for effect in found):
        yield ("Where an interval names its own confidence, there were too few repetitions for "
               f"{_percent(settings)}: --repetitions {_needed(settings, tables)} gives it.")
    yield from _counts_by_interval(tables)
    intervals = sum(effect.method in ("paired", "unpaired") and effect.confidence > 0
                    for effect in found)
    if intervals > 1 and settings.correction == "none":
        yield (f"{intervals} intervals of {_percent(settings)}: about "
               f"{intervals * settings.alpha:.2g} of them miss by chance; "
               "--correct holm bounds the chance of any false verdict of a metric.")
    if intervals:
        if not columns.paired:
            yield SEQUENTIAL
        yield PAIRED if columns.paired else UNPAIRED


def _counts_by_interval(tables):
    """Why counts are not compared exactly."""
    varied, scarce = [], []
    for table in (table for table in tables if table.metric.exact):
        found = [min(effect.repetitions) < effects.LEAST_EXACT for _, row in table.rows
                 for effect in row if effect and effect.method in ("paired", "unpaired")]
        if True in found:
            scarce.append(table.metric.words)
        if False in found:
            varied.append(table.metric.words)
    if varied:
        yield (f"Counts that varied between repetitions, and are compared by intervals: "
               f"{', '.join(varied)}.")
    if scarce:
        yield (f"Counts are compared exactly when {effects.LEAST_EXACT} repetitions a side agree, "
               f"and here there are fewer: {', '.join(scarce)}.")


def _percent(settings):
    return f"{100 * (1 - settings.alpha):g} %"


def _needed(settings, tables):
    """The least m for which m and m repetitions have an interval."""
    from ..statistics.unpaired import lower_tail
    rows = max((len(table.rows) for table in tables), default=1)
    level = settings.alpha / (1 if settings.correction == "none" else rows)
    return next((m for m in range(2, 30) if 2 * lower_tail(m, m)[0] <= level), 30)


def _differences(columns):
    rows = [[label, *(units.shorten(text, 60) for text in texts)]
            for label, texts in columns.differing[:MOST_DIFFERENCES] if label != "Command"]
    return rows


def to_table(columns, tables, settings, color=False):
    lines = []
    for i, column in enumerate(columns.columns, 1):
        lines.append(f"{'base' if i == 1 else 'new ' if len(columns.others) == 1 else f'{i:<4}'}"
                     f"  {column.label}")
    rows = _differences(columns)
    if rows:
        lines += ["", "What differs of their environments:",
                  *(f"  {line}" for line in _plain(rows))]
    folded = []
    for table in tables:
        if not settings.every_row and effects.all_equivalent(table):
            folded.append(f"  {_title(table, _margin(table, settings))}: {_count_words(table)}")
            continue
        short, common = _shorten([name for name, _ in table.rows])
        lines += ["", _title(table, _margin(table, settings)) + ": " + _count_words(table)]
        lines += [f"  {line}" for line in _aligned(
            *_grid(table, columns, short, _percent(settings)), color)]
        if common:
            lines.append(f"  all rows: {common}")
    if folded:
        lines += ["", "Equivalent in every row (--metric NAME shows the rows):", *folded]
    lines.append("")
    for note in notes(columns, tables, settings):
        lines += textwrap.wrap(note, 100, subsequent_indent="  ", break_long_words=False,
                               break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _plain(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def escape_markdown(text):
    """For a cell: neither markup of Markdown nor of HTML, nor the end of the cell."""
    return re.sub(r"[^\w\s/:.,;'@+=%()\u00d7\u2013\u221e\u00b5-]|_",
                  lambda match: f"&#{ord(match.group())};", text)


def markdown_code(text):
    """A name in a cell: as code where nothing in it ends the code."""
    return f"`{text}`" if re.fullmatch(r"[\w/:.,@+=-]+", text) else escape_markdown(text)


def _cells(texts):
    return "| " + " | ".join(texts) + " |"


def to_markdown(columns, tables, settings):
    lines = [f"Base: {markdown_code(columns.base.label)}. "
             + " ".join(f"New{f' {i}' if len(columns.others) > 1 else ''}: "
                        f"{markdown_code(column.label)}."
                        for i, column in enumerate(columns.others, 2)), ""]
    for table in tables:
        short, common = _shorten([name for name, _ in table.rows])
        heads, rows, left = _grid(table, columns, short, _percent(settings))
        lines += [f"**{escape_markdown(_title(table, _margin(table, settings)))}**: "
                  f"{_count_words(table)}", ""]
        lines += [_cells(heads),
                  "|" + "".join(":--|" if i in left else "--:|" for i in range(len(heads)))]
        for row in rows:
            cells = [f"**{cell}**" if cell == REGRESSED else
                     markdown_code(cell) if i in left and i < len(row) - 1
                     else escape_markdown(cell)
                     for i, cell in enumerate(row)]
            lines.append(_cells(cells))
        lines += ["", *([f"All rows: {markdown_code(common)}", ""] if common else [])]
    rows = _differences(columns)
    if rows:
        lines += ["<details><summary>What differs of their environments</summary>", "",
                  _cells(["What", *(markdown_code(column.label) for column in columns.columns)]),
                  "|:--|" + ":--|" * len(columns.columns)]
        lines += [_cells(map(escape_markdown, row)) for row in rows]
        lines += ["", "</details>", ""]
    lines += [f"- {escape_markdown(note)}" for note in notes(columns, tables, settings)]
    return "\n".join(lines) + "\n"


def _effect_json(effect):
    if effect is None:
        return None
    return {"new": effect.new, "ratio": effect.ratio, "low": effect.low, "high": effect.high,
            "confidence": effect.confidence, "verdict": effect.verdict,
            "method": effect.method or None, "note": effect.note,
            "repetitions": list(effect.repetitions)}


def to_json(columns, tables, settings):
    document = {
        "schema": SCHEMA, "columns": [column.label for column in columns.columns],
        "paired": columns.paired, "key": columns.key or None, "alpha": settings.alpha,
        "correction": settings.correction,
        "unlike": [label for label, _ in columns.unlike],
        "environment": [{"what": label, "values": texts} for label, texts in columns.differing],
        "missing": [{"column": column.label, "lacks": lacks, "only": new}
                    for column, lacks, new in columns.missing()],
        "metrics": [{
            "metric": table.metric.key, "words": table.metric.words, "unit": table.metric.unit,
            "better": table.metric.better, "margin": _margin(table, settings),
            "rows": [{"name": name,
                      "base": next((effect.base for effect in found if effect), None),
                      "effects": [_effect_json(effect) for effect in found]}
                     for name, found in table.rows]} for table in tables],
        "notes": list(notes(columns, tables, settings))}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
