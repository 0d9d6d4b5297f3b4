"""One run of a program: it ends, by itself or by force, and is said to have failed in one line."""

import os
import signal
import subprocess
import threading

from .errors import EXIT_INVALID, EXIT_OK, EXIT_USAGE, Invalid, ProgramFailed, UsageError

KEPT_BYTES = 16384  # of what it said on standard error
KEPT_OUTPUT_BYTES = 4 << 20  # and of what it printed
GRACE_S = 3


class _Tail:
    """Reads a pipe to its end and keeps the last of it, however much there is."""

    def __init__(self, pipe, most_bytes):
        self._pipe = pipe
        self._most_bytes = most_bytes
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while data := self._pipe.read1(65536):
            self._kept = (self._kept + data)[-self._most_bytes:]

    def text(self):
        """What was kept. A grandchild may hold the pipe open for ever."""
        self._thread.join(timeout=1)
        return self._kept.decode("utf-8", "replace")


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def end(process):
    """Ends a process and those it started."""
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    _signal_group(process, signal.SIGKILL)
    process.wait()


def last_line(text):
    """The last line of what a program said, in as much as fits a message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = "".join(c if c.isprintable() else "?" for c in lines[-1]) if lines else ""
    return line[:400]


def start(command, timeout_s, standard_output=subprocess.DEVNULL):
    """Runs `command` to its end; (exit code, standard output, standard error), the last of each.
    Raises Invalid when it does not end within `timeout_s`, and ProgramFailed when it cannot be
    started. An exception from elsewhere, such as an interruption, ends it first."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=standard_output,
                                   stderr=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        raise ProgramFailed(f"{command[0]}: {error.strerror or error}") from None
    said = _Tail(process.stderr, KEPT_BYTES)
    printed = _Tail(process.stdout, KEPT_OUTPUT_BYTES) if process.stdout else None
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        end(process)
        raise Invalid(f"does not end: stopped after {timeout_s:.0f} s (--timeout)") from None
    finally:
        if process.poll() is None:
            end(process)
    return process.returncode, printed.text() if printed else "", said.text()


def require_success(code, said):
    """Raises what the exit code of a run means, unless it is 0. One whose rows failed has written a
    result file, which says so more exactly, and is let through."""
    if code in (EXIT_OK, EXIT_INVALID):
        return
    line = last_line(said)
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        raise Invalid(f"crashed with {name}{': ' if line else ''}{line}")
    if code == EXIT_USAGE:
        raise UsageError(f"does not take these options: {line or 'it gave no reason'}")
    raise ProgramFailed(f"ended with exit code {code}: {line or 'it gave no reason'}")
