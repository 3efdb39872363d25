"""Who says whether a pass has changed an answer.

NumPy in float32 compares what will run. Where it moved by more than rounding may, float64 decides:
the two graphs themselves, widened. NumPy in float64 also runs the pass on the widened graph, and
sees what rounding would hide. onnxruntime, with its own optimiser off, sees what is written of it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from nncomp.equivalence.compare import (
    ROUNDING,
    SAME,
    STRICT,
    Answers,
    Difference,
    bound,
    difference,
)
from nncomp.equivalence.report import FLOAT64, NUMPY, RUNTIME
from nncomp.equivalence.running import Backends, Feed, Run
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.passes.retype import retype
from nncomp.types import DType, tensors_of

_BROKEN = float("inf")
_OWN = 10.0  # times as far as NumPy: then it is the runtime's graph that is wrong, not rounding
_VISIBLE = 1e-3


def widened(graph: Graph) -> Graph:
    """The graph in float64. Raises CompileError if an operator takes none."""
    return retype(graph, {DType.F32: DType.F64})


class Judge:
    """Runs graphs and compares their answers.

    unlike: outputs that are drawn at random, and not compared
    """

    name: ClassVar[str]

    def __init__(self, backends: Backends, unlike: Collection[str] = ()) -> None:
        self.backends = backends
        self.unlike = frozenset(unlike)

    def prepare(self, graph: Graph) -> Graph:
        """The graph as this judge looks at it. Raises CompileError if it cannot."""
        return graph

    def opened(self, graph: Graph) -> Run:
        """A way to run the graph on several feeds. Raises CompileError if it cannot be run."""
        raise NotImplementedError(self.name)

    def limit(self, before: Answers) -> float:
        return bound(before)

    def apart(self, found: Answers, wanted: Answers, exact: bool) -> Difference:
        wanted = {name: a for name, a in wanted.items() if name not in self.unlike}
        return difference(found, wanted, exact=exact)

    def is_rounding(self, before: Graph, after: Graph, feed: Feed, found: Difference) -> bool:
        """Whether a difference beyond the limit comes from rounding alone."""
        return False


class InFloat32(Judge):
    name = NUMPY

    def opened(self, graph: Graph) -> Run:
        return lambda feed: self.backends.numpy(graph, feed, None)

    def is_rounding(self, before: Graph, after: Graph, feed: Feed, found: Difference) -> bool:
        try:
            wide = feed.wide()
            first, second = (self.backends.numpy(widened(g), wide, None) for g in (before, after))
        except CompileError:
            return False
        return self.apart(second, first, exact=False).size <= ROUNDING


class InFloat64(Judge):
    name = FLOAT64

    def prepare(self, graph: Graph) -> Graph:
        return widened(graph)

    def opened(self, graph: Graph) -> Run:
        return lambda feed: self.backends.numpy(graph, feed.wide(), None)

    def limit(self, before: Answers) -> float:
        wide = all(a.itemsize == 8 for a in tensors_of(before).values() if a.dtype.kind == "f")
        return STRICT if wide else bound(before)


class InRuntime(InFloat32):
    name = RUNTIME

    def opened(self, graph: Graph) -> Run:
        assert self.backends.onnxruntime is not None
        return self.backends.onnxruntime(graph)

    def is_rounding(self, before: Graph, after: Graph, feed: Feed, found: Difference) -> bool:
        """Where the formulas agree, it is the runtime's unless NumPy's answers move likewise."""
        if not super().is_rounding(before, after, feed, found):
            return False
        first, second = (self.backends.numpy(g, feed, None) for g in (before, after))
        moved = self.apart(second, first, exact=False).size
        return found.size <= max(_VISIBLE, _OWN * moved)


def verdict(
    judge: Judge,
    before: Graph,
    after: Graph,
    feed: Feed,
    answers: tuple[Answers, Answers | None],
    *,
    exact: bool,
) -> tuple[Difference, bool]:
    """How far the answers are apart, and whether that is a fault.

    answers: of both graphs; None for one that could not be run
    exact: the pass may change no bit
    """
    wanted, found = answers
    if found is None:
        return Difference("", _BROKEN), True
    apart = judge.apart(found, wanted, exact)
    if apart.size <= (0.0 if exact else judge.limit(wanted)):
        return apart, False
    return apart, exact or not judge.is_rounding(before, after, feed, apart)


__all__ = ["SAME", "InFloat32", "InFloat64", "InRuntime", "Judge", "verdict", "widened"]
