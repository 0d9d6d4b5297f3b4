"""Regressions that somebody answers for, until a date. TOML:

[[waiver]]
row = "libaio/shared/*"     a pattern of row names; * for any characters
metric = "p99"              or "*"
owner = "name"
reason = "..."
expires = 2030-01-31
"""

import datetime
import fnmatch
import os
import stat
import tomllib
from dataclasses import dataclass

from reports.statistics.decide import REGRESSED

from .errors import ProgramFailed, UsageError

FIELDS = ("row", "metric", "owner", "reason", "expires")


@dataclass
class Waiver:
    row: str
    metric: str
    owner: str
    reason: str
    expires: datetime.date
    used: int = 0

    def expired(self, today):
        """It holds on the day itself."""
        return self.expires < today

    def covers(self, one):
        return (fnmatch.fnmatchcase(one.name, self.row)
                and fnmatch.fnmatchcase(one.policy.key, self.metric))

    def as_json(self):
        return {"owner": self.owner, "reason": self.reason, "expires": self.expires.isoformat(),
                "row": self.row, "metric": self.metric}


def _waiver(path, number, given):
    where = f"{path}: waiver {number}"
    if not isinstance(given, dict):
        raise UsageError(f"{where} is no table: write [[waiver]]")
    for name in FIELDS:
        if name not in given or given[name] == "":
            raise UsageError(f"{where} has no {name}: a waiver says row, metric, owner, reason and "
                             "expires")
    unknown = [name for name in given if name not in FIELDS]
    if unknown:
        raise UsageError(f"{where}: unknown {unknown[0]!r}; there are {', '.join(FIELDS)}")
    expires = given["expires"]
    if isinstance(expires, datetime.datetime):
        expires = expires.date()
    if isinstance(expires, str):
        try:
            expires = datetime.date.fromisoformat(expires)
        except ValueError:
            raise UsageError(f"{where}: expires is no date such as 2030-01-31") from None
    texts = [given[name] for name in FIELDS[:4]]
    if not isinstance(expires, datetime.date) or not all(isinstance(t, str) for t in texts):
        raise UsageError(f"{where}: row, metric, owner and reason are strings, expires is a date")
    return Waiver(*texts, expires)


def load(path):
    """[Waiver]. Raises UsageError for one that does not say all it must, ProgramFailed when the
    file cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UsageError(f"{path} is no regular file")  # one that could be waited for
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise ProgramFailed(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also of numbers and depths out of all bounds
        raise UsageError(f"{path}: {error}") from None
    if list(found) not in ([], ["waiver"]) or not isinstance(found.get("waiver", []), list):
        raise UsageError(f"{path}: waivers are written as [[waiver]]")
    return [_waiver(path, i, one) for i, one in enumerate(found.get("waiver", []), 1)]


def apply(waivers, compared, today):
    """Puts waivers on the regressions that they cover; sentences about those that do not hold."""
    notes = []
    for waiver in waivers:
        covered = [one for one in compared if waiver.covers(one) and one.verdict == REGRESSED]
        named = f"waiver of {waiver.owner} for {waiver.metric} of {waiver.row}"
        if waiver.expired(today):
            notes.append(f"EXPIRED on {waiver.expires}, and ignored: the {named}"
                         f"{' (it would cover a regression)' * bool(covered)}.")
            continue
        for one in covered:
            one.waiver = one.waiver or waiver
            waiver.used += 1
        if not covered:
            notes.append(f"The {named} covers nothing that regressed: take it out.")
    return notes
