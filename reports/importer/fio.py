"""JSON of fio: a row per job, whose clones (numjobs) are its threads.

fio's histogram is cut as ours is, 64 buckets per power of two, with the middles of buckets as keys
(stat.h, FIO_IO_U_PLAT_BITS), so that nothing is lost. It is that of the completion latency, from
the end of the submission, unless the job has lat_percentiles.
"""

import pathlib
import re

from ..fields import integer, joined, list_of, mapping, object_of, quantity, text
from ..load import ResultError
from ..statistics.fairness import jain
from ..validate import bucket_width_ns
from . import records

WORDS = "fio --output-format=json+; without the + there is no histogram of latency"
MS = 1_000_000
DIRECTIONS = ("read", "write", "trim")
TARGETS = {"/dev/zero": "zero", "/dev/null": "null"}
SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}

LATENCY = object_of({}, {"min": quantity, "max": quantity, "mean": quantity, "N": integer,
                         "bins": mapping})
DIRECTION = object_of({"total_ios": integer, "iops": quantity}, {
    "io_bytes": integer, "runtime": integer, "clat_ns": LATENCY, "lat_ns": LATENCY})
JOB = object_of({"jobname": text}, {
    "groupid": integer, "error": integer, "job options": mapping, "usr_cpu": quantity,
    "sys_cpu": quantity, "ctx": integer, "job_runtime": integer, "job_start": integer,
    **dict.fromkeys(DIRECTIONS, DIRECTION)})
DOCUMENT = object_of({"fio version": text, "jobs": list_of(JOB)}, {
    "global options": mapping, "timestamp_ms": integer, "hostname": text})


def is_one(document):
    return "fio version" in document


def _option(options, name, otherwise):
    """A text; fio's own default where the job says nothing."""
    value = options.get(name, otherwise)
    return value if isinstance(value, str) else otherwise


def _count(options, name, otherwise):
    """A whole number with fio's suffixes; `otherwise` also where it is no such number."""
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)i?b?", _option(options, name, "").lower())
    return int(match[1]) * SIZES[match[2]] if match else otherwise


def _flag(options, name):
    """Of an option that alone means 1."""
    return name in options and _option(options, name, "1") not in ("0", "false")


def _target(options, jobname):
    filename = _option(options, "filename", "")
    if filename in TARGETS:
        return TARGETS[filename], TARGETS[filename]
    path = filename or _option(options, "directory", "") or jobname
    return f"file:{path}", f"file:{pathlib.PurePosixPath(path).name or path}"


def _config(jobs, options, done):
    """`done`: {direction: operations}."""
    rw = _option(options, "rw", _option(options, "readwrite", "read"))
    total, size = sum(done.values()), sum(job[d].get("io_bytes") or 0 for job in jobs for d in done)
    threads = max(len(jobs), _count(options, "numjobs", 1))
    target, label = _target(options, jobs[0]["jobname"])
    return records.config(
        f"fio:{_option(options, 'ioengine', 'psync')}", target, label, submitters=threads,
        contexts=threads, threads=threads, depth=_count(options, "iodepth", 1),
        batch=_count(options, "iodepth_batch", _count(options, "iodepth_batch_submit", 1)),
        reap_min=_count(options, "iodepth_batch_complete_min", 1),
        block_size_bytes=round(size / total) if total else 0,
        operation=next(iter(done)) if len(done) == 1 else "mixed" if done else "unknown",
        read_percent=100 * done.get("read", 0) / total if total else None,
        pattern="random" if rw.startswith("rand") else "sequential",
        buffered=not _flag(options, "direct"), verify="verify" in options,
        rate_per_s=float(threads * _count(options, "rate_iops", 0)), arrival="poisson" if _option(
            options, "rate_process", "") == "poisson" else "constant", latency="full")


def _buckets(directions, kind, path):
    """{lower bound: count} of all bins of this kind of latency. Raises ResultError."""
    buckets = {}
    for direction in directions:
        for key, count in (direction.get(kind) or {}).get("bins", {}).items():
            if not (key.isascii() and key.isdigit() and len(key) < 20):
                raise ResultError(path, 0, f"{kind}.bins: {key!r:.40} is no time in ns")
            if problem := integer(count):
                raise ResultError(path, 0, f"{kind}.bins.{key} {problem}")
            low = int(key) // bucket_width_ns(int(key)) * bucket_width_ns(int(key))
            buckets[low] = buckets.get(low, 0) + count
    return buckets


def _latency(directions, path):
    """(latency, warnings)."""
    for kind, warning in (("lat_ns", ""), ("clat_ns", "latency is fio's completion latency, "
                                           "without the time in the submission")):
        buckets = _buckets(directions, kind, path)
        if any(buckets.values()):
            known = [direction[kind] for direction in directions if kind in direction]
            total = sum(one.get("N") or 0 for one in known)
            means = [one.get("mean") for one in known]
            mean = (sum(one["mean"] * (one.get("N") or 0) for one in known) / total
                    if total and None not in means else None)
            bounds = [[one[end] for one in known if one.get(end) is not None]
                      for end in ("min", "max")]
            return records.latency(buckets, mean, min(bounds[0], default=None),
                                   max(bounds[1], default=None)), list(filter(None, [warning]))
    return records.latency({}, None, None, None), [
        "no histogram of latency: fio writes it with --output-format=json+"]


def _per_op(jobs, operations):
    """CPU times and switches of these jobs; None where one does not say."""
    def total(values):
        return None if None in values else sum(values) / operations
    times = {}
    for name, share in (("cpu_user_ns_per_op", "usr_cpu"), ("cpu_system_ns_per_op", "sys_cpu")):
        times[name] = total([None if job.get(share) is None or job.get("job_runtime") is None
                             else job[share] / 100 * job["job_runtime"] * MS for job in jobs])
    return {**times, "context_switches_per_op": total([job.get("ctx") for job in jobs])}


def _measurement(jobs, config, directions, version, path):
    each = [sum(job[d]["total_ios"] for d in DIRECTIONS if d in job) for job in jobs]
    operations = sum(each)
    rates = [direction["iops"] for direction in directions]
    of_threads = len(jobs) > 1
    latency, warnings = _latency(directions, path)
    return records.measurement(
        f"{version}, job {jobs[0]['jobname']}", operations,
        None if None in rates else sum(rates),
        threads=config["threads"], bytes=sum(d.get("io_bytes") or 0 for d in directions),
        start_realtime_ns=min((job["job_start"] * MS for job in jobs if job.get("job_start")),
                              default=None),
        window_ns=max(direction.get("runtime") or 0 for direction in directions) * MS,
        fairness_jain=jain(each) if of_threads else None, latency_mode="full", latency=latency,
        thread=[{"role": "submitter", "operations": count} for count in each] * of_threads,
        warnings=warnings, **_per_op(jobs, operations))


def _row(jobs, options, version, path):
    directions = [job[d] for job in jobs for d in DIRECTIONS if d in job and job[d]["total_ios"]]
    done = {}
    for name in DIRECTIONS:
        if count := sum(job[name]["total_ios"] for job in jobs if name in job):
            done[name] = count
    config = _config(jobs, options, done)
    row = records.Measured(config, records.name_of(config))
    error = next((job["error"] for job in jobs if job.get("error")), 0)
    if error or not done:
        row.problem = (f"fio: job {jobs[0]['jobname']} failed with error {error}" if error
                       else f"fio: job {jobs[0]['jobname']} did no operation")
    else:
        row.measurement = _measurement(jobs, config, directions, version, path)
    return row


def _grouped(jobs):
    """Clones of one job, which ran at the same time, together."""
    groups = {}
    for number, job in enumerate(jobs):
        clones = _count(job.get("job options") or {}, "numjobs", 1) > 1
        key = (job["jobname"], job.get("groupid"), None if clones else number)
        groups.setdefault(key, []).append(job)
    return groups.values()


def _unique(rows):
    """Jobs that differ in what is no key of a row get their own names in it."""
    seen = {}
    for job, row in rows:
        seen.setdefault(row.name, []).append((job, row))
    for same in seen.values():
        for number, (job, row) in enumerate(same, 1):
            if len(same) > 1:
                row.name += f"/job:{job}" if len({job for job, _ in same}) == len(same) \
                    else f"/job:{job}:{number}"
    return [row for _, row in rows]


def runs_of(document, path):
    """Imported. Raises ResultError."""
    if problem := DOCUMENT(document):
        raise ResultError(path, 0, joined("fio", problem))
    version = document["fio version"]
    shared = document.get("global options", {})
    rows = []
    for jobs in _grouped(document["jobs"]):
        options = {**shared, **(jobs[0].get("job options") or {})}
        rows.append((jobs[0]["jobname"], _row(jobs, options, version, path)))
    windows = {row.measurement["window_ns"] for _, row in rows if row.measurement}
    starts = [row.measurement["start_realtime_ns"] for _, row in rows if row.measurement]
    host = {"name": document["hostname"]} if "hostname" in document else {}
    return records.Imported(
        str(path), "fio", version.removeprefix("fio-"), host,
        min((start for start in starts if start is not None), default=None),
        window_ns=windows.pop() if len(windows) == 1 else None, measured=_unique(rows))
