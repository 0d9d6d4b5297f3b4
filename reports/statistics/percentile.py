"""Percentiles of a merged histogram with intervals from order statistics.

The interval treats samples as independent. Latencies within one run are not: neighbours share their
queue. So it says how well this run's percentile is known and nothing about the next run; compare
percentiles block by block (median.py) for that.

Source: David and Nagaraja, Order Statistics, 3rd ed., 7.1; Conover, 3.2.
"""

from dataclasses import dataclass

from .binomial import quantile

SAMPLES_BEYOND = 10  # that a percentile needs beyond it


class TooFewSamples(ValueError):
    """A percentile so far out that chance decides it; the text says how many samples it needs."""


@dataclass(frozen=True)
class Percentile:
    """In the unit of the buckets. The estimate is the upper end of its bucket; the interval reaches
    from the lower end of one bucket to the upper end of another."""

    estimate: float
    low: float
    high: float
    samples: int
    beyond: int  # samples above its rank


def percentile_interval(buckets, fraction, alpha, upper_end):
    """Percentile at `fraction` (0..1) of `buckets`: {lower bound: count}, several histograms merged
    by adding their counts. `upper_end(lower bound)` is the greatest value of a bucket. Raises
    TooFewSamples when fewer than SAMPLES_BEYOND lie beyond the percentile, on either side."""
    if not 0 < fraction < 1:
        raise ValueError("a percentile lies between 0 and 1")
    count = sum(buckets.values())
    scarce = min(fraction, 1 - fraction)
    # The rounding forgives that 1 - 0.99 is a little less than 0.01.
    if round(count * scarce, 6) < SAMPLES_BEYOND:
        raise TooFewSamples(f"{count} samples; this percentile needs "
                            f"{round(SAMPLES_BEYOND / scarce)}, of which {SAMPLES_BEYOND} lie "
                            "beyond it")
    rank = max(1, min(count, int(-(-round(count * fraction, 6) // 1))))
    low_rank = max(1, quantile(count, fraction, alpha / 2))
    high_rank = min(count, quantile(count, fraction, 1 - alpha / 2) + 1)
    lows = _at_ranks(buckets, (low_rank, rank, high_rank))
    return Percentile(upper_end(lows[1]), lows[0], upper_end(lows[2]), count, count - rank)


def _at_ranks(buckets, ranks):
    """The lower bounds of the buckets that hold the samples of these ascending ranks."""
    found, seen = [], 0
    bounds = iter(sorted(buckets))
    bound = None
    for rank in ranks:
        while seen < rank:
            bound = next(bounds)
            seen += buckets[bound]
        found.append(bound)
    return found
