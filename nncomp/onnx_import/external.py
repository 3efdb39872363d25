"""Data of tensors in files beside the model, and which files a model may name.

A model may name files in its own folder and below, and nothing else: no `..`, no absolute path, no
link that leads out. The model's own path may be a link, as in a Hugging Face cache, where files
are links into `blobs/`; then the folder that it leads to is allowed too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx

from nncomp.errors import CompileError, error
from nncomp.files import PathLike
from nncomp.source import Span


class Folder:
    """The folder of a model. Without a path (a model from memory) there are no external data."""

    def __init__(self, model: PathLike | None) -> None:
        self._base: Path | None = None
        self._allowed: list[Path] = []
        if model is not None:
            path = Path(model)
            self._base = path.parent
            self._allowed = [path.parent.resolve()]
            if path.is_symlink():
                self._allowed.append(path.resolve().parent)

    def read(
        self,
        fields: Iterable[onnx.StringStringEntryProto],
        size: int,
        what: str,
        span: Span | None = None,
    ) -> bytes:
        """The `size` bytes that the fields `location`, `offset` and `length` name.

        Raises CompileError: NN0802 for a place outside the folder, NN0801 where the file is not
        there or too short, NN0001 if it cannot be read.
        """
        entries = {field.key: field.value for field in fields}
        location = entries.get("location", "")
        offset = _number(entries, "offset", 0, what, span)
        length = _number(entries, "length", size, what, span)
        if length != size:
            raise error("NN0801", f"{what} takes {size} bytes, `length` says {length}", span)
        path = self._path(location, what, span)
        try:
            with open(path, "rb", opener=_open) as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise _outside(what, location, "is no ordinary file", span)
                if found.st_nlink > 1 and path.parent == self._allowed[0]:
                    raise _outside(what, location, "is a hard link to another file", span)
                if offset + size > found.st_size:
                    raise error(
                        "NN0801",
                        f"{what} takes the bytes {offset} to {offset + size} of `{location}`, "
                        f"which has {found.st_size}",
                        span,
                    )
                file.seek(offset)
                data = file.read(size)
        except (OSError, ValueError) as failure:
            reason = getattr(failure, "strerror", None) or failure
            raise error("NN0001", f"cannot read `{location}` of {what}: {reason}", span) from None
        if len(data) != size:
            raise error("NN0801", f"`{location}` ends before {what} does", span)
        return data

    def _path(self, location: str, what: str, span: Span | None) -> Path:
        if self._base is None:
            raise error(
                "NN0802",
                f"{what} has its data in another file, and this model has no folder",
                span,
                help="load it by its path",
            )
        parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
        if not location or "\0" in location:
            raise error("NN0801", f"{what} has its data in another file without a name", span)
        if ".." in parts or PurePosixPath(location).is_absolute() or _has_root(location):
            raise _outside(what, location, "is not below the model's folder", span)
        path = Path(os.path.realpath(self._base / location))
        if not any(path.is_relative_to(folder) for folder in self._allowed):
            raise _outside(what, location, "is a link that leads out of the model's folder", span)
        return path


def _open(path: str, flags: int) -> int:
    """Follows no link (the path has none left), and does not wait for a pipe's other end."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _has_root(location: str) -> bool:
    windows = PureWindowsPath(location)
    return bool(windows.drive or windows.root)


def _number(entries: dict[str, str], key: str, default: int, what: str, span: Span | None) -> int:
    text = entries.get(key, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise error("NN0801", f"{what} has the {key} {text!r:.40} of external data", span)
    return int(text)


def _outside(what: str, location: str, why: str, span: Span | None) -> CompileError:
    return error(
        "NN0802",
        f"{what} wants the file {location!r:.200}, which {why}",
        span,
        help="external data lie beside the model or below its folder",
    )
