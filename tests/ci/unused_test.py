"""What ci/unused says of headers that include or declare too much, and of those that do not."""

import importlib.machinery
import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def unused(tmp_path, monkeypatch):
    loader = importlib.machinery.SourceFileLoader("unused", str(ROOT / "ci/unused"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("unused", loader))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


@pytest.mark.parametrize("declared", [
    "int answer();", "inline int answer() { return 42; }", "  static void answer(int n);",
    "struct Answer {", "enum class Answer { kYes };", "inline constexpr int kAnswer = 42;",
    "template <class T>\nstruct alignas(64) Answer : T {"])
def test_a_name_that_nothing_says_again_is_found(unused, declared):
    name = next(name for name in ("kAnswer", "Answer", "answer") if name in declared)
    use = {"kAnswer": "int n = kAnswer;", "Answer": "Answer<int> a;", "answer": "  ask(answer());"}
    definition = "int answer() {\n  return 42;\n}\n// answer, Answer, kAnswer\nf(\"Answer\");"
    texts = {"a.h": declared + "\n", "a.cpp": definition + "\n"}
    assert [f.split("error: ")[1] for f in unused.unused_names(["a.h"], texts)
            if f.endswith(f" {name}")] == [f"nothing uses {name}"]
    texts["b.cpp"] = use[name] + "\n"
    assert not [f for f in unused.unused_names(["a.h"], texts) if f.endswith(f" {name}")]


def test_an_include_that_is_not_used_is_found(unused, tmp_path):
    folder = tmp_path / "drivers/kioctx"
    folder.mkdir(parents=True)
    header = "#pragma once\n\n#include <cstdint>\n#include <vector>{}\n\nstd::uint32_t answer();\n"
    (folder / "a.cpp").write_text('#include "drivers/kioctx/a.h"\n\n'
                                  "std::uint32_t answer() { return 42; }\n")
    (folder / "a.h").write_text(header.format(""))
    assert unused.superfluous_includes(["drivers/kioctx/a.h"]) == [
        "drivers/kioctx/a.h:4: error: more than it uses: #include <vector>"]
    assert unused.superfluous_includes(["drivers/kioctx/b.h"]) == []
    (folder / "a.h").write_text(header.format("  // IWYU pragma: keep"))
    assert unused.superfluous_includes(["drivers/kioctx/a.h"]) == []


def test_what_does_not_compile_is_no_clean_header(unused, tmp_path):
    folder = tmp_path / "drivers/kioctx"
    folder.mkdir(parents=True)
    (folder / "a.cpp").write_text('#include "drivers/kioctx/missing.h"\n')
    with pytest.raises(RuntimeError, match="missing.h"):
        unused.superfluous_includes([])
