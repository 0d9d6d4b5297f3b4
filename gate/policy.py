"""Which metrics decide, and how far each may go."""

from dataclasses import dataclass

from reports.compare.effects import EXACT_MARGIN
from reports.metrics import BY_KEY, Metric
from reports import units

# Margins as parts of 1: of a metric that varies from run to run. The tail of a latency
# distribution and the fairness of a scheduler say less about a program than its CPU time does.
STATISTICAL = {"throughput": 0.05, "cpu": 0.05, "p50": 0.10, "p99": 0.25, "fairness": 0.10}
# Of a count that varies because it depends on who waits for whom.
COUNTED = {"system-calls": 0.10, "driver-calls": 0.10, "acquisitions": 0.10, "shared-rmw": 0.10,
           "allocations": 0.10, "wakeups": 0.25}

RARE_PER_OP = 0.001  # less than this more or less per operation is no change of a count
FLOOR_PER_OP = 0.01  # added to both sides of a ratio of counts, so that rare ones weigh little
IMPLAUSIBLE = 2.0  # better by more than this factor: does it still do its work?

INSTRUCTIONS = Metric("instructions", "instructions per operation, the harness's included",
                      "per op", False, lambda item: None, units.three_digits, exact=True)


@dataclass(frozen=True)
class Policy:
    """Of one metric."""

    metric: Metric
    margin: float  # as a part of 1
    counted: bool
    exact_margin: float = EXACT_MARGIN  # of a count that does not vary

    @property
    def key(self):
        return self.metric.key


def policies(options):
    """[Policy] of the metrics of `options` that results hold, in the order of the tables."""
    margins = {**STATISTICAL, **COUNTED, **options.margin}
    return [Policy(BY_KEY[key], margin, key in COUNTED, options.margin.get(key, EXACT_MARGIN))
            for key, margin in margins.items() if key in options.metric]
