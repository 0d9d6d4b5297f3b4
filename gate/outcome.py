"""The verdict of the whole, and the exit code."""

from dataclasses import dataclass, field

from reports.statistics.decide import INCONCLUSIVE, REGRESSED

from .errors import (EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_INVALID, EXIT_OK, EXIT_REGRESSION)
from .judge import INVALID, VERDICTS

PASSED = "passed"
INTERRUPTED = "interrupted"


def _count(found, thing):
    return f"{len(found)} {thing}{' is' if len(found) == 1 else 's are'}"


@dataclass
class Outcome:
    """Everything that the outputs say."""

    options: object
    arms: object
    compared: list = field(default_factory=list)  # judge.Compared
    plan: object = None
    measured: object = None  # blocks.Measured
    looks: list = field(default_factory=list)  # {"phase", "blocks", "alpha", "comparisons"}
    notes: list = field(default_factory=list)  # sentences
    waivers: list = field(default_factory=list)
    calibration: object = None  # as gate.json has it
    problem: str = ""  # why nothing can be said
    problem_code: int = EXIT_INVALID
    interrupted: bool = False
    start_realtime_ns: int = 0
    elapsed_s: float = 0.0

    def with_verdict(self, verdict):
        return [one for one in self.compared if one.verdict == verdict]

    @property
    def counts(self):
        return {verdict: len(self.with_verdict(verdict)) for verdict in VERDICTS}

    @property
    def offenders(self):
        return [one for one in self.with_verdict(REGRESSED) if not one.waiver]

    @property
    def undecided(self):
        return self.with_verdict(INCONCLUSIVE)

    @property
    def gone(self):
        """Rows of the base that the new arm lacks, where that fails."""
        lacking = self.plan.missing if self.plan else []
        return lacking if self.options.missing == "fail" else []

    @property
    def absent(self):
        """Metrics that were asked for by name and that nothing was compared by."""
        there = {one.policy.key for one in self.compared if all(one.sides)}
        return [key for key in self.options.asked if key not in there]

    @property
    def vacuous(self):
        return not any(all(one.sides) for one in self.compared)

    @property
    def verdict(self):
        if self.interrupted:
            return INTERRUPTED
        if (self.problem or self.gone or self.absent or self.vacuous
                or self.with_verdict(INVALID)):
            return INVALID
        if self.offenders:
            return REGRESSED
        return INCONCLUSIVE if self.options.strict and self.undecided else PASSED

    @property
    def exit_code(self):
        if self.problem:
            return self.problem_code
        return {INTERRUPTED: EXIT_INTERRUPTED, INVALID: EXIT_INVALID, REGRESSED: EXIT_REGRESSION,
                INCONCLUSIVE: EXIT_INCONCLUSIVE, PASSED: EXIT_OK}[self.verdict]

    def _not_compared(self):
        if self.vacuous:
            yield "Nothing was compared, which shows nothing."
        if self.absent:
            yield f"Asked for, and no row has it on both sides: {', '.join(self.absent)}."
        invalid = self.with_verdict(INVALID)
        if invalid:
            first = invalid[0]
            yield (f"{_count(invalid, 'comparison')} not valid, such as {first.policy.key} of "
                   f"{first.name}: {first.reason}.")

    @property
    def reason(self):
        """In a sentence or two."""
        parts = []
        if self.problem:
            parts.append(self.problem[:1].upper() + self.problem[1:].rstrip(".") + ".")
        if self.interrupted:
            done = len(self.measured.blocks) if self.measured else 0
            parts.append(f"Interrupted after {done} blocks; nothing was decided after that.")
        if self.gone:
            parts.append(f"Gone: {_count(self.gone, 'row')} of the base alone, such as "
                         f"{self.gone[0]} (--missing warn lets that through).")
        if not self.problem and not self.interrupted:
            parts += self._not_compared()
        waived = [one for one in self.with_verdict(REGRESSED) if one.waiver]
        if waived:
            parts.append(f"{_count(waived, 'regression')} waived.")
        if self.arms.same_program and not self.problem:
            parts.append("Same program: no change of code is possible.")
        if self.undecided and not self.interrupted:
            parts.append(f"{_count(self.undecided, 'comparison')} undecided, which is not the same "
                         "as no change.")
        return " ".join(parts)
