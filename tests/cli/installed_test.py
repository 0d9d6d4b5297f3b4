"""What comes along with the program when it is installed: the manual page, completion for bash."""

import re
import shutil
import subprocess

import pytest

from cli_test import BIN, ROOT, aioscope

MANUAL = ROOT / "docs/aioscope.1"
COMPLETION = ROOT / "scripts/completion.bash"


def test_the_manual_has_every_command_option_and_exit_code():
    text = MANUAL.read_text().replace("\\-", "-")
    top = aioscope("--help").stdout
    commands = top.split("Subcommands:\n")[1].split("Examples:")[0]
    for command in re.findall(r"^  ([a-z]+) ", commands, re.MULTILINE):
        assert f"\n.B {command}\n" in text, command
    run = aioscope("run", "--help").stdout.split("Examples:")[0]
    for option in re.findall(r"^  (?:-\w,)?(--[\w-]+)", run, re.MULTILINE):
        assert f"\\fB{option}\\fR" in text, option
    for code in re.findall(r"(\d+) [a-z]", top.split("Exit codes:")[1].split("Data goes")[0]):
        assert re.search(rf"^\.B {code}\b", text, re.MULTILINE), code


def test_the_manual_is_well_formed():
    if shutil.which("groff") is None:
        pytest.skip("no groff")
    done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", str(MANUAL)],
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""


def completions(line):
    """What bash would add to `line`, whose first word stands for the program."""
    line = f"{BIN} {line}"
    script = (f"source {COMPLETION}; COMP_LINE='{line}' COMP_POINT={len(line)}; _aioscope; "
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("line, some", [
    ("", {"run", "doctor", "gate"}), ("re", {"report"}), ("list ", {"drivers", "counters"}),
    ("run --dr", {"--driver", "--dry-run"}), ("compare --mar", {"--margin"}),
    ("run --driver libaio@", {"user-reap", "eventfd"}),
    ("run --quiet --workload per", {"per-thread"}), ("run --suite s", {"seed", "series", "smoke"}),
])
def test_completion(line, some):
    assert some <= set(completions(line))


def test_completion_has_nothing_for_what_is_not_known():
    assert completions("run --driver nonesuch") == []
