"""The workflow files: they call scripts of this tree and nothing else."""

import os
import pathlib
import re
import shutil
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


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_git_trusts_the_tree_before_a_script_uses_it(path):
    """In a container the tree is somebody else's."""
    commands = [step["run"] for step in steps(path) if "run" in step]
    trust = 'git config --global --add safe.directory "$GITHUB_WORKSPACE"'
    assert commands.index(trust) < min(i for i, one in enumerate(commands)
                                       if one.startswith(("ci/", "scripts/")))


def test_the_history_outlives_a_night_that_fails():
    found = list(steps(ROOT / ".github/workflows/nightly.yml"))
    restores, saves = ([step for step in found if step.get("uses", "").startswith(name)]
                       for name in ("actions/cache/restore@", "actions/cache/save@"))
    assert len(restores) == len(saves) == 1 and saves[0]["if"] == "always()"
    restore, save = restores[0]["with"], saves[0]["with"]
    assert save["path"] == restore["path"] == "history.jsonl"
    # A key that is there is not written again, and one that begins so is found.
    assert "run_id" in save["key"] and "run_attempt" in save["key"]
    assert save["key"].startswith(restore["restore-keys"])
    works = next(i for i, step in enumerate(found) if step.get("run") == "ci/nightly")
    assert found.index(restores[0]) < works < found.index(saves[0])
    assert not [step for step in found if step.get("uses", "").startswith("actions/cache@")]


FAKE_CMAKE = """#!/bin/sh
mkdir -p build/release/bin
printf '#!/bin/sh\\necho "$@" >> "$LOG"\\n' > build/release/bin/aioscope
chmod +x build/release/bin/aioscope
"""


def test_the_base_is_where_the_change_began(tmp_path):
    tree, tools, log = tmp_path / "tree", tmp_path / "tools", tmp_path / "log"
    (tree / "ci").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / "ci" / "gate", tree / "ci")
    (tools / "cmake").write_text(FAKE_CMAKE)
    (tools / "cmake").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "LOG": str(log),
                   "GIT_CONFIG_GLOBAL": str(tmp_path / "none"), "GITHUB_STEP_SUMMARY": ""}

    def git(*arguments):
        return subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e", *arguments], cwd=tree, check=True,
            capture_output=True, text=True, env=environment).stdout.strip()

    def commit(name):
        (tree / name).touch()
        git("add", "-A", name)
        git("commit", "-m", name)
        return git("rev-parse", "HEAD")
    git("init", "--initial-branch", "main")
    (tree / ".gitignore").write_text("build\n")
    began = commit(".gitignore")
    git("checkout", "-b", "change")
    commit("changed")
    git("checkout", "main")
    commit("meanwhile")
    git("checkout", "change")
    for given in (["main"], []):
        subprocess.run(["ci/gate", *given], cwd=tree, check=True, capture_output=True,
                       env=environment)
        assert git("-C", "build/gate/base", "rev-parse", "HEAD") == began
    assert "--time-budget" in log.read_text()
    git("checkout", "--orphan", "foreign")
    commit("unrelated")
    done = subprocess.run(["ci/gate", "main"], cwd=tree, capture_output=True, text=True,
                          env=environment)
    assert done.returncode == 2 and "no commit in common" in done.stderr


@pytest.mark.parametrize("command, code, said", [
    (["ci/gate", "no-such-commit"], 2, "no-such-commit is no commit here"),
    (["ci/gate", "--help"], 0, "usage: ci/gate"),
    (["ci/nightly", "dusk"], 2, "usage: ci/nightly"),
])
def test_says_what_it_does_not_know(command, code, said):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
