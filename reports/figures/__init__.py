"""The figures of a run, one module each. A module has a KEY, a TITLE, a CAPTION, and
draw(Summary), which returns its sheets or a sentence that says why there is nothing to draw."""

from . import (counters, cpu, fairness, latency, layers, locks, order, scaling, series, throughput)

# In the order of the page.
ALL = (throughput, scaling, series, cpu, layers, locks, latency, order, fairness, counters)
BY_KEY = {module.KEY: module for module in ALL}
