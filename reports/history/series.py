"""The series of a history: a metric of a row over the runs of one kind of machine."""

import zlib
from collections import Counter
from dataclasses import dataclass

from .. import metrics
from ..statistics.changes import UNDECIDED, trend

# Of a change that is shown: below it, what differs from run to run is more than anything meant.
LEAST_CHANGE = 0.03
LEAST_CHANGE_EXACT = 0.01
DEFAULT = ("throughput", "cpu", "p99", "system-calls", "acquisitions", "shared-rmw", "allocations")


@dataclass
class Series:
    row: str
    metric: object
    points: list  # store.Point
    values: list
    trend: object  # statistics.changes.Trend

    @property
    def undecided(self):
        """The newest points, of which nothing is said yet."""
        return min(UNDECIDED, len(self.values))

    def worse(self, change):
        return (change.after > change.before) != self.metric.more_is_better

    def drifts_worse(self):
        return (self.trend.drift > 0) != self.metric.more_is_better

    def commit(self, change):
        return self.points[change.index].commit

    def last_of_before(self, change):
        return self.points[change.index - 1].commit


def _metric(key):
    if key in metrics.BY_KEY:
        return metrics.BY_KEY[key]
    return metrics.counter_metric(key.removeprefix("counter:"), "count")


def of_newest_machine(points):
    """(points of the machine and build of the newest run, {why others are left out: number})."""
    if not points:
        return [], {}
    machine = points[-1].machine
    others = Counter(f"of host {point.record.get('host') or '?'}, kernel "
                     f"{point.record.get('kernel') or '?'}, build "
                     f"{point.record.get('build_type') or '?'}"
                     for point in points if point.machine != machine)
    return [point for point in points if point.machine == machine], dict(others)


def keys_of(points):
    """The metrics that some point has, those of the comparison first, in its order."""
    found = dict.fromkeys(key for point in points for values in point.record["rows"].values()
                          for key in values)
    return [key for key in metrics.BY_KEY if key in found] + sorted(
        key for key in found if key.startswith("counter:"))


def of_points(points, keys, wanted, least_change=None):
    """[Series] of the rows whose name `wanted` finds, in the order of the newest run."""
    names = dict.fromkeys(name for point in reversed(points) for name in point.record["rows"]
                          if wanted.search(name))
    found = []
    for key in keys:
        metric = _metric(key)
        for name in names:
            taken = [(point, point.record["rows"].get(name, {}).get(key, {}).get("value"))
                     for point in points]
            taken = [(point, value) for point, value in taken if value is not None]
            if not taken:
                continue
            values = [float(value) for _, value in taken]
            least = least_change if least_change is not None else (
                LEAST_CHANGE_EXACT if metric.exact else LEAST_CHANGE)
            # Each series has random orders of its own, the same in every run of this program.
            seed = zlib.crc32(f"{name}\0{key}".encode("utf-8", "replace"))
            found.append(Series(name, metric, [point for point, _ in taken], values,
                                trend(values, least, seed)))
    return found
