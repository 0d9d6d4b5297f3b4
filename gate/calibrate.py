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

FOR_PERCENTILE = 20  # runs, of which the 95th percentile is not the greatest


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


def _arms(options):
    """[Arms] of what is measured against itself: each driver that is named, or the program."""
    if options.base or options.new:
        raise UsageError("--calibrate compares --program or drivers with themselves; --base and "
                         "--new are not for it")
    program = options.program or choosing.own_program()
    drivers = dict.fromkeys(filter(None, (options.base_driver, options.new_driver))) or [""]
    found = {}
    for driver in drivers:
        arms = choosing.of_programs(program, program, driver, driver)
        found.setdefault(arms.row_name(""), arms)  # two builds of one driver have its name
    return list(found.values())


def _measure(options, arms, plan, progress):
    """({name: calibration.Floors}, header) of one Arms."""
    runs = options.calibration_runs
    with tempfile.TemporaryDirectory(prefix="aioscope-gate-") as directory:
        turns = turns_of.Turns(options, arms, plan, directory, progress, lambda runs: None)
        effects = []
        for number in range(runs):
            phase = f"calibration {number + 1} of {runs}"
            progress.phase(phase, 2 * plan.blocks)
            turns.run(phase, plan.blocks)
            effects.append(effects_of(judge.collect(turns.measured.of_phase(phase), arms,
                                                    policies(options))))
    header = turns.measured.blocks[0].taken["base"].run.header
    rows = {name: calibration.Floors(datetime.date.today(), runs, plan.blocks,
                                     header["plan"]["window_ns"], header["plan"]["warmup_ns"], one)
            for name, one in calibration.floors_of(effects).items()}
    return rows, header


def calibrate(options, progress, show):
    """Measures, stores and shows noise floors; the exit code. Raises GateError, OSError."""
    each = _arms(options)
    path = options.calibration or calibration.default_path()
    if path is None:
        raise UsageError("there is no home to keep a calibration in: say --calibration FILE")
    plans = [planning.make(options, arms) for arms in each]
    runs = options.calibration_runs
    for arms, plan in zip(each, plans):
        text = (f"calibration of {arms.base.name}: {units.counted(len(plan.names), 'row')}, "
                f"{runs} runs of {plan.blocks} blocks: "
                f"{duration(runs * plan.phase_s(plan.blocks))}")
        if options.dry_run:
            show(text + "\n")
        else:
            progress.say(text)
    if options.dry_run:
        return EXIT_OK
    rows = {}
    for arms, plan in zip(each, plans):
        found, header = _measure(options, arms, plan, progress)
        rows.update(found)
    calibration.save(path, header, rows, options.calibration_days, datetime.date.today())
    progress.close()
    show("".join(_rows_text({name: row.floors for name, row in rows.items()})))
    show(f"noise floors of {units.counted(len(rows), 'row')}, from {runs} runs of "
         f"{plans[0].blocks} blocks: {path}\n")
    if runs < FOR_PERCENTILE:
        show(f"Each is the greatest of {runs} runs, which one run more exceeds in 1 of {runs + 1} "
             f"cases; of {FOR_PERCENTILE} runs and more it is their 95th percentile.\n")
    return EXIT_OK
