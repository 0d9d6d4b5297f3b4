"""ci/speed reads what the programs print, and a broken measurement is never a number."""

import importlib.machinery
import importlib.util
import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load_speed():
    loader = importlib.machinery.SourceFileLoader("speed", str(ROOT / "ci/speed"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("speed", loader))
    loader.exec_module(module)
    return module


speed = load_speed()


def fio(error=0, ios=1000):
    job = {"error": error, "read": {"total_ios": ios, "iops": 2e6}}
    return "fio: a warning\n" + json.dumps({"jobs": [job]})


def test_rates_are_read_from_what_the_programs_print():
    assert speed.fio_rate(fio()) == 2e6
    assert speed.bare_rate('{"engine": "libaio", "operations_per_s": 5.5}\n') == 5.5


def result_file(*records, complete=True):
    records = [{"record": "header"}, *records, {"record": "end", "complete": complete}]
    return "".join(json.dumps(record) + "\n" for record in records)


REPETITION = {"record": "repetition", "measurement": {"operations_per_s": 7e6}}


def test_the_rate_of_the_one_repetition_is_read_from_a_result_file():
    assert speed.aioscope_rate(result_file(REPETITION)) == 7e6


@pytest.mark.parametrize("text", [
    "",
    result_file(),
    result_file({"record": "skipped", "reason": "EPERM"}),
    result_file(REPETITION, complete=False),
    result_file(REPETITION, REPETITION),
    result_file(REPETITION).rsplit("{", 1)[0],
    result_file({"record": "repetition", "measurement": {"operations_per_s": None}}),
])
def test_a_run_that_is_not_one_whole_repetition_is_broken(text):
    with pytest.raises(speed.Broken):
        speed.aioscope_rate(text)


@pytest.mark.parametrize("text", [fio(error=22), fio(ios=0)])
def test_a_job_of_fio_that_failed_is_broken(text):
    with pytest.raises(speed.Broken):
        speed.fio_rate(text)


def test_a_program_that_fails_is_broken():
    with pytest.raises(speed.Broken, match="exit code 3"):
        speed.run(["/bin/sh", "-c", "exit 3"])


def test_turns_are_reversed_every_round():
    order = []

    class Contender:
        def __init__(self, name):
            self.name = name

        def rate(self):
            order.append(self.name)
            return len(order)

    rates = speed.in_turns({"a": Contender("a"), "b": Contender("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert rates == {"a": [1, 4, 5], "b": [2, 3, 6]}
    assert speed.ratios(rates, "b", "a") == [2, 3 / 4, 6 / 5]


def test_the_table_says_whether_the_median_meets_the_target_and_names_the_commands():
    table = speed.Table()
    table.add("fast", [1.0, 2.0, 9.0], " ns", "at most 2 ns", speed.at_most(2), [["run", "a b"]])
    table.add("slow", [1.0, 3.0, 9.0], " ns", "at most 2 ns", speed.at_most(2), [["run", "c"]])
    table.add("ratio", [1.2], "", "at least 1.15", speed.at_least(1.15), [["run", "a b"]])
    lines = table.markdown().splitlines()
    assert lines[2:] == [
        "| fast | 2 ns (1 to 9) | at most 2 ns | met | [1] |",
        "| slow | 3 ns (1 to 9) | at most 2 ns | NOT MET | [2] |",
        "| ratio | 1.2 (1.2 to 1.2) | at least 1.15 | met | [1] |",
        "",
        "1. `run 'a b'`",
        "2. `run c`",
    ]


def test_peak_memory_is_that_of_the_program():
    small = speed.peak_memory_mib(["/usr/bin/python3", "-c", "x = 1"])
    large = speed.peak_memory_mib(["/usr/bin/python3", "-c", "x = bytearray(64 << 20)"])
    assert 60 < large - small < 75
    with pytest.raises(speed.Broken):
        speed.peak_memory_mib(["/bin/false"])
