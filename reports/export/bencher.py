"""Bencher Metric Format: for each row its measures, median with the least and the greatest."""

import json

from ..load import NothingToExport
from ..metrics import METRICS, counter_metrics, values
from ..summarise import median

SUMMARY = "Bencher Metric Format: for bencher run --adapter json"


def measures(rows):
    """[(row, metric, values of its repetitions)] of those that were measured. Raises
    NothingToExport, also for names that are not unique: what reads this goes by the name."""
    names = [row.row.name for row in rows if row.measured]
    if not names:
        raise NothingToExport("no row was measured")
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise NothingToExport(f"two rows have the name {twice[0]!r}; choose with --row")
    metrics = [*METRICS, *counter_metrics(rows)]
    found = ((row, metric, list(values(row, metric).values()))
             for row in rows for metric in metrics)
    return [(row, metric, of_row) for row, metric, of_row in found if of_row]


def export(_, rows):
    document = {}
    for row, metric, found in measures(rows):
        document.setdefault(row.row.name, {})[metric.key] = {
            "value": median(found), "lower_value": min(found), "upper_value": max(found)}
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
