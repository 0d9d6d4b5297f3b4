"""Instructions per operation of kioctx on a target without I/O, by valgrind --tool=callgrind: exact
on the noisiest host. The slope between two numbers of operations, in which what a thread does
once cancels, of the load's threads alone: what the others write depends on the time that passes.
Only rows without a context that threads share: how they meet is not the program's.
"""

import re
import shutil
import subprocess

from . import child, plan as planning
from .errors import EXIT_OK, GateError
from .judge import INVALID, Compared, judge_exact
from .policy import INSTRUCTIONS, Policy

OPERATIONS = (8192, 32768)  # of each submitter
TIMEOUT_S = 120
COLLECTED = re.compile(r"Collected : (\d+)")
THREAD = "aioscope::run_thread(*"  # what a thread of the load does: bench/workload/roles.cpp
VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            f"--toggle-collect={THREAD}")


def rows_of(run):
    """validate.Row that can be counted."""
    return [row for row in run.rows if row.config["driver"].startswith("kioctx")
            and row.config["target"] == "null" and row.config["workload"] == "per-thread"]


def why_not(arms):
    """Why no instructions can be counted; empty when they can."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed (apt install valgrind)"
    for arm in arms:
        try:
            _, printed, _ = child.start([arm.program, "run", "--help"], TIMEOUT_S, subprocess.PIPE)
        except GateError as error:
            return f"{arm.side}: {error}"
        if "--operations" not in printed:
            return f"{arm.side}: its run has no --operations"
    return ""


def _collected(arm, arguments, operations):
    """Instructions of one process."""
    run = arm.command(*arguments, "--operations", str(operations), "--seed", "1", "--quiet")
    code, _, said = child.start([*VALGRIND, *run], TIMEOUT_S)
    found = COLLECTED.search(said)
    if code != EXIT_OK or not found:
        raise GateError(f"under valgrind it ended with exit code {code}: {child.last_line(said)}")
    if int(found.group(1)) == 0:
        raise GateError(f"valgrind finds no function {THREAD}; is the program stripped?")
    return int(found.group(1))


def per_operation(arm, row, options):
    """Instructions per operation of a row. Raises GateError."""
    arguments = planning.without_time(
        planning.narrowed(planning.run_arguments(options), [row.name]))
    few, many = (_collected(arm, arguments, count) for count in OPERATIONS)
    return (many - few) / ((OPERATIONS[1] - OPERATIONS[0]) * row.config["submitters"])


def _compare_row(one, arms, rows, options, out_of_time, progress):
    """Gives `one` its values and verdict. `rows`: validate.Row of base and new."""
    values = []
    for arm, row in zip(arms, rows):
        try:
            if out_of_time():
                raise GateError("no time was left for it")
            values.append(per_operation(arm, row, options))
        except GateError as error:
            one.reason = f"not counted: {arm.side}: {error}"
            if INSTRUCTIONS.key in options.asked:
                one.verdict = INVALID
            return
        progress.step()
    one.values = [(0, *values)]
    judge_exact(one)


def compare(arms, runs, options, out_of_time, progress):
    """({key: Compared}, sentences). `runs`: validate.Run of base and new."""
    reason = why_not(arms)
    if reason:
        return {}, [f"Instructions per operation were not counted: {reason}."]
    rows = [{arm.key(row.name): row for row in rows_of(run)} for arm, run in zip(arms, runs)]
    both = [key for key in rows[0] if key in rows[1]]
    progress.phase("instructions under valgrind", 2 * len(both))
    found = {}
    for key in both:
        one = Compared(arms.row_name(key), Policy(INSTRUCTIONS, 0.0, True))
        found[key, INSTRUCTIONS.key] = one
        _compare_row(one, arms, [of_arm[key] for of_arm in rows], options, out_of_time, progress)
    return found, []
