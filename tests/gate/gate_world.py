"""The gate against programs that are made up: in this process, and as users start it."""

import json
import pathlib
import signal

from fake_program import answer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

SCRIPT = """#!/usr/bin/python3 -SE
import sys
sys.path[:0] = {paths!r}
from fake_program import main
main({settings!r})
"""
QUICK = ["--blocks", "12", "--max-blocks", "12", "--seed", "7", "--quiet", "--no-instructions"]


class World:
    """A directory with programs in it, and the gate."""

    def __init__(self, directory, patch, captured):
        self.directory = directory
        self._patch = patch
        self._captured = captured
        self._settings = {}
        self._handlers = {number: signal.getsignal(number)
                          for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self.commands = []
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        patch.setenv("NO_COLOR", "1")
        patch.delenv("AIOSCOPE_PROGRAM", raising=False)

    def program(self, name, **settings):
        """Path of a fake program."""
        path = self.directory / name
        settings.setdefault("salt", name)
        path.write_text(SCRIPT.format(paths=[str(HERE), str(ROOT / "tests/reports")],
                                      settings=settings))
        path.chmod(0o755)
        self._settings[str(path)] = settings
        (self.directory / f"{name}.count").unlink(missing_ok=True)
        return str(path)

    def start(self, command, timeout_s, standard_output=None):
        """What child.start does, without a process."""
        from gate.errors import ProgramFailed
        program, *arguments = command
        if program not in self._settings:
            raise ProgramFailed(f"{program}: not a program of this test")
        if arguments[:1] == ["run"]:
            arguments = arguments[1:]
        self.commands.append(command)
        return answer(self._settings[program], program, arguments)

    def command(self, *arguments):
        return ["/usr/bin/python3", str(ROOT / "gate"), "gate", *map(str, arguments)]

    def gate(self, *arguments, expect=0, quick=True, processes=False):
        """(gate.json or None, standard output and error with single spaces)"""
        from gate.__main__ import main
        output = self.directory / "gate.json"
        output.unlink(missing_ok=True)
        self.commands = []
        with self._patch.context() as patch:
            if not processes:
                patch.setattr("gate.child.start", self.start)
            patch.chdir(self.directory)
            try:
                code = main([*(QUICK if quick else []), "-o", str(output), *map(str, arguments)])
            except SystemExit as error:
                code = error.code
            finally:
                for number in self._handlers:
                    signal.signal(number, self._handlers[number])
        said = " ".join("".join(self._captured.readouterr()).split())
        assert code == expect, (code, said)
        return json.loads(output.read_text()) if output.exists() else None, said

    def pair(self, expect=0, more=(), quick=True, processes=False, base=None, **new):
        """The gate on a base without effects and a new program with `new`."""
        return self.gate("--base", self.program("old", **(base or {})), "--new",
                         self.program("now", **new), *more, expect=expect, quick=quick,
                         processes=processes)


def row(record, key, name="kioctx"):
    """The one comparison of a metric in the row of a driver."""
    return next(one for one in record["rows"] if one["key"] == key and one["name"].startswith(name))


def verdicts(record):
    return {one["verdict"] for one in record["rows"]}
