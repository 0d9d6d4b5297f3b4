"""Where files of commands go, and that no command ends by an exception."""

import os
import pathlib
import stat
import subprocess
import sys
import threading

import pytest
import synthetic
from reports import output

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = synthetic.quick_configs(["libaio", "kioctx@series"], ["null"])


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_keeps_its_mode_and_a_new_one_has_the_umasks(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"before")
    old.chmod(0o640)
    before = os.umask(0o027)
    try:
        for path in (old, new):
            output.write(str(path), b"after")
    finally:
        os.umask(before)
    assert old.read_bytes() == new.read_bytes() == b"after"
    assert mode_of(old) == 0o640 and mode_of(new) == 0o640
    old.chmod(0o604)
    output.write(str(old), b"again")
    assert mode_of(old) == 0o604
    assert sorted(tmp_path.iterdir()) == [new, old]


def test_symbolic_links_are_followed_and_stay(tmp_path):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "target"
    for link in ("old", "dangling"):
        (tmp_path / link).symlink_to("there/target")
        output.write(str(tmp_path / link), link.encode())
        assert (tmp_path / link).is_symlink() and target.read_text() == link
        target.unlink()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop"):
        output.write(str(tmp_path / "loop"), b"")


def test_links_that_somebody_planted_are_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out.partial").symlink_to(victim)
    output.write(str(tmp_path / "out"), b"data")
    assert victim.read_text() == "precious" and (tmp_path / "out").read_bytes() == b"data"


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    output.check(str(pipe))  # and does not wait for a reader
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    output.write(str(pipe), b"data")
    reader.join(20)
    assert read == [b"data"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_to_and_stays(tmp_path):
    node = tmp_path / "null"
    try:
        os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        node.write_bytes(b"x")
    except PermissionError:
        pytest.skip("device nodes cannot be made or opened here")
    output.check(str(node))
    output.write(str(node), b"data")
    assert stat.S_ISCHR(node.stat().st_mode) and list(tmp_path.iterdir()) == [node]


def test_writers_of_one_name_do_not_meet(tmp_path, monkeypatch):
    path = tmp_path / "out"
    replace = os.replace

    def meet(source, target):
        monkeypatch.setattr(os, "replace", replace)
        output.write(str(path), b"the other")
        replace(source, target)
    monkeypatch.setattr(os, "replace", meet)
    output.write(str(path), b"the one")
    assert path.read_bytes() == b"the one" and list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_and_names_it(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.write_text("before")

    def full(source, target):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="out'"):
        output.write(str(path), b"after")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name, error", [
    (".", IsADirectoryError), ("none/out", FileNotFoundError), ("file/out", NotADirectoryError)])
def test_what_cannot_be_written_is_known_before(tmp_path, name, error):
    (tmp_path / "file").touch()
    for attempt in (output.check, lambda path: output.write(path, b"")):
        with pytest.raises(error) as raised:
            attempt(str(tmp_path / name))
        assert raised.value.filename == str(tmp_path / name)
    output.check(str(tmp_path / "file"))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def command(*arguments, **environment):
    return subprocess.run([sys.executable, ROOT / "reports", *map(str, arguments)], cwd=ROOT,
                          capture_output=True, env={**os.environ, **environment}, timeout=60)


def test_an_exception_is_one_line_and_no_verdict(tmp_path, monkeypatch, capsys):
    from reports.__main__ import main

    def fails(path):
        raise RecursionError("too\ndeep")
    monkeypatch.setattr("reports.load.load", fails)
    (tmp_path / "x").touch()
    assert main(["export", str(tmp_path / "x"), "--to", "csv"]) == 5
    said = capsys.readouterr().err
    assert said == ("aioscope: internal error: RecursionError: too deep (AIOSCOPE_TRACEBACK=1 "
                    "shows where)\n")
    monkeypatch.setenv("AIOSCOPE_TRACEBACK", "1")
    assert main(["export", str(tmp_path / "x"), "--to", "csv"]) == 5
    assert "in fails" in capsys.readouterr().err


def test_without_standard_output(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text(synthetic.text(synthetic.run(SMALL)))
    done = subprocess.run([sys.executable, ROOT / "reports", "export", path, "--to", "csv", "-o",
                           tmp_path / "r.csv"], preexec_fn=lambda: os.close(1), timeout=60)
    assert done.returncode == 0 and (tmp_path / "r.csv").stat().st_size > 100


def test_any_encoding_of_standard_output_will_do(tmp_path):
    paths = [tmp_path / f"{name}.jsonl" for name in ("größer", "kleiner")]
    for seed, path in enumerate(paths):
        path.write_text(synthetic.text(synthetic.run(SMALL, seed=seed)))
    history = tmp_path / "h.jsonl"
    for arguments in (["compare", *paths], ["explain", paths[0], "1"],
                      ["history", "add", history, *paths], ["history", "show", history],
                      ["export", paths[0], "--to", "markdown"]):
        done = command(*arguments, PYTHONIOENCODING="ascii")
        assert done.returncode == 0, (arguments, done.stderr)
