"""Measures both arms in turns. A block runs each arm once, in a process of its own; of two blocks
one begins with the base and one with the new arm (ABBA or BAAB, by lot), so that what drifts
steadily cancels. A block in which the hypervisor took the CPU is measured again, whatever it
showed."""

import pathlib
import random
from dataclasses import dataclass, field

from reports.load import ResultError, load
from reports.validate import validate

from . import child, plan as planning, validity
from .errors import EXIT_OK, GateError, Invalid


@dataclass
class Taken:
    """One run of one arm: the checked Run, and the records it came from."""

    run: object
    records: list

    def items(self, arm):
        """(key, validate.Row, validate.Repetition) of what was measured."""
        for item in self.run.repetitions:
            row = self.run.rows[item.row]
            if not row.price_only:
                yield arm.key(row.name), row, item

    def by_name(self, arm):
        return {key: item for key, _, item in self.items(arm)}


@dataclass
class Block:
    number: int
    order: str  # "base new" or "new base"
    taken: dict  # side -> Taken
    phase: str


@dataclass
class Measured:
    """Blocks in the order they ran, or result files."""

    blocks: list = field(default_factory=list)
    disturbed: int = 0  # blocks that were measured again
    files: dict = field(default_factory=dict)  # side -> [Taken], in the order they were named

    def of_phase(self, *phases):
        return [block for block in self.blocks if block.phase in phases]

    def runs(self, side):
        """[Taken] of an arm."""
        return self.files.get(side) or [block.taken[side] for block in self.blocks]


def read_result(path):
    """Taken of a result file. Raises Invalid."""
    try:
        lines = load(path)
        return Taken(validate(lines), [record for _, record in lines.records])
    except ResultError as error:
        problem = str(error).removeprefix(f"{path}:")
        raise Invalid(f"wrote no result file: line {problem.strip()}") from None
    except FileNotFoundError:
        raise Invalid("wrote no result file") from None


class Turns:
    """Runs blocks. Not for use by several threads."""

    def __init__(self, options, arms, plan, directory, progress, check_first):
        """`check_first` is called with [validate.Run] of the first block, the base's first."""
        self._options = options
        self._arms = arms
        self._plan = plan
        self._directory = pathlib.Path(directory)
        self._progress = progress
        self._random = random.Random(f"blocks {options.seed}")
        self._arguments = planning.run_arguments(options)
        self._check = check_first
        self._fingerprint = None
        self.measured = Measured()
        self.notes = []

    def _timeout_s(self):
        return self._options.timeout or 5 * self._plan.run_s + 30

    def _run(self, arm, arguments, seed):
        path = self._directory / f"{arm.side}.jsonl"
        path.unlink(missing_ok=True)
        command = arm.command(*arguments, "--seed", str(seed), "--quiet", "-o", str(path))
        code, _, said = child.start(command, self._timeout_s())
        child.require_success(code, said)
        if code != EXIT_OK and not path.exists():
            raise Invalid(child.last_line(said) or "its result is not valid")
        taken = read_result(path)
        validity.check_complete(taken.run)
        validity.check_build(taken.run, self._options.force)
        return taken

    def _check_first(self, block):
        if self._fingerprint is None:
            runs = [block.taken[side].run for side in ("base", "new")]
            self.notes += validity.check_alike(runs, self._options.force)
            self._fingerprint = validity.fingerprint(runs[0])
            self._check(runs)
        for side, taken in block.taken.items():
            if validity.fingerprint(taken.run) != self._fingerprint and not self._options.force:
                raise Invalid(f"{side}: the host changed while it was measured: its fingerprint "
                              f"was {self._fingerprint} and is "
                              f"{validity.fingerprint(taken.run)}")

    def _block(self, phase, arms, names):
        number = len(self.measured.blocks)
        seed = random.Random(f"{self._options.seed} {number}").randrange(1, 2**53)
        taken = {}
        before = validity.stolen()
        for arm in arms:
            arguments = self._arguments
            if names is not None:
                own = [name for name in self._names_of[arm.side] if arm.key(name) in names]
                arguments = planning.narrowed(arguments, own)
            taken[arm.side] = planning.of_each(arm, lambda: self._run(arm, arguments, seed))
            self._progress.step()
        block = Block(number, " ".join(arm.side for arm in arms), taken, phase)
        self._check_first(block)
        if phase == "first" and not self.measured.blocks:
            self._names_of = {side: [row.name for row in one.run.rows]
                              for side, one in taken.items()}
        return block, validity.steal_share(before, validity.stolen())

    def run(self, phase, blocks, names=None, until=None):
        """Measures `blocks` blocks of the rows `names` (all when None). Ends after a pair of them,
        or when one must be measured again, when `until()` says that there is no time for more; how
        many it measured. Raises GateError."""
        again = 0
        pair = []
        done = 0
        while done < blocks:
            if not pair:
                if until is not None and done and until():
                    break
                first = self._random.random() < 0.5
                pair = [first, not first]
            base, new = self._arms
            arms = [base, new] if pair[0] else [new, base]
            block, steal = self._block(phase, arms, names)
            if steal > self._options.max_steal:
                again += 1
                self.measured.disturbed += 1
                if again > planning.MOST_DISTURBED * blocks:
                    raise Invalid(f"the hypervisor took {steal:.0%} of the CPU time, in {again} "
                                  f"blocks more than {self._options.max_steal:.0%}: measure when "
                                  "the host is quiet, or raise --max-steal")
                if until is not None and until():
                    break
                continue
            pair.pop(0)
            self.measured.blocks.append(block)
            done += 1
        return done


def read_files(arms, force):
    """Measured of result files, without blocks. Raises GateError, OSError."""
    files = {}
    for arm in arms:
        files[arm.side] = []
        for path in arm.files:
            try:
                one = read_result(path)
                validity.check_complete(one.run)
                validity.check_build(one.run, force)
            except GateError as error:
                raise type(error)(f"{path}: {error}") from None
            files[arm.side].append(one)
    return Measured(files=files)
