"""What the graphs of one program have in common: parameters with their initial values, findings."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from typing import TYPE_CHECKING

from nncomp.errors import CompileError, Diagnostic, Problems, error
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, ParameterKind, Value
from nncomp.lower.recovery import CONSEQUENCES
from nncomp.lower.watching import Watch
from nncomp.records import record
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType, TensorType

if TYPE_CHECKING:
    from nncomp.lower.remembering import Memory
    from nncomp.lower.repeating import Repeats

SCALAR = TensorType(DType.I64, ())


@record
class Initial:
    """What a parameter starts from."""

    kind: ParameterKind
    value: Value  # in the graph of initial values
    span: Span


class Store:
    """All parameters of a program, over all of its graphs, with their initial values.

    wanted: the optional inputs that the graphs have; optional: all that there are
    warnings: what is odd but no error, each once
    problems: the errors found so far
    undefined: the places of names that were found to have no value
    lowered: declarations whose bodies were run
    watch: who looks on
    memory: what blocks gave before
    """

    def __init__(
        self,
        wanted: Collection[str] = (),
        watch: Watch | None = None,
        memory: Memory | Repeats | None = None,
    ) -> None:
        self.wanted = wanted
        self.watch = watch
        self.memory = memory
        self.optional: dict[str, None] = {}
        self.warnings: dict[tuple[str, Span | None], Diagnostic] = {}
        self.problems = Problems()
        self.undefined: set[Span] = set()
        self.lowered: set[ast.Decl] = set()
        self.initial: dict[str, Initial] = {}
        self.builder = Builder()
        self.seed = Value(SCALAR, "seed")
        self._adopted: set[Node] = set()  # the first _settled nodes of the builder
        self._known: set[Value] = set()  # their results
        self._settled = 0

    def begin(self, other: Store) -> None:
        """Takes over what was found while the file was loaded."""
        self.warnings |= other.warnings
        self.undefined |= other.undefined
        self.lowered |= other.lowered
        if other.problems:
            self.problems.add(other.problems.error())

    def adopt(self, value: Value, span: Span) -> None:
        """Takes what computes an initial value into the graph of initial values. Parts of it may
        have been built in another graph, such as a hyperparameter, but none depends on inputs."""
        built = self.builder.nodes[self._settled :]
        del self.builder.nodes[self._settled :]
        pending = [value, *(node.outputs[0] for node in reversed(built))]
        while pending:
            node = pending[-1].node
            if node is None and pending[-1] is not self.seed:
                raise error(
                    "NN0307",
                    "an initial value cannot depend on inputs or parameters",
                    span,
                    help="it is computed once, before training, from the seed alone; "
                    "`copy(net)` is an instance whose buffers start as the parameters of `net`",
                )
            missing = [] if node is None else [v for v in node.operands if v not in self._known]
            if missing and node not in self._adopted:
                pending += missing
                continue
            self._known.add(pending.pop())
            if node is not None and node not in self._adopted:
                self._adopted.add(self.builder.append(node))
                self._known.update(node.outputs)
        self._settled = len(self.builder.nodes)

    def warn(self, diagnostic: Diagnostic) -> None:
        """Takes note of a warning; a body that is lowered for several graphs gives it once."""
        self.warnings.setdefault((diagnostic.message, diagnostic.span), diagnostic)

    def report(self, failure: CompileError) -> None:
        """Takes note of an error, unless it follows from an earlier one."""
        follows = all(d.code in CONSEQUENCES for d in failure.diagnostics)
        if not (self.problems and follows):
            self.problems.add(failure)

    def site(self, name: str) -> int:
        """A number for a place that draws random numbers, the same in every graph of the name."""
        return zlib.crc32(name.encode())
