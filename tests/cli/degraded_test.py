"""--profile, --locks and --counters where something is not allowed: null with a reason, never 0."""

import contextlib
import json
import os
import pathlib
import subprocess

import pytest

from counters_test import BIN, NO_TRACEFS, NOBODY, RECORDS, RUN, aioscope, denies_perf_events

SYSCTL = pathlib.Path("/proc/sys/kernel")
ALL = ["--profile", "--locks", "--counters", "default", "--counters-best-effort"]


def needs_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@contextlib.contextmanager
def sysctls(**values):
    """Other values for the length of a block."""
    needs_root()
    old = {name: (SYSCTL / name).read_text() for name in values}
    try:
        for name, value in values.items():
            try:
                (SYSCTL / name).write_text(str(value))
            except OSError as error:
                pytest.skip(f"kernel.{name}: {error}")
        yield
    finally:
        for name, value in old.items():
            (SYSCTL / name).write_text(value)


def nobody():
    if subprocess.run([*NOBODY, "test", "-x", str(BIN)], check=False).returncode:
        pytest.skip("the program is not open to other users")
    return {"before": NOBODY}


def root_of_a_user_namespace():
    """As in a container without privileges: all capabilities, none of which the kernel looks at."""
    inside = [*nobody()["before"], "unshare", "-r"]
    if subprocess.run([*inside, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no user namespaces for users")
    return {"before": inside}


@pytest.fixture
def readable_tracefs(tmp_path):
    """Conditions of nobody who can read the tracepoints' numbers: a copy of some, mounted."""
    needs_root()
    real = pathlib.Path("/sys/kernel/tracing/events")
    copy = tmp_path / "tracing" / "events"
    for event in ("sched/sched_switch", "lock/contention_begin", "lock/contention_end",
                  "syscalls/sys_enter_futex", "syscalls/sys_exit_futex", "raw_syscalls/sys_enter"):
        (copy / event).mkdir(parents=True)
        for file in ("id", "format"):
            if not (real / event / file).exists():
                pytest.skip(f"no tracepoint {event} to read")
            (copy / event / file).write_text((real / event / file).read_text())
    for directory in (tmp_path, *tmp_path.parents):
        if directory.stat().st_uid == 0 and "pytest" in directory.name:
            directory.chmod(0o755)
    before = ["unshare", "--mount", "sh", "-c",
              f"mount --bind {tmp_path / 'tracing'} /sys/kernel/tracing && exec \"$@\"", "sh",
              *nobody()["before"]]
    if subprocess.run([*before, "test", "-r", "/sys/kernel/tracing/events/sched/sched_switch/id"],
                      check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("nothing may be mounted")
    return {"before": before}


def why_locks_are_unseen(reason, before=()):
    """`reason`, unless tracepoints cannot even be looked up, which is told first."""
    probe = "/sys/kernel/tracing/events/lock/contention_begin/id"
    known = subprocess.run([*before, "test", "-r", probe], check=False).returncode == 0
    return reason if known else "sudo mount -"


def measured(*arguments, **conditions):
    """The measurement of a run with everything switched on, in which nothing is made up."""
    done = aioscope(*RECORDS, *ALL, *arguments, **conditions)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    (measurement,) = (it["measurement"] for it in records if it["record"] == "repetition")
    nothing_is_made_up(measurement)
    return measurement


def test_a_target_that_this_user_may_not_read_is_named_with_the_cure(tmp_path):
    needs_root()
    data = tmp_path / "data"
    data.write_bytes(bytes(1 << 20))
    data.chmod(0o600)
    done = aioscope("run", "--driver", "libaio", "--target", f"file:{data}", "--buffered",
                    "--quiet", expect=5, **nobody())
    assert f"{data}: open: Permission denied; choose a file that this user may read" in done.stderr


def nothing_is_made_up(measurement):
    for counter in measurement["counters"]:
        assert (counter["value"] is None) == (counter["reason"] != ""), counter
        assert (counter["per_op"] is None) == (counter["value"] is None), counter
    profile = measurement["profile"]
    if profile["event"] is None:
        assert profile["reason"]
        for name in ("samples", "lost", "scope"):
            assert profile[name] is None
        assert profile["layers"] == profile["stacks"] == []
    for layer in profile["layers"]:
        assert layer["kernel_samples"] is not None or "kernel's part" in profile["reason"]
    if not profile["whole"]:
        assert profile["reason"] or profile["symbols_reason"]
    for name in ("kernel_locks", "futex_waits"):
        waits = measurement[name]
        if waits["source"] == "":
            assert waits["reason"] and waits["lost"] is None and waits["operations"] is None
            assert "sites" not in waits
    off_cpu = measurement["off_cpu"]
    if off_cpu["source"] == "":
        assert off_cpu["reason"] and off_cpu["lost"] is None and off_cpu["threads"] == []
    elif off_cpu["source"] != "sched:sched_switch":
        assert off_cpu["reason"]
        assert {thread["lock_ns"] for thread in off_cpu["threads"]} == {None}


def findings(**conditions):
    listed = json.loads(aioscope("doctor", "--json", **conditions).stdout)["findings"]
    return {finding["id"]: finding for finding in listed}


def doctor_says(finding, result_reason):
    """doctor has the reason that stands in the result, and its cure."""
    reason = finding["meaning"].split(": ", 1)[1]
    assert reason in result_reason, (finding, result_reason)
    assert finding["cure"] and finding["cure"] in result_reason, (finding, result_reason)


def lock_wait_in_the_table(**conditions):
    lines = aioscope(*RUN, *ALL, **conditions).stdout.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.startswith("target "))
    row = next(line for line in lines[heading + 2:] if line.strip())
    at = lines[heading].index("lock wait")
    return row[at:at + len("lock wait")].strip()


def shares_are_dashes(**conditions):
    assert lock_wait_in_the_table(**conditions) == "-"


def test_where_all_is_allowed_there_are_shares():
    measurement = measured()
    if not measurement["profile"]["whole"]:
        pytest.skip(measurement["profile"]["reason"] + measurement["profile"]["symbols_reason"])
    assert lock_wait_in_the_table()[0].isdigit()


@pytest.mark.parametrize("level", [2, 3])
def test_without_rights_user_code_alone_is_profiled(level):
    with sysctls(perf_event_paranoid=level):
        conditions = nobody()
        measurement = measured(**conditions)
        profile = measurement["profile"]
        refused = f"kernel.perf_event_paranoid is {level}"
        assert refused in profile["reason"] and not profile["whole"]
        if level == 2:
            assert profile["samples"] > 0
            assert {layer["kernel_samples"] for layer in profile["layers"]} == {None}
        unseen = why_locks_are_unseen(refused, **conditions)
        for name in ("kernel_locks", "futex_waits"):
            assert unseen in measurement[name]["reason"]
        found = findings(**conditions)
        doctor_says(found["kernel_locks"], measurement["kernel_locks"]["reason"])
        doctor_says(found["off_cpu"], measurement["off_cpu"]["reason"])
        assert refused in found["profile"]["meaning"] and found["profile"]["cure"]
        shares_are_dashes(**conditions)


@pytest.mark.parametrize("level", [1, 2])
def test_who_can_read_tracefs_is_told_what_the_level_leaves_him(level, readable_tracefs):
    with sysctls(perf_event_paranoid=level):
        measurement = measured(**readable_tracefs)
        found = findings(**readable_tracefs)
    doctor_says(found["kernel_locks"], measurement["kernel_locks"]["reason"])
    if level == 1:
        assert measurement["off_cpu"]["source"] == "sched:sched_switch"
        assert found["off_cpu"]["value"] == "works"
    else:
        assert "counting in the kernel needs 1 or less" in measurement["off_cpu"]["reason"]
        doctor_says(found["off_cpu"], measurement["off_cpu"]["reason"])


def test_at_level_1_a_tracepoint_is_counted_for_a_user(readable_tracefs):
    with sysctls(perf_event_paranoid=1):
        done = aioscope(*RECORDS, "--counters", "raw_syscalls:sys_enter", **readable_tracefs)
        assert "system calls" not in findings(**readable_tracefs)["perf_event_paranoid"]["meaning"]
    (measurement,) = (json.loads(line)["measurement"] for line in done.stdout.splitlines()
                      if json.loads(line)["record"] == "repetition")
    assert measurement["counters"][0]["value"] is not None


def test_root_of_a_user_namespace_is_no_root():
    with sysctls(perf_event_paranoid=2):
        conditions = root_of_a_user_namespace()
        found = findings(**conditions)
        measurement = measured(**conditions)
        doctor_says(found["off_cpu"], measurement["off_cpu"]["reason"])
    assert found["perf_event_paranoid"]["status"] == "problem"
    for name in ("counters", "profile"):
        assert "kernel.perf_event_paranoid is 2" in found[name]["meaning"]
    assert "kernel.perf_event_paranoid is 2" in measurement["profile"]["reason"]
    for finding in found.values():
        assert "security module" not in finding["meaning"], finding
        if "sudo sysctl kernel" in (finding["cure"] or "") or "tracefs" in finding["id"]:
            assert not finding["cure"] or "outside this user namespace: sudo" in finding["cure"]
        assert "gid=0" not in (finding["cure"] or ""), finding


def test_too_many_open_files_are_no_missing_tracepoint():
    told = ""
    for limit in range(10, 20):  # the files are used up at one place after the other
        few = ["sh", "-c", f"ulimit -n {limit}; exec \"$@\"", "sh"]
        done = subprocess.run([*few, str(BIN), *RECORDS, "--profile", "--locks", "--submitters",
                               "8"], capture_output=True, text=True, check=False, timeout=60)
        told += done.stdout + done.stderr
    assert "ulimit -n" in told
    for wrong in ("this kernel has no tracepoint", "tracefs is not mounted", "CONFIG_KALLSYMS"):
        assert wrong not in told


def test_names_of_functions_are_told_as_the_profile_has_them():
    with sysctls(perf_event_paranoid=2, kptr_restrict=0):
        finding = findings(**nobody())["kptr_restrict"]
        assert finding["status"] == "note"
        assert "kptr_restrict=0 kernel.perf_event_paranoid=" in finding["cure"]
    with sysctls(perf_event_paranoid=1, kptr_restrict=0):
        assert findings(**nobody())["kptr_restrict"]["status"] == "ok"


def test_hidden_addresses_leave_the_kernel_without_names():
    with sysctls(perf_event_paranoid=1, kptr_restrict=1):
        conditions = nobody()
        profile = measured(**conditions)["profile"]
        assert profile["samples"] > 0
        assert "kptr_restrict" in profile["symbols_reason"] and not profile["whole"]
        assert "names" in findings(**conditions)["profile"]["meaning"]
        assert findings(**conditions)["kptr_restrict"]["status"] == "note"
        shares_are_dashes(**conditions)


def test_hidden_from_root_too():
    with sysctls(kptr_restrict=2):
        measurement = measured()
        if measurement["profile"]["event"] is None:
            pytest.skip(measurement["profile"]["reason"])
        assert "kptr_restrict" in measurement["profile"]["symbols_reason"]
        assert findings()["profile"]["value"] == "in part"
        shares_are_dashes()


def test_without_tracefs_the_profile_stays():
    needs_root()
    if subprocess.run([*NO_TRACEFS, "true"], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount name space")
    conditions = {"before": NO_TRACEFS}
    measurement = measured(**conditions)
    assert measurement["profile"]["whole"]
    assert measurement["off_cpu"]["source"] == "switch records"
    found = findings(**conditions)
    for name in ("kernel_locks", "futex_waits"):
        assert "tracefs" in measurement[name]["reason"]
    doctor_says(found["kernel_locks"], measurement["kernel_locks"]["reason"])
    doctor_says(found["off_cpu"], measurement["off_cpu"]["reason"])


@pytest.mark.parametrize("error", [1, 38], ids=["EPERM", "ENOSYS"])
def test_under_a_seccomp_filter_nothing_is_seen(error):
    conditions = {"preexec_fn": denies_perf_events(error)}
    measurement = measured(**conditions)
    assert measurement["profile"]["event"] is None
    assert measurement["off_cpu"]["source"] == measurement["kernel_locks"]["source"] == ""
    found = findings(**conditions)
    for name in ("profile", "off_cpu"):
        assert "seccomp filter" in measurement[name]["reason"]
    for name in ("kernel_locks", "futex_waits"):
        assert why_locks_are_unseen("seccomp filter") in measurement[name]["reason"]
    for name in ("profile", "off_cpu", "kernel_locks"):
        doctor_says(found[name], measurement[name]["reason"])
    shares_are_dashes(**conditions)


def test_a_forced_pmu_is_none_of_the_profiles_business():
    forced = {"env": {**os.environ, "LIBPFM_FORCE_PMU": "skl"}}
    plain, other = measured(), measured(**forced)
    assert other["profile"]["event"] == plain["profile"]["event"]
    assert other["kernel_locks"]["source"] == plain["kernel_locks"]["source"]
