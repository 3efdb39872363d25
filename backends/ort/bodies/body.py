"""What a body is: one way to spell an operator of our own in standard operators.

An operator may have several bodies; which is fastest depends on the shape and on the provider.
`legalize` takes the applicable one of least cost, and the operator's own `decompose` where there
is none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Node, Value
from nncomp.ir.op import Op

Provider = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Target:
    """What the graph is lowered for.

    provider: whose speeds decide between bodies; each body is right on all
    opset: operators that this opset lacks are decomposed; None for the newest that is written
    block: on the CPU, the channels of a block in onnxruntime's own layout; None for standard
        operators alone
    """

    provider: Provider = "cpu"
    opset: int | None = None
    block: int | None = None


Results = Value | tuple[Value, ...]


@dataclass(frozen=True)
class Body:
    """One way to spell an operator.

    name: kebab-case; it appears in the history of the nodes, as `legalize/NAME`
    op: the operator
    refuses: why the body cannot stand for this node, None if it can
    cost: estimated time in units of the best body's for large operands, lower is better
    build: adds the nodes; gives as many values as the operator has results
    """

    name: str
    op: type[Op]
    refuses: Callable[[Node, Target], str | None]
    cost: Callable[[Node, Target], float]
    build: Callable[[Builder, Node], Results]


def always(node: Node, target: Target) -> str | None:
    """For bodies that serve every node."""
    return None


def constant_cost(cost: float) -> Callable[[Node, Target], float]:
    """For bodies whose cost does not depend on the shape."""
    return lambda node, target: cost


def operand(node: Node, index: int) -> Value:
    """An operand that must be present."""
    value = node.inputs[index]
    assert value is not None
    return value
