"""aioscope gate --calibrate: a program against itself, run by run, and what that strays."""

import datetime
import tempfile
from statistics import median

from reports import units
from reports.statistics.median import log_ratios

from . import arms as choosing, blocks as turns_of, calibration, judge, plan as planning
from .errors import EXIT_OK, UsageError
from .policy import policies
from .progress import duration


def effects_of(compared):
    """{(row, metric): median natural log ratio} of those that have one."""
    found = {}
    for one in compared.values():
        base = [value[1] + one.floor for value in one.values]
        new = [value[2] + one.floor for value in one.values]
        if base and min(*base, *new) > 0:
            found[one.name, one.policy.key] = float(median(log_ratios(base, new, False)))
    return found


def _rows_text(floors):
    for name, one in floors.items():
        yield f"{name}\n"
        yield "  " + ", ".join(f"{key} {units.percent(floor)}" for key, floor in one.items()) + "\n"


def calibrate(options, progress, show):
    """Measures, stores and shows noise floors; the exit code. Raises GateError, OSError."""
    if options.base or options.new or options.base_driver or options.new_driver:
        raise UsageError("--calibrate compares --program with itself; --base and --new are not for "
                         "it")
    path = options.calibration or calibration.default_path()
    if path is None:
        raise UsageError("there is no home to keep a calibration in: say --calibration FILE")
    program = options.program or choosing.own_program()
    arms = choosing.of_programs(program, program)
    plan = planning.make(options, arms)
    runs = options.calibration_runs
    text = (f"{units.counted(len(plan.names), 'row')}, {runs} runs of {plan.blocks} blocks: "
            f"{duration(runs * plan.phase_s(plan.blocks))}")
    if options.dry_run:
        show(f"calibration: {text}\n")
        return EXIT_OK
    progress.say(f"calibration: {text}")
    with tempfile.TemporaryDirectory(prefix="aioscope-gate-") as directory:
        turns = turns_of.Turns(options, arms, plan, directory, progress, lambda run: None)
        effects = []
        for number in range(runs):
            phase = f"calibration {number + 1} of {runs}"
            progress.phase(phase, 2 * plan.blocks)
            turns.run(phase, plan.blocks)
            effects.append(effects_of(judge.collect(turns.measured.of_phase(phase), arms,
                                                    policies(options))))
    floors = calibration.floors_of(effects)
    header = turns.measured.blocks[0].taken["base"].run.header
    calibration.save(path, header, plan.blocks, runs, floors, datetime.date.today())
    progress.close()
    show("".join(_rows_text(floors)))
    show(f"noise floors of {units.counted(len(floors), 'row')}, from {runs} runs of "
         f"{plan.blocks} blocks: {path}\n")
    return EXIT_OK
