"""The workflow files: they call scripts of this tree and nothing else."""

import os
import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# What a bare container needs before a script of the tree is there.
PREPARES = re.compile(r"apt-get update && apt-get install -y git|git config --global .*")


def steps(path):
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        yield from job["steps"]


def test_there_are_some():
    assert {path.stem for path in WORKFLOWS} >= {"test", "gate", "nightly"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_calls_scripts_that_are_there(path):
    commands = [step["run"] for step in steps(path) if "run" in step]
    called = [command.split()[0] for command in commands if not PREPARES.fullmatch(command)]
    assert called
    for script in called:
        assert re.fullmatch(r"(ci|scripts)/\w+", script)
        assert os.access(ROOT / script, os.X_OK), script


def test_every_night_what_is_seen_is_held_against_perf_and_said_without_rights():
    text = (ROOT / "ci" / "nightly").read_text(encoding="utf-8")
    (default,) = re.findall(r"^if .* then parts=\((.*)\); fi$", text, re.M)
    assert {"perf", "rights"} <= set(default.split())
    for script in ("ci/against_perf", "ci/degraded"):
        assert re.search(rf"^  if_it_can_be_told {script}\b", text, re.M)


@pytest.mark.parametrize("code, becomes", [(0, 0), (77, 0), (1, 1), (2, 2)])
def test_what_cannot_be_told_here_does_not_fail_the_night(code, becomes):
    text = (ROOT / "ci" / "nightly").read_text(encoding="utf-8")
    (function,) = re.findall(r"^if_it_can_be_told\(\) \{\n.*?^\}$", text, re.M | re.S)
    done = subprocess.run(["bash", "-euc", f"{function}\nif_it_can_be_told sh -c 'exit {code}'"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == becomes
    assert ("cannot be told" in done.stdout) == (code == 77)


@pytest.mark.parametrize("command, code, said", [
    (["ci/gate", "no-such-commit"], 2, "no-such-commit is no commit here"),
    (["ci/gate", "--help"], 0, "usage: ci/gate"),
    (["ci/nightly", "dusk"], 2, "usage: ci/nightly"),
])
def test_says_what_it_does_not_know(command, code, said):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
