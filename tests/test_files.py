"""Outputs are whole or not there; inputs that cannot be read are said so."""

import os
from pathlib import Path

import pytest

from nncomp.errors import CompileError
from nncomp.files import read_source, write_atomic


def test_writing_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "made" / "x.bin"
    write_atomic(path, b"one")
    path.chmod(0o640)
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_keeps_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bin"
    write_atomic(path, b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CompileError, match=r"NN0001.*No space left"):
        write_atomic(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("target")
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


@pytest.mark.parametrize("path", ["nowhere.nn", ".", "a\0b"])
def test_what_cannot_be_read(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CompileError, match="NN0001"):
        read_source(path)


def test_text_that_is_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.nn"
    path.write_bytes(b"nn 1\nx = \xff\n")
    with pytest.raises(CompileError) as failure:
        read_source(path)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "NN0002"
    assert str(diagnostic.span).endswith("x.nn:2:5")


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "x.nn"
    path.write_bytes(b"\xef\xbb\xbfnn 1\n")
    assert read_source(path).text == "nn 1\n"
