"""The page and the figures, made by the program from invented results."""

import base64
import gzip
import json
import os
import pathlib
import re
import shlex
import struct
import subprocess
import time
from html.parser import HTMLParser

import pytest
import synthetic
from reports import sheet, summarise
from reports.__main__ import FIGURES, main
from reports.figures import BY_KEY, latency

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = synthetic.quick_configs(drivers=["null", "libaio", "io_uring"], targets=["null"])
HOSTILE = "</script><script>alert(1)</script><!--$x_1$ & \"quoted\" 'name'"


def program(*arguments, command=("-m", "reports")):
    return subprocess.run(["/usr/bin/python3", *command, *map(str, arguments)], cwd=ROOT,
                          capture_output=True, text=True)


def page_of(tmp_path, records, *more):
    result = tmp_path / "r.jsonl"
    result.write_text(records if isinstance(records, str) else synthetic.text(records))
    assert main(["report", str(result), *map(str, more), "-o", str(tmp_path / "r.html")]) == 0
    return (tmp_path / "r.html").read_text()


class Text(HTMLParser):
    """The elements, attributes and visible text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text, self.inside = [], [], "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("script", "style"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.text += data


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("small"), synthetic.run(SMALL))


def words(page):
    return " ".join(Text(page).text.split())


def test_page_says_what_sharing_costs(small):
    text = words(small)
    assert re.search(r"One shared context has 0\.\d\d× \(io_uring on null\) to 0\.\d\d× "
                     r"\(libaio on null\) the throughput of a context per thread", text)
    assert "takes" in text and "the CPU time per operation" in text
    assert "incomplete" not in text.lower()


def test_page_needs_no_network(small):
    assert not re.search(r"https?:|ftp:|@import|url\((?!#)", small)
    policy = dict(Text(small).attributes)["content"]
    assert "default-src 'none'" in small and "unsafe-inline' 'script" not in policy
    for name, value in Text(small).attributes:
        if name in ("src", "href", "action", "data"):
            assert value.startswith(("#", "data:application/gzip;base64,")), (name, value)


def test_script_is_the_one_that_the_policy_allows(small):
    import hashlib
    scripts = re.findall(r"<script>(.*?)</script>", small, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in small


def test_same_file_same_bytes(tmp_path, small):
    assert page_of(tmp_path, synthetic.run(SMALL)) == small


def test_figures_do_not_share_ids(small):
    ids = re.findall(r'\bid="([^"]*)"', small)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'href="#([^"]*)"', small)) | set(re.findall(r"url\(#([^)]*)\)", small))
    assert used <= set(ids)


def test_raw_data_comes_back_whole(tmp_path, small):
    encoded = re.search(r'href="data:application/gzip;base64,([^"]*)"', small).group(1)
    data = gzip.decompress(base64.b64decode(encoded))
    assert data.decode() == synthetic.text(synthetic.run(SMALL))
    saved = tmp_path / "saved.jsonl.gz"
    saved.write_bytes(base64.b64decode(encoded))
    assert program(saved, "-o", tmp_path / "again.html").returncode == 0


def test_markup_in_names_stays_text(tmp_path):
    configs = [synthetic.config(HOSTILE, workload, "file:/tmp/" + HOSTILE)
               for workload in ("shared", "per-thread")]
    for config in configs:
        config["target_label"] = "file:" + HOSTILE
    records = synthetic.run(configs)
    records[0]["host"].update(name=HOSTILE, cpu_model=HOSTILE, invented={HOSTILE: HOSTILE})
    records[0]["command"].append(HOSTILE)
    records[0]["plan"]["rows"][0]["command"] = HOSTILE
    records[0]["targets"] = [{"target": HOSTILE, "device": HOSTILE}]
    for record in records:
        if record["record"] == "repetition":
            record["measurement"].update(setup=HOSTILE, warnings=[HOSTILE])
    records.insert(-1, {"record": "skipped", "row": 1, "name": HOSTILE, "reason": HOSTILE,
                        "cure": HOSTILE})
    page = page_of(tmp_path, records)
    assert page.count("<script") == 1 and "<!--" not in page
    text = Text(page).text
    assert text.count(HOSTILE) > 10
    assert shlex.quote(HOSTILE) in text  # the command can be pasted


def test_name_of_a_file_that_no_page_can_hold(tmp_path):
    name = os.fsdecode("r\u202e".encode() + b"\xff.jsonl")
    (tmp_path / name).write_text(synthetic.text(synthetic.run(SMALL[:1])))
    (tmp_path / "g\u202e.json").write_text(json.dumps(synthetic.gate()))
    assert main(["report", str(tmp_path / name), str(tmp_path / "g\u202e.json"),
                 "-o", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert "r\ufffd\ufffd.jsonl" in page and "\u202e" not in page


def test_more_rows_than_a_page_holds(tmp_path, monkeypatch):
    """What is left out is said, and neither time nor size grow with it."""
    monkeypatch.setattr(summarise, "MOST_ROWS", 120)
    count = 800
    rows = [synthetic.row(i, synthetic.config(f"driver{i}", "shared" if i % 2 else "per-thread",
                                              submitters=2, depth=1 + i % 2))
            for i in range(count)]
    records = [synthetic.header(rows), *(synthetic.repetition(i, 0, i, synthetic.measurement())
                                         for i in range(count))]
    page = page_of(tmp_path, records)
    text = words(page)
    assert f"This run has {count} rows. Only the first 120 are shown" in text
    assert "more drivers are in the table" in text
    assert len(page) < 1_500_000


def test_incomplete_file_is_said_to_be_incomplete(tmp_path):
    whole = synthetic.text(synthetic.run(SMALL))
    text = words(page_of(tmp_path, whole[:len(whole) // 2]))
    assert "This file is incomplete: its last line is cut off" in text
    assert text.count("INCOMPLETE") >= 3  # in each figure


def test_file_without_a_measurement(tmp_path):
    text = words(page_of(tmp_path, synthetic.run(SMALL)[:1]))
    assert "Nothing was measured" in text
    # Every figure, and the sections sharing, flame and rows.
    assert text.count("Not shown: ") == len(BY_KEY) + 3
    assert "Planned and not run" in text


def test_skipped_and_failed_rows_show_reason_and_cure(tmp_path):
    records = synthetic.run(SMALL)
    row = next(r["row"] for r in records[0]["plan"]["rows"]
               if r["config"]["driver"] == "io_uring")
    records = [r for r in records if r.get("row") != row]
    records.insert(-1, {"record": "skipped", "row": row, "name": "n", "reason": "disabled here",
                        "cure": "enable it"})
    records.insert(-1, {"record": "failed", "row": 2, "name": "n", "repetition": 1,
                        "position": 9, "kind": "runtime", "message": "it hung"})
    text = words(page_of(tmp_path, records))
    for wanted in ("disabled here", "enable it", "failed in repetition 1 (runtime)", "it hung"):
        assert wanted in text


def test_panels_without_data_say_why(tmp_path, small):
    assert "every row ran only with 4 submitters" in words(small)
    records = synthetic.run(SMALL, repetitions=1)
    for record in records:
        if record["record"] == "repetition":
            record["measurement"].update(latency=synthetic.latency([]), latency_mode="off")
    text = words(page_of(tmp_path, records))
    assert "no latencies were recorded" in text
    assert "One round only" in text


def test_one_row_of_one_repetition(tmp_path):
    """Every section stands there, with what it has or why it has nothing."""
    page = page_of(tmp_path, synthetic.run([synthetic.config(submitters=1)], repetitions=1))
    found = re.findall(r'<section aria-labelledby="run1-([^"]*)">(.*?)</section>', page, re.DOTALL)
    assert [key for key, _ in found] == ["sharing", *BY_KEY, "flame", "rows", "left-out",
                                         "commands", "data"]
    empty = {key for key, text in found if "Not shown: " in text}
    assert empty == {"sharing", "scaling", "depth", "series", "layers", "off_cpu", "locks",
                     "fairness", "flame"}
    text = words(page)
    assert "1 row measured" in text and "every row ran only with 1 submitter;" in text


def test_several_submitter_counts_make_a_scaling_figure(tmp_path):
    configs = synthetic.quick_configs(["null", "libaio"], ["null"], (1, 2, 4))
    text = words(page_of(tmp_path, synthetic.run(configs)))
    assert "Scaling, shared, 1 reaping, target null" in text
    assert "4 submitters (the most of this run)" in text


def test_every_percentile_of_a_long_run_has_its_name():
    drawn = sheet.Sheet(sheet.Words("", "", ""), sheet.cell_inches(2))
    axes = drawn.cell(2, "")
    latency._percentile_ticks(axes, 7.3)
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "50", "90", "99", "99.9", "99.99", "99.999", "99.9999"]


def test_the_law_is_told_where_it_was_fitted(tmp_path):
    configs = [synthetic.config(driver, submitters=n) for driver, most in
               (("libaio", 4), ("kioctx@series", 2)) for n in (1, 2, 4) if n <= most]
    page = page_of(tmp_path, synthetic.run(configs))
    fitted = re.search(r'aria-label="The Universal Scalability Law fitted".*?</table>', page,
                       re.DOTALL).group()
    assert "libaio" in fitted and "kioctx" not in fitted
    assert ("The law is not fitted to 1 of 2 curves: it needs 3 counts of submitters."
            in words(page))
    page = page_of(tmp_path, synthetic.run(configs[3:]))
    assert "The Universal Scalability Law fitted" not in page
    assert "lines join the points" in page and "not fitted to 1 of 1 curve" in words(page)


def test_two_runs_side_by_side(tmp_path):
    other = synthetic.run(SMALL, seed=2)
    other[0]["host"]["kernel"] = "6.9.9-other"
    (tmp_path / "other.jsonl").write_text(synthetic.text(other))
    page = page_of(tmp_path, synthetic.run(SMALL), tmp_path / "other.jsonl")
    differing = re.findall(r'class="differs">\s*<td[^>]*><span><b>([^<]*)', page)
    assert differing == ["Kernel"]
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    text = words(page)
    assert "Of 6 rows in both runs, CPU time per operation is " in text
    assert "The two runs differ in Kernel: what changed may be the machine" in text
    assert "no row of both runs has a profile" in text


def test_profiles_of_two_runs_are_compared(tmp_path):
    configs = synthetic.quick_configs(["libaio"], ["null"])
    (tmp_path / "other.jsonl").write_text(synthetic.text(
        synthetic.run(configs, seed=2, with_inside=True)))
    page = page_of(tmp_path, synthetic.run(configs, with_inside=True), tmp_path / "other.jsonl")
    assert re.search(r"<title>aio_\w+|<title>io_submit_one_\[k\]: [\d.]+ %, [\d.]+ points "
                     r"(more|less) than before", page)
    assert "The functions that changed most" in page


def test_started_in_other_ways(tmp_path, small):
    result = tmp_path / "r.jsonl"
    result.write_text(synthetic.text(synthetic.run(SMALL)))
    assert program(result, "-o", "-").stdout == small
    assert program("report", result, "-o", tmp_path / "b.html",
                   command=(str(ROOT / "reports"),)).returncode == 0
    assert main(["report", str(result)]) == 0
    for name in ("b.html", "r.html"):
        assert (tmp_path / name).read_text() == small
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("figure", ["throughput", "cpu", "latency", "scaling", "order",
                                    "fairness"])
def test_figure_command(tmp_path, figure):
    result = tmp_path / "r.jsonl"
    configs = synthetic.quick_configs(["null", "libaio"], ["null"], (1, 2))
    result.write_text(synthetic.text(synthetic.run(configs, repetitions=2)))
    svgs = []
    for name in ("a.svg", "b.svg"):
        assert main(["figure", str(result), "--figure", figure, "-o", str(tmp_path / name)]) == 0
        svgs.append((tmp_path / name).read_text())
    assert svgs[0] == svgs[1]
    assert "libaio" in svgs[0] and "Example CPU" in svgs[0] and "var(" not in svgs[0]
    assert main(["figure", str(result), "--figure", figure, "-o", str(tmp_path / "a.png")]) == 0
    png = (tmp_path / "a.png").read_bytes()
    assert png.startswith(b"\x89PNG") and struct.unpack(">I", png[16:20])[0] > 600


def test_figures_are_those_of_the_page():
    assert FIGURES == tuple(BY_KEY)


def test_errors_are_one_line_with_their_exit_code(tmp_path, capsys):
    result = tmp_path / "r.jsonl"
    result.write_text(synthetic.text(synthetic.run(SMALL, repetitions=1)))
    (tmp_path / "bad.jsonl").write_text("{}\n")
    cases = [
        ((tmp_path / "none.jsonl", "-o", tmp_path / "x.html"), 5, "No such file"),
        ((tmp_path, "-o", tmp_path / "x.html"), 5, "Is a directory"),
        ((result, "-o", tmp_path / "no" / "x.html"), 5, "No such file"),
        ((tmp_path / "bad.jsonl", "-o", tmp_path / "x.html"), 4, "bad.jsonl:1: no header"),
        ((result, "-o", result), 2, "is a result file"),
        (("figure", result, "-o", tmp_path / "x.gif"), 2, ".svg or .png"),
        (("figure", result, "--figure", "scaling", "-o", tmp_path / "x.svg"), 4, "no figure"),
    ]
    for arguments, code, message in cases:
        assert main(list(map(str, arguments))) == code, arguments
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1
        assert not list(tmp_path.glob("x.*"))
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert program("--help").returncode == 0


def test_thirty_rows_with_everything_are_small_and_quick(tmp_path):
    configs = synthetic.quick_configs(synthetic.DRIVERS[1:])
    assert len(configs) == 30
    before = time.process_time()
    records = synthetic.as_large_as_real(synthetic.run(configs, with_inside=True))
    page = page_of(tmp_path, records)
    assert time.process_time() - before < 10
    assert page.count('class="flame"') >= 20
    assert len(page.encode()) < 3_000_000
