"""A result file with far more of everything than a run has: the figures stay within bounds."""

import synthetic
from reports import inside
from reports.figures import locks
from reports.load import Lines
from reports.summarise import summarise
from reports.validate import validate


def row_with(sites):
    rows = [synthetic.row(0, synthetic.config())]
    found = {"source": "x", "reason": "", "lost": 0, "operations": 1000, "sites": sites}
    records = [synthetic.header(rows)]
    records += [synthetic.repetition(0, n, n, synthetic.measurement(kernel_locks=found))
                for n in range(2)]
    records.append(synthetic.end())
    [row] = summarise(validate(Lines("r", b"", list(enumerate(records, 1)), False))).rows
    return row


def test_places_beyond_the_first_are_one_bar():
    row = row_with([{"site": f"s{i}", "kind": "spin", "contended": 1, "wait_ns": 1000 + i}
                    for i in range(5000)])
    assert len(inside.lock_sites(row)) == 5000
    lane = locks._places_lane(row, locks._colours([row]))
    assert len(lane.bars) == locks.MOST_SITES + 1
    shares = [bar.end - bar.start for bar in lane.bars]
    assert abs(sum(shares) - 1) < 1e-9 and shares[-1] > 0.99


def test_sites_of_one_place_are_added_up():
    one = {"site": "a", "kind": "spin", "contended": 3, "wait_ns": 500}
    [site] = inside.lock_sites(row_with([one, {**one, "wait_ns": 700}]))
    assert site.wait_ns.value == 1.2 and site.contended.value == 0.006
