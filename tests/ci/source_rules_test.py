"""Every rule of ci/source_rules flags a bad snippet, and leaves the good one beside it alone."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load_rules():
    loader = importlib.machinery.SourceFileLoader("source_rules", str(ROOT / "ci/source_rules"))
    spec = importlib.util.spec_from_loader("source_rules", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


rules = load_rules()
UNFINISHED = "TO" + "DO"
HOME = "/ho" + "me/ann/x"


def found(path, text, executable=False):
    return rules.findings(rules.File(path, text, executable))


def atomics(body):
    return f"#include <atomic>\n{body}\n"


BAD = [
    ("drivers/utils/list.cpp", "int x;\n", 1, "no directory named utils/"),
    ("bench/plan.cpp", "int x;", 1, "newline"),
    ("bench/plan.cpp", "int x;\n\tint y;\n", 2, "tab"),
    ("bench/plan.cpp", "int x;  \n", 1, "white space"),
    ("bench/plan.cpp", "int x;\r\n", 1, "carriage return"),
    ("bench/plan.cpp", "// " + "x" * 98 + "\n", 1, "101 columns"),
    ("bench/plan.cpp", "int x;\n" * 601, 601, "more than 600 lines"),
    ("reports/load.py", "def f():\n" + "    x = 1\n" * 70, 1, "f has 71 lines"),
    ("reports/load.py", "def f(:\n", 1, "not Python"),
    ("bench/plan.cpp", f"// {UNFINISHED}: later\n", 1, UNFINISHED),
    ("docs/guide.md", f"{UNFINISHED}\n", 1, UNFINISHED),
    ("docs/guide.md", f"see `{HOME}`\n", 1, "path of one machine"),
    ("bench/plan.h", "// A plan.\n#include <vector>\n", 1, "#pragma once"),
    ("bench/plan.h", "#pragma once\nusing namespace std;\n", 2, "using namespace"),
    ("bench/plan.cpp", '#include "plan.h"\n', 1, "path from the root"),
    ("bench/plan.cpp", '#include "drivers/null/null_driver.h"\n', 1, "drivers only by"),
    ("bench/plan.cpp", '#include "drivers/kioctx/locks.h"\n', 1, "drivers only by"),
    ("bench/micro/locks.cpp", '#include "drivers/libaio/ring.h"\n', 1, "drivers only by"),
    ("drivers/null/null_driver.cpp", '#include "bench/row.h"\n', 1, "nothing of benchmarks"),
    ("drivers/null/null_driver.cpp", '#include "drivers/sync/sync_driver.h"\n', 1, "own headers"),
    ("drivers/null/null_driver.cpp", '#include "drivers/registry.h"\n', 1, "own headers"),
    ("drivers/driver.h", '#pragma once\n#include "drivers/null/null_driver.h"\n', 2,
     "only the registry"),
    ("drivers/kioctx/ring.h", '#pragma once\n#include "drivers/driver.h"\n', 2, "parts of kioctx"),
    ("reports/load.py", "import drivers.registry\n", 1, "read result files only"),
    ("reports/load.py", "from ci import smoke\n", 1, "read result files only"),
    ("reports/load.py", "from ..bench import plan\n", 1, "read result files only"),
    ("reports/load.py", "from gate import judge\n", 1, "read result files only"),
    ("gate/judge.py", "import bench.plan\n", 1, "imports reports and nothing else"),
    ("drivers/null/ring.cpp", atomics("x.store(1, std::memory_order_release);"), 2, "partner"),
    ("drivers/null/ring.cpp", atomics("x.load(std::memory_order::acquire);"), 2, "partner"),
    ("drivers/null/ring.cpp",
     atomics("// pairs with pop\n\n\n\n\nx.load(std::memory_order_acquire);"), 7, "partner"),
    ("drivers/null/ring.cpp", atomics("int y = x.load();"), 2, "without its memory order"),
    ("drivers/null/ring.cpp", atomics("x->fetch_add(\n    1);"), 2, "without its memory order"),
    ("bench/plan.cpp", "int ns_latency = 0;\n", 1, "unit comes last"),
    ("bench/plan.cpp", "std::int64_t timeout_ms, int64_t duration = 0;\n", 1, "duration_ns"),
    ("scripts/run", "#!/usr/bin/env bash\n", 1, "chmod +x"),
    ("docs/guide.md", "text\n", 1, "chmod -x"),
    ("scripts/run", "#!/usr/bin/env python3\n", 1, "#!/usr/bin/python3"),
    ("scripts/run", "#!/usr/bin/env bash\nif true; then\n  python3 -m pytest\nfi\n", 3, "in full"),
]


def runs(text, message):
    """Whether git would run the file: as its first line says, unless that is the point."""
    return message == "chmod -x" or (text.startswith("#!") and message != "chmod +x")


@pytest.mark.parametrize("path, text, line, message", BAD)
def test_bad_source_is_flagged_on_its_line(path, text, line, message):
    lines = [number for number, said in found(path, text, runs(text, message)) if message in said]
    assert lines == [line]


GOOD = [
    ("bench/plan.cpp", "// " + "x" * 97 + "\n"),
    ("bench/plan.cpp", "int x;\n" * 600),
    ("reports/load.py", "def f():\n" + "    x = 1\n" * 69),
    ("docs/guide.md", "x" * 300 + "\n"),
    ("docs/guide.md", "a link https://example.org/home/page and ./work/x\n"),
    ("bench/plan.h", "// A plan.\n\n#pragma once\n"),
    ("bench/plan.cpp", '#include "bench/plan.h"\n#include "drivers/registry.h"\n'),
    ("bench/settings.cpp", '#include "drivers/device_spec.h"\n'),
    ("bench/measure/histogram.h", '#pragma once\n#include "drivers/log_linear.h"\n'),
    ("drivers/kioctx/device.h", '#pragma once\n#include "drivers/device_spec.h"\n'),
    ("bench/micro/locks.cpp", '#include "drivers/kioctx/locks.h"\n'),
    ("drivers/null/a.cpp", '#include "drivers/clock.h"\n#include "drivers/null/b.h"\n'),
    ("drivers/registry.cpp", '#include "drivers/null/null_driver.h"\n'),
    ("drivers/kioctx/kioctx_driver.cpp", '#include "drivers/driver.h"\n'),
    ("tests/bench/plan_test.cpp", '#include "drivers/null/null_driver.h"\n'),
    ("reports/load.py", "import json\nfrom . import page\nfrom reports import page\n"),
    ("gate/judge.py", "from reports import metrics\nfrom .errors import Invalid\n"),
    ("drivers/null/ring.cpp", atomics("x.store(1, std::memory_order_release);  // pairs: pop")),
    ("drivers/null/ring.cpp",
     atomics("// Pairs with the store in push, which\n// is a release.\n\n"
             "x.load(std::memory_order_acquire);")),
    ("drivers/null/ring.cpp", atomics("x.fetch_add(1,\n  std::memory_order_relaxed);")),
    ("tests/drivers/null/ring_test.cpp", atomics("x.load();")),
    ("bench/plan.cpp", "int latency_ns_p99, cpu_ns_per_op, ns_per_op; Clock::duration duration;\n"),
]


@pytest.mark.parametrize("path, text", GOOD)
def test_good_source_is_left_alone(path, text):
    assert found(path, text) == []


def test_every_rule_has_a_bad_snippet():
    flagged = {rule.__name__ for rule in rules.RULES for path, text, _, message in BAD
               if list(rule(rules.File(path, text, runs(text, message))))}
    assert flagged == {rule.__name__ for rule in rules.RULES}


def test_the_program_prints_path_line_and_error_and_fails(tmp_path):
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci/source_rules").write_bytes((ROOT / "ci/source_rules").read_bytes())
    (tmp_path / "ci/source_rules").chmod(0o755)
    (tmp_path / "bad.cpp").write_text("int x;\n\tint y;\n")
    (tmp_path / "figure.png").write_bytes(b"\x89PNG\0\t")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run(["ci/source_rules"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "bad.cpp:2: error: a tab; indent and align with spaces\n"
    assert done.returncode == 1
    (tmp_path / "bad.cpp").unlink()
    assert subprocess.run(["ci/source_rules"], cwd=tmp_path).returncode == 0
