"""How a gate ends early: each error with the exit code that it means."""

EXIT_OK = 0
EXIT_REGRESSION = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_INVALID = 4
EXIT_IO = 5
EXIT_INTERRUPTED = 130


class GateError(Exception):
    """The text says what is wrong and what mends it."""

    code = EXIT_INVALID


class UsageError(GateError):
    code = EXIT_USAGE


class Invalid(GateError):
    """What was measured does not allow a verdict."""


class ProgramFailed(GateError):
    """A program could not be run or said that it cannot measure."""

    code = EXIT_IO


class Interrupted(Exception):
    """By SIGINT, SIGTERM or SIGHUP."""
