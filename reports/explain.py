"""aioscope explain: where the nanoseconds of one row's operations go."""

import argparse
import re
import sys

from . import inside, looking, units
from .load import load
from .summarise import summarise
from .validate import validate

EPILOG = """examples:
  aioscope run --suite seed --profile --locks -o seed.jsonl
  aioscope explain seed.jsonl                      names the rows
  aioscope explain seed.jsonl 'v3.7/shared/null'

exit codes: 0 done, 2 usage, 4 no result file or no such row, 5 input or output
"""
EXIT_OK = 0
EXIT_USAGE = 2
EXIT_INVALID = 4
KERNEL_SUFFIX = "_[k]"  # of the name of the kernel's functions
TOP_FUNCTIONS = 4  # of a layer
TOP_LOCKS = 10
LEAST_SHARE = 0.005  # of a function, to be shown


def _parser():
    parser = argparse.ArgumentParser(
        prog="aioscope explain", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Say for one row where an operation's nanoseconds go, layer by layer.")
    parser.add_argument("result", metavar="RESULT", help="a result file, plain or gzip")
    parser.add_argument("row", metavar="ROW", nargs="?", default="",
                        help="the row's number, or a regular expression that fits its name alone")
    return parser


def _choose(rows, wanted):
    """The row that is meant, or None; and what to say if it is none."""
    if wanted.isdigit():
        found = [row for row in rows if row.row.index == int(wanted)]
    else:
        found = [row for row in rows if re.search(wanted, row.row.name)]
    if len(found) == 1:
        return found[0], ""
    what = f"{len(found)} rows match" if found else "no row matches"
    listed = "\n".join(f"  {row.row.index:3} {row.row.name}" for row in (found or rows))
    return None, f"{what}; give the number or the name of one:\n{listed}"


class Tree:
    """Lines of a tree with a column of nanoseconds and one of percent."""

    WIDTH = 62

    def __init__(self, per_sample_ns, total):
        self.per_sample_ns = per_sample_ns
        self.total = total
        self.lines = [f"{'':<{self.WIDTH}} {'ns/op':>10} {'%':>6}"]

    def add(self, name, samples, ancestors):
        """`ancestors`: for each level down to this one, whether more follow on that level."""
        stem = "".join("|  " if more else "   " for more in ancestors[:-1])
        branch = "" if not ancestors else "|- " if ancestors[-1] else "`- "
        text = stem + branch + name
        if len(text) > self.WIDTH:
            text = text[:self.WIDTH - 3] + "..."
        self.lines.append(f"{text:<{self.WIDTH}} {samples * self.per_sample_ns:>10,.1f} "
                          f"{100 * samples / self.total:>6.1f}")


def _functions(profile):
    """(kernel?, layer) -> {sampled function: samples}, of the stacks that the file holds."""
    functions = {}
    for (frames, layer), samples in profile.stacks.items():
        leaf = frames[-1] if frames else "?"
        of_layer = functions.setdefault((leaf.endswith(KERNEL_SUFFIX), layer), {})
        name = leaf.removesuffix(KERNEL_SUFFIX)
        of_layer[name] = of_layer.get(name, 0) + samples
    return functions


def _top(counts, least):
    ranked = sorted(counts.items(), key=lambda item: -item[1])[:TOP_FUNCTIONS]
    return [(name, count) for name, count in ranked if count >= least]


def _tree_lines(profile):
    tree = Tree(1e9 / profile.frequency_hz / max(profile.operations, 1), profile.samples)
    functions = _functions(profile)
    tree.add("an operation, on the CPU", profile.samples, [])
    spaces = [("user", 0), ("kernel", 1)]
    spaces = [(space, column) for space, column in spaces
              if any(counts[column] for counts in profile.layers.values())]
    for i, (space, column) in enumerate(spaces):
        more = i < len(spaces) - 1
        layers = {name: counts[column] for name, counts in profile.layers.items()
                  if counts[column]}
        tree.add(space, sum(layers.values()), [more])
        ranked = sorted(layers.items(), key=lambda item: -item[1])
        for k, (layer, count) in enumerate(ranked):
            more_layers = k < len(ranked) - 1
            tree.add(layer, count, [more, more_layers])
            top = _top(functions.get((column == 1, layer), {}), LEAST_SHARE * tree.total)
            for n, (name, samples) in enumerate(top):
                tree.add(name, samples, [more, more_layers, n < len(top) - 1])
    return tree.lines


def profile_lines(row):
    profile = inside.profile(row)
    if profile is None or not profile.frequency_hz:
        yield f"No profile: {inside.no_profile([row])}"
        return
    yield (f"Profile: {profile.event} at {profile.frequency_hz:g} Hz, {profile.samples:,} samples, "
           f"{profile.lost:,} lost")
    for reason in profile.reasons:
        yield f"  {reason}"
    if row.cpu_ns_per_op and profile.operations:
        sampled_ns = profile.samples * 1e9 / profile.frequency_hz / profile.operations
        yield (f"  they stand for {100 * sampled_ns / row.cpu_ns_per_op:.0f} % of the CPU time "
               f"that the process was charged")
    yield ""
    yield from _tree_lines(profile)
    for (origin, layer), samples in sorted(profile.moved.items()):
        yield ""
        share = 100 * samples / profile.samples
        yield (f"{share:.1f} % of the samples are shown as {layer}, not as "
               f"{origin}: waits with interrupts off hide from the timer that samples, and show in "
               f"the tracepoints")
    if profile.unmatched:
        yield ""
        yield "No rule knows (see 'aioscope list layers'): " + ", ".join(
            f"{name} {100 * count / profile.samples:.1f} %"
            for name, count in _top(profile.unmatched, 1))


def split_lines(row):
    parts = {words: found for words, found in inside.latency_split(row).items() if found}
    if parts:
        yield ""
        yield "By the clock, per operation:"
        for words, found in parts.items():
            yield f"  {words:<40} {found.value:>12,.1f} ns"


OFF_CPU = (("completions_ns", "completions"), ("lock_ns", "lock"), ("other_wait_ns", "other wait"),
           ("unknown_ns", "unknown"), ("preempted_ns", "preempted"))


def _folded(threads):
    """[(words, threads)]: those of a driver with the same name together."""
    groups = {}
    for number, thread in enumerate(threads):
        key = thread["name"] if thread.get("of_driver") else number
        groups.setdefault(key, []).append(thread)
    return [(same[0]["name"] + (f" x {len(same)}, mean" if len(same) > 1 else ""), same)
            for same in groups.values()]


def _off_cpu_cell(threads, name, window_ns):
    times = [inside.unknown_wait_ns(thread) if name == "unknown_ns" else thread[name]
             for thread in threads]
    known = [time for time in times if time is not None]
    if not known:
        return units.NONE
    return f"{100 * sum(known) / len(known) / max(window_ns, 1):.1f}"


def off_cpu_lines(row):
    found = inside.off_cpu(row)
    if found is None:
        return
    yield ""
    yield (f"Off the CPU, % of the window, last repetition"
           f"{' (' + found['source'] + ')' if found['source'] else ''}:")
    if found["reason"]:
        yield f"  {found['reason']}"
    if found["threads"]:
        yield f"  {'waiting for':<24}" + "".join(f"{title:>13}" for _, title in OFF_CPU) + (
            f"{'switches':>12}")
    for words, threads in _folded(found["threads"]):
        cells = [_off_cpu_cell(threads, name, found["window_ns"]) for name, _ in OFF_CPU]
        yield (f"  {words:<24}" + "".join(f"{cell:>13}" for cell in cells)
               + f"{sum(thread['switches'] for thread in threads):>12,}")


def lock_lines(row):
    sites = [site for site in inside.all_sites(row) if site.contended and site.contended.value]
    unknown = inside.no_kernel_locks(row)
    yield ""
    yield (f"{'Locks that were found taken':<44} {'contended/op':>13} {'wait ns/op':>11}"
           f" {'p50':>9} {'p99':>9} {'max':>9}")
    for site in sites[:TOP_LOCKS]:
        name = f"{'user' if site.whose == 'driver' else site.whose}: {site.name}"
        wait = f"{site.wait_ns.value:.2f}" if site.wait_ns else units.NONE
        of_one = (site.p50_ns, site.p99_ns, site.max_ns)
        yield (f"  {units.shorten(name, 42):<42} {site.contended.value:>13.5f} {wait:>11}"
               + "".join(f" {units.time(ns):>9}" for ns in of_one))
    if not sites:
        yield "  none that is known"
    if any("asleep" in site.whose for site in sites[:TOP_LOCKS]):
        yield "  asleep: on a futex, for a lock or for something else; what a driver says of"
        yield "  the same lock is the same wait: not to be added up"
    if unknown:
        yield f"  the kernel's: {unknown}"


def price_lines(header):
    lines = [f"Price of {instrument}: {price}."
             for instrument, price in looking.prices(header).items()]
    return ["", *lines] if lines else []


def explain(row):
    """The lines of the explanation of a RowSummary."""
    yield row.row.name
    parts = [f"{name} {value:,.1f}" for name, value in (("user", row.cpu_user_ns_per_op),
                                                       ("system", row.cpu_system_ns_per_op))
             if value is not None]
    cpu = units.NONE if row.cpu_ns_per_op is None else f"{row.cpu_ns_per_op:,.1f}"
    yield (f"{len(row.repetitions)} repetitions, medians: {units.rate(row.operations_per_s)}op/s, "
           f"CPU {cpu} ns/op{' (' + ', '.join(parts) + ')' if parts else ''}")
    yield from profile_lines(row)
    yield from split_lines(row)
    yield from off_cpu_lines(row)
    yield from lock_lines(row)


def main(arguments):
    """Returns the exit code. Raises ResultError and OSError."""
    parser = _parser()
    options = parser.parse_args(arguments)
    summary = summarise(validate(load(options.result)))
    rows = [row for row in summary.rows if not row.row.price_only]
    try:
        row, problem = _choose(rows, options.row)
    except re.error as error:
        parser.error(f"ROW: {error}")
    if row is None:
        print(f"aioscope explain: {problem}", file=sys.stderr)
        return EXIT_USAGE
    if not row.repetitions:
        print(f"aioscope explain: {options.result}: {row.row.name} has no result", file=sys.stderr)
        return EXIT_INVALID
    for line in [*explain(row), *price_lines(summary.run.header)]:
        print(line)
    return EXIT_OK
