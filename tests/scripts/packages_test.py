"""scripts/packages, with programs of our own in the place of Debian's."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPT = (ROOT / "scripts/packages").read_text()
NOBODY = 65534

# Answers "installed" for every package but those named in MISSING.
DPKG_QUERY = """#!/bin/bash
for name in $MISSING; do [[ "${@: -1}" == "$name" ]] && exit 1; done
echo -n installed
"""
RECORD = """#!/bin/bash
echo "$(basename "$0") $*" >>"$LOG"
[[ $(basename "$0") == sudo ]] && { while [[ $1 != env ]]; do shift; done; exec "$@"; }
exit 0
"""


@pytest.fixture(name="machine")
def fixture_machine(tmp_path):
    """Runs the script on a machine that lacks the packages in `missing`."""
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"

    def run(*arguments, missing="", sudo=True, user=None):
        programs = {"dpkg-query": DPKG_QUERY, "apt-get": RECORD}
        if sudo:
            programs["sudo"] = RECORD
        for name, text in programs.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        for name in ("bash", "basename", "cat", "env"):
            if not (tools / name).exists():
                (tools / name).symlink_to(f"/usr/bin/{name}")
        log.write_text("")
        for path in (log, tmp_path, *tmp_path.parents):
            if path.stat().st_uid == os.getuid() and str(path).startswith("/tmp/pytest"):
                path.chmod(0o777)
        done = subprocess.run(["/bin/bash", "-s", "--", *arguments], input=SCRIPT, user=user,
                              env={"PATH": str(tools), "MISSING": missing, "LOG": str(log)},
                              capture_output=True, text=True)
        return done, log.read_text().splitlines()

    return run


def test_touches_nothing_when_all_is_there(machine):
    done, log = machine("run", "test", "lint", "speed")
    assert (done.returncode, done.stdout, log) == (0, "", [])


@pytest.mark.skipif(os.getuid() != 0, reason="starts processes as other users")
def test_root_installs_only_what_is_missing(machine):
    done, log = machine("run", "test", missing="cmake libaio-dev")
    assert done.returncode == 0
    assert [line.split()[:2] for line in log] == [["apt-get", "update"], ["apt-get", "install"]]
    assert log[1].split()[-2:] == ["cmake", "libaio-dev"]


@pytest.mark.skipif(os.getuid() != 0, reason="starts processes as other users")
def test_another_user_installs_by_sudo_and_is_not_asked_without_a_terminal(machine):
    done, log = machine("speed", missing="fio", user=NOBODY)
    assert done.returncode == 0
    assert [line for line in log if line.startswith("sudo -n ")]
    assert log[-1].split()[:2] == ["apt-get", "install"]


@pytest.mark.skipif(os.getuid() != 0, reason="starts processes as other users")
def test_says_what_to_install_when_it_may_not(machine):
    done, log = machine("speed", missing="fio", sudo=False, user=NOBODY)
    assert done.returncode == 1
    assert "apt-get install fio" in done.stderr
    assert log == []


def test_missing_prints_and_does_nothing(machine):
    done, log = machine("--missing", "run", "lint", missing="ninja-build shellcheck git")
    assert done.stdout.split() == ["ninja-build", "git", "shellcheck"]
    assert (done.returncode, log) == (0, [])


def test_an_unknown_group_is_refused(machine):
    done, log = machine("runn", missing="cmake")
    assert (done.returncode, log) == (2, [])
    assert "no group 'runn'" in done.stderr
