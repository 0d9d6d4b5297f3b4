"""The result file's JSON Schema against the golden file, whose writer is tested in C++."""

import json
import pathlib

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/result.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
GOLDEN = [
    json.loads(line)
    for line in (ROOT / "tests/data/golden.result.jsonl").read_text().splitlines()
]


def test_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("record", GOLDEN, ids=lambda record: record["record"])
def test_golden_records_are_valid(record):
    VALIDATOR.validate(record)


def test_golden_file_has_every_kind_of_record():
    kinds = {record["record"] for record in GOLDEN}
    assert kinds == {"header", "repetition", "skipped", "failed", "end"}


@pytest.mark.parametrize(
    "kind, path, value",
    [
        ("header", ["schema"], "aioscope.result/2"),
        ("repetition", ["measurement", "operations_per_s"], "fast"),
        ("repetition", ["measurement", "latency", "buckets"], {"low": 1}),
        ("repetition", ["row"], -1),
        ("repetition", ["measurement", "counters", 0, "value"], None),
        ("repetition", ["measurement", "counters", 2, "reason"], ""),
        ("header", ["looking", 0, "price", "rows"], []),
        ("failed", ["kind"], "unlucky"),
        ("end", ["complete"], 1),
    ],
)
def test_wrong_values_are_refused(kind, path, value):
    record = json.loads(json.dumps(next(r for r in GOLDEN if r["record"] == kind)))
    parent = record
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(record)
