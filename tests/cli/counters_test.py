"""--counters, `list counters` and doctor, on good days and where something is not allowed."""

import ctypes
import json
import os
import pathlib
import platform
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("AIOSCOPE_BIN", ROOT / "build/release/bin/aioscope"))

RUN = ["run", "--driver", "null", "--repetitions", "1", "--warmup", "10ms", "--duration", "40ms",
       "--no-harness-price", "--quiet"]
RECORDS = [*RUN, "--format", "ndjson"]
PARANOID = pathlib.Path("/proc/sys/kernel/perf_event_paranoid")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
NO_TRACEFS = ["unshare", "--mount", "sh", "-c",
              "umount -l /sys/kernel/tracing 2> /dev/null;"
              "umount -l /sys/kernel/debug 2> /dev/null; exec \"$@\"", "sh"]
PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def aioscope(*arguments, expect=0, before=(), **more):
    done = subprocess.run([*before, str(BIN), *arguments], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **more)
    assert done.returncode == expect, (done.stdout, done.stderr)
    return done


def counters_of(done):
    for line in done.stdout.splitlines():
        record = json.loads(line)
        if record["record"] == "repetition":
            return {one["name"]: one for one in record["measurement"]["counters"]}
    raise AssertionError(done.stdout)


def null_with(counter, words):
    assert counter["value"] is None and counter["per_op"] is None, counter
    assert words in counter["reason"], counter


def denies_perf_events(error):
    """A seccomp filter for the child, under which perf_event_open fails with `error`."""
    if platform.machine() not in PERF_EVENT_OPEN:
        pytest.skip("the system call's number is not known here")

    class Instruction(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8),
                    ("k", ctypes.c_uint32)]

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]

    number = PERF_EVENT_OPEN[platform.machine()]
    filter_ = (Instruction * 4)(Instruction(0x20, 0, 0, 0),  # load the number of the call
                                Instruction(0x15, 0, 1, number),
                                Instruction(0x06, 0, 0, 0x00050000 | error),  # fail
                                Instruction(0x06, 0, 0, 0x7FFF0000))  # allow
    program = Program(4, filter_)
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
        assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0  # PR_SET_SECCOMP

    return install


@pytest.fixture
def root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(params=["2", "3"])
def paranoid(request, root):
    old = PARANOID.read_text()
    try:
        PARANOID.write_text(request.param)
    except OSError as error:
        pytest.skip(f"perf_event_paranoid: {error}")
    if subprocess.run([*NOBODY, "test", "-x", str(BIN)], check=False).returncode:
        PARANOID.write_text(old)
        pytest.skip("the program is not open to other users")
    yield request.param
    PARANOID.write_text(old)


def test_a_counter_has_a_value_or_a_reason():
    done = aioscope(*RECORDS, "--counters", "default", "--counters", "task-clock")
    counters = counters_of(done)
    assert len(counters) == 10
    for counter in counters.values():
        assert (counter["value"] is None) == (counter["reason"] != ""), counter
        assert counter["scaled"] == (counter["time_running_ns"] < counter["time_enabled_ns"])
    assert counters["task-clock"]["unit"] == "ns"


def test_without_the_option_nothing_is_counted():
    assert counters_of(aioscope(*RECORDS)) == {}


def test_a_name_that_means_nothing_is_a_usage_error():
    assert "--counters: cylces: libpfm4" in aioscope(*RUN, "--counters", "cylces",
                                                     expect=2).stderr


def test_a_counter_that_cannot_be_had_fails_before_measuring():
    done = aioscope(*RUN, "--counters", "context-switches:u", expect=5)
    assert "without :u and :k" in done.stderr and "--counters-best-effort" in done.stderr
    assert done.stdout == ""


def test_events_of_another_pmu_are_encoded_and_not_counted():
    forced = {"env": {**os.environ, "LIBPFM_FORCE_PMU": "skl"}}
    names = ["--counters", "skl::INST_RETIRED:ANY_P:u,task-clock"]
    dry = aioscope(*RUN, *names, "--dry-run", **forced)
    assert "counter skl::INST_RETIRED:ANY_P:u: raw 0xc0 user  NOT COUNTED HERE" in dry.stdout
    assert "LIBPFM_FORCE_PMU" in aioscope(*RUN, *names, expect=5, **forced).stderr
    counters = counters_of(aioscope(*RECORDS, *names, "--counters-best-effort", **forced))
    null_with(counters["skl::INST_RETIRED:ANY_P:u"], "this CPU would count something else")
    listed = json.loads(aioscope("list", "counters", "--json", **forced).stdout)["counters"]
    assert "skl::INST_RETIRED" in listed["pmus"][0]["events"]
    bogus = {"env": {**os.environ, "LIBPFM_FORCE_PMU": "no_such_pmu"}}
    assert "libpfm4" in aioscope(*RUN, "--counters", "INST_RETIRED", expect=2, **bogus).stderr


def test_an_unprivileged_user_is_told_what_the_kernel_does_not_allow(paranoid):
    names = ["--counters", "default,page-faults:u,lock:contention_begin"]
    done = aioscope(*RECORDS, *names, "--counters-best-effort", before=NOBODY)
    counters = counters_of(done)
    null_with(counters["context-switches"], f"kernel.perf_event_paranoid is {paranoid}")
    assert counters["lock:contention_begin"]["value"] is None
    # A kernel that allows something at 3 counts it; one that does not says so.
    for name in ("task-clock", "page-faults:u"):
        assert (counters[name]["value"] is None) == (counters[name]["reason"] != "")
    if paranoid == "2":
        assert counters["task-clock"]["value"] > 0
    refused = aioscope(*RUN, "--counters", "cs", before=NOBODY, expect=5)
    assert f"perf_event_paranoid is {paranoid}" in refused.stderr
    findings = {one["id"]: one for one in json.loads(
        aioscope("doctor", "--json", before=NOBODY).stdout)["findings"]}
    for name in ("counters", "off_cpu"):
        assert findings[name]["value"] in ("in part", "does not work")
    assert findings["kernel_locks"]["value"] == "does not work"
    for name in ("kernel_locks", "off_cpu"):
        assert findings[name]["cure"]


@pytest.mark.parametrize("error", [1, 38], ids=["EPERM", "ENOSYS"])
def test_under_a_seccomp_filter_nothing_is_zero(error):
    if PARANOID.exists() and int(PARANOID.read_text()) > 2 and os.geteuid() != 0:
        pytest.skip("the kernel denies everything first")
    denied = {"preexec_fn": denies_perf_events(error)}
    done = aioscope(*RECORDS, "--counters", "default", **denied)
    for counter in counters_of(done).values():
        null_with(counter, "seccomp filter")
    assert "seccomp" in aioscope(*RUN, "--counters", "task-clock", expect=5, **denied).stderr
    findings = {one["id"]: one for one in json.loads(
        aioscope("doctor", "--json", **denied).stdout)["findings"]}
    assert findings["counters"]["value"] == "does not work"
    assert "seccomp" in findings["profile"]["meaning"]


def test_without_tracefs_tracepoints_have_a_cure(root):
    if subprocess.run([*NO_TRACEFS, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount name space")
    names = ["--counters", "task-clock,lock:contention_begin"]
    done = aioscope(*RECORDS, *names, "--counters-best-effort", before=NO_TRACEFS)
    counters = counters_of(done)
    assert counters["task-clock"]["value"] > 0
    null_with(counters["lock:contention_begin"], "tracefs")
    assert "mount -t tracefs" in aioscope(*RUN, *names, before=NO_TRACEFS, expect=5).stderr
    assert "tracefs" in aioscope("list", "counters", before=NO_TRACEFS).stdout


def test_list_counters_says_what_works():
    listed = json.loads(aioscope("list", "counters", "--json").stdout)["counters"]
    generic = {one["name"]: one for one in listed["generic"]}
    assert generic["task-clock"]["default"] and not generic["cpu-clock"]["default"]
    for one in generic.values():
        assert one["usable"] == (one["reason"] is None)
    text = aioscope("list", "counters").stdout
    assert "+ task-clock" in text and "lock:contention_begin" in text


def test_the_price_of_looking_is_kept_and_printed(state):
    observed = [*RUN, "--counters", "task-clock"]
    never = aioscope(*observed).stdout
    assert "price of counters: not measured on this host" in never
    aioscope(*observed, "--observe", "off,counters")
    assert len(list(state.glob("aioscope/self-cost/*.json"))) == 1
    known = aioscope(*observed).stdout
    assert "price of counters: rows are " in known and "measured on this host" in known
    header = json.loads(aioscope(*observed, "--format", "ndjson").stdout.splitlines()[0])
    assert header["looking"][0]["price"]["rows"][0]["pairs"] == 1


def test_locks_have_a_price_of_their_own():
    aioscope(*RUN, "--locks", "--observe", "off,locks")
    assert "price of locks: rows are " in aioscope(*RUN, "--locks").stdout
