"""The -O levels on a residual network, the rewriting machinery, binding and retyping."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.bind import bind
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Parameter, Value
from nncomp.ops.activation import Relu
from nncomp.ops.conv import Conv
from nncomp.ops.conversion import Cast, Identity
from nncomp.ops.elementwise import Add, Mul, Neg
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.linear import MatMul
from nncomp.ops.normalization_batch import BatchNormalization
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.random import Random
from nncomp.ops.shape import Flatten, Transpose
from nncomp.passes.base import PassContext
from nncomp.passes.manager import PassRecord, optimize, pipeline
from nncomp.passes.retype import retype
from nncomp.passes.rewrite import Answer, Facts, Replacement, Rule, Sweep, by_node, by_value
from nncomp.types import DType, TensorType
from tests.passes.support import Net, check, names

N = new_dim("N")


def conv_bn(net: Net, x: Value, channels: int, kernel: int, stride: int = 1) -> Value:
    into, pad = x.shape[1], kernel // 2
    assert isinstance(into, int)
    w = net.param(channels, into, kernel, kernel)
    y = net(Conv(pads=(pad,) * 4, strides=(stride,) * 2), x, w)
    scale, shift, mean = (net.param(channels) for _ in range(3))
    return net(BatchNormalization(), y, scale, shift, mean, net.param(channels, positive=True))


def block(net: Net, x: Value, channels: int, stride: int) -> Value:
    y = net(Relu(), conv_bn(net, x, channels, 3, stride))
    y = conv_bn(net, y, channels, 3)
    skip = x if stride == 1 else conv_bn(net, x, channels, 1, stride)
    return net(Relu(), net(Add(), y, skip))


def residual_network(net: Net) -> Value:
    y = net(Relu(), conv_bn(net, net.input(N, 3, 9, 7), 4, 3))
    y = block(net, block(net, y, 4, 1), 6, 2)
    y = net(Identity(), net(Flatten(), net(GlobalAveragePool(), y)))
    y = net(MatMul(), y, net(Transpose(), net.param(5, 6)))
    return net(Add(), y, net.param(5))


@pytest.mark.parametrize("level", [0, 1])
def test_exact_levels(level: int) -> None:
    net = Net()
    result = check(net.bound(residual_network(net)), pipeline(level), exact=True)
    assert "Identity" not in names(result.graph) or level == 0
    assert names(result.graph).count("BatchNormalization") == 6


@pytest.mark.parametrize("level", [2, 3])
def test_everything_folds_and_fuses(level: int) -> None:
    net = Net()
    convs = "FusedConv FusedConv FusedConv FusedConv Conv FusedConv"
    result = check(net.bound(residual_network(net)), pipeline(level), f"{convs} ReduceMean Gemm")
    counts = {r.name: dict(r.result.counts) for r in result.log if r.result.counts}
    assert counts["fold-batch-norm"] == {"fold-into-previous": 6}
    assert counts["fuse-conv-activation"] == {"add-residual": 2, "fuse-activation": 5}
    assert counts["fuse-matmul-bias"] == {"add-bias": 1}


def test_without_weights_the_structure_is_the_same() -> None:
    net = Net()
    result = check(net.graph(residual_network(net)), pipeline(2), weights=net.weights)
    found = names(result.graph)
    assert "BatchNormalization" not in found
    assert found.count("FusedConv") == 5


def test_on_pass_sees_every_pass() -> None:
    net = Net()
    seen: list[PassRecord] = []
    result = optimize(net.bound(residual_network(net)), 2, evaluate, seen.append)
    assert [r.pass_ for r in seen] == list(pipeline(2))
    assert seen[0].before is not result.graph
    assert seen[-1].result.graph is result.graph


class OneStep(Rule):
    """Exp(x) → Neg(Relu(x)); Relu(x) → Identity(x): what a rule builds is rewritten too."""

    name = "one-step"
    roots = (Exp, Relu)

    def match(self, node: Node, facts: Facts) -> Answer:
        x = node.inputs[0]
        if isinstance(node.op, Relu):
            return by_node(Identity(), (x,), node)
        return Replacement(lambda b: b(Neg(), b(Relu(), x)))


class TestSweep:
    def sweep(self, graph: Graph) -> Graph:
        return Sweep("test", (OneStep(),), graph, PassContext()).run().graph

    def test_built_nodes_are_visited(self) -> None:
        net = Net()
        graph = net.graph(net(Exp(), net(Exp(), net.input(3)), name="y"))
        after = self.sweep(graph)
        assert names(after) == ["Identity", "Neg", "Identity", "Neg"]
        assert after.outputs["y0"].name == "y"

    def test_untouched_nodes_are_shared(self) -> None:
        net = Net()
        x = net.input(3)
        graph = net.graph(net(Neg(), x), net(Exp(), x))
        assert self.sweep(graph).nodes[0] is graph.nodes[0]

    def test_readers_follow_replacements(self) -> None:
        class Ask(Rule):
            """Records who reads the operand of each Neg."""

            name = "ask"
            roots = (Relu, Neg)

            def match(self, node: Node, facts: Facts) -> Answer:
                x = node.inputs[0]
                assert x is not None
                if isinstance(node.op, Relu):
                    return Replacement(lambda b: x)
                found.append(facts.why_not_private(x))
                return None

        found: list[str | None] = []
        net = Net()
        y = net(Exp(), net.input(3))
        r = net(Relu(), y)
        graph = net.graph(net(Mul(), net(Neg(), y), net(Neg(), r)))
        Sweep("test", (Ask(),), graph, PassContext()).run()
        assert found == ["its result has 1 other reader"] * 2

    def test_a_shared_constant_comes_back(self) -> None:
        class Scale(Rule):
            """Exp(x) → x · 2 → x, so that the constant dies; Neg(x) → x + 2 needs it again."""

            name = "scale"
            roots = (Exp, Neg, Mul)

            def match(self, node: Node, facts: Facts) -> Answer:
                x = node.inputs[0]
                assert x is not None
                if isinstance(node.op, Mul):
                    return by_value(x)
                op = Add() if isinstance(node.op, Neg) else Mul()
                return Replacement(lambda b: b(op, x, 2.0))

        net = Net()
        graph = net.graph(net(Neg(), net(Exp(), net.input(3))))
        after = Sweep("test", (Scale(),), graph, PassContext()).run().graph
        assert [n.op.name for n in after.nodes] == ["Constant", "Add"]


class TestBind:
    def graph(self) -> tuple[Net, Graph]:
        net = Net()
        y = net(Add(), net(MatMul(), net.input(N, 4), net.param(4, 5)), net.param(5))
        return net, net.graph(y)

    def test_parameters_become_constants_named_by_path(self) -> None:
        net, graph = self.graph()
        bound = bind(graph, net.weights)
        assert bound.parameters == ()
        constants = [n for n in bound.nodes if isinstance(n.op, Constant)]
        assert [n.outputs[0].name for n in constants] == ["p0", "p1"]

    def test_all_disagreements_at_once(self) -> None:
        _, graph = self.graph()
        weights = {"p0": np.zeros((4, 6), np.float32), "p_1": np.zeros(5, np.float32)}
        with pytest.raises(CompileError) as failure:
            bind(graph, weights)
        assert [d.code for d in failure.value.diagnostics] == ["NN0502"] * 3
        assert [d.message for d in failure.value.diagnostics] == [
            "`p0` is f32[4, 6] in the weights, the model wants f32[4, 5]",
            "the weights lack `p1`, f32[5]",
            "the model has no `p_1`, which the weights hold",
        ]
        assert failure.value.diagnostics[1].help == "did you mean `p_1`?"

    def test_dtypes(self) -> None:
        net, graph = self.graph()
        weights = {**net.weights, "p1": np.array(["a"] * 5)}
        with pytest.raises(CompileError, match=r"`p1` is string\[5\] in the weights"):
            bind(graph, weights)

    def test_what_is_updated_stays_a_parameter(self) -> None:
        net = Net()
        x, w, v = net.input(3), net.param(3), net.param(3)
        y = net(Mul(), net(Add(), x, w), v)
        graph = Graph("g", (x,), tuple(net.parameters), tuple(net.b.nodes), {"y": y}, {"p0": y})
        bound = bind(graph, {"p1": net.weights["p1"]})
        assert bound.parameters == (Parameter("p0", w, "param"),)


class TestRetype:
    def test_inputs_parameters_constants_and_casts(self) -> None:
        net = Net()
        x = net(Cast(DType.F32), net.input(3, dtype=DType.I64))
        y = net(Add(), net(Mul(), x, net.param(3)), 0.5)
        wide = retype(net.graph(y, net.inputs[0]), {DType.F32: DType.F64})
        assert wide.outputs["y0"].type == TensorType(DType.F64, (3,))
        assert wide.parameters[0].value.type.dtype is DType.F64
        assert wide.inputs[0].type.dtype is DType.I64

    def test_a_result_with_its_own_dtype_is_cast(self) -> None:
        net = Net()
        seed, step = (net.const(i, DType.I64) for i in (5, 7))
        y = net(Mul(), net(Random(site=1), seed, step, net.b.ints(3)), net.input(3))
        wide = retype(net.graph(y), {DType.F32: DType.F64})
        assert names(wide) == ["Random", "Cast", "Mul"]
