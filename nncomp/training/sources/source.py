"""What every data source gives: named arrays, in parts, that know where each sample stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nncomp.errors import error
from nncomp.training.lazy import Samples
from nncomp.types import Array

Arrays = dict[str, Samples]
PARTS = ("train", "validation", "test")
_SPELT = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation"}
_SPELT |= {"dev": "validation", "test": "test"}


@dataclass(frozen=True)
class Reading:
    """How to read what does not say itself.

    label: the column of a table that holds the target; without, one named as an input, or the last
    columns: the columns that are features; without, all others
    """

    label: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def given(self) -> tuple[str, str]:
        """The option that says so, and its value."""
        return ("--label", self.label) if self.label else ("--columns", ",".join(self.columns))


@dataclass(frozen=True)
class Source:
    """Named arrays with samples along their first axis.

    validation, test: the samples kept apart for that, where the source says which
    notes: what was done to the numbers
    place: of a part, an array and a row: where that sample stands, if it is not the row of the
        array
    origins: of a part and an array: what the array is called where it is from, and the file
    """

    name: str
    train: Arrays
    validation: Arrays = field(default_factory=dict)
    test: Arrays = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    place: Callable[[str, str, int], str] | None = None
    origins: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def where(self, part: str, array: str, row: int) -> str:
        """Where a sample stands, in words."""
        return self.place(part, array, row) if self.place else self.origin(part, array, row)

    def origin(self, part: str, array: str, row: int | None = None) -> str:
        """Where an array is from, or a row of it, in words."""
        name, file = self.origins.get((part, array), (array, self.name))
        return f"`{name}` of {file}" if row is None else f"`{name}[{row}]` of {file}"

    @property
    def parts(self) -> dict[str, Arrays]:
        """Those that are there."""
        everything = zip(PARTS, (self.train, self.validation, self.test), strict=True)
        return {name: arrays for name, arrays in everything if arrays}


def part_of(name: str) -> str | None:
    """ "validation" for `val`, the name of a folder or a part of an array's name."""
    return _SPELT.get(name.lower())


def assembled(
    name: str, arrays: Mapping[str, Array], files: Mapping[str, str] | None = None
) -> Source:
    """A source of arrays whose names may say which part they are: `x_train`, `test_x`.

    files: the file of each array, where it is not `name`
    Raises CompileError NN0501 if their numbers of samples differ, or parts are incomplete.
    """
    parts: dict[str, Arrays] = {part: {} for part in PARTS}
    origins: dict[tuple[str, str], tuple[str, str]] = {}
    for full, array in arrays.items():
        part, base = _split_name(full)
        parts[part][base] = array
        origins[part, base] = full, (files or {}).get(full, name)
    if not parts["train"]:
        raise error("NN0501", f"{name} holds no arrays to train on")
    for part, found in parts.items():
        _require_samples(name, found)
        if found and set(found) != set(parts["train"]):
            odd = ", ".join(sorted(set(found) ^ set(parts["train"])))
            raise error("NN0501", f"{name} has only one of the train and {part} parts of {odd}")
    return Source(name, parts["train"], parts["validation"], parts["test"], origins=origins)


def _split_name(name: str) -> tuple[str, str]:
    """("test", "x") for `x_test` and `test_x`; ("train", "x") for the others."""
    first, _, rest = name.partition("_")
    if rest and (part := part_of(first)):
        return part, rest
    before, _, last = name.rpartition("_")
    if before and (part := part_of(last)):
        return part, before
    return "train", name


def _require_samples(name: str, arrays: Arrays) -> None:
    for array_name, array in arrays.items():
        if array.ndim == 0:
            raise error("NN0501", f"`{array_name}` in {name} has no axis of samples")
        if not len(array):
            raise error("NN0501", f"`{array_name}` in {name} has no samples")
    lengths = {array_name: len(array) for array_name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{array_name} {length}" for array_name, length in lengths.items())
        raise error("NN0501", f"the arrays of {name} differ in their number of samples: {listed}")


def listing(folder: Path) -> Sequence[Path]:
    """What is in a folder, sorted, without hidden files. Raises CompileError NN0001."""
    from nncomp.files import cannot

    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as failure:
        raise cannot("read", folder, failure) from None
