"""The verifier, on graphs broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Node, Origin, Parameter, Value
from nncomp.ir.obligation import Comparison, Obligation
from nncomp.ir.verify import verify
from nncomp.ops.activation import Relu
from nncomp.ops.elementwise import Add
from nncomp.source import SourceFile, Span
from nncomp.types import DType, TensorType
from tests.ir.graphs import lenet, resnet


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


def sound() -> Graph:
    """y = relu(x + p), which is also p's update."""
    x, p = Value(f32(2), "x"), Value(f32(2), "p")
    b = Builder()
    y = b(Relu(), b(Add(), x, p))
    parameters = (Parameter("p", p, "param"),)
    return Graph("net", (x,), parameters, tuple(b.nodes), {"y": y}, {"p": y})


def test_sound_graphs_pass() -> None:
    verify(sound())
    verify(lenet())
    verify(resnet((1, 1, 1, 1)))
    n = new_dim("N")
    b = Builder()
    x = Value(TensorType(DType.F32, (n, 2)), "x")
    verify(Graph("net", (x,), (), (), {"x": x}))
    assert not b.nodes


def other() -> Value:
    return Builder()(Relu(), Value(f32(2), "z"))


def with_node(g: Graph, node: Node) -> Graph:
    return g.replace((*g.nodes, node))


def lone_value(g: Graph) -> Graph:
    return with_node(g, Node(Relu(), (Value(f32(2), "stray"),), (f32(2),)))


def wrong_type(g: Graph) -> Graph:
    return with_node(g, Node(Relu(), (g.inputs[0],), (f32(3),), Origin(scope="block.1")))


def disowned(g: Graph) -> Graph:
    node = Node(Relu(), (g.inputs[0],), (f32(2),))
    node.outputs = (Value(f32(2)),)
    return with_node(g, node)


def own_result(g: Graph) -> Graph:
    node = Node(Relu(), (g.inputs[0],), (f32(2),))
    node.inputs = node.outputs
    return with_node(g, node)


BROKEN: list[tuple[Callable[[Graph], Graph], str]] = [
    (
        lambda g: g.replace(reversed(g.nodes)),
        "operand 0 of node 0 (Relu), <_: f32[2]>, is computed by a later node",
    ),
    (lambda g: g.replace(g.nodes[1:]), "is computed by a node that is not in the graph"),
    (lone_value, "operand 0 of node 2 (Relu), <stray: f32[2]>, is no input or parameter"),
    (own_result, "operand 0 of node 2 (Relu) is its own result"),
    (
        wrong_type,
        "result 0 of node 2 (Relu in block.1) is recorded as f32[3] and inferred as f32[2]",
    ),
    (disowned, "result 0 of node 2 (Relu) does not point back to it"),
    (
        lambda g: with_node(g, Node(Add(), (g.inputs[0],), (f32(2),))),
        "node 2 (Add) does not take its operands: Add: Add lacks its operand `B`",
    ),
    (
        lambda g: with_node(g, Node(Relu(), (g.inputs[0], None, None), (f32(2),))),
        "node 2 (Relu) does not take its operands: Relu: Relu takes 1 operands, not 3",
    ),
    (
        lambda g: with_node(g, Node(Relu(), (g.inputs[0],), (f32(2), f32(2)))),
        "node 2 (Relu) has 2 results, Relu gives 1",
    ),
    (lambda g: with_node(g, g.nodes[0]), "node 2 (Add) stands in the graph twice"),
    (lambda g: replace(g, outputs={"y": other()}), "the output `y`, <_: f32[2]>, is not computed"),
    (lambda g: replace(g, updates={"p": other()}), "the update of `p`"),
    (
        lambda g: replace(g, updates={"q": g.inputs[0]}),
        "an update is given for `q`, which is no parameter",
    ),
    (
        lambda g: replace(g, inputs=(*g.inputs, w := Value(f32(5), "w")), updates={"p": w}),
        "the update of `p` is f32[5], the parameter f32[2]",
    ),
    (
        lambda g: replace(
            g, obligations=(Obligation((Comparison(new_dim("K"), "==", 2),), "pairs"),)
        ),
        "the obligation `K == 2` needs K, which no input's shape tells",
    ),
    (
        lambda g: replace(g, inputs=(*g.inputs, Value(f32(2), "x"))),
        "two inputs have the name `x`",
    ),
    (lambda g: replace(g, parameters=g.parameters * 2), "two parameters have the name `p`"),
    (
        lambda g: replace(g, parameters=(Parameter("q", g.inputs[0], "param"),)),
        "the parameter `q` shares its value with another",
    ),
    (
        lambda g: replace(g, inputs=(g.nodes[0].outputs[0],)),
        "an input has no name",
    ),
    (lambda g: replace(g, defaults={"lr": 0.1}), "a default is given for `lr`, which is no input"),
    (lambda g: replace(g, defaults={"x": 0.1}), "a default is given for `x`, which has rank 1"),
]


@pytest.mark.parametrize(("break_it", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_broken(break_it: Callable[[Graph], Graph], message: str) -> None:
    with pytest.raises(CompileError) as caught:
        verify(break_it(sound()))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "NN0701"
    assert message in diagnostic.message


def test_the_report_points_at_the_source() -> None:
    source = SourceFile("net.nn", "y = relu(x)")
    g = sound()
    span = Span(source, 4, 11)
    bad = Node(Relu(), (g.inputs[0],), (f32(3),), Origin((span,)))
    with pytest.raises(CompileError) as caught:
        verify(with_node(g, bad))
    assert caught.value.diagnostics[0].span == span
