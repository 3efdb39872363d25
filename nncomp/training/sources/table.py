"""Tables: csv and tsv files with a header, one sample a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from nncomp.errors import CompileError, did_you_mean, error
from nncomp.files import decode_text, read_bytes
from nncomp.training.sources.source import Arrays, Reading, Source
from nncomp.types import Array, TensorType

TABLES = (".csv", ".tsv")
_SHOWN = 12  # classes that a note lists


def read_table(path: str, inputs: Mapping[str, TensorType], reading: Reading) -> Source:
    """The target's column under its own name, and the others as `features`, f64[N, D].

    Columns named as inputs of the model feed these. A target of texts becomes class numbers, in
    the order of the texts. Raises CompileError NN0001, NN0002, NN0501.
    """
    header, rows, lines = _rows(path)
    own = [name for name in header if name in inputs]
    if reading.label is not None:
        label = _known(reading.label, header, path)
        own = [label, *(name for name in own if name != label)]
    elif not own:
        own = header[-1:]
    features = [_known(name, header, path) for name in reading.columns]
    features = features or [name for name in header if name not in own]
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    arrays: Arrays = {}
    notes: list[str] = []
    if features:
        numbers = [_numbers(path, name, columns[name], lines) for name in features]
        arrays["features"] = np.stack(numbers, axis=1)
        notes.append(f"features: {_listed(features)}")
    for name in own:
        arrays[name], note = _target(path, name, columns[name], lines)
        notes += note
    return Source(path, arrays, notes=tuple(notes), place=lambda _, __, row: _at(path, lines[row]))


def _rows(path: str) -> tuple[list[str], list[list[str]], list[int]]:
    """The header, the rows, and the line on which each stands."""
    text = decode_text(path, read_bytes(path))
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        line = reader.line_num + 1
        for row in reader:
            if row:  # not an empty line
                rows.append(row)
                lines.append(line)
                if len(row) != len(header):
                    raise error(
                        "NN0501",
                        f"{_at(path, line)} has {len(row)} fields, the header {len(header)}",
                    )
            line = reader.line_num + 1
    except csv.Error as failure:
        raise error("NN0501", f"{_at(path, reader.line_num)} is no table: {failure}") from None
    if header and all(map(_is_number, header)):
        raise error(
            "NN0501",
            f"the first line of {path} holds numbers, it must name the columns",
        )
    doubled = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if doubled is not None:
        raise error("NN0501", f"{path} has two columns `{doubled}`")
    if not rows:
        raise error("NN0501", f"{path} has no samples")
    return header, rows, lines


def _at(path: str, line: int) -> str:
    return f"line {line} of {path}"


def _known(name: str, header: Sequence[str], path: str) -> str:
    if name not in header:
        raise error(
            "NN0501",
            f"{path} has no column `{name}`; it has {_listed(header)}",
            help=did_you_mean(name, header),
        )
    return name


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(path: str, name: str, column: Sequence[str], lines: Sequence[int]) -> Array:
    try:
        return np.array([float(text) for text in column])
    except ValueError:
        raise _no_number(path, name, column, lines) from None


def _no_number(path: str, name: str, column: Sequence[str], lines: Sequence[int]) -> CompileError:
    row = next(i for i, text in enumerate(column) if not _is_number(text))
    found = f"`{column[row]:.40}`" if column[row].strip() else "nothing"
    return error(
        "NN0501",
        f"{_at(path, lines[row])} has {found} in the column `{name}`, a number is needed",
        help="leave the line out, or the column: `--columns` names those that are features",
    )


def _target(
    path: str, name: str, column: Sequence[str], lines: Sequence[int]
) -> tuple[Array, list[str]]:
    """Whole numbers as i64, others as f64, texts as the numbers of their classes."""
    texts = [text.strip() for text in column]
    empty = next((i for i, text in enumerate(texts) if not text), None)
    if empty is not None:
        raise error("NN0501", f"{_at(path, lines[empty])} has nothing in the column `{name}`")
    if all(text.lstrip("+-").isdecimal() and len(text) < 19 for text in texts):
        return np.array([int(text) for text in texts], np.int64), []
    if any(map(_is_number, texts)):
        return _numbers(path, name, texts, lines), []
    classes, numbers = np.unique(np.array(texts), return_inverse=True)
    listed = _listed([f"{text} {number}" for number, text in enumerate(classes)])
    return numbers.astype(np.int64), [f"{name}: the classes {listed}"]
