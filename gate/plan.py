"""What will be measured: rows, blocks, and how long it takes. The programs are asked by --dry-run,
which also shows that they are there and take these options."""

import math
import pathlib
import re
import subprocess
from dataclasses import dataclass

from reports import units
from reports.statistics.binomial import half_tail
from reports.statistics.decide import split_over_looks
from reports.statistics.unpaired import MOST_EXACT, lower_tail

from . import child
from .arms import Arms
from .errors import GateError, Invalid, UsageError
from .policy import COUNTED, STATISTICAL
from .progress import duration

ASK_TIMEOUT_S = 30
START_S = 0.3  # that a process takes besides what it plans
TOTAL = re.compile(r"^\d+ rows \(.*: about (?:(\d+) h )?(?:(\d+) m )?([\d.]+) (s|ms)$")
LEAST_BLOCKS = 4
MOST_DISTURBED = 0.5  # of the blocks of a phase may be measured again


@dataclass
class Plan:
    """Rows by the names that both arms have in common, and seconds of one run of an arm."""

    names: list
    run_s: float
    missing: list  # names that only the base has
    new: list  # names that only the new one has
    skipped: list  # sentences
    blocks: int = 0  # of the first look
    most_blocks: int = 0  # of both
    comparisons: int = 1

    def phase_s(self, blocks, rows=None):
        share = 1 if rows is None else rows / max(1, len(self.names))
        return 2 * blocks * (START_S + share * self.run_s)

    def worst_s(self, options):
        """Of all phases but instructions: every row is undecided, then confirmed, and disturbed."""
        blocks = self.most_blocks + blocks_for(options.alpha, self.comparisons)
        return self.phase_s(math.floor(blocks * (1 + MOST_DISTURBED)))

    def words(self, options):
        """What will be measured and how long it takes."""
        counting = ("" if options.no_instructions or "instructions" not in options.metric
                    else ", besides counting instructions")
        most = (f"--time-budget ends it after {duration(options.time_budget)}"
                if options.time_budget and options.time_budget < self.worst_s(options) else
                f"at most {duration(self.worst_s(options))}, with a confirmation of all and blocks "
                f"that are measured again{counting}")
        return (f"{units.counted(len(self.names), 'row')}, {self.blocks} blocks of both arms: "
                f"{duration(self.phase_s(self.blocks))}; with a second look at all of them, "
                f"{duration(self.phase_s(self.most_blocks))}; {most}")


def suite_argument(suite):
    """What `run --suite` gets: of the suites that come with this gate, the file, so that an older
    program measures the same rows."""
    file = pathlib.Path(__file__).resolve().parent.parent / "bench" / "suites" / f"{suite}.toml"
    return str(file) if re.fullmatch(r"[\w-]+", suite) and file.is_file() else suite


def run_arguments(options):
    """Of `run`, the same for every run of the gate."""
    arguments = ["--repetitions", "1", "--no-harness-price", *options.run_options]
    return [*(["--suite", suite_argument(options.suite)] if options.suite else []), *arguments]


def _without(arguments, names):
    """`arguments` without these options and their values."""
    kept, skip = [], False
    for text in arguments:
        if skip:
            skip = False
        elif text in names:
            skip = True
        elif text.split("=")[0] not in names:
            kept.append(text)
    return kept


def narrowed(arguments, names):
    """`arguments` for these rows alone."""
    escaped = (re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", name) for name in names)
    return [*_without(arguments, ["--only"]), "--only", f"^({'|'.join(escaped)})$"]


def without_time(arguments):
    """`arguments` for a number of operations."""
    return _without(arguments, ["--duration", "--time-budget"])


def _ask(arm, arguments):
    """(names that run, names that are skipped, seconds)"""
    code, printed, said = child.start(arm.command(*arguments, "--dry-run"), ASK_TIMEOUT_S,
                                      subprocess.PIPE)
    child.require_success(code, said)
    lines = printed.splitlines()
    total = TOTAL.match(lines[-1]) if lines else None
    if code or not total:
        raise Invalid("does not plan a run as aioscope does: "
                      f"{child.last_line(said) or child.last_line(printed) or 'it says nothing'}")
    names, skipped = [], {}
    for line in lines[:-1]:
        name, _, rest = line.partition("  ")
        if name.startswith("counter ") or "(price of the harness)" in rest:
            continue
        if rest.startswith("SKIPPED: "):
            skipped[name] = rest.removeprefix("SKIPPED: ")
        else:
            names.append(name)
    hours, minutes, seconds, unit = total.groups()
    return names, skipped, (3600 * int(hours or 0) + 60 * int(minutes or 0)
                            + float(seconds) * (0.001 if unit == "ms" else 1))


def blocks_for(alpha, comparisons):
    """An even number, so that each arm is first as often as the other, and enough for a verdict
    although one block says otherwise: a single disturbance is not to decide."""
    blocks = LEAST_BLOCKS
    while 2 * half_tail(blocks, 1) > alpha / comparisons:
        blocks += 2
    return blocks


def repetitions_for(alpha, comparisons):
    """The same of samples that are not paired: of each side, enough although one value of a side
    is beyond all of the other."""
    return next((count for count in range(LEAST_BLOCKS, MOST_EXACT)
                 if 2 * lower_tail(count, count)[count] <= alpha / comparisons), MOST_EXACT)


def of_each(arm, call):
    """call(), with the arm named in what it raises."""
    try:
        return call()
    except GateError as error:
        raise type(error)(f"{arm.side} ({arm.name}): {error}") from None


def make(options, arms: Arms):
    """The Plan. Raises GateError."""
    arguments = run_arguments(options)
    asked = [of_each(arm, lambda arm=arm: _ask(arm, arguments)) for arm in arms]
    keys = [[arm.key(name) for name in names] for arm, (names, _, _) in zip(arms, asked)]
    for arm, of_arm in zip(arms, keys):
        if len(set(of_arm)) < len(of_arm):
            raise UsageError(f"{arm.name} is several drivers; an arm is one, such as kioctx@series")
    both = [key for key in keys[0] if key in set(keys[1])]
    skipped = {f"{arm.key(name)} is skipped by {arm.name}: {why}"
               for arm, (_, left_out, _) in zip(arms, asked) for name, why in left_out.items()}
    plan = Plan(both, max(seconds for _, _, seconds in asked),
                [key for key in keys[0] if key not in set(keys[1])],
                [key for key in keys[1] if key not in set(keys[0])], sorted(skipped))
    if not both:
        raise Invalid("the two arms have no row in common"
                      + (f": {plan.skipped[0]}" if plan.skipped else ""))
    decisive = sum(key in options.metric for key in [*STATISTICAL, *COUNTED])
    alpha = split_over_looks(options.alpha)[0]
    plan.comparisons = max(1, len(both) * decisive)
    plan.blocks = options.blocks or blocks_for(alpha, plan.comparisons)
    plan.most_blocks = max(plan.blocks, options.max_blocks or 2 * plan.blocks)
    return plan


def too_short(plan, budget_s):
    """The error for a --time-budget that holds no first look."""
    return UsageError(f"--time-budget of {budget_s:.0f} s: the first look alone takes "
                      f"{plan.phase_s(plan.blocks):.0f} s with "
                      f"{units.counted(len(plan.names), 'row')} and {plan.blocks} blocks; "
                      "measure fewer rows (-- --only REGEX)")
