"""Reading source text and writing outputs: coded errors, and never a half-written file."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable
from mmap import ACCESS_READ, mmap
from pathlib import Path

from nncomp.errors import CompileError, error
from nncomp.source import SourceFile, Span

PathLike = str | os.PathLike[str]
MAX_SOURCE = 4 << 20  # bytes of a .nn file


def read_bytes(path: PathLike) -> bytes:
    """The contents of a file. Raises CompileError NN0001."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
        raise cannot("read", path, failure) from None


def mapped_beyond(path: PathLike, size: int) -> bytes | mmap:
    """The contents of a file; one of more bytes than `size` is mapped into memory, not read.
    Raises CompileError NN0001."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > size:
                return mmap(file.fileno(), 0, access=ACCESS_READ)
            return file.read()
    except (OSError, ValueError) as failure:
        raise cannot("read", path, failure) from None


def is_onnx(path: PathLike) -> bool:
    """Whether a file is taken for an ONNX model, by its name or its first byte."""
    name = os.fspath(path)
    if name.endswith((".onnx", ".safetensors")):  # of these the first byte is the header's length
        return name.endswith(".onnx")
    try:
        with open(path, "rb") as file:
            return starts_onnx(file.read(1))
    except (OSError, ValueError):  # who reads it says why
        return False


def starts_onnx(data: bytes) -> bool:
    """Whether bytes can be an ONNX model rather than text: its first field is a number."""
    return data[:1] == b"\x08"


def read_source(path: PathLike) -> SourceFile:
    """The text of a `.nn` file. Raises CompileError NN0001, NN0002 (not UTF-8), NN0009."""
    try:
        with open(path, "rb") as file:
            return decode_source(os.fspath(path), file.read(MAX_SOURCE + 1))
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
        raise cannot("read", path, failure) from None


def decode_source(name: str, data: bytes) -> SourceFile:
    """UTF-8 bytes as a source. Raises CompileError NN0002, pointing at the first bad byte, and
    NN0009 for more than MAX_SOURCE bytes."""
    if len(data) > MAX_SOURCE:
        raise error("NN0009", f"{name} is larger than {MAX_SOURCE >> 20} MiB")
    return SourceFile(name, decode_text(name, data))


def decode_text(name: str, data: bytes) -> str:
    """UTF-8 bytes as text, without a byte order mark. Raises CompileError NN0002."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as failure:
        kind = _weights_of(name, data)
        if kind is not None:
            raise error("NN0002", f"{name} is no model: it is {kind}", help=_MODEL_HELP) from None
        readable = SourceFile(name, data[: failure.start].decode("utf-8") + "\ufffd")
        end = len(readable.text)
        raise error(
            "NN0002",
            f"{name} is not UTF-8 text",
            Span(readable, end - 1, end),
            f"byte 0x{data[failure.start]:02x}",
            help="this takes .nn text, not an ONNX model"
            if name.endswith(".onnx")
            else "save the file as UTF-8",
        ) from None


# how `torch.save` began before it wrote archives: a pickle of its magic number. Two bytes would not
# do: the file of a safetensors header of 640 bytes begins like any pickle
_OLD_CHECKPOINT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"


def is_checkpoint(data: bytes) -> bool:
    """Whether bytes are what `torch.save` writes: an archive with a pickle in it, or a pickle."""
    archive = data[:4] == b"PK\x03\x04" and b"/data.pkl" in data[:4096]
    return archive or data.startswith(_OLD_CHECKPOINT)


_MODEL_HELP = (
    "weights go with a model: `--weights FILE`; PyTorch writes the whole of one with "
    '`torch.onnx.export(network, (x,), "network.onnx", dynamo=True)`'
)


def _weights_of(name: str, data: bytes) -> str | None:
    """What kind of file of numbers this is, if it is one."""
    if is_checkpoint(data):
        return "a checkpoint of PyTorch's"
    if data[:4] == b"PK\x03\x04":
        return "an archive, of NumPy arrays perhaps"
    if data[:6] == b"\x93NUMPY":
        return "a NumPy array"
    return "weights" if name.endswith(".safetensors") else None


def write_atomic(path: PathLike, data: bytes | Iterable[bytes]) -> None:
    """Writes beside the target, syncs, and moves into place: all of it or nothing.

    data: the contents, or their parts in order
    Makes the folder where it is missing. Raises CompileError NN0001.
    """
    target = Path(path)
    parts = [data] if isinstance(data, bytes) else data
    try:
        _make_folder(target.parent)
        if target.exists() and not target.is_file():  # /dev/stdout, a pipe: nothing to replace
            target.write_bytes(b"".join(parts))
            return
        target = target.resolve()  # through a link: what it points at is replaced
        handle, beside = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(beside, _mode(target))
            os.replace(beside, target)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except (OSError, ValueError) as failure:
        raise cannot("write", path, failure) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(p for p in (folder, *folder.parents) if p.exists() and not p.is_dir())
        raise NotADirectoryError(errno.ENOTDIR, f"{file} is a file, no folder") from None


def cannot(action: str, path: PathLike, failure: Exception) -> CompileError:
    """NN0001 for a file that cannot be read or written."""
    reason = failure.strerror if isinstance(failure, OSError) and failure.strerror else failure
    help = None
    if action == "read" and isinstance(failure, IsADirectoryError):
        found = [*sorted(Path(path).glob("*.nn")), *Path(path).glob("best.safetensors")]
        help = f"name a file in it, such as {found[0]}" if found else None
    elif action == "read" and isinstance(failure, FileNotFoundError):
        whole = Path(path).with_suffix(".nn")
        help = f"did you mean {whole}?" if not Path(path).suffix and whole.is_file() else None
    return error("NN0001", f"cannot {action} {os.fspath(path)!r}: {reason}", help=help)


def _mode(target: Path) -> int:
    """The target's permissions, or those a new file gets."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: Path) -> None:
    """Makes the rename durable, where folders can be synced."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
