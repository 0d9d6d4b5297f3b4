"""A gate's verdict in words with numbers, for every form that it is shown in."""

import math

from . import units

WORDS = {"regressed": "worse beyond their margin", "improved": "better beyond their margin",
         "equivalent": "shown to be the same within their margin",
         "inconclusive": "undecided", "invalid": "not valid"}


def headline(gate):
    counts = {verdict: len(gate.with_verdict(verdict)) for verdict in WORDS}
    parts = [f"{count} {WORDS[verdict]}" for verdict, count in counts.items() if count]
    compared = units.counted(len(gate.rows), "comparison")
    return (f"Gate: {gate.record['verdict'].upper()}. Of {compared} "
            f"{', '.join(parts) or 'none was made'}")


def sentences(gate):
    """The worst rows in words, and the gate's own reason."""
    if gate.record.get("reason"):
        yield gate.record["reason"]
    for row in sorted(gate.with_verdict("regressed"), key=lambda row: -strength(row))[:5]:
        waiver = row.get("waiver")
        waived = f", waived by {waiver['owner']}: {waiver['reason']}" if waiver else ""
        yield f"{row['name']}: {row['metric']} {interval(row)} of the base{waived}."


def strength(row):
    return abs(math.log(row["ratio"])) if row.get("ratio") else 0.0


def interval(row):
    if row.get("ratio") is None:
        return "changed"
    text = units.ratio(row["ratio"])
    if row.get("low") is None or row.get("high") is None:
        return text
    return f"{text} ({units.ratio(row['low'])} to {units.ratio(row['high'])})"


def numbers(row):
    """Of one comparison, in a line: the ratio, its interval and what it is held against."""
    parts = [f"{interval(row)} of the base"] if row.get("ratio") is not None else []
    if row.get("base") is not None and row.get("new") is not None:
        unit = f" {row['unit']}" if row.get("unit") else ""
        parts.append(f"{row['base']:.6g} became {row['new']:.6g}{unit}")
    for name, what in (("margin", "margin"), ("noise", "noise of this host"),
                       ("least_detectable", "least that would be found")):
        if row.get(name) is not None:
            parts.append(f"{what} {units.percent(row[name])}")
    return ", ".join(parts)


def waiver(row):
    """Who answers for a regression, and until when; empty where nobody does."""
    waived = row.get("waiver")
    if not waived:
        return ""
    until = f", until {waived['expires']}" if waived.get("expires") else ""
    return f"{waived['owner']}: {waived['reason']}{until}"
