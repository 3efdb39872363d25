"""Constant folding, common subexpressions, dead nodes, shape arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import new_dim
from nncomp.errors import error
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Origin, Value
from nncomp.ir.op import Data
from nncomp.ops.activation import LeakyRelu, Relu
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul, Neg
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.filling import ConstantOfShape
from nncomp.ops.indexing import Gather
from nncomp.ops.linear import MatMul
from nncomp.ops.random import Random
from nncomp.ops.selection import NonZero
from nncomp.ops.shape import Expand, Reshape, Shape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split
from nncomp.passes.base import PassContext
from nncomp.passes.eliminate_common_subexpressions import EliminateCommonSubexpressions
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.fold_constants import MAX_GROWTH, FoldConstants
from nncomp.passes.simplify_shapes import SimplifyShapes
from nncomp.source import SourceFile, Span
from nncomp.types import DType, TensorType
from tests.passes.support import Net, check, names

N, T = new_dim("N"), new_dim("T")
FOLD = (FoldConstants(),)


class TestFolding:
    def test_chain(self) -> None:
        net = Net()
        w = net(Exp(), net(Add(), net.param(4, 5), net.const(1.0)))
        check(net.bound(net(MatMul(), net.input(N, 4), w)), FOLD, "MatMul")

    def test_several_results(self) -> None:
        net = Net()
        parts = net.b.multi(Split(num_outputs=2), net.param(6))
        check(net.bound(net(Add(), net(Mul(), net.input(3), parts[0]), parts[1])), FOLD, "Mul Add")

    def test_a_result_of_the_graph(self) -> None:
        net = Net()
        check(net.bound(net(Exp(), net.param(4))), FOLD, "")

    def test_without_weights_nothing_is_known(self) -> None:
        net = Net()
        check(net.graph(net(Exp(), net.param(4))), FOLD, "Exp", weights=net.weights)

    def test_without_evaluate_nothing_is_computed(self) -> None:
        net = Net()
        graph = net.bound(net(Exp(), net.param(4)))
        assert FoldConstants().run(graph, PassContext()).graph is graph

    def test_exact_leaves_what_backends_round_differently(self) -> None:
        net = Net()
        w = net(Exp(), net(Transpose(), net.param(4, 5)))
        result = check(net.bound(net(Mul(), net.input(5, 4), w)), (FoldConstants(exact=True),))
        assert names(result.graph) == ["Exp", "Mul"]

    def test_size(self) -> None:
        net = Net()
        side = 1 + int((MAX_GROWTH / 4) ** 0.5)
        large = net(Expand(), net.const(0.5), net.b.ints(side, side))
        result = check(net.graph(net(Mul(), net.input(side, side), large)), FOLD, "Expand Mul")
        (refusal,) = result.refusals
        assert "larger than the constants it is made of" in refusal.reason

    def test_large_weights_are_folded(self) -> None:
        net = Net()
        w = net(Neg(), net.b.constant(np.ones((1 << 10, 1 << 10), np.float32)))
        check(net.graph(net(Mul(), net.input(1), w)), FOLD, "Mul")

    def test_an_operator_that_cannot_be_computed(self) -> None:
        def fails(*_: object) -> tuple[np.ndarray, ...]:
            raise error("NN0603", "no kernel")

        net = Net()
        graph = net.bound(net(Exp(), net.param(4)))
        result = FoldConstants().run(graph, PassContext(fails))
        assert result.graph is graph
        assert [r.reason for r in result.refusals] == ["no kernel"]

    def test_names_stay(self) -> None:
        net = Net()
        graph = net.bound(net(Exp(), net.param(4), name="table"))
        after = FoldConstants().run(graph, PassContext(evaluate)).graph
        assert after.outputs["y0"].name == "table"


class TestCommonSubexpressions:
    PASSES = (EliminateCommonSubexpressions(),)

    def test_chains(self) -> None:
        net = Net()
        x = net.input(N, 4)
        sides = [net(Add(), net(Exp(), x), net.const([2.0])) for _ in range(3)]
        y = net(Mul(), net(Mul(), sides[0], sides[1]), sides[2])
        check(net.graph(y), self.PASSES, "Exp Add Mul Mul", exact=True)

    def test_constants(self) -> None:
        net = Net()
        x = net.input(3)
        twins = [net(Constant(Data(np.ones(3, np.float32)))) for _ in range(2)]
        graph = net.graph(net(Add(), net(Mul(), x, twins[0]), twins[1]))
        assert len(check(graph, self.PASSES, exact=True).graph.nodes) == 3

    def test_what_differs_stays(self) -> None:
        net = Net()
        x, y = net.input(3), net.input(3)
        seed, step = (net.const(i, DType.I64) for i in (5, 7))
        shape = net.b.ints(3)
        outputs = (
            *(net(LeakyRelu(alpha), x) for alpha in (0.5, 0.25, 0.0, -0.0)),
            *(net(MatMul(), *pair) for pair in ((x, y), (y, x))),
            *(net(Random(site=site), seed, step, shape) for site in (0, 1)),
            *(net(Add(), x, net.const([zero])) for zero in (0.0, -0.0)),
        )
        graph = net.graph(*outputs)
        assert check(graph, self.PASSES, exact=True, ort=False).graph is graph

    def test_random_numbers_of_one_site(self) -> None:
        net = Net()
        seed, step = (net.const(i, DType.I64) for i in (5, 7))
        draws = [net(Random(site=3), seed, step, net.b.ints(3)) for _ in range(2)]
        check(net.graph(net(Add(), *draws)), self.PASSES, "Random Add", exact=True, ort=False)

    def test_results_of_the_graph(self) -> None:
        net = Net()
        x = net.input(3)
        result = check(net.graph(net(Exp(), x), net(Exp(), x)), self.PASSES, "Exp", ort=False)
        assert result.graph.outputs["y0"] is result.graph.outputs["y1"]

    def test_spans_of_all(self) -> None:
        source = SourceFile("m.nn", "a = exp(x)\nb = exp(x)\n")
        spans = Span(source, 4, 10), Span(source, 15, 21)
        net = Net()
        x = net.input(3)
        results = []
        for scope, span in zip("ab", spans, strict=True):
            with net.b.at(Origin((span,), scope)):
                results.append(net(Exp(), x))
        graph = check(net.graph(net(Add(), *results)), self.PASSES, exact=True).graph
        origin = graph.nodes[0].origin
        assert (origin.spans, origin.scope) == (spans, "a")


def test_dead_nodes() -> None:
    net = Net()
    x = net.input(N, 4)
    net(Exp(), net(Relu(), x))
    y = net(Neg(), x)
    result = check(net.graph(y), (EliminateDeadNodes(),), "Neg", exact=True)
    assert result.log[0].result.counts == {"remove-unread": 2}


class TestShapes:
    PASSES = (SimplifyShapes(), EliminateDeadNodes())

    def test_a_size_that_only_a_node_tells_keeps_the_node(self) -> None:
        net = Net()
        found = net(NonZero(), net.input(N))
        check(net.graph(net(Shape(), found)), self.PASSES, "NonZero Shape")

    def batch_of(self, net: Net, x: Value) -> Value:
        return net(Gather(axis=0), net(Shape(), x), net.b.ints(0))

    def test_exported_flatten(self) -> None:
        """Shape, Gather, Concat, Reshape, as exporters write it."""
        net = Net()
        x = net.input(N, 4, 6)
        shape = net(Concat(axis=0), self.batch_of(net, x), net.b.ints(24))
        check(net.graph(net(Reshape(), x, shape)), self.PASSES, "Reshape", exact=True)

    def test_a_static_shape(self) -> None:
        net = Net()
        check(net.graph(net(Shape(), net.input(3, 4))), self.PASSES, "", exact=True)

    def test_dims_that_have_to_be_computed(self) -> None:
        net = Net()
        x, other = net.input(N, 4, 6), net.input(T, 2)
        shape = net(Concat(axis=0), self.batch_of(net, other), self.batch_of(net, x))
        y = net(Expand(), net.const(2.0), shape)
        check(net.graph(y), self.PASSES, "Dims Expand", exact=True)

    def test_copied_and_left_over_dims(self) -> None:
        net = Net()
        x = net.input(N, T, 12)
        y = net(Reshape(), x, net.b.dims((N, T, 3, 4)))
        z = net(Reshape(), x, net.b.dims((N * T, 12)))
        graph = check(net.graph(y, z), self.PASSES, "Reshape Reshape", exact=True).graph
        shapes = [n.op.value.array.tolist() for n in graph.nodes if isinstance(n.op, Constant)]
        assert shapes == [[0, 0, 3, 4], [-1, 12]]

    def test_a_scalar_dim_keeps_its_nodes(self) -> None:
        net = Net()
        size = net(Squeeze(), self.batch_of(net, net.input(N, 4)), net.b.ints(0))
        check(net.graph(net(Unsqueeze(), size, net.b.ints(0))), self.PASSES, "Dims", exact=True)

    def test_contents_that_wrap_are_not_known(self) -> None:
        net = Net()
        y = net(Cast(DType.I32), net.b.ints(2**31, 5))
        check(net.graph(y), self.PASSES, "Cast", exact=True)

    def test_float_contents_are_left_alone(self) -> None:
        net = Net()
        op = ConstantOfShape(Data(np.ones(1, np.float32)))
        check(net.graph(net(op, net.b.ints(3))), self.PASSES, "ConstantOfShape", exact=True)


def test_cost_is_linear_in_nodes() -> None:
    """A long chain, without recursion; each pass in a moment."""
    x = Value(TensorType(DType.F32, (2,)), "x")
    b = Builder()
    y = x
    for _ in range(20_000):
        y = b(Neg(), b(Relu(), y))
    graph = Graph("g", (x,), (), tuple(b.nodes), {"y": y})
    assert all(isinstance(node, Node) for node in graph.nodes)
    for pass_ in (*FOLD, SimplifyShapes(), EliminateCommonSubexpressions(), EliminateDeadNodes()):
        assert pass_.run(graph, PassContext(evaluate)).graph is graph


@pytest.mark.parametrize("pass_", [FoldConstants(), SimplifyShapes()])
def test_an_empty_graph(pass_: FoldConstants) -> None:
    x = Value(TensorType(DType.F32, (2,)), "x")
    graph = Graph("g", (x,), (), (), {"y": x})
    assert pass_.run(graph, PassContext(evaluate)).graph is graph
