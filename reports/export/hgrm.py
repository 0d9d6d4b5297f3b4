"""HdrHistogram's table of percentiles, of the histogram of one row merged over its repetitions.

Values are nanoseconds, each the upper end of its bucket. The histogram is HdrHistogram's with 128
sub-buckets: 64 per power of two. Five lines for each halving of the distance to 100 %, as that
library's iterator over percentiles prints them (HdrHistogram, PercentileIterator).
"""

import math

from ..load import NothingToExport
from ..validate import SUB_BUCKET_BITS, bucket_width_ns

SUMMARY = "percentiles of one row's latency, in ns: for HdrHistogram's plotter"
TICKS_PER_HALF_DISTANCE = 5


def _levels():
    """Percentiles in ascending order, ever closer to 100."""
    level = 0.0
    while True:
        yield level
        halvings = math.floor(math.log2(100 / (100 - level))) + 1
        level += 100 / (TICKS_PER_HALF_DISTANCE * 2 ** halvings)


def lines_of(latency):
    """[(value in ns, fraction, samples up to it)] of a summarise.Latency; the last is all."""
    lows = sorted(latency.buckets)
    levels = _levels()
    level, seen, lines = next(levels), 0, []
    for low in lows:
        seen += latency.buckets[low]
        upper = min(low + bucket_width_ns(low) - 1, latency.max_ns)
        while seen < latency.count and 100 * seen / latency.count >= level:
            lines.append((upper, level / 100, seen))
            level = next(levels)
    return [*lines, (latency.max_ns, 1.0, seen)]


def _moments(latency):
    """Mean and standard deviation in ns, each sample in the middle of its bucket."""
    middles = [(low + (bucket_width_ns(low) - 1) / 2, count)
               for low, count in latency.buckets.items()]
    mean = sum(middle * count for middle, count in middles) / latency.count
    square = sum((middle - mean) ** 2 * count for middle, count in middles) / latency.count
    return mean, math.sqrt(square)


def export(_, rows):
    found = [row for row in rows if row.latency.count]
    if not found:
        raise NothingToExport("no row has latencies")
    if len(found) > 1:
        names = "\n  ".join(row.row.name for row in found)
        raise NothingToExport(f"such a file holds one histogram; choose with --row:\n  {names}")
    latency = found[0].latency
    lines = [f"{'Value':>12} {'Percentile':>14} {'TotalCount':>10} {'1/(1-Percentile)':>14}\n\n"]
    for value, fraction, seen in lines_of(latency):
        rest = f" {1 / (1 - fraction):14.2f}" if fraction < 1 else ""
        lines.append(f"{value:12.3f} {fraction:2.12f} {seen:10d}{rest}\n")
    mean, deviation = _moments(latency)
    halves = max(1, int(latency.max_ns).bit_length() - SUB_BUCKET_BITS)
    lines += [f"#[Mean    = {mean:12.3f}, StdDeviation   = {deviation:12.3f}]\n",
              f"#[Max     = {latency.max_ns:12.3f}, Total count    = {latency.count:12d}]\n",
              f"#[Buckets = {halves:12d}, SubBuckets     = {2 << SUB_BUCKET_BITS:12d}]\n"]
    return "".join(lines)
