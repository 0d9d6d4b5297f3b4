"""What goes on, on standard error."""

import sys
import time

EVERY_S = 5  # a line, where lines stay


def duration(seconds):
    """About: 48 s, 3 m 20 s."""
    seconds = max(0, round(seconds))
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} m {seconds % 60:02} s"


class Progress:
    """Counts runs of programs. `step_s`: seconds that one is expected to take."""

    def __init__(self, quiet, stream=None):
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._phase, self._steps, self._done, self._begun, self._last = "", 0, 0, 0.0, 0.0
        self._open_line = False

    def _write(self, text):
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # the terminal is gone: no reason to lose what is measured
            pass

    def say(self, text):
        """A line that stays."""
        if not self._quiet:
            self._end_line()
            self._write(f"gate: {text}\n")

    def warn(self, text):
        """Also when quiet."""
        self._end_line()
        self._write(f"aioscope gate: {text}\n")

    def phase(self, name, steps):
        self._phase, self._steps, self._done = name, steps, 0
        self._begun = self._last = time.monotonic()

    def step(self):
        self._done += 1
        now = time.monotonic()
        if self._quiet or (now - self._last < EVERY_S and not self._terminal
                           and self._done < self._steps):
            return
        self._last = now
        left = (now - self._begun) / self._done * max(0, self._steps - self._done)
        text = (f"gate: {self._phase}: run {self._done} of {self._steps}, about "
                f"{duration(left)} left")
        if self._terminal:
            self._write(f"\r\x1b[K{text}")
            self._open_line = True
        else:
            self._write(f"{text}\n")

    def _end_line(self):
        if self._open_line:
            self._write("\r\x1b[K")
            self._open_line = False

    def close(self):
        self._end_line()
