"""Two arms measured in blocks: the median of the differences within the blocks, in the form that
unpaired.Unpaired has."""

from .median import above, below, median_interval
from .power import least_detectable
from .unpaired import Shift


class Paired:
    """`differences`: (blocks,). `confirmation`: (blocks, alpha) of fresh data that must show a
    worsening again, or None."""

    def __init__(self, differences, confirmation=None):
        self._differences = differences
        self._confirmation = confirmation

    def least_detectable(self, margin, alpha):
        return least_detectable(self._differences, margin, alpha, self._confirmation)

    def shift(self, alpha):
        """The Shift; infinite where there are too few blocks for it."""
        found = median_interval(self._differences, alpha)
        return Shift(float(found.median), float(found.low), float(found.high), found.confidence,
                     found.finite)

    def above(self, bound):
        return float(above(self._differences, bound))

    def below(self, bound):
        return float(below(self._differences, bound))
