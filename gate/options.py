"""The command line of aioscope gate."""

import argparse
import re

from reports.output import STANDARD_OUTPUT

from .policy import COUNTED, STATISTICAL

EPILOG = """examples:
  aioscope gate --base build/base/bin/aioscope --new build/release/bin/aioscope -o gate.json
  aioscope gate --base-driver libaio --new-driver io_uring
  aioscope gate --base-driver kioctx@v3.7 --new-driver kioctx@series -- --submitters 4
  aioscope gate --base old1.jsonl old2.jsonl --new new1.jsonl new2.jsonl
  aioscope gate --calibrate            how far this host strays: once, and after each new kernel
  aioscope gate --calibrate --base-driver ./own.so
  aioscope gate --self-test            can this gate go red, and does it stay green?

metrics: {statistical} (in paired blocks),
  {counted}
  (exact), instructions (exact, where valgrind is)

exit codes: 0 no regression, 1 regression, 2 usage, 3 undecided (--strict), 4 not valid or not to
be compared, 5 input, output or a program that cannot run, 130 interrupted
"""


def _percent(text):
    try:
        value = float(text.removesuffix("%")) / 100
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage") from None
    if not 0 < value < 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage that can be meant")
    return value


def _confidence(text):
    value = _percent(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError("lies between 50 and 100 percent")
    return value


def _margin(text):
    metric, equals, percent = text.partition("=")
    if not equals or metric not in {**STATISTICAL, **COUNTED}:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not METRIC=PERCENT with one of {', '.join({**STATISTICAL, **COUNTED})}")
    return metric, _percent(percent)


def _seconds(text):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = next((unit for unit in units if text.endswith(unit)), "")
    try:
        value = float(text.removesuffix(unit)) * units.get(unit, 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s or 5m") from None
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no time that can be meant")
    return value


def _regex(text):
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
    return text


def _count(text):
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def _what(parser):
    group = parser.add_argument_group("what is compared")
    group.add_argument("--base", metavar="PROGRAM|FILE", nargs="+",
                       help="the program as it was; or result files")
    group.add_argument("--new", metavar="PROGRAM|FILE", nargs="+",
                       help="the program as it is now; or result files")
    group.add_argument("--base-driver", metavar="NAME", default="",
                       help="compare two drivers of one program instead: driver or driver@variant")
    group.add_argument("--new-driver", metavar="NAME", default="")
    group.add_argument("--program", metavar="PROGRAM", default="",
                       help="that measures the drivers (default: this aioscope)")
    group.add_argument("--suite", metavar="NAME|FILE", default="gate",
                       help="rows that are measured (default: gate)")
    group.add_argument("--metric", metavar="LIST", action="append", default=[],
                       help="only these decide, and each must be there (default: all there are)")


def _how(parser):
    group = parser.add_argument_group("how it is decided")
    group.add_argument("--confidence", metavar="PERCENT", type=_confidence, default=0.95,
                       help="half of what it lacks of 100 bounds the chance that any row is "
                            "falsely regressed, and so for improved and for equivalent (default: "
                            "95)")
    group.add_argument("--margin", metavar="METRIC=PERCENT", type=_margin, action="append",
                       default=[], help="a change up to this is none (defaults: docs/CI.md)")
    group.add_argument("--blocks", metavar="N", type=_count,
                       help="of the first look (default: what the number of rows needs)")
    group.add_argument("--max-blocks", metavar="N", type=_count,
                       help="of both looks (default: twice those of the first)")
    group.add_argument("--seed", metavar="N", type=int, help="of the order (default: a new one)")
    group.add_argument("--time-budget", metavar="TIME", type=_seconds,
                       help="for the whole: no pair of blocks begins after it; what is not "
                            "confirmed for want of time stays red")
    group.add_argument("--timeout", metavar="TIME", type=_seconds,
                       help="after which a run hangs (default: from its plan)")
    group.add_argument("--max-steal", metavar="PERCENT", type=_percent, default=0.05,
                       help="of the CPU time, that the hypervisor may take in a block (default: 5)")
    group.add_argument("--missing", choices=("fail", "warn"), default="fail",
                       help="when a row of the base is gone, or a count that one arm alone has "
                            "(default: fail)")
    group.add_argument("--waivers", metavar="FILE.toml", help="regressions that are let through")
    group.add_argument("--strict", action="store_true", help="undecided is exit code 3")
    group.add_argument("--no-instructions", action="store_true",
                       help="do not count instructions under valgrind")
    group.add_argument("--force", action="store_true",
                       help="go on with arms of unlike hosts, targets or windows, and builds that "
                            "are no Release")


def _where(parser):
    group = parser.add_argument_group("what is written")
    group.add_argument("-o", "--output", metavar="GATE.json",
                       help="every verdict with its numbers; a file that is - goes to standard "
                            "output instead of the table")
    group.add_argument("--junit", metavar="FILE.xml")
    group.add_argument("--markdown", metavar="FILE.md", help="fits a comment of a pull request")
    group.add_argument("--keep", metavar="DIR", help="base.jsonl and new.jsonl, of all blocks")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress on standard error")
    group.add_argument("--dry-run", action="store_true",
                       help="print rows, blocks and how long they take, and stop")


def _host(parser):
    group = parser.add_argument_group("this host")
    group.add_argument("--calibrate", action="store_true",
                       help="measure --program, or the drivers that are named, against itself and "
                            "keep how far it strays")
    group.add_argument("--calibration-runs", metavar="N", type=_count, default=6,
                       help="of --calibrate, each a first look (default: 6)")
    group.add_argument("--calibration", metavar="FILE",
                       help="(default: in $XDG_STATE_HOME/aioscope/gate)")
    group.add_argument("--calibration-days", metavar="N", type=_count, default=30,
                       help="after which it is stale (default: 30)")
    group.add_argument("--no-calibration", action="store_true", help="decide by margins alone")
    group.add_argument("--self-test", action="store_true",
                       help="--program against itself, and against itself with injected work")
    group.add_argument("--drill-row", metavar="REGEX", type=_regex, default="",
                       help="rows of the drills (default: the first row of each driver)")
    group.add_argument("--drill-repeats", metavar="N", type=_count, default=1,
                       help="of each drill (default: 1)")


def _parser():
    parser = argparse.ArgumentParser(
        prog="aioscope gate", formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="aioscope gate [options] [-- options of 'aioscope run']",
        epilog=EPILOG.format(statistical=", ".join(STATISTICAL), counted=", ".join(COUNTED)),
        description="Has a program become worse? Measures both in turns, in blocks of fresh\n"
                    "processes, and says of each row and metric: regressed, improved, equivalent,\n"
                    "or inconclusive.")
    for add in (_what, _how, _where, _host):
        add(parser)
    return parser


def parse(arguments):
    """Options; what follows `--` is `run_options`. Usage errors leave with exit code 2."""
    own, run = list(arguments), []
    if "--" in own:
        at = own.index("--")
        own, run = own[:at], own[at + 1:]
    parser = _parser()
    options = parser.parse_args(own)
    options.run_options = run
    options.margin = dict(options.margin)
    options.alpha = round(1 - options.confidence, 12)
    names = [name for text in options.metric for name in text.split(",") if name]
    known = [*STATISTICAL, *COUNTED, "instructions"]
    for name in names:
        if name not in known:
            parser.error(f"no metric {name!r}; there are {', '.join(known)}")
    options.metric = names or known
    options.asked = names
    if "instructions" in names and options.no_instructions:
        parser.error("--metric instructions and --no-instructions contradict each other")
    options.files = [path for path in (options.output, options.junit, options.markdown) if path]
    if options.files.count(STANDARD_OUTPUT) > 1:
        parser.error("one file can go to standard output")
    reserved = {"-o", "--output", "--repetitions", "--format", "--seed", "--suite", "--inject",
                "--operations"}
    for text in run:
        if text.split("=")[0] in reserved:
            parser.error(f"{text.split('=')[0]} behind -- is for the gate to say")
    if options.max_blocks and options.blocks and options.max_blocks < options.blocks:
        parser.error("--max-blocks is less than --blocks")
    if options.calibrate and options.self_test:
        parser.error("--calibrate and --self-test are two things to do")
    return options
