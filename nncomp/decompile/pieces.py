"""Text with holes: what a block's statements are made of before it is known which numbers differ
from one instance to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nncomp.dims import DimLike

if TYPE_CHECKING:
    from nncomp.decompile.templates import Template


@dataclass(frozen=True)
class Hole:
    """A number or dim.

    hint: what a hyperparameter for it is called
    keyword: of the argument that it is; with `default`, the argument is left out where it is that
    """

    value: DimLike
    hint: str
    keyword: str = ""
    default: int | None = None


@dataclass(frozen=True)
class Use:
    """A block with its hyperparameters: `Bottleneck(64, 2)`."""

    template: Template


Piece = str | Hole | Use
Pieces = list[Piece]


@dataclass
class Stage:
    """One step of a pipe.

    callee: what is called; arguments: after the value that comes through the pipe
    rest: further tensors, of an instance; name: of the instance, as it is written behind `as`
    hint: what its result may be called
    """

    callee: Pieces
    arguments: Pieces = field(default_factory=list)
    rest: Pieces = field(default_factory=list)
    name: str = ""
    is_block: bool = False
    hint: str = ""


PIPE, NOT, MINUS, ATOM = 0, 3, 7, 9  # how tight expressions bind; operators lie between


@dataclass
class Chain:
    """An expression: a head, and stages that it is piped through. tightness: of the head"""

    head: Pieces
    stages: list[Stage] = field(default_factory=list)
    tightness: int = ATOM

    @property
    def loose(self) -> bool:
        """Whether the head needs brackets in a pipe."""
        return self.tightness < ATOM

    def operand(self, least: int) -> Pieces:
        """The expression as an operand, in brackets if it does not bind as tightly as that."""
        tightness = self.tightness
        if self.stages:
            tightness = ATOM if self._is_call() else PIPE
        return self.pieces() if tightness >= least else ["(", *self.pieces(), ")"]

    def _is_call(self) -> bool:
        return len(self.stages) == 1 and not self.stages[0].is_block

    def pieces(self) -> Pieces:
        """The expression."""
        stages = self.stages
        if not stages:
            return self.head
        if self._is_call():
            (stage,) = stages
            return [*stage.callee, "(", *self.head, *_after(", ", stage.arguments), ")"]
        written: Pieces = ["(", *self.head, ")"] if self.loose else [*self.head]
        for stage in stages:
            written += [" |> ", *stage.callee]
            if stage.arguments and not stage.is_block:
                written += ["(", *stage.arguments, ")"]
            if stage.rest:
                written += ["(", *stage.rest, ")"]
            if stage.name:
                written += [" as ", stage.name]
        return written


def _after(comma: str, pieces: Pieces) -> Pieces:
    return [comma, *pieces] if pieces else []


def joined(parts: Iterable[Pieces], comma: str = ", ") -> Pieces:
    """Parts with commas between them."""
    pieces: Pieces = []
    for part in parts:
        pieces += [comma, *part] if pieces else part
    return pieces


def merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same pieces, neighbouring texts as one."""
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        if text:
            yield text
            text = ""
        yield piece
    if text:
        yield text
