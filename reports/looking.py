"""What looking cost: how much slower rows are under the instruments that a run used."""

import time

from . import units
from .fields import integer, list_of, number, object_of, optional, text

PRICED_ROW = object_of({"row": text, "slow_down": number, "pairs": integer},
                       {"slow_down_low": number, "slow_down_high": number})
PRICE = object_of({"with": text, "measured_realtime_ns": integer, "rows": list_of(PRICED_ROW)})
INSTRUMENTS = list_of(object_of({"instrument": text, "with": text, "price": optional(PRICE)},
                                {"reason": text}))


def _percent(share):
    return f"{100 * share:.1f}".replace("-0.0", "0.0")


def _sentence(instrument):
    price = instrument["price"]
    rows = [row for row in (price or {}).get("rows", ()) if row["slow_down"] is not None]
    if not rows:
        return instrument.get("reason") or "not measured"
    dearest = max(rows, key=lambda row: row["slow_down"])
    low, high = dearest.get("slow_down_low"), dearest.get("slow_down_high")
    interval = "" if None in (low, high) else f" (95 %: {_percent(low)} to {_percent(high)})"
    day = time.strftime("%Y-%m-%d", time.gmtime(price["measured_realtime_ns"] // 10**9))
    differently = f" with {price['with']}" if price["with"] != instrument["with"] else ""
    return (f"rows are {_percent(dearest['slow_down'])} % slower{interval}; the dearest of "
            f"{units.counted(len(rows), 'row')}, {dearest['row']}, measured on this host on "
            f"{day}{differently}")


def prices(header):
    """{instrument: sentence} of a validated header, for each instrument that the run used: by how
    much throughput fell where it fell most, as suite `self-cost` measured it, or why that is not
    known."""
    return {units.shorten(one["instrument"], 40): units.shorten(_sentence(one), 400)
            for one in header.get("looking", ())}
