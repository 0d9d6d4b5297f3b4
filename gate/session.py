"""The gate itself: a first look at all rows, a second at those that are undecided, and fresh data
for those that look worse."""

import datetime
import json
import pathlib
import tempfile
import time

from reports.output import write
from reports.statistics.decide import split_over_looks
from reports.units import counted

from . import (blocks as turns_of, calibration, instructions, judge, plan as planning, validity,
               waivers)
from .errors import GateError, Interrupted, Invalid
from .outcome import Outcome
from .policy import policies
from .progress import duration

FIRST, SECOND, CONFIRM = "first", "second", "confirm"
MOST_DRIFTING = 0.5  # of the blocks, in which throughput may drift within the window
RESERVE_S = 20  # of --time-budget, for confirmation


class Gate:
    """One gate. `run` once."""

    def __init__(self, options, arms, progress):
        self._options = options
        self._arms = arms
        self._progress = progress
        self._policies = policies(options)
        self._outcome = Outcome(options, arms, start_realtime_ns=time.time_ns())
        self._begun = time.monotonic()
        self._compared = {}
        self._calibration = None
        self._turns = None
        self._waivers = []

    @property
    def compared(self):
        """{(row, metric): judge.Compared}, by the keys that both arms have in common."""
        return self._compared

    def run(self):
        """The Outcome. Raises OSError when results cannot be kept, and GateError for what is wrong
        before anything was measured."""
        outcome, options = self._outcome, self._options
        today = datetime.date.today()
        self._waivers = waivers.load(options.waivers) if options.waivers else []
        # It says how far runs in turns stray on this host, which files tell nothing of.
        self._calibration = None if self._arms.offline else calibration.for_gate(options, today)
        with tempfile.TemporaryDirectory(prefix="aioscope-gate-") as directory:
            try:
                self._measure(directory)
            except Interrupted:
                outcome.interrupted = True
                self._partial()
            except GateError as error:
                if outcome.plan is None and not self._arms.offline:
                    raise
                outcome.problem, outcome.problem_code = str(error), error.code
                self._partial()
        if self._turns is not None:
            outcome.measured = self._turns.measured
            outcome.notes += self._turns.notes
        self._finish(today)
        return outcome

    def _measure(self, directory):
        if self._arms.offline:
            self._offline()
            return
        outcome = self._outcome
        plan = outcome.plan = planning.make(self._options, self._arms)
        self._announce(plan)
        self._turns = turns_of.Turns(self._options, self._arms, plan, directory, self._progress,
                                     self._check_first)
        first, second = split_over_looks(self._options.alpha)
        self._progress.phase("first look", 2 * plan.blocks)
        done = self._turns.run(FIRST, plan.blocks, until=self._out_of_time)
        if done < plan.blocks:
            raise Invalid(f"--time-budget of {duration(self._options.time_budget)} ended the first "
                          f"look after {done} of {plan.blocks} blocks")
        self._look(FIRST, first, plan.blocks)
        self._instructions()
        self._second_look(second)
        self._confirm()

    def _announce(self, plan):
        budget = self._options.time_budget
        if budget and plan.phase_s(plan.blocks) > budget:
            raise planning.too_short(plan, budget)
        self._progress.say(f"{self._arms.base.name} and {self._arms.new.name} in turns: "
                           f"{plan.words(self._options)}; seed {self._options.seed}")
        for name in plan.missing:
            self._progress.warn(f"row {name} of the base is gone")
        if plan.new:
            self._outcome.notes.append(f"Rows that only the new arm has, and nothing judges: "
                                       f"{', '.join(plan.new)}.")
        if plan.missing:
            self._outcome.notes.append(f"Rows that only the base has: {', '.join(plan.missing)}.")
        self._outcome.notes += [f"Not measured: {text}." for text in plan.skipped]

    def _check_first(self, runs):
        if self._calibration is None:
            return
        names = [name for key in self._outcome.plan.names
                 for name in self._arms.calibrated_as(key)]
        calibration.check_fits(self._calibration, runs[0], names, self._options)
        versions = dict.fromkeys(run.header["tool"]["version"] for run in runs)
        if self._calibration.version not in versions:
            self._outcome.notes.append(
                f"The calibration is of version {self._calibration.version}, and these are of "
                f"{' and '.join(versions)}.")

    def _noise(self, one):
        if self._calibration is None:
            return None
        return self._calibration.noise(one.calibrated_as, one.policy.key, len(one.values))

    def _collect(self, *phases):
        return judge.collect(self._turns.measured.of_phase(*phases), self._arms, self._policies)

    def _look(self, phase, alpha, blocks):
        """Judges all blocks of the looks so far."""
        found = self._collect(FIRST, SECOND)
        for key, one in self._compared.items():
            if key not in self._open:  # decided: at the blocks that decided it
                found[key] = one
        # A change that alone is red, and comes again in the blocks of a confirmation.
        confirmation = planning.blocks_for(self._options.alpha, 1), self._options.alpha
        judge.judge(found, alpha, self._noise, open_only=phase == SECOND,
                    confirmation=confirmation)
        self._compared = found
        self._outcome.looks.append({"look": phase, "blocks": blocks, "alpha": alpha,
                                    "comparisons": len(found)})

    _open = ()

    def _left_s(self):
        if not self._options.time_budget:
            return float("inf")
        return self._options.time_budget - (time.monotonic() - self._begun)

    def _out_of_time(self):
        return self._left_s() <= 0

    def _second_look(self, alpha):
        plan = self._outcome.plan
        self._open = judge.undecided(self._compared)
        names = list(dict.fromkeys(name for name, _ in self._open))
        blocks = plan.most_blocks - plan.blocks
        _, offending, fresh = self._to_confirm()
        reserve_s = RESERVE_S + plan.phase_s(fresh, len(offending))
        while blocks >= 2 and plan.phase_s(blocks, len(names)) > self._left_s() - reserve_s:
            blocks -= 2
        if not names or blocks < 2:
            if names and plan.most_blocks > plan.blocks:
                self._outcome.notes.append("No second look: no time was left for it.")
            return
        self._progress.say(f"undecided: {counted(len(self._open), 'comparison')} of "
                           f"{counted(len(names), 'row')}; "
                           f"{blocks} blocks more, {duration(plan.phase_s(blocks, len(names)))}")
        self._progress.phase("second look", 2 * blocks)
        done = self._turns.run(SECOND, blocks, names, lambda: self._left_s() < reserve_s)
        self._look(SECOND, alpha, done)

    def _instructions(self):
        if self._options.no_instructions or "instructions" not in self._options.metric:
            return
        runs = [self._turns.measured.blocks[0].taken[arm.side].run for arm in self._arms]
        found, notes = instructions.compare(self._arms, runs, self._options,
                                            self._out_of_time, self._progress)
        self._compared.update(found)
        self._outcome.notes += notes

    def _to_confirm(self):
        """(keys, names of their rows, blocks that it takes)"""
        if self._arms.one_kind:
            judge.flag_implausible(self._compared)
        keys = [key for key in judge.offenders(self._compared) if key[1] != "instructions"]
        names = list(dict.fromkeys(name for name, _ in keys))
        varying = [key for key in keys if self._compared[key].tier == judge.STATISTICAL]
        return keys, names, (planning.blocks_for(self._options.alpha, len(varying)) if varying
                             else planning.LEAST_BLOCKS)

    def _confirm(self):
        keys, names, blocks = self._to_confirm()
        if not keys:
            return
        if self._outcome.plan.phase_s(blocks, len(names)) > self._left_s():
            self._leave_unconfirmed(keys)
            return
        self._progress.say(f"worse, or too good: {counted(len(keys), 'comparison')} of "
                           f"{counted(len(names), 'row')}; again on fresh data, {blocks} blocks")
        self._progress.phase("confirmation", 2 * blocks)
        if self._turns.run(CONFIRM, blocks, names, self._out_of_time) < blocks:
            self._leave_unconfirmed(keys)
            return
        fresh = {key: one for key, one in self._collect(CONFIRM).items() if key in keys}
        # Held to the margin that they exceeded: the blocks may be fewer here.
        noise = {(one.name, one.policy.key): one.noise for one in self._compared.values()}
        judge.judge(fresh, self._options.alpha, lambda one: noise[one.name, one.policy.key])
        judge.confirm(self._compared, fresh)
        self._outcome.looks.append({"look": "confirmation", "blocks": blocks,
                                    "alpha": self._options.alpha, "comparisons": len(keys)})

    def _leave_unconfirmed(self, keys):
        """What looks worse stays so: it is not for want of time that a gate becomes green."""
        for key in keys:
            one = self._compared[key]
            one.reason = "; ".join(filter(None, (one.reason, "not confirmed: no time was left")))
        self._outcome.notes.append(f"{counted(len(keys), 'comparison')} not confirmed on fresh "
                                   "data: no time was left for it.")

    def _offline(self):
        outcome = self._outcome
        measured = outcome.measured = turns_of.read_files(self._arms, self._options.force)
        runs = [[taken.run for taken in measured.runs(arm.side)] for arm in self._arms]
        for arm, own in zip(self._arms, runs):
            validity.check_one_kind(arm, own)
        outcome.notes += validity.check_alike([own[0] for own in runs], self._options.force)
        names = [list(dict.fromkeys(name for taken in measured.runs(arm.side)
                                    for name, _, _ in taken.items(arm))) for arm in self._arms]
        outcome.plan = planning.Plan(
            [name for name in names[0] if name in names[1]], 0.0,
            [name for name in names[0] if name not in names[1]],
            [name for name in names[1] if name not in names[0]], [])
        outcome.notes += [
            f"{arm.key(row['name'])} is skipped by {taken.run.path}: {row['reason']}."
            for arm in self._arms for taken in measured.runs(arm.side)
            for row in taken.run.skipped]
        if not outcome.plan.names:
            raise GateError("the files have no row in common")
        found = judge.collect_files(measured, self._arms, self._policies)
        judge.judge(found, self._options.alpha, self._noise)
        judge.flag_implausible(found)
        for one in found.values():
            if one.suspicious:
                one.reason = "implausibly good: does the new program still do its work?"
        self._compared = found
        outcome.looks.append({"look": FIRST, "blocks": 0, "alpha": self._options.alpha,
                              "comparisons": len(found)})
        outcome.notes.append(
            "The repetitions of each side's files are one sample, and are not paired: load that "
            "changed between the files looks like a change of the program. One look, no "
            "confirmation, and no calibration, which is of runs in turns.")
        self._note_repetitions(found.values())

    def _note_repetitions(self, compared):
        """How many would do, where there are fewer."""
        have = min((len(side) for one in compared for side in one.sides if side), default=0)
        needed = planning.repetitions_for(self._options.alpha, max(1, len(compared)))
        if have < needed:
            self._outcome.notes.append(
                f"{counted(have, 'repetition')} a side: {needed} are needed for a verdict on all "
                f"of {counted(len(compared), 'comparison')}. Name more files of each side, or "
                f"measure with aioscope run --repetitions {needed}.")

    def _partial(self):
        """What there is, undecided but for what an earlier look decided."""
        if self._turns is None or not self._turns.measured.blocks:
            return
        if not self._compared:
            self._compared = self._collect(FIRST)
            judge.judge(self._compared, self._options.alpha, self._noise, settle=False)
        for one in self._compared.values():
            if one.verdict in (judge.REGRESSED, judge.IMPROVED) and one.confirmed is None:
                one.verdict = judge.INCONCLUSIVE
                one.reason = "ended before it was confirmed"

    def _note_drift(self):
        drifting = {}
        measured = self._outcome.measured or turns_of.Measured()
        for arm in self._arms:
            for taken in measured.runs(arm.side):
                for name, _, item in taken.items(arm):
                    drifting.setdefault(name, []).append(not item.measurement["steady"])
        rows = [name for name, seen in drifting.items() if sum(seen) > MOST_DRIFTING * len(seen)]
        if rows:
            self._outcome.notes.append(
                "Throughput drifts within the window in most blocks of "
                f"{counted(len(rows), 'row')} ({', '.join(rows[:3])}): "
                "raise --warmup or --duration behind --.")

    def _note_calibration(self):
        outcome = self._outcome
        if self._arms.offline:
            return
        if self._calibration is None:
            outcome.notes.append("No calibration of this host: margins alone decide. "
                                 "aioscope gate --calibrate measures how far it strays.")
            return
        outcome.calibration = self._calibration.as_json()
        lacking = {one.name for one in outcome.compared
                   if one.noise is None and one.tier == judge.STATISTICAL}
        if lacking:
            mend = calibration.command(self._calibration.path, self._options)
            outcome.notes.append(f"The calibration lacks {counted(len(lacking), 'row')}, which "
                                 f"margins alone decide; {mend} adds what is missing.")

    def _finish(self, today):
        outcome = self._outcome
        if self._options.missing == "fail" and self._arms.one_kind:
            judge.refuse_one_sided(self._compared)
        outcome.compared = list(self._compared.values())
        outcome.elapsed_s = time.monotonic() - self._begun
        if outcome.measured and outcome.measured.disturbed:
            outcome.notes.append(f"{outcome.measured.disturbed} blocks were measured again because "
                                 "the hypervisor took the CPU.")
        self._note_drift()
        self._note_calibration()
        notes = waivers.apply(self._waivers, outcome.compared, today)
        for note in notes:
            self._progress.warn(note)
        outcome.notes += notes
        outcome.waivers = self._waivers


def _merged(blocks, arm):
    """Records of one result file that holds all blocks of the looks as repetitions."""
    first = blocks[0].taken[arm.side]
    header = json.loads(json.dumps(first.records[0]))
    header["plan"]["repetitions"] = len(blocks)
    index = {row.name: row.index for row in first.run.rows}
    records = [header, *(record for record in first.records if record["record"] == "skipped")]
    position = 0
    for number, block in enumerate(blocks):
        for record in block.taken[arm.side].records:
            if record["record"] == "repetition":
                records.append({**record, "row": index[record["name"]], "repetition": number,
                                "position": position})
                position += 1
    records.append({"record": "end", "complete": True, "reason": "", "repetitions": position,
                    "elapsed_ns": 0, "skipped": sum(r["record"] == "skipped" for r in records),
                    "failed": 0})
    return records


def keep(measured, arms, directory):
    """Writes base.jsonl and new.jsonl, which `aioscope report` reads. Raises OSError."""
    if not measured.blocks:
        return
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    for arm in arms:
        text = "".join(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
                       for record in _merged(measured.blocks, arm))
        write(str(pathlib.Path(directory) / f"{arm.side}.jsonl"),
              text.encode("utf-8", "surrogatepass"))


