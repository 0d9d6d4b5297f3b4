"""Result files instead of programs."""

import json
import re

import synthetic
from gate_world import row


def kept(world, **new):
    world.pair(more=["--keep", world.directory / "kept", "--blocks", "14", "--max-blocks", "14"],
               **new)
    return world.directory / "kept/base.jsonl", world.directory / "kept/new.jsonl"


def test_result_files(world):
    base, new = kept(world, expect=1, effects={"cpu": 1.2})
    record, said = world.gate("--base", base, "--new", new, expect=1)
    one = row(record, "cpu")
    assert one["verdict"] == "regressed" and 1.15 < one["low"] < 1.2 < one["high"] < 1.25
    assert one["blocks"] == [] and record["order"] == []
    assert any("are not paired" in note for note in record["notes"])
    assert record["base"]["host"]["name"] == "bench1"
    count = int(re.search(r" (\d+) \+ \1 ", said).group(1))
    again, _ = world.gate("--base", base, "--new", base)
    assert row(again, "cpu")["verdict"] == "equivalent" and row(again, "cpu")["ratio"] == 1
    _, said = world.gate("--base", base, base, "--new", new, new, expect=1)
    assert f" {2 * count} + {2 * count} " in said


def result(path, names=("kioctx@series", "libaio"), repetitions=12, cpu=300, calls=0.0625, **host):
    """A result file of rows of these drivers."""
    rows = [synthetic.row(i, synthetic.config(name)) for i, name in enumerate(names)]
    header = synthetic.header(rows)
    header["host"].update(host)
    records = [header]
    for number in range(repetitions):
        for one in rows:
            measurement = synthetic.measurement(
                1e6 + number, cpu + number, 0.0, [1000] * 1200, system_calls_per_op=calls)
            records.append(synthetic.repetition(one["row"], number, 0, measurement, one["name"]))
    path.write_text("".join(json.dumps(one) + "\n" for one in [*records, synthetic.end()]))
    return path


def test_rows_of_all_files_of_a_side(world, tmp_path):
    both, kioctx = result(tmp_path / "a"), result(tmp_path / "k", ["kioctx@series"])
    libaio = result(tmp_path / "l", ["libaio"])
    for base, new in (([libaio, kioctx], [kioctx, libaio]), ([both], [kioctx, libaio])):
        record, _ = world.gate("--base", *base, "--new", *new)
        assert {one["name"].split("/")[0] for one in record["rows"]} == {"kioctx@series", "libaio"}
        assert not record["missing_rows"] and not record["new_rows"]
    record, _ = world.gate("--base", libaio, kioctx, "--new", libaio, expect=4)
    assert record["missing_rows"][0].startswith("kioctx@series/")
    skipping = tmp_path / "s"
    lines = both.read_text().splitlines(True)
    name = json.loads(lines[0])["plan"]["rows"][1]["name"]
    skipped = {"record": "skipped", "row": 1, "name": name, "reason": "off", "cure": ""}
    skipping.write_text("".join([lines[0], json.dumps(skipped) + "\n",
                                 *(line for line in lines[1:] if name not in line)]))
    record, _ = world.gate("--base", both, "--new", skipping, expect=4)
    assert record["missing_rows"] == [name]
    assert any(f"{name} is skipped by {skipping}: off" in note for note in record["notes"])
    record, _ = world.gate("--base", libaio, "--new", kioctx, expect=4)
    assert "no row in common" in record["reason"]


def test_every_file_is_checked(world, tmp_path):
    good, other = result(tmp_path / "a"), result(tmp_path / "o", kernel="9")
    for more in ([], ["--force"]):
        record, _ = world.gate("--base", good, other, "--new", good, *more, expect=4)
        assert "The files of base were measured on unlike machines" in record["reason"]
        assert "Kernel: 6.1.0-18-amd64 | 9" in record["reason"]
    cut = tmp_path / "cut"
    cut.write_text("".join(good.read_text().splitlines(True)[:-1]))
    record, _ = world.gate("--base", good, "--new", good, cut, expect=4)
    assert f"{cut}: its result is incomplete" in record["reason"]


def test_too_few_repetitions_say_how_many_are_needed(world, tmp_path):
    """And a count of one repetition is no exact one."""
    files = [result(tmp_path / str(calls), repetitions=1, calls=calls) for calls in (0.1, 0.2)]
    record, _ = world.gate("--base", files[0], "--new", files[1])
    one = row(record, "system-calls")
    assert one["verdict"] == "inconclusive"
    assert "1, and a count needs 3 to show whether it varies" in one["reason"]
    note = next(note for note in record["notes"] if "a side:" in note)
    needed = int(note.split("--repetitions ")[1].rstrip("."))
    assert note.startswith("1 repetition a side: ") and 7 < needed < 13
    files = [result(tmp_path / str(cpu), repetitions=needed, cpu=cpu) for cpu in (300, 400)]
    record, _ = world.gate("--base", files[0], "--new", files[1], expect=1)
    assert row(record, "cpu")["verdict"] == "regressed"
    assert not any("a side:" in note for note in record["notes"])


def test_files_do_not_get_the_calibration_of_this_host(world, tmp_path, monkeypatch):
    monkeypatch.setattr("platform.release", lambda: "6.1.0-18-amd64")
    world.gate("--calibrate", "--calibration-runs", "2", "--program", world.program("p"))
    base, new = result(tmp_path / "a", kernel="9"), result(tmp_path / "b", kernel="10")
    record, _ = world.gate("--base", base, "--new", new, "--force")
    assert record["calibration"] is None and row(record, "cpu")["noise"] is None


def test_result_files_of_unlike_hosts_and_programs_among_them(world):
    base, new = kept(world)
    text = new.read_text().replace('"kernel":"6.1.0-18-amd64"', '"kernel":"6.2"')
    new.write_text(text)
    record, _ = world.gate("--base", base, "--new", new, expect=4)
    assert "Kernel: 6.1.0-18-amd64 | 6.2" in record["reason"]
    world.gate("--base", base, "--new", new, "--force")
    _, said = world.gate("--base", base, "--new", world.program("p"), expect=2)
    assert "programs and result files cannot be compared" in said
    new.write_text("{}\n")
    record, _ = world.gate("--base", base, "--new", new, expect=4)
    assert "no result file" in record["reason"]
