"""The page in a browser: with scripts and without, on a phone and a desk, light and dark."""

import json

import pytest
import synthetic
from browser import Browser, find
from reports.__main__ import main

pytestmark = pytest.mark.skipif(find() is None, reason="no chromium here (apt install chromium)")
HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>"

# Texts of a figure that lie on top of each other, or outside of it; by how they are seen.
COLLISIONS = """
[...document.querySelectorAll(".sheets > svg")].flatMap((svg) => {
  const whole = svg.getBoundingClientRect();
  const boxes = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim())
    .map((text) => [text.textContent, text.getBoundingClientRect()]);
  const found = boxes.filter(([, box]) => box.left < whole.left - 1 ||
    box.right > whole.right + 1 || box.bottom > whole.bottom + 1)
    .map(([text]) => `${text}: outside of its figure`);
  boxes.forEach(([one, a], i) => boxes.slice(i + 1).forEach(([other, b]) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 0.35 * Math.min(a.height, b.height)) {
      found.push(`${one} | ${other} | ${svg.getAttribute("aria-label")}`);
    }
  }));
  return found;
})
"""
# Labels of one axis that read alike; by the figure. An axis' labels share a line or an edge.
SAME_TICKS = """
[...document.querySelectorAll(".sheets > svg")].flatMap((svg) => {
  const places = [...svg.querySelectorAll("text")].map((text) => {
    const anchor = getComputedStyle(text).textAnchor;
    return `${text.textContent}|${anchor}|${text.getAttribute("y")}`;
  });
  return places.filter((place, i) => place.includes("|middle|") && places.indexOf(place) !== i)
    .map((place) => `${place} in ${svg.getAttribute("aria-label")}`);
})
"""
SCROLLERS = """
[...document.querySelectorAll("body, body *")].filter((element) =>
  element.scrollWidth > element.clientWidth + 1 &&
  ["auto", "scroll"].includes(getComputedStyle(element).overflowX)).length
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with every kind of section, and with markup in its names."""
    directory = tmp_path_factory.mktemp("browser")
    drivers = ["libaio", "kioctx@v3.7", synthetic.STAGES[0], "kioctx@series"]
    configs = synthetic.quick_configs(drivers, ["null"], (1, 2, 4))
    configs += [synthetic.config("libaio", depth=32, submitters=n) for n in (1, 2)]
    records = synthetic.run(configs, repetitions=2, with_inside=True)
    records[0]["host"]["name"] = HOSTILE
    for record in records:
        if record["record"] == "repetition":
            record["measurement"]["setup"] = HOSTILE
            for stack in record["measurement"]["profile"]["stacks"]:
                stack["frames"][1] = HOSTILE
    records.insert(-1, {"record": "skipped", "row": 0, "name": HOSTILE, "reason": HOSTILE,
                        "cure": HOSTILE})
    (directory / "r.jsonl").write_text(synthetic.text(records))
    assert main([str(directory / "r.jsonl"), "-o", str(directory / "r.html")]) == 0
    return (directory / "r.html").as_uri()


def history_of(directory):
    for day in range(12):
        records = synthetic.run(synthetic.quick_configs(["libaio"], ["null"]), seed=day)
        records[0]["start_realtime_ns"] += day * 86400 * 10**9
        records[0]["tool"]["commit"] = f"c{day:03}"
        (directory / f"{day}.jsonl").write_text(synthetic.text(records))
        assert main(["history", "add", str(directory / "h.jsonl"),
                     str(directory / f"{day}.jsonl")]) == 0
    return ["history", "page", str(directory / "h.jsonl")]


def forty_rows():
    """With system calls from one in a hundred operations to one in a million."""
    configs = synthetic.quick_configs(synthetic.DRIVERS[2:] + synthetic.STAGES[:1],
                                      ["null", "zero"], (1, 4))
    records = synthetic.as_large_as_real(synthetic.run(configs, with_inside=True))
    for record in records:
        if record["record"] == "repetition":
            calls = 0.01 * 10.0 ** -(record["row"] % 5)
            record["measurement"].update(system_calls_per_op=calls)
    return configs, records


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """{kind: a page that is not that of one small run}"""
    directory = tmp_path_factory.mktemp("pages")
    configs, records = forty_rows()
    assert len(configs) == 40
    names = {name: str(directory / name) for name in ("a.jsonl", "b.jsonl", "gate.json")}
    (directory / "a.jsonl").write_text(synthetic.text(records))
    (directory / "b.jsonl").write_text(synthetic.text(synthetic.run(configs, seed=2)))
    (directory / "gate.json").write_text(json.dumps(synthetic.gate()))
    arguments = {"gate": [names["gate.json"]], "two runs": [names["a.jsonl"], names["b.jsonl"]],
                 "forty rows": [names["a.jsonl"]], "history": history_of(directory)}
    found = {}
    for kind, given in arguments.items():
        output = directory / f"{kind}.html"
        assert main([*given, "-o", str(output)]) == 0
        found[kind] = output.as_uri()
    return found


@pytest.fixture(scope="module")
def browser():
    browser = Browser()
    yield browser
    browser.close()


def complaints(browser):
    """What went to the console, and what was asked of a network."""
    kinds = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
    found = [event for event in browser.events if event["method"] in kinds]
    requests = [event["params"]["request"]["url"] for event in browser.events
                if event["method"] == "Network.requestWillBeSent"]
    return found, requests


@pytest.mark.parametrize("width, dark, scripts", [
    (390, False, True), (390, True, False), (1440, True, True), (1440, False, False)])
def test_page_is_whole(browser, page, width, dark, scripts):
    browser.open(page, width, dark, scripts)
    assert complaints(browser) == ([], [page])
    assert browser.ask("document.documentElement.scrollWidth") <= width
    if width < 600:
        assert browser.ask(SCROLLERS) == 0
    assert browser.ask("document.querySelectorAll('img, iframe, object').length") == 0
    assert browser.ask("document.scripts.length") == 1
    assert browser.ask(COLLISIONS) == []
    paper = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(21, 24, 27)") == dark
    assert (browser.ask("document.querySelectorAll('button').length") > 0) == scripts
    # Nothing that has data is missing: each figure and a flame graph.
    empty = browser.ask("[...document.querySelectorAll('.empty')].map(e => e.textContent)")
    assert empty == []
    assert browser.ask("document.querySelectorAll('details[open] svg.flame > svg').length") > 10


@pytest.mark.parametrize("width, dark, scripts", [(390, True, True), (1440, False, False)])
@pytest.mark.parametrize("kind", ["gate", "history", "two runs", "forty rows"])
def test_every_kind_of_page_is_whole(browser, pages, kind, width, dark, scripts):
    browser.open(pages[kind], width, dark, scripts)
    assert complaints(browser) == ([], [pages[kind]])
    assert browser.ask("document.documentElement.scrollWidth") <= width
    if width < 600:
        assert browser.ask(SCROLLERS) == 0
    assert browser.ask("document.querySelectorAll('.sheets > svg').length") > 0
    assert browser.ask(COLLISIONS) == []
    assert browser.ask(SAME_TICKS) == []


def test_flame_graph_zooms_and_finds(browser, page):
    browser.open(page, 1440)
    browser.ask("""(() => {
      const frame = [...document.querySelectorAll("svg.flame > svg")].find(
        (one) => one.querySelector("title").textContent.startsWith("lane::submit"));
      frame.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      frame.id = "zoomed";
    })()""")
    frame = "document.querySelector('#zoomed')"
    whole = browser.ask(f"{frame}.parentNode.getBoundingClientRect().width")
    assert browser.ask(f"{frame}.getBoundingClientRect().width") == pytest.approx(whole, abs=1)
    assert browser.ask(f"{frame}.parentNode.querySelectorAll('.gone').length") > 0
    browser.ask("""(() => {
      const search = document.querySelector(".flame-tools input");
      search.value = "IO_SUBMIT";
      search.dispatchEvent(new Event("input"));
    })()""")
    found = browser.ask("document.querySelector('.flame-tools [role=status]').textContent")
    frames, share = found.split(" frames, ")
    assert int(frames) >= 2 and 0 < float(share.split()[0]) < 100


def test_tables_sort(browser, page):
    browser.open(page, 1440)
    values = browser.ask("""(() => {
      const table = document.querySelector("table.sortable");
      table.tHead.querySelectorAll("button")[2].click();
      return [...table.tBodies[0].rows].map((row) => Number(row.cells[2].dataset.value));
    })()""")
    assert len(values) > 3 and values == sorted(values, reverse=True)


def test_data_can_be_saved(browser, page):
    browser.open(page, 1440)
    address = browser.ask("""(() => {
      const link = document.querySelector("a.download");
      link.addEventListener("click", (event) => event.preventDefault());
      link.click();
      return link.href;
    })()""")
    assert address.startswith("blob:")


def test_prints_as_on_a_desk_with_everything_unfolded(browser, page):
    browser.open(page, 700)  # about as wide as a sheet of paper
    browser.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.ask("getComputedStyle(document.querySelector('thead')).position") == "static"
    for hidden in ("nav", ".download", ".flame-tools"):
        style = f"getComputedStyle(document.querySelector('{hidden}')).display"
        assert browser.ask(style) == "none"
    folded = "[...document.querySelectorAll('details:not([open])')]"
    assert browser.ask(f"{folded}.length") > 0
    assert browser.ask(f"{folded}.filter(e => e.getBoundingClientRect().height < 60).length") == 0
    browser.call("Emulation.setEmulatedMedia", media="")
