"""Flame graphs: places, colours, escaping, limits and differences."""

import re

import pytest
import synthetic
from reports import flame, inside
from reports.style import LAYERS

HOSTILE = "</title><script>alert(1)</script>\"'&"


def profile_of(stacks):
    """`stacks`: {(frames as "a;b", layer): samples}."""
    whole = inside.Profile("cpu-clock")
    whole.stacks = {(tuple(frames.split(";")), layer): n for (frames, layer), n in stacks.items()}
    whole.samples = sum(whole.stacks.values())
    return whole


def boxes(svg):
    """{title: (left, top, width)} in percent and pixels."""
    found = re.findall(r'<svg x="([\d.]+)%" y="(\d+)" width="([\d.]+)%"[^>]*><title>(.*?)</title>',
                       svg)
    return {title: (float(x), int(y), float(width)) for x, y, width, title in found}


def by_name(svg):
    return {title.split(":")[0]: box for title, box in boxes(svg).items()}


TWO = {("main;b", "harness"): 30, ("main;a;x", "aio core"): 50, ("main;a", "harness"): 20}


def test_frames_stand_on_their_callers():
    graph = flame.graph(profile_of(TWO), "g")
    placed = by_name(graph)
    assert placed["all"][::2] == placed["main"][::2] == (0, 100)
    assert placed["a"][::2] == (0, 70) and placed["b"][::2] == (70, 30)
    assert placed["x"][::2] == (0, 50)
    tops = [placed[name][1] for name in ("all", "main", "a", "x")]
    assert tops == sorted(tops, reverse=True) and len(set(tops)) == 4
    assert "a: 70 samples, 70 %, 20 % of its own, aio core" in boxes(graph)
    assert LAYERS["aio core"] in graph and flame.legend(profile_of(TWO)) == [
        ("harness", LAYERS["harness"]), ("aio core", LAYERS["aio core"])]


def test_names_stay_text():
    graph = flame.graph(profile_of({(HOSTILE, HOSTILE): 3}), HOSTILE)
    assert "<script" not in graph and "&lt;script&gt;" in graph
    assert graph.count("<title>") == graph.count("</title>") == 2


def test_narrow_deep_and_many_frames_are_left_out():
    many = {("main;" + str(i), "harness"): 1000 - i % 7 for i in range(5000)}
    assert len(boxes(flame.graph(profile_of(many), "g"))) == 2
    wide = {("main;" + ";".join(f"f{j}" for j in range(i, i + 90)), ""): 100 for i in range(400)}
    assert flame.graph(profile_of(wide), "g").count("<rect") == flame.MOST_FRAMES
    deep = flame.graph(profile_of({(";".join(["f"] * 100_000), ""): 1}), "g")
    assert len(re.findall("<rect", deep)) == flame.MOST_DEPTH + 1


def test_no_stacks_no_graph():
    assert flame.graph(profile_of({}), "g") is None
    assert flame.difference(profile_of({}), profile_of(TWO), "g") is None


def test_difference_is_of_shares():
    before = profile_of({("main;a", "harness"): 500, ("main;b", "harness"): 500})
    after = profile_of({("main;a", "harness"): 60, ("main;b", "harness"): 20,
                        ("main;c", "harness"): 20})
    graph = flame.difference(before, after, "g")
    titles = list(boxes(graph))
    assert "a: 60 %, 10.0 points more than before" in titles
    assert "b: 20 %, 30.0 points less than before" in titles
    assert "c: 20 %, 20.0 points more than before (not there before)" in titles
    assert "main: 100 %, as much as before" in titles
    assert by_name(graph)["a"][2] == 60
    changes = flame.largest_changes(before, after)
    assert changes[0] == ("b", 0.5, pytest.approx(0.2))
    assert {name for name, *_ in changes} == {"a", "b", "c"}


def test_same_profile_has_no_difference():
    one = profile_of(TWO)
    assert flame.largest_changes(one, profile_of({k: 7 * n for k, n in TWO.items()})) == []


def test_graph_of_a_run_is_the_same_each_time():
    records = synthetic.run(synthetic.quick_configs(["libaio"], ["null"]), with_inside=True)
    stacks = records[1]["measurement"]["profile"]["stacks"]
    one = {(";".join(s["frames"]), s["layer"]): s["samples"] for s in stacks}
    other = dict(reversed(one.items()))
    assert flame.graph(profile_of(one), "g") == flame.graph(profile_of(other), "g")
