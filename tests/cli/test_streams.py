"""Standard streams that are closed, full, gone or of another encoding; names that are no text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nncomp.cli import main

MODEL = "model X {\n  input x: f32[N, 2]\n  output y = x + 1\n}\n"
NNCOMP = f"'{sys.executable}' -m nncomp"


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.nn").write_text(MODEL)
    Path("wrong.nn").write_text(MODEL.replace("x + 1", "x + z"))


def shell(script: str, **environment: str) -> tuple[int, str, str]:
    """Exit status and what was written."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script.replace("nncomp ", f"{NNCOMP} ")],
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | environment,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("script", "status", "out", "err"),
    [
        ("nncomp check - <&-", 0, "<stdin>: fine", ""),
        ("nncomp check x.nn >&-", 0, "", ""),
        ("nncomp check wrong.nn 2>&-", 1, "", ""),
        ("nncomp inspect x.nn >&- 2>&-", 0, "", ""),
        ("nncomp inspect x.nn > /dev/full", 1, "", "cannot write to standard output: No space"),
        ("nncomp inspect x.nn | true", 141, "", ""),
        ("nncomp diff x.nn --set-b a=1 | true", 2, "", "error[NN0202]"),
    ],
)
def test_streams(script: str, status: int, out: str, err: str) -> None:
    found = shell(script)
    assert found[0] == status
    assert found[1].startswith(out)
    assert found[2].startswith(err)
    assert bool(found[2]) == bool(err)


def test_an_encoding_without_the_characters() -> None:
    status, out, err = shell("nncomp inspect x.nn", PYTHONIOENCODING="ascii")
    assert (status, err) == (0, "")
    assert "N?2" in out
    assert shell("nncomp train --help", PYTHONIOENCODING="ascii")[0] == 0


def test_a_name_that_is_no_text() -> None:
    name = os.fsdecode(b"caf\xe9.nn")
    Path(name).write_text(MODEL)
    assert main(["check", name]) == 0
    assert main(["build", name]) == 0
    assert Path(name).with_suffix(".onnx").exists()


def test_json_of_errors_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "x.nn", "--input", "z=x.npy", "--format", "json"]) == 1
    assert [found["code"] for found in json.loads(capsys.readouterr().err)] == ["NN0001"]
    for subject in ("NN0207", "fold-batch-norm"):
        assert main(["explain", subject, "--format", "json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["name"] == subject
        assert main(["explain", subject]) == 0
        assert capsys.readouterr().out == f"{subject}: {found['explanation']}\n"


def test_folders_and_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "."]) == 1
    assert "help: name a file in it, such as wrong.nn" in capsys.readouterr().err
    assert main(["build", "x.nn", "-o", "x.nn/deep/y.onnx"]) == 1
    assert "cannot write 'x.nn/deep/y.onnx': x.nn is a file, no folder" in capsys.readouterr().err
