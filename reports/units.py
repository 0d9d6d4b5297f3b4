"""Numbers as text, three significant digits, with their units. None is a dash."""

import math
import re

NONE = "\u2013"
LEAST_WRITTEN_OUT = 0.0001
SUPERSCRIPT = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076"
                            "\u2077\u2078\u2079")
# (from, divisor, prefix or unit); just below each power three digits round up to it.
LARGER_RATES = ((999.5e6, 1e9, "G"), (999.5e3, 1e6, "M"), (999.5, 1e3, "k"))
LARGER_TIMES = ((999.5e6, 1e9, "s"), (999.5e3, 1e6, "ms"), (999.5, 1e3, "\u00b5s"))


def three_digits(value):
    """Of a value of 0 or more. Three significant digits, and never an exponent: 0.0213, 1.20, 812;
    more of them only in front of the point, where there is no prefix."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    if value < LEAST_WRITTEN_OUT:
        return "<0.0001"
    if value >= 1000:
        return f"{value:.0f}"
    value = float(f"{value:.2e}")  # 0.9996 is 1.00
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def rate(per_s):
    """Operations per second, without the unit: 1.25 M, 48.1 k."""
    if per_s is None:
        return NONE
    for limit, divisor, prefix in LARGER_RATES:
        if per_s >= limit:
            return f"{three_digits(per_s / divisor)} {prefix}"
    return three_digits(per_s)


def time(ns):
    """A time with its unit: 812 ns, 1.25 us, 48.1 ms, 3 s."""
    if ns is None:
        return NONE
    for limit, divisor, unit in LARGER_TIMES:
        if ns >= limit:
            return f"{three_digits(ns / divisor)} {unit}"
    return f"{three_digits(ns)} ns"


def _tick(text):
    """Without zeros that say nothing: a tick is exact."""
    return re.sub(r"\.?0+(?=\s|$)", "", text) if "." in text else text


def rate_tick(per_s):
    return _tick(rate(per_s))


def time_tick(ns):
    return _tick(time(ns))


def _power(value):
    """Of a number too small to be written out: 10\u207b\u2076, 3\u00d710\u207b\u2076."""
    digits, _, exponent = f"{value:.2e}".partition("e")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPT)
    digits = _tick(digits)
    return power if digits == "1" else f"{digits}\u00d7{power}"


def number_tick(value):
    """A plain number of either sign: -20, 0, 0.5, 12 k. Two ticks never read alike."""
    if value == 0:
        return "0"
    to_text = _power if abs(value) < LEAST_WRITTEN_OUT else rate
    return ("-" if value < 0 else "") + _tick(to_text(abs(value)))


def percent(share):
    if share is None:
        return NONE
    if 0 < share < 0.001:
        return "<0.1 %"
    if share > 10:
        return ">1000 %"
    return f"{100 * share:.{1 if share < 0.0995 else 0}f} %"


def upper_bound_percent(share):
    """Of a part that is only known to be at most `share`, which can be more than the whole."""
    return "> 100 %" if share is not None and share > 1 else percent(share)


def percent_tick(share):
    return f"{100 * share:.4g} %"


def change(share):
    """Relative to what was before, with its sign: +12 %, -3.1 %; a factor when it is large."""
    if share is None:
        return NONE
    if share >= 2:
        return times(1 + share)
    if abs(share) < 0.0005:
        return "0 %"
    text = f"{100 * share:+.{1 if abs(share) < 0.0995 else 0}f} %"
    return text.replace("-", "\u2212")


def points(difference):
    """Of two shares: 3.1 points more than, 0.2 points less than."""
    if abs(difference) < 0.0005:
        return "as much as"
    return f"{100 * abs(difference):.1f} points {'more' if difference > 0 else 'less'} than"


def times(ratio):
    """A ratio as a factor: 0.31 x, 2.4 x."""
    if ratio is None:
        return NONE
    return f"{ratio:.{2 if ratio < 9.95 else 0}f}\u00d7"


def ratio(value):
    """A ratio close to 1, which needs its third digit: 0.987x, 1.02x, 12x."""
    return f"{value:.{3 if 0.9 < value < 1.1 else 2 if value < 10 else 0}f}\u00d7"


def times_tick(ratio):
    return (f"{ratio:.4g}" if LEAST_WRITTEN_OUT <= ratio < 1e4 else number_tick(ratio)) + "\u00d7"


def more(count, thing, where):
    """What is left out: 3 more rows are in the table. Nothing where nothing is."""
    if count <= 0:
        return ""
    return f"{count} more {thing}{'s are' if count > 1 else ' is'} {where}"


def size(size_bytes):
    """512 B, 4 KiB, 256 MiB."""
    if size_bytes is None:
        return NONE
    value = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if value == int(value) else f"{value:.1f} {unit}"
        value /= 1024


def counted(number, thing):
    """1 row, 2 rows."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def shorten(text, most):
    """At most `most` characters; what is left out of the middle is shown as an ellipsis."""
    if len(text) <= most:
        return text
    tail = (most - 1) // 3
    return text[:most - 1 - tail] + "\u2026" + text[-tail:]
