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
ARM = object_of({}, {
    "name": text, "program": text, "sha256": text, "driver": text, "driver_sha256": text,
    "files": texts, "tool": mapping, "host": mapping, "command": texts})
LOOK = object_of({"look": text, "blocks": integer, "alpha": quantity, "comparisons": integer})
WAIVER = object_of({"row": text, "metric": text, "owner": text, "reason": text, "expires": text},
                   {"used": integer})
GATE = object_of({"schema": text, "verdict": text, "exit_code": integer, "rows": list_of(ROW)}, {
    "reason": text, "seed": number, "alpha": quantity, "base": ARM, "new": ARM,
    "calibration": optional(mapping), "complete": flag, "notes": texts, "strict": flag,
    "command": text, "start_realtime_ns": integer, "elapsed_s": quantity, "same_program": flag,
    "suite": optional(text), "looks": list_of(LOOK), "order": texts, "missing_rows": texts,
    "new_rows": texts, "waivers": list_of(WAIVER)})
EXACT = 1  # tier of a count that is compared without an interval


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
