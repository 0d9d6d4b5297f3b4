"""The custom input of github-action-benchmark, whose files hold measures of one direction."""

import json

from ..summarise import median
from .bencher import measures

SUMMARY = "for github-action-benchmark; of the direction that --better says"
DIRECTED = True  # export takes `better`


def export(_, rows, better="lower"):
    """`better` is lower (customSmallerIsBetter) or higher (customBiggerIsBetter)."""
    entries = []
    for row, metric, found in measures(rows):
        if metric.better == better:
            entry = {"name": f"{row.row.name} {metric.words}", "unit": metric.unit,
                     "value": median(found)}
            if len(found) > 1:
                entry["range"] = f"\u00b1 {(max(found) - min(found)) / 2:.6g}"
            entries.append({**entry, "extra": row.row.command})
    return json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
