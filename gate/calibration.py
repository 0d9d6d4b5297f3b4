"""How far the same program strays from itself on this host: noise floors from A/A runs, for each
row and metric, with the day and the host they hold for."""

import datetime
import json
import math
import os
import pathlib
import platform
import shlex
from dataclasses import dataclass

from reports import units
from reports.load import ResultError, decode, read
from reports.output import write
from reports.statistics.decide import noise_floor

from .errors import GateError, Invalid, ProgramFailed

SCHEMA = "aioscope.gate-calibration/2"


@dataclass
class Floors:
    """Of one row."""

    date: datetime.date
    runs: int
    blocks: int  # of each run
    window_ns: object  # None where a number of operations ends it
    warmup_ns: object
    floors: dict  # metric key -> part of 1

    def of(self, key, blocks):
        """The floor for medians of so many blocks, or None. Medians of fewer stray more, by the
        root of their number; that of more is left: what differs from run to run does not shrink."""
        floor = self.floors.get(key)
        if floor is None or blocks >= self.blocks:
            return floor
        return math.expm1(math.log1p(floor) * math.sqrt(self.blocks / max(1, blocks)))


@dataclass
class Calibration:
    path: str
    fingerprint: str
    kernel: str
    version: str
    rows: dict  # name -> Floors

    @property
    def date(self):
        """Of the oldest row."""
        return min(one.date for one in self.rows.values())

    def noise(self, names, key, blocks):
        """The greatest noise floor of some rows in a metric as a part of 1; None when one of them
        has none."""
        found = [self.rows[name].of(key, blocks) if name in self.rows else None for name in names]
        return max(found) if found and None not in found else None

    def as_json(self):
        return {"file": self.path, "date": self.date.isoformat(), "kernel": self.kernel,
                "fingerprint": self.fingerprint, "version": self.version,
                "runs": min(one.runs for one in self.rows.values()),
                "blocks": min(one.blocks for one in self.rows.values())}


def default_path():
    """For this host; None when there is no home to keep it in."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = os.environ.get("HOME", "")
    if not state.startswith("/"):  # the XDG specification: to be ignored
        if not home.startswith("/"):
            return None
        state = home + "/.local/state"
    host = "".join(c if c.isalnum() or c in "-_" else "_" for c in platform.node()) or "host"
    return str(pathlib.Path(state) / "aioscope" / "gate" / f"{host}.json")


def _row(given):
    floors = {str(key): float(floor) for key, floor in given["floors"].items()}
    if any(not 0 <= floor < 1e6 for floor in floors.values()):
        raise ValueError("a floor is not a part of 1")
    window_ns, warmup_ns = (None if given[key] is None else int(given[key])
                            for key in ("window_ns", "warmup_ns"))
    return Floors(datetime.date.fromisoformat(given["date"]), int(given["runs"]),
                  int(given["blocks"]), window_ns, warmup_ns, floors)


def load(path):
    """The Calibration in a file. Raises Invalid when it is none, ProgramFailed when it cannot be
    read."""
    try:
        record = decode(read(path))
        if record["schema"] != SCHEMA:
            raise ValueError(f"its schema is {record['schema']!r:.60}; this program reads {SCHEMA}")
        rows = {str(name): _row(row) for name, row in record["rows"].items()}
        if not rows:
            raise ValueError("it has no rows")
        return Calibration(str(path), str(record["fingerprint"]), str(record["kernel"]),
                           str(record["version"]), rows)
    except OSError as error:
        raise ProgramFailed(f"{path}: {error.strerror}") from None
    except (ResultError, ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else error
        raise Invalid(f"{path} is no calibration: {problem}; measure again: {command(path)}") \
            from None


def command(path, options=None):
    """The command that mends a calibration, for what `options` compare."""
    parts = ["aioscope", "gate", "--calibrate"]
    if str(path) != default_path():
        parts += ["--calibration", str(path)]
    if options is not None:
        for name, value in (("--program", options.program), ("--base-driver", options.base_driver),
                            ("--new-driver", options.new_driver)):
            parts += [name, value] if value else []
        parts += ["--suite", options.suite] if options.suite != "gate" else []
        parts += ["--", *options.run_options] if options.run_options else []
    return shlex.join(parts)


def _refuse(found, problem, options):
    raise Invalid(f"the calibration {found.path} {problem}. Measure again: "
                  f"{command(found.path, options)}; or decide by margins alone: --no-calibration")


def _stale(date, days, today):
    """Why a day is too long ago, or empty."""
    age = (today - date).days
    if age > days:
        return f"is {age} days old, more than {days}"
    return f"is of {date}, which is in the future" if age < -1 else ""


def check_age(found, options, today):
    """Raises Invalid when it is too old, or from another kernel."""
    problem = _stale(found.date, options.calibration_days, today)
    if not problem and found.kernel != platform.release():
        problem = f"is of kernel {found.kernel}, and this is {platform.release()}"
    if problem:
        _refuse(found, problem, options)


def check_fits(found, run, names, options):
    """Raises Invalid when it is another host's than that of a validate.Run, or the rows `names`
    were measured for another time."""
    own = str(run.header["host"].get("fingerprint") or "")
    if found.fingerprint != own:
        _refuse(found, f"is of another host (fingerprint {found.fingerprint}, and this is {own})",
                options)
    plan = run.header["plan"]
    for name in names:
        row = found.rows.get(name)
        for key, what in (("window_ns", "windows"), ("warmup_ns", "a warm-up")):
            if row is not None and getattr(row, key) != plan[key]:
                _refuse(found, f"has {name} with {what} of {units.time(getattr(row, key))}, and "
                        f"here it is {units.time(plan[key])}", options)


def for_gate(options, today):
    """The Calibration to decide by, or None: there is none, or --no-calibration. Raises Invalid for
    one that does not hold any more."""
    if options.no_calibration:
        return None
    path = options.calibration or default_path()
    if path is None or (not options.calibration and not os.path.exists(path)):
        return None
    found = load(path)
    check_age(found, options, today)
    return found


def floors_of(runs):
    """{row: {metric: floor}} of `runs`: lists of {(row, metric): natural log of the ratio}."""
    effects = {}
    for run in runs:
        for (name, key), effect in run.items():
            effects.setdefault(name, {}).setdefault(key, []).append(effect)
    return {name: {key: noise_floor(values) for key, values in one.items()}
            for name, one in effects.items()}


def _kept(path, header, days, today):
    """{name: Floors} of the file at `path` that still hold on the host of a result's header."""
    try:
        found = load(path)
    except GateError:
        return {}
    if (found.fingerprint != str(header["host"].get("fingerprint") or "")
            or found.version != header["tool"]["version"]):
        return {}
    return {name: row for name, row in found.rows.items() if not _stale(row.date, days, today)}


def save(path, header, rows, days, today):
    """Writes a calibration: `rows`, {name: Floors}, and what still holds of the others in the file.
    `header`: of a result of the host. Raises OSError."""
    rows = {**_kept(path, header, days, today), **rows}
    record = {"schema": SCHEMA, "fingerprint": str(header["host"].get("fingerprint") or ""),
              "kernel": str(header["host"].get("kernel") or platform.release()),
              "version": header["tool"]["version"], "commit": header["tool"].get("commit", ""),
              "rows": {name: {**vars(row), "date": row.date.isoformat()}
                       for name, row in rows.items()}}
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    write(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode("utf-8"))
