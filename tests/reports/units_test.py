"""Numbers as a reader sees them."""

import pytest
from reports import units


@pytest.mark.parametrize("value, text", [
    (None, "\u2013"), (0, "0"), (0.00005, "<0.0001"), (0.000122, "0.000122"), (0.9996, "1.00"),
    (1.2, "1.20"), (48.06, "48.1"), (99.96, "100"), (812.4, "812"), (4827.3, "4827")])
def test_three_digits(value, text):
    assert units.three_digits(value) == text


@pytest.mark.parametrize("value, text", [
    (None, "\u2013"), (12, "12.0"), (999.4, "999"), (999.6, "1.00 k"), (56_400, "56.4 k"),
    (999_600, "1.00 M"), (90e6, "90.0 M"), (1.5e9, "1.50 G")])
def test_rate(value, text):
    assert units.rate(value) == text


@pytest.mark.parametrize("value, text", [
    (751, "751 ns"), (7490, "7.49 \u00b5s"), (32.5e6, "32.5 ms"), (2e9, "2.00 s")])
def test_time(value, text):
    assert units.time(value) == text


@pytest.mark.parametrize("value, text", [(300, "300"), (1e6, "1 M"), (1.5e6, "1.5 M"),
                                         (100e6, "100 M"), (30_000, "30 k"), (0.5, "0.5")])
def test_ticks_have_no_empty_zeros(value, text):
    assert units.rate_tick(value) == text


@pytest.mark.parametrize("value, text", [
    (None, "\u2013"), (0, "0.0 %"), (0.0004, "<0.1 %"), (0.0234, "2.3 %"), (0.0996, "10 %"),
    (0.5876, "59 %")])
def test_percent(value, text):
    assert units.percent(value) == text


def test_a_percentage_that_says_nothing_any_more():
    assert units.percent(674.13) == ">1000 %"


def test_an_upper_bound_is_not_more_than_the_whole():
    assert units.upper_bound_percent(1.5) == "> 100 %"
    assert units.upper_bound_percent(1.0) == units.percent(1.0)
    assert units.upper_bound_percent(None) == units.NONE


@pytest.mark.parametrize("value, text", [(512, "512 B"), (4096, "4 KiB"), (1 << 28, "256 MiB"),
                                         (1536, "1.5 KiB")])
def test_size(value, text):
    assert units.size(value) == text


def test_shorten_keeps_both_ends():
    assert units.shorten("abcdefghij", 10) == "abcdefghij"
    assert units.shorten("abcdefghijk", 10) == "abcdef\u2026ijk"


@pytest.mark.parametrize("count, text", [
    (0, ""), (-3, ""), (1, "1 more row is there"), (2, "2 more rows are there")])
def test_more(count, text):
    assert units.more(count, "row", "there") == text


@pytest.mark.parametrize("share, text", [
    (0.5, "+50 %"), (-0.031, "\u22123.1 %"), (0.0001, "0 %"), (-0.0002, "0 %"),
    (19.0, "20\u00d7"), (None, "\u2013")])
def test_change(share, text):
    assert units.change(share) == text


@pytest.mark.parametrize("value, text", [
    (0, "0"), (-20, "-20"), (0.5, "0.5"), (12_000, "12 k"), (1e6, "1 M"),
    (1e-4, "0.0001"), (1e-5, "10\u207b\u2075"), (-3e-12, "-3\u00d710\u207b\u00b9\u00b2")])
def test_number_tick(value, text):
    assert units.number_tick(value) == text


def test_ratios_close_to_one_have_three_digits():
    assert [units.ratio(value) for value in (0.5, 0.987, 1.02, 3.14159, 12)] == [
        "0.50\u00d7", "0.987\u00d7", "1.020\u00d7", "3.14\u00d7", "12\u00d7"]
    assert [units.times_tick(value) for value in (1.0, 0.5, 1.25, 0.995, 0.001, 1e5)] == [
        "1\u00d7", "0.5\u00d7", "1.25\u00d7", "0.995\u00d7", "0.001\u00d7", "100 k\u00d7"]


def test_percent_ticks_that_lie_close_differ():
    assert [units.percent_tick(value) for value in (0.07, 0.0005, 0.001, 1.0)] == [
        "7 %", "0.05 %", "0.1 %", "100 %"]
