"""ci/smoke refuses a result file, a table or a page that is not what a user should get."""

import importlib.machinery
import importlib.util
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load_smoke():
    loader = importlib.machinery.SourceFileLoader("smoke", str(ROOT / "ci/smoke"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("smoke", loader))
    loader.exec_module(module)
    return module


smoke = load_smoke()
GOLDEN = [json.loads(line) for line in
          (ROOT / "tests/data/golden.result.jsonl").read_text().splitlines()]


def record(kind):
    return json.loads(json.dumps(next(it for it in GOLDEN if it["record"] == kind)))


def problems(*records, drivers=frozenset()):
    text = "".join(json.dumps(it) + "\n" for it in records)
    return " ".join(smoke.result_problems(text, set(drivers)))


def whole_run():
    end = record("end")
    end["complete"] = True
    return [record("header"), record("repetition"), end]


def test_a_whole_run_passes():
    driver = record("repetition")["name"].split("/")[0]
    assert problems(*whole_run(), drivers=[driver]) == ""


@pytest.mark.parametrize("change, message", [
    (lambda run: run[1]["measurement"].pop("operations_per_s"), "operations_per_s"),
    (lambda run: run.pop(0), "header"),
    (lambda run: run.pop(), "complete"),
    (lambda run: run[-1].update(complete=False), "complete"),
    (lambda run: run.insert(2, record("failed")), record("failed")["message"]),
    (lambda run: run.clear(), "header"),
])
def test_a_run_that_is_not_whole_is_refused(change, message):
    run = whole_run()
    change(run)
    assert message in problems(*run)


def test_a_driver_that_was_left_out_is_named():
    assert problems(*whole_run(), drivers=["x"]) == "x can run here but was not measured"
    assert list(smoke.table_problems("null  1\n", {"null", "sync"})) == ["no row of sync"]


@pytest.mark.parametrize("page, message", [
    ("<svg></svg><a href='https://example.org'>x</a><img src='data:,'>", ""),
    ("<p>no figure</p>", "no figure"),
    ("<svg></svg><script src='https://example.org/x'></script>", "loads https://example.org/x"),
    ("<svg></svg><link rel='stylesheet' href='style.css'>", "loads style.css"),
])
def test_a_page_has_a_figure_and_loads_nothing(page, message):
    assert " ".join(smoke.page_problems(page)) == message
