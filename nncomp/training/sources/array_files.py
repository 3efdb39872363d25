"""Arrays from npz, safetensors and npy files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nncomp.errors import CompileError, error
from nncomp.training.lazy import HELD
from nncomp.training.sources.source import Source, assembled
from nncomp.types import Array
from nncomp.weights import load_array, load_weights


def read_archive(path: str) -> Source:
    """The arrays of an npz or safetensors file; `x_train`, `x_val` and `x_test` (or `train_x` …)
    are the parts of `x`. Raises CompileError NN0001, NN0501."""
    with _as_data():
        arrays = load_weights(path)
    return assembled(path, arrays)


def read_array_files(specs: Sequence[str], name: str | None = None) -> Source:
    """An array of each file: `FILE.npy`, named as the file, or `NAME=FILE.npy`; parts as in an
    archive. Files of more than `HELD` bytes are mapped into memory, not read.
    Raises CompileError NN0001, NN0501."""
    arrays: dict[str, Array] = {}
    files: dict[str, str] = {}
    for spec in specs:
        given, equals, path = spec.partition("=")
        path, array_name = (path, given) if equals else (spec, Path(spec).stem)
        if array_name in arrays:
            raise error("NN0501", f"two files give the array `{array_name}`: {spec}")
        with _as_data():
            arrays[array_name] = load_array(path, HELD)
        files[array_name] = path
    return assembled(name or ", ".join(files.values()), arrays, files)


@contextmanager
def _as_data() -> Iterator[None]:
    """What is wrong with a file of weights, or of one input, is said of data."""
    try:
        yield
    except CompileError as refusal:
        first = refusal.diagnostics[0]
        if first.code not in ("NN0502", "NN0503"):
            raise
        raise error("NN0501", first.message, help=first.help) from None
