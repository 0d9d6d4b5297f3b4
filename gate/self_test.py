"""aioscope gate --self-test: a gate that cannot go red is worth nothing, and neither is one that is
red for no reason. The program against itself, then against itself with injected work."""

import copy
import json
import re
from dataclasses import asdict, dataclass

from reports import output
from reports.statistics.decide import REGRESSED

from . import arms as choosing
from .errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_REGRESSION, UsageError
from .session import Gate

SCHEMA = "aioscope.gate-self-test/1"
SLOWER = ("cpu", "throughput", "p50")  # what a delay is found by
DELAYS = (0.05, 0.10, 0.20)  # of a row's CPU time per operation
MUST_FIND = 2  # times the least detectable change


@dataclass
class Drill:
    """One injection into one row, several times."""

    row: str
    what: str  # in words
    inject: str  # as `run --inject` takes it
    metrics: tuple  # of which one must say so
    required: bool
    runs: int = 0
    found: int = 0
    also: tuple = ()  # metrics that were red besides


def _options(options, row=None):
    """Of one gate within the self-test."""
    found = copy.copy(options)
    found.output = found.junit = found.markdown = found.keep = found.waivers = None
    found.strict, found.time_budget, found.asked = False, None, []
    if row is not None:
        found.no_instructions = True
        found.blocks = found.max_blocks = None
        escaped = re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", row)
        found.run_options = [*_without_only(options.run_options), "--only", f"^{escaped}$"]
    return found


def _without_only(arguments):
    kept = list(arguments)
    while "--only" in kept:
        at = kept.index("--only")
        del kept[at:at + 2]
    return [text for text in kept if not text.startswith("--only=")]


def drill_rows(compared, wanted):
    """Rows that drills are done on: those that match, or the first of each driver."""
    names = list(dict.fromkeys(name for name, key in compared if key == "cpu"))
    if wanted:
        return [name for name in names if re.search(wanted, name)]
    first = {}
    for name in names:
        first.setdefault(name.partition("/")[0], name)
    return list(first.values())


def drills_of(row, compared):
    """[Drill] for a row, by what the gate against itself said of it."""
    cpu = compared[row, "cpu"]
    sizes = [(part, f"delay of {part:.0%} of the CPU time per operation", False)
             for part in DELAYS]
    if cpu.least_detectable:
        part = MUST_FIND * cpu.least_detectable
        sizes.append((part, f"delay of {part:.0%}: {MUST_FIND} times what it says it finds", True))
    for part, words, required in sizes:
        delay_ns = max(1, round(part * cpu.base))
        yield Drill(row, words, f"delay={delay_ns}ns", SLOWER, required)
    if (row, "acquisitions") in compared:
        yield Drill(row, "one lock more per operation", "lock=1", ("acquisitions",), True)
    calls = tuple(key for key in ("system-calls", "driver-calls") if (row, key) in compared)
    if calls:
        yield Drill(row, "one system call more per batch", "syscall=1", calls, True)


def run_drill(drill, options, program, progress):
    arms = choosing.of_programs(program, program)
    arms.new.options = ["--inject", drill.inject]
    own = _options(options, drill.row)
    # Of its own for each: a seed that errs would err in all of them.
    own.seed = options.seed + drill.runs + 1
    gate = Gate(own, arms, progress)
    outcome = gate.run()
    if outcome.interrupted:
        return False
    red = [one.policy.key for one in outcome.with_verdict(REGRESSED)]
    drill.runs += 1
    drill.found += any(key in red for key in drill.metrics)
    drill.also = tuple(dict.fromkeys([*drill.also, *(key for key in red
                                                     if key not in drill.metrics)]))
    if outcome.problem:
        progress.warn(f"{drill.row} with {drill.inject}: {outcome.problem}")
    progress.say(f"{drill.row} with {drill.inject}: red in {', '.join(red) or 'nothing'}")
    return True


def _text(itself, drills, failed):
    red = itself.with_verdict(REGRESSED)
    yield (f"against itself: {len(itself.compared)} comparisons, {len(red)} red"
           f"{': ' + red[0].name + ' ' + red[0].policy.key if red else ''}\n")
    row = None
    for drill in drills:
        if drill.row != row:
            row = drill.row
            yield f"{row}\n"
        also = f" (also red: {', '.join(drill.also)})" if drill.also else ""
        must = ", must be" if drill.required else ""
        yield (f"  {drill.what} ({drill.inject}): found {drill.found} of {drill.runs} by "
               f"{' or '.join(drill.metrics)}{must}{also}\n")
    yield f"self-test: {'FAILED: ' + '; '.join(failed) if failed else 'passed'}\n"


def self_test(options, progress, show):
    """The exit code. Raises GateError, OSError."""
    if options.base or options.new or options.base_driver or options.new_driver:
        raise UsageError("--self-test compares --program with itself; --base and --new are not for "
                         "it")
    program = options.program or choosing.own_program()
    gate = Gate(_options(options), choosing.of_programs(program, program), progress)
    itself = gate.run()
    if itself.problem:
        progress.warn(itself.problem)
        return itself.exit_code
    if itself.interrupted:
        return EXIT_INTERRUPTED
    drills = [drill for row in drill_rows(gate.compared, options.drill_row)
              for drill in drills_of(row, gate.compared)]
    if not drills:
        raise UsageError(f"no row for a drill{' matches --drill-row' if options.drill_row else ''}")
    for drill in drills:
        for _ in range(options.drill_repeats):
            if not run_drill(drill, options, program, progress):
                return EXIT_INTERRUPTED
    failed = []
    if itself.with_verdict(REGRESSED):
        failed.append("it is red against itself")
    failed += [f"{drill.what} in {drill.row} was found {drill.found} of {drill.runs} times"
               for drill in drills if drill.required and drill.found < drill.runs
               or not drill.runs]
    progress.close()
    if output.STANDARD_OUTPUT not in options.files:
        show("".join(_text(itself, drills, failed)))
    if options.output:
        record = {"schema": SCHEMA, "passed": not failed, "failed": failed, "seed": options.seed,
                  "against_itself": {"comparisons": len(itself.compared), **itself.counts},
                  "drills": [asdict(drill) for drill in drills]}
        output.write(options.output, (json.dumps(record, indent=1) + "\n").encode("utf-8"))
    return EXIT_REGRESSION if failed else EXIT_OK
