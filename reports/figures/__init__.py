"""The figures of a run, one module each. A module has a KEY, a TITLE, a CAPTION, and
draw(Summary), which returns its sheets or a sentence that says why there is nothing to draw."""

from . import (counters, cpu, depth, fairness, latency, layers, locks, off_cpu, order, scaling,
               series, throughput)

# In the order of the page.
ALL = (throughput, scaling, depth, series, cpu, layers, off_cpu, locks, latency, order,
       fairness, counters)
BY_KEY = {module.KEY: module for module in ALL}
