"""What is compared with what."""

import hashlib
import os
import pathlib
import shutil
from dataclasses import dataclass, field

from .errors import ProgramFailed, UsageError

SIDES = ("base", "new")
RESULT_BEGINS = (b"{", b"\x1f\x8b")  # of a result file, plain and gzip


@dataclass
class Arm:
    """One side of the comparison. Of a program: how it is started; of files: their names."""

    side: str  # "base" or "new"
    name: str
    program: str = ""
    sha256: str = ""
    driver: str = ""  # what it measures instead of the suite's drivers; empty for these
    driver_sha256: str = ""  # of an external one
    options: list = field(default_factory=list)  # of `run`, of this arm alone
    files: list = field(default_factory=list)

    def command(self, *arguments):
        driver = ["--driver", self.driver] if self.driver else []
        return [self.program, "run", *arguments, *driver, *self.options]

    def key(self, name):
        """What rows of both arms have in common: their name, without the driver if that is what is
        compared."""
        return name.partition("/")[2] if self.driver else name


def _driver_name(driver):
    """Of an external one its file's, without the directory."""
    return pathlib.PurePath(driver).name.removesuffix(".so") if driver.endswith(".so") else driver


@dataclass
class Arms:
    base: Arm
    new: Arm

    def __iter__(self):
        return iter((self.base, self.new))

    @property
    def offline(self):
        return bool(self.base.files)

    @property
    def same_program(self):
        """Nothing that is measured differs: any difference is chance, or the order of the runs."""
        same_driver = (self.base.driver_sha256 == self.new.driver_sha256 != ""
                       or self.base.driver == self.new.driver)
        return (bool(self.base.sha256) and self.base.sha256 == self.new.sha256 and same_driver
                and self.base.options == self.new.options)

    @property
    def one_kind(self):
        """Whether both arms are the same thing, before and after."""
        return _driver_name(self.base.driver) == _driver_name(self.new.driver)

    def row_name(self, key):
        """Of a row in both arms, for the reader."""
        if not self.base.driver:
            return key
        base, new = (_driver_name(arm.driver) for arm in self)
        return f"{base}/{key}" if base == new else f"{new} against {base}/{key}"


    def calibrated_as(self, key):
        """Names of the rows whose noise floors, both of them, a row of both arms has."""
        return tuple(dict.fromkeys(f"{_driver_name(arm.driver)}/{key}" if arm.driver else key
                                   for arm in self))


def _digest(path):
    """SHA-256 of a file. Raises ProgramFailed."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ProgramFailed(f"{path}: {error.strerror}") from None


def find_program(given, option):
    """The path of a program that is there. Raises UsageError."""
    found = shutil.which(given)
    if found is None:
        problem = "cannot be executed" if os.path.exists(given) else "there is no such program"
        raise UsageError(f"{option} {given}: {problem}")
    return str(pathlib.Path(found).absolute())


def is_result(path):
    """Whether a file is data rather than a program. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(2).startswith(RESULT_BEGINS)


def own_program():
    """The aioscope that started this gate. Raises UsageError when nothing says which."""
    named = os.environ.get("AIOSCOPE_PROGRAM")
    if not named:
        raise UsageError("no program: say --base PROGRAM --new PROGRAM, or --program PROGRAM")
    return named


def of_programs(base, new, base_driver="", new_driver=""):
    """Arms of two programs, or of one twice. Raises UsageError, ProgramFailed."""
    arms = []
    for side, program, driver in zip(SIDES, (base, new), (base_driver, new_driver)):
        path = find_program(program, f"--{side}")
        external = driver if driver.endswith(".so") else ""
        arms.append(Arm(side, driver or program, path, _digest(path), driver,
                        _digest(external) if external else ""))
    return Arms(*arms)


def of_files(base, new):
    def name(paths):
        return pathlib.PurePath(paths[0]).name + (f" and {len(paths) - 1} more"
                                                  if len(paths) > 1 else "")
    return Arms(Arm("base", name(base), files=list(base)), Arm("new", name(new), files=list(new)))


def choose(options):
    """The Arms that the command line asks for. Raises UsageError, ProgramFailed."""
    drivers = (options.base_driver, options.new_driver)
    if any(drivers):
        if not all(drivers):
            raise UsageError("--base-driver and --new-driver go together")
        if options.base or options.new:
            raise UsageError("--base-driver and --new-driver compare two drivers of one program: "
                             "name it with --program")
        program = options.program or own_program()
        return of_programs(program, program, *drivers)
    if not options.base or not options.new:
        raise UsageError("nothing to compare: say --base PROGRAM --new PROGRAM, or --base-driver "
                         "NAME --new-driver NAME, or --base FILE... --new FILE...")
    given = [*options.base, *options.new]
    absent = [path for path in given if os.sep in path and not os.path.exists(path)]
    if absent:
        raise UsageError(f"{absent[0]}: there is no such program or result file")
    results = [os.path.isfile(path) and is_result(path) for path in given]
    if all(results):
        return of_files(options.base, options.new)
    if any(results):
        raise UsageError("programs and result files cannot be compared: "
                         f"{given[results.index(False)]} is no result file")
    if len(options.base) > 1 or len(options.new) > 1:
        raise UsageError("one program each; several names are for result files")
    return of_programs(options.base[0], options.new[0])
