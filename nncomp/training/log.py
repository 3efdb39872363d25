"""The log of a training run: one JSON object a line, the same for the same run.

A line is one step, `{"step": 1, "samples": 64, "loss": 2.3, "accuracy": 0.1}`, or one epoch,
`{"epoch": 1, "step": 40, "lr": 0.001, "train": {...}, "validation": {...}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nncomp.errors import error
from nncomp.files import PathLike, cannot, read_bytes, write_atomic

Record = dict[str, Any]


class Log:
    """Appends records to a file; starts empty, or with what an earlier run left.

    steps, epochs: of an earlier run in the file, the records of so many steps and epochs are kept;
        it may have been killed between the line of an epoch and its checkpoint
    """

    def __init__(self, path: PathLike, steps: int = 0, epochs: int = 0) -> None:
        self.path = Path(path)
        self.records: list[Record] = []
        if steps and self.path.exists():
            self.records = [
                r for r in read_log(path) if r["step"] <= steps and r.get("epoch", 0) <= epochs
            ]
        write_atomic(path, _lines(self.records))
        self._written = len(self.records)

    def add(self, record: Record) -> None:
        self.records.append(record)

    def flush(self) -> None:
        """Writes what was added since."""
        fresh = self.records[self._written :]
        try:
            with self.path.open("ab") as file:
                file.write(_lines(fresh))
        except OSError as failure:
            raise cannot("write", self.path, failure) from None
        self._written = len(self.records)


def read_log(path: PathLike) -> list[Record]:
    """The records of a log; a last line that a stopped run left unfinished is dropped.

    Raises CompileError NN0001, NN0404.
    """
    lines = read_bytes(path).decode("utf-8", "replace").split("\n")
    records = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
            if not isinstance(record["step"], int):
                raise ValueError("`step` is no integer")
        except (ValueError, KeyError, TypeError, RecursionError):
            raise error("NN0404", f"line {number} of {path} is not of a training log") from None
        records.append(record)
    return records


def epochs(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of whole epochs."""
    return [record for record in records if "epoch" in record]


def _lines(records: Sequence[Record]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()
