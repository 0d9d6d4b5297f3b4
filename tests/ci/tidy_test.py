"""The checks of .clang-tidy flag what they are there for."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG = "int f(int x) {\n" + "  x += 1;\n" * 71 + "  return x;\n}\n"

BAD = [
    ("readability-function-size", LONG),
    ("readability-identifier-naming", "int doThing() { return 1; }\n"),
    ("readability-identifier-naming", "class T { int field = 0; int g() { return field; } };\n"),
    ("bugprone-use-after-move",
     "#include <string>\n#include <utility>\nvoid g(std::string);\n"
     "bool f(std::string s) { g(std::move(s)); return s.empty(); }\n"),
    ("performance-for-range-copy",
     "#include <string>\n#include <vector>\nunsigned long f(const std::vector<std::string>& v) {\n"
     "  unsigned long n = 0;\n  for (const std::string s : v) n += s.size();\n  return n;\n}\n"),
    ("clang-analyzer-core.NullDereference",
     "int f(bool b) { int x = 1; int* p = b ? &x : nullptr; if (!b) return *p; return 0; }\n"),
]


def tidy(tmp_path, text):
    (tmp_path / "snippet.cpp").write_text(text)
    return subprocess.run(
        ["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}",
         str(tmp_path / "snippet.cpp"), "--", "-std=c++20"], capture_output=True, text=True)


@pytest.mark.parametrize("check, text", BAD)
def test_bad_code_is_an_error(tmp_path, check, text):
    done = tidy(tmp_path, text)
    assert f"[{check},-warnings-as-errors]" in done.stdout
    assert done.returncode != 0


def test_plain_code_is_clean(tmp_path):
    done = tidy(tmp_path, "constexpr int kOne = 1;\nint one_more(int x) { return x + kOne; }\n")
    assert (done.returncode, done.stdout) == (0, "")
