"""The Universal Scalability Law, fitted to throughput by number of threads.

Gunther's law: X(N) = rate N / (1 + contention (N - 1) + coherence N (N - 1)). `contention` is the
share of the work that runs one at a time (Amdahl's), `coherence` the price of each pair of threads
that has to agree: with it, more threads can mean less throughput.

Divided into N it is linear: N / X = time (1 + contention (N - 1) + coherence N (N - 1)), the time
that an operation takes of a thread. The squares of its relative error are made least, with no
parameter below 0: which of them are 0 is found by trying each choice."""

import itertools
import math
from dataclasses import dataclass

import numpy

LEAST_COUNTS = 3  # of threads: as many as there are parameters


@dataclass
class Fit:
    rate: float  # operations per second of one thread
    contention: float
    coherence: float
    error: float  # root of the mean squared relative error of the time per operation
    counts: int  # different numbers of threads

    def throughput(self, threads):
        return self.rate * threads / (1 + self.contention * (threads - 1)
                                      + self.coherence * threads * (threads - 1))

    @property
    def peak_threads(self):
        """Where throughput is highest; infinite when it never falls."""
        if self.coherence <= 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self.contention) / self.coherence)


def _least_squares(columns, wanted):
    """The coefficients, none negative, that bring sum(columns * coefficients) closest to
    `wanted`."""
    best, best_error = None, math.inf
    places = range(1, columns.shape[1])
    for size in range(len(places) + 1):
        for chosen in itertools.combinations(places, size):
            free = [0, *chosen]  # the time of an operation is never 0
            found, *_ = numpy.linalg.lstsq(columns[:, free], wanted, rcond=None)
            if (found < 0).any():
                continue
            coefficients = numpy.zeros(columns.shape[1])
            coefficients[free] = found
            error = float(numpy.sum((columns @ coefficients - wanted) ** 2))
            if error < best_error * (1 - 1e-12):
                best, best_error = coefficients, error
    return best, best_error


def fit(points):
    """The law through [(threads, operations per second)]. None with fewer than LEAST_COUNTS
    different counts of threads: the parameters would be arbitrary."""
    points = [(n, x) for n, x in points if n > 0 and x > 0]
    counts = len({n for n, _ in points})
    if counts < LEAST_COUNTS:
        return None
    threads = numpy.array([n for n, _ in points], float)
    time = threads / numpy.array([x for _, x in points], float)
    columns = numpy.stack([numpy.ones_like(threads), threads - 1, threads * (threads - 1)], axis=1)
    found, error = _least_squares(columns / time[:, None], numpy.ones_like(time))
    if found is None or not found[0] > 0:
        return None
    return Fit(float(1 / found[0]), float(found[1] / found[0]), float(found[2] / found[0]),
               math.sqrt(error / len(points)), counts)
