"""The fit of the Universal Scalability Law, against the law itself and against scipy."""

import math
import random

import numpy
import pytest
from reports import scalability

COUNTS = (1, 2, 4, 8, 16, 32)


def law(rate, contention, coherence):
    fit = scalability.Fit(rate, contention, coherence, 0.0, len(COUNTS))
    return [(n, fit.throughput(n)) for n in COUNTS]


@pytest.mark.parametrize("rate, contention, coherence", [
    (1e6, 0.0, 0.0), (2.5e6, 0.1, 0.0), (1e4, 0.05, 0.003), (7e8, 0.0, 0.02), (3e5, 0.9, 1e-4)])
def test_finds_the_parameters_of_exact_data(rate, contention, coherence):
    fit = scalability.fit(law(rate, contention, coherence))
    assert fit.rate == pytest.approx(rate, rel=1e-6)
    assert fit.contention == pytest.approx(contention, rel=1e-6, abs=1e-9)
    assert fit.coherence == pytest.approx(coherence, rel=1e-6, abs=1e-9)
    assert fit.error < 1e-9 and fit.counts == len(COUNTS)


def test_agrees_with_scipy_on_noisy_data():
    nnls = pytest.importorskip("scipy.optimize").nnls
    rng = random.Random(3)
    for _ in range(60):
        points = [(n, x * rng.lognormvariate(0, 0.3))
                  for n, x in law(1e6, rng.choice([0, 0.05, 0.6]), rng.choice([0, 1e-3, 0.05]))]
        fit = scalability.fit(points)
        threads = numpy.array([n for n, _ in points], float)
        weight = numpy.array([x for _, x in points]) / threads
        columns = numpy.stack([threads ** 0, threads - 1, threads * (threads - 1)], axis=1)
        found, residual = nnls(columns * weight[:, None], numpy.ones(len(points)))
        assert fit.rate == pytest.approx(1 / found[0], rel=1e-6)
        assert fit.contention == pytest.approx(found[1] / found[0], rel=1e-5, abs=1e-9)
        assert fit.coherence == pytest.approx(found[2] / found[0], rel=1e-5, abs=1e-9)
        assert fit.error == pytest.approx(residual / math.sqrt(len(points)), rel=1e-6)


def test_more_than_proportional_growth_is_proportional():
    fit = scalability.fit([(n, 1e6 * n ** 1.5) for n in COUNTS])
    assert (fit.contention, fit.coherence) == (0, 0) and fit.error > 0.1


def test_peak():
    assert scalability.fit(law(1e6, 0.1, 0.0)).peak_threads == math.inf
    assert scalability.fit(law(1e6, 0.1, 0.009)).peak_threads == pytest.approx(10)


@pytest.mark.parametrize("points", [[], [(1, 1e6)], [(1, 1e6), (2, 2e6), (2, 2.1e6)],
                                    [(1, 0), (2, 0), (4, 0), (8, 1e6)]])
def test_too_few_counts_are_no_fit(points):
    assert scalability.fit(points) is None
