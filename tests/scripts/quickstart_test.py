"""scripts/quickstart when the run ends badly, with programs of our own for what it calls."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
AIOSCOPE = """#!/bin/bash
output() { while [[ $1 != --output ]]; do shift; done; echo "$2"; }
if [[ $1 == run ]]; then
  echo the table
  [[ -n $SUFFIX ]] && touch "$(output "$@")${SUFFIX#none}"
  exit "$CODE"
fi
[[ -e $2 ]] || exit 1
touch "$(output "$@")"
"""


@pytest.mark.parametrize("code", [0, 4, 5, 130])
@pytest.mark.parametrize("suffix", ["none", ".partial", ""])
def test_a_run_that_ends_badly_has_its_page_and_its_exit_code(tmp_path, code, suffix):
    programs = {"scripts/packages": "#!/bin/bash\n", "bin/cmake": "#!/bin/bash\n",
                "build/release/bin/aioscope": AIOSCOPE,
                "scripts/quickstart": (ROOT / "scripts/quickstart").read_text()}
    for name, text in programs.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "CODE": str(code),
           "SUFFIX": suffix}
    done = subprocess.run([str(tmp_path / "scripts/quickstart"), "--file", str(tmp_path / "data")],
                          env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code, done.stderr
    endings = sorted(path.suffix for path in (tmp_path / "results").iterdir())
    if not suffix:  # the run left no result at all
        assert endings == [".txt"]
    else:
        assert ".html" in endings and "page         " in done.stdout
