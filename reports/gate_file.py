"""Reads a gate's verdict, gate.json (docs/RESULT_FORMAT.md): what the report shows of it."""

import re
from dataclasses import dataclass

from .fields import (flag, integer, joined, list_of, mapping, number, object_of, optional, quantity,
                     text, texts)
from .load import ResultError, decode, read

SCHEMA = "aioscope.gate/1"
GATES_SCHEMA = re.compile(rb'"schema"\s*:\s*"aioscope\.gate/')

BLOCK = object_of({"block": integer, "ratio": optional(quantity)})
ROW = object_of({"name": text, "metric": text, "verdict": text}, {
    "unit": text, "better": text, "tier": integer, "ratio": quantity, "low": quantity,
    "high": quantity, "base": quantity, "new": quantity, "margin": quantity, "noise": quantity,
    "least_detectable": quantity, "reason": text, "blocks": list_of(BLOCK),
    "waiver": optional(object_of({"owner": text, "reason": text}, {"expires": text}))})
GATE = object_of({"schema": text, "verdict": text, "exit_code": integer, "rows": list_of(ROW)}, {
    "reason": text, "seed": number, "alpha": quantity, "base": mapping, "new": mapping,
    "calibration": optional(mapping), "complete": flag, "notes": texts})


@dataclass
class Gate:
    path: str
    data: bytes
    record: dict

    @property
    def rows(self):
        return self.record["rows"]

    def with_verdict(self, verdict):
        return [row for row in self.rows if row["verdict"] == verdict]


def is_gate(path):
    """Whether the file at `path` says that it is a gate's. Raises OSError."""
    with open(path, "rb") as file:
        return GATES_SCHEMA.search(file.read(4096)) is not None


def load_gate(path):
    """The Gate in the file at `path`. Raises ResultError, or OSError."""
    data = read(path)
    try:
        record = decode(data)
    except ValueError as error:
        raise ResultError(path, 0, error) from None
    problem = GATE(record)
    if not problem and record["schema"] != SCHEMA:
        problem = f": schema is {record['schema']!r:.80}; this program reads {SCHEMA}"
    if problem:
        raise ResultError(path, 0, joined("gate", problem))
    return Gate(str(path), data, record)
