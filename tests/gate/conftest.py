"""Makes the gate and the made-up programs importable."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT), str(ROOT / "tests/reports")]


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    from gate_world import World
    return World(tmp_path, monkeypatch, capsys)
