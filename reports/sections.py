"""The sections of a run, in the order of the page: each a heading, what it shows, and why it shows
nothing where it does not."""

from dataclasses import dataclass, field

from markupsafe import Markup

from . import figures, flame, inside, run_tables, sheet, units, words

MOST_FLAME_BYTES = 700_000  # of a page


@dataclass
class Flame:
    title: str
    svg: object
    legend: list  # (words, colour)


@dataclass
class Section:
    key: str
    title: str
    caption: str = ""
    intro: str = ""
    why: str = ""  # there is nothing
    svgs: list = field(default_factory=list)
    tables: list = field(default_factory=list)
    flames: list = field(default_factory=list)
    note: str = ""


def _figure(module, summary, prefix, tables):
    drawn = module.draw(summary)
    section = Section(module.KEY, module.TITLE, module.CAPTION, tables=tables)
    if isinstance(drawn, str):
        section.why, section.caption = drawn, ""
    else:
        section.svgs = [Markup(sheet.to_inline_svg(one, f"{prefix}-{module.KEY}{i}"))
                        for i, one in enumerate(drawn)]
    return section


def _sharing(summary):
    section = Section(
        "sharing", "Shared against per-thread",
        intro="One context that all submitters share, with its own reaping thread, against a "
              "context for each thread. A ratio below 1 is what sharing costs; the range is over "
              "the rounds, each of which ran both.", tables=run_tables.sharing(summary))
    if not section.tables:
        section.why = ("no driver was measured both ways with two submitters or more: run the "
                       "workloads shared and per-thread together to compare them")
        section.intro = ""
    return section


def _flames(summary):
    section = Section(
        "flame", "Flame graphs",
        "Each box is a function, as wide as its share of the samples; what it calls stands on top "
        "of it, sorted by name, not by time. A box has the colour of the layer that most of its "
        "samples belong to. Frames under 0.2 % are left out. Click to zoom, or search by name, "
        "where scripts run.")
    left, out = MOST_FLAME_BYTES, 0
    asked_about = words.candidates(summary)
    first = [row.row.index for row in asked_about]
    for row in asked_about + [row for row in summary.measured if row.row.index not in first]:
        profile = inside.profile(row)
        if profile is None or not profile.stacks:
            continue
        svg = flame.graph(profile, f"Flame graph of {row.row.name}") if left > 0 else ""
        left -= len(svg or "")
        if not svg or left < 0:
            out += 1
            continue
        event = f" of {profile.event}" if profile.event else ""
        lost = f", {profile.lost} lost" if profile.lost else ""
        section.flames.append(Flame(
            f"{row.driver}, {row.layout}, {row.row.config['target_label']}: "
            f"{profile.samples} samples{event}{lost}", svg, flame.legend(profile)))
    if not section.flames:
        section.why, section.caption = inside.no_profile(summary.measured), ""
    section.note = units.more(out, "flame graph", "left out to keep the page small; the stacks "
                              "are in the raw data.")
    return section


def _rows(summary):
    tables = list(run_tables.rows(summary))
    shown = sum(len(table.rows) for table in tables)
    more = units.more(len(summary.measured) - shown, "row", "left out here and in the raw data.")
    section = Section(
        "rows", "All rows", tables=tables,
        intro="Medians of the repetitions. Spread: (most \u2212 least) / median. Harness: CPU time "
              "of the null driver in the same layout over that of the row; an upper bound. Marks: "
              "O more threads than CPUs, H harness over 10 %, U unsteady. System calls marked d "
              "are as the driver counts them, the others by the kernel's tracepoint.")
    section.note = more
    if not tables:
        section.why, section.intro = "no row was measured", ""
    return section


def _left_out(summary):
    section = Section("left-out", "Skipped and failed", tables=run_tables.left_out(summary))
    if not section.tables:
        section.intro = "No row was skipped, and no repetition failed."
    not_run = [row.row.name for row in summary.shown
               if not (row.measured or row.skipped or row.failed)]
    if not_run:
        more = f" and {len(not_run) - 20} more" if len(not_run) > 20 else ""
        section.note = ("Planned and not run, because the run ended early: "
                        + ", ".join(not_run[:20]) + more + ".")
    return section


def of_run(summary, prefix):
    """All of them. Draws the figures, which takes most of the report's time."""
    tables = {"scaling": run_tables.law, "locks": run_tables.lock_sites,
              "latency": run_tables.splits, "counters": run_tables.counts}
    with sheet.settings():
        drawn = [_figure(module, summary, prefix, tables.get(module.KEY, lambda _: [])(summary))
                 for module in figures.ALL]
    for section in drawn:
        if section.key == figures.scaling.KEY:
            section.note = figures.scaling.not_fitted(summary)
    return [_sharing(summary), *drawn, _flames(summary), _rows(summary), _left_out(summary)]
