"""aioscope gate."""

import os
import pathlib
import secrets
import shlex
import signal
import sys

if __package__ in (None, ""):  # started as `python3 PATH/gate`
    # Instead of PATH/gate, whose modules would shadow others of their names.
    sys.path[0] = str(pathlib.Path(__file__).resolve().parent.parent)
    __package__ = "gate"

from reports import output

from .errors import EXIT_INTERRUPTED, EXIT_IO, EXIT_OK, GateError, Interrupted
from .progress import Progress

# SIGHUP: programs that are measured have sessions of their own and do not get the terminal's.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _ignore_interrupts():
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number, frame):
    # Once: what ends the children and saves what there is must not be interrupted in turn.
    _ignore_interrupts()
    raise Interrupted


def _print(text):
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the verdict is in the exit code as well
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit


def _dry_run(options, arms):
    from . import plan as planning
    plan = planning.make(options, arms)
    for name in plan.names:
        _print(f"{arms.row_name(name)}\n")
    for name in plan.missing:
        _print(f"{name}  only in the base\n")
    for name in plan.new:
        _print(f"{name}  only in the new arm\n")
    _print(f"{plan.words(options)}\n")
    return EXIT_OK


def _gate(options, progress):
    from reports.compare import use_color

    from . import arms as choosing, show, write
    from .session import Gate, keep
    arms = choosing.choose(options)
    if options.dry_run and not arms.offline:
        return _dry_run(options, arms)
    outcome = Gate(options, arms, progress).run()
    _ignore_interrupts()
    progress.close()
    try:
        if output.STANDARD_OUTPUT not in options.files:
            _print(show.to_text(outcome, use_color("auto", sys.stdout)))
    finally:  # also when the terminal is gone
        write.write_all(outcome, options.command)
        if options.keep and outcome.measured and not arms.offline:
            keep(outcome.measured, arms, options.keep)
    return outcome.exit_code


def _check_outputs(options):
    """Raises OSError for what could not be written when everything is measured."""
    from .calibration import default_path
    found = list(options.files)
    if options.keep:
        found += [os.path.join(options.keep, f"{side}.jsonl") for side in ("base", "new")]
    if options.calibrate:
        found += filter(None, [options.calibration or default_path()])
    for path in found:
        if path not in options.files:
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        output.check(path)


def _run(options, progress):
    if not options.dry_run:
        _check_outputs(options)
    if options.calibrate:
        from .calibrate import calibrate
        return calibrate(options, progress, _print)
    if options.self_test:
        from .self_test import self_test
        return self_test(options, progress, _print)
    return _gate(options, progress)


def _main(arguments):
    from .options import parse
    options = parse(arguments)
    options.command = "aioscope gate " + shlex.join(arguments)
    if options.seed is None:
        options.seed = secrets.randbelow(2**48)
    progress = Progress(options.quiet)
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    try:
        return _run(options, progress)
    except Interrupted:
        progress.warn("interrupted; nothing is kept")
        return EXIT_INTERRUPTED
    except GateError as error:
        progress.warn(str(error))
        return error.code
    except OSError as error:
        progress.warn(f"{error.filename2 or error.filename or 'output'}: "
                      f"{error.strerror or error}")
        return EXIT_IO


def main(arguments):
    """Returns the exit code."""
    return output.guarded("aioscope gate", lambda: _main(arguments))


if __name__ == "__main__":
    # `python3 PATH/gate gate ...` is what the program of that name passes on.
    sys.exit(main(sys.argv[2:] if sys.argv[1:2] == ["gate"] else sys.argv[1:]))
