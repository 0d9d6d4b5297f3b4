"""How far the same program strays from itself on this host: noise floors from A/A runs, for each
row and metric, with the day and the host they hold for."""

import datetime
import json
import os
import pathlib
import platform
from dataclasses import dataclass

from reports.load import ResultError, decode, read
from reports.output import write
from reports.statistics.decide import noise_floor

from .errors import Invalid, ProgramFailed

SCHEMA = "aioscope.gate-calibration/1"


@dataclass
class Calibration:
    path: str
    fingerprint: str
    kernel: str
    date: datetime.date
    version: str
    runs: int
    blocks: int  # of each run
    floors: dict  # row -> {metric key: part of 1}

    def noise(self, name, key):
        """Noise floor of a row in a metric as a part of 1, or None."""
        return self.floors.get(name, {}).get(key)

    def as_json(self):
        return {"file": self.path, "date": self.date.isoformat(), "kernel": self.kernel,
                "fingerprint": self.fingerprint, "version": self.version, "runs": self.runs,
                "blocks": self.blocks}


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


def _floors(given):
    floors = {str(name): {str(key): float(floor) for key, floor in one.items()}
              for name, one in given.items()}
    if any(not 0 <= floor < 1e6 for one in floors.values() for floor in one.values()):
        raise ValueError("a floor is not a part of 1")
    return floors


def load(path):
    """The Calibration in a file. Raises Invalid when it is none, ProgramFailed when it cannot be
    read."""
    try:
        record = decode(read(path))
        if record["schema"] != SCHEMA:
            raise ValueError(f"its schema is {record['schema']!r:.60}; this program reads {SCHEMA}")
        return Calibration(str(path), str(record["fingerprint"]), str(record["kernel"]),
                           datetime.date.fromisoformat(record["date"]), str(record["version"]),
                           int(record["runs"]), int(record["blocks"]), _floors(record["floors"]))
    except OSError as error:
        raise ProgramFailed(f"{path}: {error.strerror}") from None
    except (ResultError, ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"{error} is missing" if isinstance(error, KeyError) else error
        raise Invalid(f"{path} is no calibration: {problem}; measure again: {command(path)}") \
            from None


def command(path, program=""):
    """The command that mends a calibration."""
    own = "" if str(path) == default_path() else f" --calibration {path}"
    return f"aioscope gate --calibrate{own}{f' --program {program}' if program else ''}"


def check_age(found, days, today):
    """Raises Invalid when it is older than `days`, or from another kernel."""
    age = (today - found.date).days
    if age > days:
        problem = f"is {age} days old, more than {days}"
    elif age < -1:
        problem = f"is of {found.date}, which is in the future"
    elif found.kernel != platform.release():
        problem = f"is of kernel {found.kernel}, and this is {platform.release()}"
    else:
        return
    raise Invalid(f"the calibration {found.path} {problem}. Measure again: {command(found.path)}; "
                  "or decide by margins alone: --no-calibration")


def check_host(found, fingerprint):
    """Raises Invalid when it is another host's."""
    if found.fingerprint != fingerprint:
        raise Invalid(f"the calibration {found.path} is of another host (fingerprint "
                      f"{found.fingerprint}, and this is {fingerprint}). Measure again: "
                      f"{command(found.path)}; or decide by margins alone: --no-calibration")


def for_gate(options, today):
    """The Calibration to decide by, or None: there is none, or --no-calibration. Raises Invalid for
    one that does not hold any more, unless --force."""
    if options.no_calibration:
        return None
    path = options.calibration or default_path()
    if path is None or (not options.calibration and not os.path.exists(path)):
        return None
    found = load(path)
    if not options.force:
        check_age(found, options.calibration_days, today)
    return found


def floors_of(runs):
    """{row: {metric: floor}} of `runs`: lists of {(row, metric): natural log of the ratio}."""
    effects = {}
    for run in runs:
        for (name, key), effect in run.items():
            effects.setdefault(name, {}).setdefault(key, []).append(effect)
    return {name: {key: noise_floor(values) for key, values in one.items()}
            for name, one in effects.items()}


def save(path, header, blocks, runs, floors, today):
    """Writes a calibration. `header`: of a result of the host. Raises OSError."""
    record = {"schema": SCHEMA, "fingerprint": str(header["host"].get("fingerprint") or ""),
              "kernel": str(header["host"].get("kernel") or platform.release()),
              "date": today.isoformat(), "version": header["tool"]["version"],
              "commit": header["tool"].get("commit", ""), "runs": runs, "blocks": blocks,
              "floors": floors}
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    write(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode("utf-8"))
