"""Broken result files are refused in one line that says where and why; cut ones are taken."""

import gzip
import json
import pathlib

import pytest
import synthetic
from reports.load import MOST_BYTES, ResultError, load
from reports.validate import validate

ROWS = [synthetic.row(0, synthetic.config())]
HEADER = synthetic.header(ROWS)
REPETITION = synthetic.repetition(0, 0, 0, synthetic.measurement(latency_ns=[100, 200]))
GOOD = synthetic.text([HEADER, REPETITION, synthetic.end()])


def read(tmp_path, data):
    path = tmp_path / "r.jsonl"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return validate(load(path))


def error_of(tmp_path, data):
    with pytest.raises(ResultError) as caught:
        read(tmp_path, data)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(str(tmp_path) + "/")


def changed(record, path, value):
    """A copy of the record with the field at `path` set, or removed when `value` is `...`."""
    copy = json.loads(json.dumps(record))
    *parents, last = path.split(".")
    inner = copy
    for parent in parents:
        inner = inner[int(parent) if parent.isdigit() else parent]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return copy


def test_good_file(tmp_path):
    run = read(tmp_path, GOOD)
    assert run.incomplete == ""
    assert [item.measurement["operations_per_s"] for item in run.repetitions] == [1e6]
    assert run.repetitions[0].buckets == {100: 1, 200: 1}


def test_golden_file_of_the_writer():
    path = pathlib.Path(__file__).resolve().parents[1] / "data" / "golden.result.jsonl"
    run = validate(load(path))
    kinds = [record["record"] for _, record in load(path).records]
    assert (len(run.repetitions), len(run.skipped), len(run.failed)) == tuple(
        kinds.count(kind) for kind in ("repetition", "skipped", "failed"))
    assert run.repetitions and run.skipped and run.failed and run.incomplete == ""


def test_gzip_is_read_like_the_plain_file(tmp_path):
    assert read(tmp_path, gzip.compress(GOOD.encode())).data == GOOD.encode()


@pytest.mark.parametrize("data, message", [
    ("", "r.jsonl: empty; a result file begins with a header record"),
    ("\n \n", "r.jsonl: empty; a result file begins with a header record"),
    ("{", "r.jsonl:1: not JSON: Expecting property name enclosed in double quotes at column 2"),
    ("[1]\n", "r.jsonl:1: a record is a JSON object"),
    (b"\xff\xfe\n" + GOOD.encode(), "r.jsonl:1: not UTF-8 at byte 1 of the line"),
    (GOOD.replace('"operations_per_s": 1000000.0', '"operations_per_s": NaN'),
     "r.jsonl:2: NaN is not JSON; a value that is not finite is written as null"),
    (GOOD.replace('"operations_per_s": 1000000.0', '"operations_per_s": -Infinity'),
     "r.jsonl:2: -Infinity is not JSON; a value that is not finite is written as null"),
    (GOOD.replace('"operations_per_s": 1000000.0', '"operations_per_s": 1e999'),
     "r.jsonl:2: measurement.operations_per_s is too large"),
    (GOOD.replace('"window_ns": 300000000, "operations"', '"window_ns": ' + "9" * 5000
                  + ', "operations"'), "r.jsonl:2: a number with thousands of digits"),
    ("[" * 100_000 + "\n", "r.jsonl:1: nested too deeply"),
    # Python's JSON reads as deep as this; what walks through it would not.
    (GOOD.replace('"setup": ', '"deep": ' + "[" * 400 + "]" * 400 + ', "setup": '),
     "r.jsonl:2: nested too deeply"),
    # More than a file may have, in a gzip file of some kilobytes.
    pytest.param(gzip.compress(bytes(MOST_BYTES + 1), 1, mtime=0),
                 "r.jsonl: larger than 128 MiB when unpacked", id="bomb"),
    (gzip.compress(GOOD.encode(), mtime=0)[:60], "r.jsonl: damaged gzip file"),
    (synthetic.text([REPETITION]), "r.jsonl:1: no header record"),
    (synthetic.text([HEADER, HEADER]), "r.jsonl:2: a second header record"),
    (GOOD + synthetic.text([REPETITION]), "r.jsonl:4: a record behind the end record"),
    (synthetic.text([HEADER, REPETITION, REPETITION]),
     "r.jsonl:3: repetition 0 of row 0 is there twice"),
    (synthetic.text([HEADER, {"no": "record"}]), "r.jsonl:2: record is missing"),
    (GOOD.replace("\n", "\n{broken\n", 1), "r.jsonl:2: not JSON"),
])
def test_broken_lines(tmp_path, data, message):
    assert error_of(tmp_path, data).startswith(message)


@pytest.mark.parametrize("path, value, message", [
    ("schema", "aioscope.result/2", "schema is 'aioscope.result/2'; this program reads"),
    ("schema", ..., "schema is None"),
    ("tool.build_type", 7, "tool.build_type is not a string"),
    ("host", [], "host is not an object"),
    ("command", ["a", 1], "command is not a list of strings"),
    ("plan.rows.0.config.driver", ..., "plan.rows[0].config.driver is missing"),
    ("plan.rows.0.config.depth", 1.5, "plan.rows[0].config.depth is not a whole number"),
    ("plan.rows.0.config.depth", True, "plan.rows[0].config.depth is not a whole number"),
    ("plan.rows.0.price_row", 1, "plan.rows[0].price_row names no row of the plan"),
    ("plan.rows.0.row", 3, "plan.rows[0].row is 3"),
    ("plan.repetitions", 2**64, "plan.repetitions is too large"),
])
def test_broken_header(tmp_path, path, value, message):
    data = synthetic.text([changed(HEADER, path, value), REPETITION])
    assert error_of(tmp_path, data).startswith("r.jsonl:1: " + message)


@pytest.mark.parametrize("path, value, message", [
    ("row", 1, "row 1 is not in the plan, which has 1"),
    ("row", -1, "row is not a whole number of 0 or more"),
    ("measurement", ..., "measurement is missing"),
    ("measurement.steady", 1, "measurement.steady is not true or false"),
    ("measurement.operations_per_s", "fast", "measurement.operations_per_s is neither a number"),
    ("measurement.operations_per_s", -1, "measurement.operations_per_s is negative"),
    ("measurement.operations_per_s", 1e19, "measurement.operations_per_s is too large"),
    ("measurement.slices_ops_per_s", [1, "x"], "measurement.slices_ops_per_s is neither"),
    ("measurement.latency.buckets", {"x": 2}, "measurement.latency.buckets: 'x' is no lower"),
    ("measurement.latency.buckets", {"129": 2}, "measurement.latency.buckets: no bucket begins"),
    ("measurement.latency.buckets", {"128": -2}, "measurement.latency.buckets.128 is not a whole"),
    ("measurement.driver_counts", {"operations": 1, "lock_sites": [{"site": 1}]},
     "measurement.driver_counts.lock_sites[0].site is not a string"),
    ("measurement.driver_counts", [], "measurement.driver_counts is not an object"),
    ("measurement.profile", {"layers": [{"layer": "a", "user_samples": -1, "kernel_samples": 0}]},
     "measurement.profile.layers[0].user_samples is not a whole number"),
    ("measurement.profile", {"stacks": [{"frames": [1], "samples": 1}]},
     "measurement.profile.stacks[0].frames is not a list of strings"),
    ("measurement.kernel_locks", {"sites": [{"site": "a", "contended": 1}]},
     "measurement.kernel_locks.sites[0].wait_ns is missing"),
    ("measurement.counters", [{"name": "a", "per_op": "many"}],
     "measurement.counters[0].per_op is neither a number nor null"),
    ("measurement.latency_split", {"in_flight_ns_per_op": -1},
     "measurement.latency_split.in_flight_ns_per_op is negative"),
    ("measurement.thread", {}, "measurement.thread is not a list"),
    ("measurement.latency.count", 3, "measurement.latency.count is not the sum of its buckets"),
])
def test_broken_repetition(tmp_path, path, value, message):
    data = synthetic.text([HEADER, changed(REPETITION, path, value)])
    assert error_of(tmp_path, data).startswith("r.jsonl:2: " + message)


def test_what_is_not_known_is_left_alone(tmp_path):
    repetition = changed(REPETITION, "measurement.invented", {"deep": [1]})
    run = read(tmp_path, synthetic.text([HEADER, {"record": "counters", "x": 1}, repetition,
                                         synthetic.end()]))
    assert run.incomplete == "" and len(run.repetitions) == 1


def test_null_is_a_value_that_could_not_be_had(tmp_path):
    repetition = changed(REPETITION, "measurement.operations_per_s", None)
    run = read(tmp_path, synthetic.text([HEADER, repetition]))
    assert run.repetitions[0].measurement["operations_per_s"] is None


@pytest.mark.parametrize("cut", [1, 20, 400])
def test_last_line_cut_off(tmp_path, cut):
    whole = synthetic.text([HEADER, REPETITION, changed(REPETITION, "repetition", 1)])
    run = read(tmp_path, whole[:-1 - cut])
    assert len(run.repetitions) == 1
    assert "cut off" in run.incomplete


def test_last_line_cut_within_a_character(tmp_path):
    data = synthetic.text([HEADER]).encode() + '{"record":"repetition","name":"é'.encode()[:-1]
    assert "cut off" in read(tmp_path, data).incomplete


def test_no_end_record(tmp_path):
    run = read(tmp_path, synthetic.text([HEADER, REPETITION]))
    assert "no end record" in run.incomplete and "1 repetitions" in run.incomplete


def test_end_says_interrupted(tmp_path):
    run = read(tmp_path, synthetic.text([HEADER, REPETITION, synthetic.end(False, "interrupted")]))
    assert "interrupted" in run.incomplete


def test_characters_that_no_page_can_hold(tmp_path):
    header = changed(HEADER, "host.name", "a\x00\x1b[31m\ud800b\u202e\u2066\n")
    name = read(tmp_path, synthetic.text([header])).header["host"]["name"]
    assert name == "a\ufffd\ufffd[31m\ufffdb\ufffd\ufffd\ufffd"
