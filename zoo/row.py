"""What a row of the table says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nncomp.types import Array

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "models"

Make = Callable[[tuple[int, ...]], Array]


@dataclass(frozen=True)
class Case:
    """One model with hyperparameters, at which it is compiled, and run by both backends.

    special: inputs that cannot be any numbers
    initial: with the weights that training starts from, where others are badly conditioned
    symbols: whole numbers among the inputs are below it
    sizes: of the batch, and of every other open dim
    heavy: whether its training graph takes long to compile, so that `make test-slow` does it
    """

    file: str
    settings: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    special: dict[str, Make] = field(default_factory=dict)
    initial: bool = False
    symbols: int = 10
    sizes: tuple[int, ...] = (1, 3, 7)
    heavy: bool = False

    def __str__(self) -> str:
        settings = "-".join(f"{k}={v}" for k, v in self.settings.items())
        return "-".join(filter(None, (self.file.removesuffix(".nn"), self.model, settings)))


@dataclass(frozen=True)
class Figure:
    """A published figure, a closed form, or an independent implementation (level 4).

    what: in words
    check: gives what was found, in words; raises AssertionError where it is something else
    """

    what: str
    check: Callable[[], str]


@dataclass(frozen=True)
class Mark:
    """What training reaches (level 5).

    what: the mark, in words
    commands: run one after another in the repository's root, by which anybody repeats it
    reads: the name of the number, in the last command's output
    bound: of that number
    measure: finds the number in another way, from the output and the folder with out/
    most: whether the number has to stay below the bound, instead of above
    quick: whether it takes seconds, and so is run by `make test`
    """

    what: str
    commands: tuple[str, ...]
    reads: str
    bound: float
    most: bool = False
    quick: bool = False
    measure: Callable[[str, Path], float] | None = None

    def reached(self, value: float) -> bool:
        return value <= self.bound if self.most else value >= self.bound


@dataclass(frozen=True)
class Row:
    """One system.

    number: in the table of systems
    cases: small sizes of its models (levels 1 to 3)
    figure, mark: where it has one
    short: what is still missing, where something is
    """

    number: int
    system: str
    cases: tuple[Case, ...]
    figure: Figure | None = None
    mark: Mark | None = None
    short: str = ""

    @property
    def file(self) -> str:
        return self.cases[0].file
