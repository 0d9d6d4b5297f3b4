"""What a row says of its inside: locks, layers of the profile, stacks, counters, threads. Each over
its repetitions, and None, or a reason, where it was not measured."""

import statistics
from dataclasses import dataclass, field

NO_KERNEL_LOCKS = ("the result has no waits for the kernel's locks; --locks takes them where its "
                   "tracepoints can be read")
# Of the implementation in the kernel, or of kioctx in its place.
AIO_LAYERS = ("aio core", "aio lock wait", "io_uring core", "io_uring lock wait")


@dataclass
class Spread:
    """Median, least and most of the repetitions."""

    value: float
    least: float
    most: float


def spread(values):
    """None when there is no value."""
    known = [value for value in values if value is not None]
    return Spread(statistics.median(known), min(known), max(known)) if known else None


def _taken(row, name):
    """The repetitions' `name`, of those that have it."""
    return [found for item in row.repetitions if (found := item.measurement.get(name))]


def per_op(count, operations):
    return None if count is None or not operations else count / operations


@dataclass
class Site:
    """One place that takes a lock, per operation."""

    name: str
    of_kernel: bool  # waits that the kernel's tracepoints tell of
    acquisitions: object  # Spread, or None where only contended ones are seen
    contended: object
    wait_ns: object
    p50_ns: object = None  # of one wait
    p99_ns: object = None
    max_ns: object = None
    whose: str = "driver"


def _by_key(sites, key):
    """{key of a site: the sites with it}, in their order."""
    grouped = {}
    for site in sites:
        grouped.setdefault(key(site), []).append(site)
    return grouped


def _wait_times(sites):
    """(p50, p99, max) in ns of one wait at these sites of the repetitions, each None if no
    repetition can tell: the medians of those that can, and the longest."""

    def known(key):
        return [site[key] for site in sites if site.get(key) is not None]
    p50, p99 = known("wait_ns_p50"), known("wait_ns_p99")
    return (statistics.median(p50) if p50 else None, statistics.median(p99) if p99 else None,
            max(known("wait_ns_max"), default=None))


def _own_sites(row):
    """Locks that the driver counts itself."""
    counts = _taken(row, "driver_counts")
    grouped = [_by_key(count["lock_sites"], lambda site: site["site"]) for count in counts]
    for name in dict.fromkeys(name for sites in grouped for name in sites):
        found = {"acquisitions": [], "contended": [], "wait_ns": []}
        for count, sites in zip(counts, grouped):
            same = sites.get(name, [])
            for key, values in found.items():
                values.append(per_op(sum(site[key] for site in same), count["operations"]))
        all_of_name = [site for sites in grouped for site in sites.get(name, [])]
        yield Site(name, False, *(spread(found[key]) for key in found), *_wait_times(all_of_name))


def _kernel_operations(locks, item):
    return locks.get("operations") or item.measurement["operations"]


def _traced_sites(row, what):
    """Of the repetitions' `what`, "kernel_locks" or "futex_waits"."""
    taken = [(item.measurement[what], item) for item in row.repetitions
             if item.measurement.get(what)]
    grouped = [_by_key(locks.get("sites", []), lambda site: (site["site"], site.get("kind", "")))
               for locks, _ in taken]
    for name, kind in dict.fromkeys(key for sites in grouped for key in sites):
        contended, waits, all_of_key = [], [], []
        for (locks, item), sites in zip(taken, grouped):
            same = sites.get((name, kind), [])
            operations = _kernel_operations(locks, item)
            contended.append(per_op(sum(site["contended"] for site in same), operations))
            waits.append(per_op(sum(site["wait_ns"] or 0 for site in same), operations))
            all_of_key += same
        layers = {site.get("layer") for site in all_of_key}
        yield Site(f"{name} ({kind})" if kind else name, True, None, spread(contended),
                   spread(waits), *_wait_times(all_of_key),
                   whose="kernel" if what == "kernel_locks" else
                   "harness, asleep" if layers == {"harness"} else "user, asleep")


def _most_first(sites):
    return sorted(sites, key=lambda site: -(site.wait_ns.value if site.wait_ns else 0))


def lock_sites(row):
    """Those that cost most first."""
    return _most_first([*_own_sites(row), *_traced_sites(row, "kernel_locks")])


def all_sites(row):
    """With the places that sleep on a futex, for a lock or for something else. A driver's lock that
    sleeps is there twice, as the driver and as the kernel tells of it: not to be added up."""
    return _most_first([*lock_sites(row), *_traced_sites(row, "futex_waits")])


def no_kernel_locks(row):
    """Why a row has no waits for the kernel's locks; empty when it has."""
    taken = _taken(row, "kernel_locks")
    if not taken:
        return NO_KERNEL_LOCKS
    if any("sites" in locks and not locks.get("reason") for locks in taken):
        return ""
    return taken[0].get("reason") or "no reason given"


def wait_per_op(item):
    """ns per operation of one repetition in the driver's own locks and in the kernel's; None if
    neither is known."""
    counts = item.measurement.get("driver_counts")
    locks = item.measurement.get("kernel_locks")
    parts = []
    if counts:
        parts.append(per_op(sum(site["wait_ns"] for site in counts["lock_sites"]),
                            counts["operations"]))
    if locks and "sites" in locks and not locks.get("reason"):
        parts.append(per_op(sum(site["wait_ns"] or 0 for site in locks["sites"]),
                            _kernel_operations(locks, item)))
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def lock_wait(row):
    """Spread of the ns per operation that all threads together waited for locks, or None."""
    return spread(wait_per_op(item) for item in row.repetitions)


def _count_per_op(row, of_counts):
    return spread(per_op(of_counts(counts), counts["operations"])
                  for counts in _taken(row, "driver_counts"))


def acquisitions(row):
    return _count_per_op(row, lambda counts: sum(site["acquisitions"]
                                                 for site in counts["lock_sites"]))


def driver_count(row, name):
    """Of "shared_rmw", "allocations" or "wakeups", per operation."""
    return _count_per_op(row, lambda counts: counts.get(name))


@dataclass
class Profile:
    """Samples of all repetitions of a row."""

    event: str
    samples: int = 0
    lost: int = 0
    layers: dict = field(default_factory=dict)  # layer -> [user samples, kernel samples]
    stacks: dict = field(default_factory=dict)  # (frames, layer) -> samples
    shares: list = field(default_factory=list)  # of AIO_LAYERS, one per repetition
    frequency_hz: float = 0
    operations: int = 0
    rest: int = 0  # samples whose stacks the file does not hold
    unmatched: dict = field(default_factory=dict)  # sampled function -> samples
    reasons: list = field(default_factory=list)  # of what is missing
    moved: dict = field(default_factory=dict)  # (from, to): samples `layers` and `stacks` differ by

    @property
    def aio_share(self):
        return spread(self.shares)


def _layer_samples(found):
    """{layer: [user samples, kernel samples]} of one repetition's profile."""
    layers = {}
    for layer in found["layers"]:
        both = layers.setdefault(layer["layer"], [0, 0])
        both[0] += layer["user_samples"] or 0
        both[1] += layer["kernel_samples"] or 0
    return layers


def aio_share(item):
    """The part of one repetition's samples that is the implementation's; None without a profile of
    the whole process."""
    found = item.measurement.get("profile")
    if not found or not found.get("layers") or not found.get("whole", True):
        return None
    layers = _layer_samples(found)
    total = sum(map(sum, layers.values()))
    return sum(sum(layers.get(name, ())) for name in AIO_LAYERS) / total if total else None


def profile(row):
    """None when the row has no samples."""
    taken = [(item, found) for item in row.repetitions
             if (found := item.measurement.get("profile")) and found.get("layers")]
    if not taken:
        return None
    first = taken[0][1]
    whole = Profile(first.get("event") or "", frequency_hz=first.get("frequency_hz") or 0)
    for item, found in taken:
        whole.operations += item.measurement["operations"]
        whole.rest += found.get("rest_samples") or 0
        for missing in (found.get("reason"), found.get("symbols_reason")):
            if missing and missing not in whole.reasons:
                whole.reasons.append(missing)
        for symbol in found.get("unmatched", []):
            name = symbol["symbol"]
            whole.unmatched[name] = whole.unmatched.get(name, 0) + symbol["samples"]
        for move in found.get("moved", []):
            way = move["from"], move["to"]
            whole.moved[way] = whole.moved.get(way, 0) + move["samples"]
        whole.lost += int(found.get("lost") or 0)
        for layer, (user, kernel) in _layer_samples(found).items():
            both = whole.layers.setdefault(layer, [0, 0])
            both[0] += user
            both[1] += kernel
            whole.samples += user + kernel
        share = aio_share(item)
        if share is not None:
            whole.shares.append(share)
        for stack in found.get("stacks", []):
            key = (tuple(stack["frames"]), stack.get("layer", ""))
            whole.stacks[key] = whole.stacks.get(key, 0) + stack["samples"]
    return whole if whole.samples else None


def off_cpu(row):
    """Of the last repetition that has it, or None: threads differ from one to the next."""
    return next(reversed(_taken(row, "off_cpu")), None)


def no_profile(rows):
    """Why none of the rows has a profile."""
    reasons = dict.fromkeys(found["reason"] for row in rows for found in _taken(row, "profile")
                            if found.get("reason"))
    return "; ".join(reasons) or "the run took no profile; --profile takes one"


@dataclass
class Counter:
    name: str
    per_op: object  # Spread or None
    scaled: bool  # it shared the hardware with others
    running: object  # least share of the time that it counted
    reason: str  # why there is no value
    unit: str = "count"


def counters(row):
    """{name: Counter}."""
    found = {}
    for item in row.repetitions:
        for counter in item.measurement.get("counters") or []:
            found.setdefault(counter["name"], []).append(counter)
    return {name: _counter(name, taken) for name, taken in found.items()}


def _counter(name, taken):
    running = [per_op(counter.get("time_running_ns"), counter.get("time_enabled_ns"))
               for counter in taken]
    return Counter(name, spread(counter.get("per_op") for counter in taken),
                   any(counter.get("scaled") for counter in taken),
                   min((share for share in running if share is not None), default=None),
                   next((counter["reason"] for counter in taken if counter.get("reason")), ""),
                   taken[0].get("unit", "count"))


SPLIT = {"submit_call_ns_per_op": "in the submit call", "in_flight_ns_per_op": "in flight",
         "reap_call_ns_per_op": "in the reap call"}


def latency_split(row):
    """{part: Spread or None}; empty when it was not measured."""
    taken = _taken(row, "latency_split")
    return {words: spread(found.get(name) for found in taken)
            for name, words in SPLIT.items()} if taken else {}


def thread_shares(row):
    """Each submitter's operations over the mean of the submitters, of every repetition."""
    shares = []
    for item in row.repetitions:
        counts = [thread["operations"] for thread in item.measurement.get("thread") or []
                  if "submitter" in thread.get("role", "") and "operations" in thread]
        total = sum(counts)
        if total:
            shares.append([count * len(counts) / total for count in counts])
    return shares


WAITS = ("completions", "lock", "other_wait", "unknown", "preempted")


def unknown_wait_ns(thread):
    """How long a thread waited for what nobody knows; None where not even that is known."""
    waited = thread.get("wait_ns")
    if waited is None:
        return None
    return max(0, waited - sum(thread.get(f"{name}_ns") or 0
                               for name in ("completions", "lock", "other_wait")))


def _off_cpu_of(taken):
    """{wait: share of the time of all threads of the harness}, or None where threads are not
    known."""
    threads = [thread for thread in taken.get("threads") or [] if not thread.get("of_driver")]
    total = (taken.get("window_ns") or 0) * len(threads)
    if not total:
        return None
    shares = {name: sum(thread.get(f"{name}_ns") or 0 for thread in threads) / total
              for name in WAITS if any(thread.get(f"{name}_ns") is not None for thread in threads)}
    unknown = sum(unknown_wait_ns(thread) or 0 for thread in threads)
    if unknown:
        shares["unknown"] = unknown / total
    return shares


def off_cpu_shares(row):
    """({wait: Spread or None}, Spread of their sum or None): shares of the time of the harness's
    threads; those of drivers may sleep for good reasons."""
    shares = [found for taken in _taken(row, "off_cpu") if (found := _off_cpu_of(taken))]
    return ({name: spread(share.get(name) for share in shares) for name in WAITS},
            spread(sum(share.values()) for share in shares))


def no_off_cpu(rows):
    """Why none of the rows knows what its threads waited for."""
    reasons = dict.fromkeys(found["reason"] for row in rows for found in _taken(row, "off_cpu")
                            if found.get("reason"))
    return "; ".join(reasons) or "the run did not watch its threads; --profile does"
