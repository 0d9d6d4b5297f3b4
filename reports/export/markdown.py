"""Markdown tables for a comment of a pull request or a summary of a CI job."""

from .. import gate_words, looking, units
from ..compare.show import escape_markdown, markdown_code

SUMMARY = "tables for a comment of a pull request, of a run or of a gate.json"
# A comment on GitHub has at most 65536 characters.
MOST_CHARACTERS = 60_000
MOST_NAME = 160
MOST_REASON = 300
MOST_NOTES = 10
OPEN = ("regressed", "invalid", "inconclusive", "improved")  # the order in which they are shown


def _plain(text, most=MOST_REASON):
    return escape_markdown(units.shorten(" ".join(text.split()), most))


def _name(text):
    return markdown_code(units.shorten(" ".join(text.split()), MOST_NAME))


def _line(cells):
    return "| " + " | ".join(cells) + " |"


def _table(heads, left, rows, budget):
    """Lines of a table of at most `budget` characters; the last says what was left out."""
    lines = [_line(heads), "|" + "".join(":--|" if i in left else "--:|"
                                         for i in range(len(heads)))]
    used = sum(map(len, lines))
    for i, row in enumerate(rows):
        line = _line(row)
        used += len(line) + 1
        if used > budget:
            lines += ["", f"{len(rows) - i} more rows do not fit here."]
            break
        lines.append(line)
    return [*lines, ""]


def _result_cells(row):
    spread = "" if row.spread is None else f" \u00b1 {units.percent(row.spread / 2)}"
    return [_name(row.row.name), _plain(units.rate(row.operations_per_s) + spread),
            _plain(units.time(row.cpu_ns_per_op)),
            *(_plain(units.time(row.latency.percentile_ns(fraction)) if row.latency.count
                     else units.NONE) for fraction in (0.5, 0.99)),
            _plain(units.three_digits(row.system_calls_per_op)), str(len(row.repetitions))]


def export(summary, rows):
    """The measured rows, then those that were not and why."""
    host = summary.run.header["host"]
    about = [host[name] for name in ("name", "cpu_model", "kernel")
             if isinstance(host.get(name), str)]
    lines = [f"**aioscope** {_plain(', '.join(about))}", ""]
    measured = [_result_cells(row) for row in rows if row.measured]
    if measured:
        lines += _table(["Row", "op/s", "CPU per op", "p50", "p99", "system calls per op",
                         "repetitions"], {0}, measured, MOST_CHARACTERS * 2 // 3)
    others = []
    for row in rows:
        if row.skipped:
            reason = " ".join(filter(None, (row.skipped["reason"], row.skipped["cure"])))
            others.append([_name(row.row.name), "skipped", _plain(reason)])
        others += [[_name(row.row.name), "failed", _plain(record["message"])]
                   for record in row.failed]
    if others:
        lines += _table(["Row", "", "Why"], {0, 1, 2}, others, MOST_CHARACTERS // 4)
    for instrument, price in looking.prices(summary.run.header).items():
        lines += [_plain(f"Price of {instrument}: {price}."), ""]
    if summary.run.incomplete:
        lines += [f"Incomplete: {_plain(summary.run.incomplete)}", ""]
    return "\n".join(lines)


def _percent(part):
    return units.NONE if part is None else f"\u00b1 {units.percent(part)}"


def _gate_cells(row):
    verdict = row["verdict"]
    why = " ".join(filter(None, (row.get("reason"), gate_words.waiver(row)
                                 and f"waived by {gate_words.waiver(row)}")))
    return [_name(row["name"]), _plain(row["metric"], MOST_NAME),
            f"**{_plain(verdict)}**" if verdict in ("regressed", "invalid") else _plain(verdict),
            _plain(gate_words.interval(row)) if row.get("ratio") is not None else units.NONE,
            *(_plain(_percent(row.get(name))) for name in ("margin", "least_detectable")),
            _plain(why)]


def of_gate(gate):
    """Of a gate_file.Gate; fits a comment. What is not shown to be the same stands first."""
    lines = [f"**{_plain(gate_words.headline(gate))}**", ""]
    if gate.record.get("reason"):
        lines += [_plain(gate.record["reason"]), ""]
    heads = ["Row", "Metric", "Verdict", "New over base", "Margin", "Least found", "Why"]
    left = {0, 1, 2, 6}
    shown = [row for verdict in OPEN for row in gate.with_verdict(verdict)]
    shown += [row for row in gate.rows if row["verdict"] not in (*OPEN, "equivalent")]
    if shown:
        lines += _table(heads, left, list(map(_gate_cells, shown)), MOST_CHARACTERS * 2 // 3)
    same = gate.with_verdict("equivalent")
    if same:
        lines += ["<details><summary>Shown to be the same within their margin: "
                  f"{len(same)}</summary>", "",
                  *_table(heads, left, list(map(_gate_cells, same)), MOST_CHARACTERS // 4),
                  "</details>", ""]
    notes = gate.record.get("notes", [])[:MOST_NOTES]
    lines += [*(f"- {_plain(note)}" for note in notes), *[""] * bool(notes)]
    arms = [f"{side} {_name(gate.record[side]['name'])}" for side in ("base", "new")
            if isinstance(gate.record.get(side), dict)
            and isinstance(gate.record[side].get("name"), str)]
    if arms:
        lines.append(", ".join(arms) + f", seed {_plain(str(gate.record.get('seed')))}")
    return "\n".join(lines) + "\n"
