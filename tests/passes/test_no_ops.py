"""Nodes that do nothing, and chains that one node does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import new_dim
from nncomp.ir.graph import Value
from nncomp.ops.activation import Relu
from nncomp.ops.comparison import Not
from nncomp.ops.conversion import Cast, Identity, StopGradient
from nncomp.ops.elementwise import Add, Clip, Div, Max, Mean, Min, Mul, Neg, Sub, Sum
from nncomp.ops.elementwise_math import Abs, Ceil, Exp, Floor, Pow, Sign
from nncomp.ops.grad import Grad
from nncomp.ops.reduction import ReduceMax, ReduceMean, ReduceSum
from nncomp.ops.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.ops.shape_joining import Concat, Split, Tile
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.passes.base import PassContext
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.eliminate_no_ops import EliminateNoOps, is_wider
from nncomp.passes.fold_constants import FoldConstants
from nncomp.passes.manager import run_passes
from nncomp.types import DType
from tests.passes.support import Body, Net, check, names

EXACT = (EliminateNoOps(exact=True), EliminateDeadNodes())
ROUGH = (EliminateNoOps(), EliminateDeadNodes())
N, T = new_dim("N"), new_dim("T")


def joined(net: Net, *axes: int, shared: bool = False) -> Value:
    """Three tensors, two of them joined along one axis first, then all along another."""
    x, y, z = net.input(N, 4, 6), net.input(N, 4, 6), net.input(N, 4, 6)
    inner = net(Concat(axis=axes[0]), x, y)
    outer = net(Concat(axis=axes[1]), z, inner)
    return net(Concat(axis=axes[1]), outer, inner) if shared else outer


def ints(net: Net, *values: int) -> Value:
    return net.b.ints(*values)


def case(body: Body, left: str, id: str) -> object:
    return pytest.param(body, left, id=id)


@pytest.mark.parametrize(
    ("body", "left"),
    [
        case(lambda n: n(Identity(), n.input(N, 4)), "", "identity"),
        case(lambda n: n(StopGradient(), n.input(N, 4)), "", "stop-gradient"),
        case(lambda n: n(Cast(DType.F32), n.input(N, 4)), "", "cast"),
        case(lambda n: n(Reshape(), n.input(N, 4), ints(n, -1, 4)), "", "reshape"),
        case(lambda n: n(Reshape(), n.input(N, 4), ints(n, 2, -1)), "Reshape", "real-reshape"),
        case(lambda n: n(Flatten(), n.input(N, 4)), "", "flatten"),
        case(lambda n: n(Expand(), n.input(N, 4), ints(n, 1, 4)), "", "expand"),
        case(lambda n: n(Expand(), n.input(1, 4), ints(n, 3, 4)), "Expand", "real-expand"),
        case(lambda n: n(Tile(), n.input(N, 4), ints(n, 1, 1)), "", "tile"),
        case(lambda n: n(Transpose((0, 1)), n.input(N, 4)), "", "transpose"),
        case(lambda n: n(Transpose(), n.input(4, 4)), "Transpose", "real-transpose"),
        case(lambda n: n(Slice(), n.input(N, 4), ints(n, 0), ints(n, 2**40)), "", "slice"),
        case(
            lambda n: n(Slice(), n.input(4), *(ints(n, i) for i in (-1, -(2**40), 0, -1))),
            "Slice",
            "backwards-slice",
        ),
        case(lambda n: n(Pad(), n.input(N, 4), ints(n, 0, 0, 0, 0)), "", "pad"),
        case(lambda n: n(Pad(), n.input(N, 4), ints(n, 0, 1, 0, -1)), "Pad", "shifting-pad"),
        case(lambda n: n(Concat(axis=0), n.input(N, 4)), "", "concat"),
        case(lambda n: n(Split(num_outputs=1), n.input(6, 4)), "", "split"),
        case(lambda n: n(Sum(), n.input(N, 4)), "", "sum"),
        case(lambda n: n(Mean(), n.input(N, 4)), "", "mean"),
        case(lambda n: n(Max(), n.input(N, 4)), "", "max"),
        case(lambda n: n(Min(), n.input(N, 4), n.input(4)), "Min", "real-min"),
        case(lambda n: n(Clip(), n.input(N, 4)), "", "clip"),
        case(lambda n: n(ReduceMax(), n.input(N, 1), ints(n, 1)), "", "reduce-max"),
        case(lambda n: n(ReduceMax(), n.input(N, 1), ints(n, 0)), "ReduceMax", "real-reduce-max"),
        case(lambda n: n(ReduceMean(noop_with_empty_axes=1), n.input(N, 4)), "", "reduce-nothing"),
        case(lambda n: n(Mul(), n.input(N, 4), 1.0), "", "mul"),
        case(lambda n: n(Mul(), n.const([1.0] * 4), n.input(N, 4)), "", "mul-left"),
        case(lambda n: n(Mul(), n.input(N, 1), n.const([1.0] * 4)), "Mul", "broadcasting-mul"),
        case(lambda n: n(Div(), n.input(N, 4), 1.0), "", "div"),
        case(lambda n: n(Div(), n.const(1.0), n.input(N, 4)), "Div", "reciprocal"),
        case(lambda n: n(Pow(), n.input(N, 4), 1.0), "", "pow"),
        case(lambda n: n(Sub(), n.input(N, 4), 0.0), "", "sub"),
        case(lambda n: n(Add(), n.input(N, 4), -0.0), "", "add-negative-zero"),
        case(lambda n: n(Add(), n.input(N, 4), 0.0), "Add", "add-zero"),
        case(lambda n: n(Sub(), n.input(N, 4), -0.0), "Sub", "sub-negative-zero"),
        case(lambda n: n(Add(), n.input(N, 4, dtype=DType.I32), 0), "", "add-int"),
        case(lambda n: n(ReduceSum(), n.input(N, 1), ints(n, 1)), "ReduceSum", "reduce-sum"),
        case(lambda n: n(Neg(), n(Neg(), n.input(N, 4))), "", "neg"),
        case(lambda n: n(Not(), n(Not(), n.input(N, 4, dtype=DType.BOOL))), "", "not"),
        case(lambda n: n(Relu(), n(Relu(), n(Relu(), n.input(N, 4)))), "Relu", "relu"),
        case(lambda n: n(Abs(), n(Abs(), n.input(N, 4))), "Abs", "abs"),
        case(lambda n: n(Sign(), n(Sign(), n.input(N, 4))), "Sign", "sign"),
        case(lambda n: n(Floor(), n(Ceil(), n.input(N, 4))), "Ceil Floor", "floor-ceil"),
        case(
            lambda n: n(Transpose((0, 2, 1)), n(Transpose((1, 0, 2)), n.input(N, 4, T))),
            "Transpose",
            "transposes",
        ),
        case(
            lambda n: n(Transpose((2, 0, 1)), n(Transpose((1, 2, 0)), n.input(N, 4, T))),
            "",
            "transposes-undone",
        ),
        case(lambda n: joined(n, 1, -2), "Concat", "concats"),
        case(lambda n: joined(n, 1, 1, shared=True), "Concat Concat", "shared-concat"),
        case(
            lambda n: n(Concat(axis=2), n.input(N, 12, 6), joined(n, 1, 1)),
            "Concat Concat",
            "concats-of-two-axes",
        ),
        case(
            lambda n: n(Reshape(), n(Flatten(), n.input(N, 6, 2)), ints(n, -1, 4, 3)),
            "Reshape",
            "reshapes",
        ),
        case(
            lambda n: n(Squeeze(), n(Unsqueeze(), n.input(N, 4), ints(n, 1)), ints(n, 1)),
            "",
            "reshapes-undone",
        ),
        case(
            lambda n: n(Cast(DType.F64), n(Cast(DType.F32), n.input(N, 4, dtype=DType.F16))),
            "Cast",
            "casts",
        ),
        case(
            lambda n: n(Cast(DType.F32), n(Cast(DType.F16), n.input(N, 4))),
            "Cast Cast",
            "narrowing-casts",
        ),
        case(
            lambda n: n(Cast(DType.I32), n(Cast(DType.I64), n.input(N, 4, dtype=DType.I32))),
            "",
            "casts-undone",
        ),
    ],
)
def test_exact(body: Callable[[Net], Value], left: str) -> None:
    net = Net()
    y = net(Identity(), body(net))
    check(net.graph(y), EXACT, left, exact=True, ort=False)


@pytest.mark.parametrize(
    "body",
    [
        lambda n: n(Add(), n.input(N, 4), 0.0),
        lambda n: n(Add(), n.const([0.0] * 4), n.input(N, 4)),
        lambda n: n(Sub(), n.input(N, 4), -0.0),
        lambda n: n(ReduceSum(), n.input(N, 1), ints(n, 1)),
    ],
)
def test_rough(body: Callable[[Net], Value]) -> None:
    net = Net()
    check(net.graph(net(Exp(), body(net))), ROUGH, "Exp")


def test_ort_agrees_on_a_chain() -> None:
    net = Net()
    x = net.input(N, 6, 2)
    y = net(Reshape(), net(Flatten(), net(Identity(), x)), ints(net, -1, 4, 3))
    y = net(Transpose((2, 1, 0)), net(Transpose((1, 0, 2)), net(Exp(), y)))
    check(net.graph(y), EXACT, "Reshape Exp Transpose", exact=True)


def test_reshapes_to_two_symbolic_dims_are_one_to_dims() -> None:
    net = Net()
    flat = net(Reshape(), net.input(N, T, 4), net.b.dims((N * T * 4,)))
    check(net.graph(net(Reshape(), flat, net.b.dims((4, N, T)))), EXACT, "Dims Reshape", exact=True)


def test_a_reshape_by_zeros_keeps_the_one_before() -> None:
    """0 copies a size of what stands before it, two of which are not known here."""
    net = Net()
    first = net(Reshape(), net.input(N, T, 4), net.b.dims((T, N, 4)))
    graph = net.graph(net(Reshape(), first, net.b.ints(0, 0, 2, 2)))
    check(graph, EXACT, names(graph), exact=True)


def test_a_reshape_by_a_computed_shape_with_a_zero_keeps_the_one_before() -> None:
    net = Net()
    first = net(Reshape(), net.input(N, T, 4), net.b.dims((T, N, 4)))
    graph = net.graph(net(Reshape(), first, net.b.dims((0, 2 * N, -1))))
    check(graph, EXACT, names(graph), exact=True)


def test_a_reshape_by_a_shape_that_the_run_tells_keeps_the_one_before() -> None:
    """It may be 0 somewhere; with `allowzero` that copies nothing."""
    for allowzero, left in ((0, "Dims Reshape Reshape"), (1, "Reshape")):
        net = Net()
        first = net(Reshape(), net.input(N, T, 4), net.b.dims((T, N, 4)))
        given = net.input(3, dtype=DType.I64)
        graph = net.graph(net(Reshape(allowzero=allowzero), first, given))
        assert names(run_passes(graph, EXACT).graph) == left.split()


def test_a_cast_to_string_tells_dtypes_apart() -> None:
    """0.1 of float32 is 0.10000000149011612 of float64."""
    net = Net()
    graph = net.graph(net(Cast(DType.STRING), net(Cast(DType.F64), net.input(4))))
    assert names(run_passes(graph, EXACT).graph) == ["Cast", "Cast"]


def test_stop_gradient_stays_while_a_grad_is_there() -> None:
    net = Net()
    x = net.input()
    graph = net.graph(net(Grad(), net(Exp(), net(StopGradient(), x)), x))
    assert EliminateNoOps().run(graph, PassContext()).graph is graph


def test_refused_merges_leave_shared_nodes() -> None:
    net = Net()
    y = net(Transpose((1, 0)), net.input(N, 4))
    graph = net.graph(net(Transpose((1, 0)), y), net(Exp(), y))
    check(graph, EXACT, "Transpose Exp", exact=True, ort=False)


def test_wider() -> None:
    assert is_wider(DType.BOOL, DType.U8)
    assert is_wider(DType.I8, DType.I16)
    assert is_wider(DType.U8, DType.I16)
    assert is_wider(DType.BF16, DType.F32)
    assert not is_wider(DType.I64, DType.F64)
    assert not is_wider(DType.U8, DType.I8)
    assert not is_wider(DType.F32, DType.F16)
    assert not is_wider(DType.F16, DType.BF16)


class TestMergeSums:
    PASSES = (EliminateNoOps(), FoldConstants())

    def test_constants_are_added_to_each_other(self) -> None:
        net = Net()
        y = net(Add(), net.param(3, 4), net(Add(), net.input(N, 3, 4), net.param(4)))
        check(net.bound(y), self.PASSES, "Add")

    def test_not_where_their_sum_is_larger(self) -> None:
        net = Net()
        y = net(Add(), net(Add(), net.input(N, 3, 4), net.param(3, 1)), net.param(4))
        check(net.bound(y), self.PASSES, "Add Add")

    def test_not_where_the_first_is_read(self) -> None:
        net = Net()
        y = net(Add(), net.input(N, 4), net.param(4))
        graph = net.bound(net(Add(), y, net.param(4)), y)
        (refusal,) = check(graph, self.PASSES, "Add Add").refusals
        assert refusal.reason.endswith("its result is an output of the graph")

    def test_factors(self) -> None:
        net = Net()
        c = net.const([0.5, 2.0, 3.0, 0.25])
        check(net.bound(net(Mul(), net(Mul(), c, net.input(N, 4)), 10.0)), self.PASSES, "Mul")

    @pytest.mark.parametrize("numbers", [(1e30, 1e30), (1e-30, 1e-30)])
    def test_no_factors_whose_product_is_lost(self, numbers: tuple[float, float]) -> None:
        net = Net()
        y = net.input(N, 4)
        for number in numbers:
            y = net(Mul(), y, number)
        (refusal,) = check(net.bound(y), self.PASSES, "Mul Mul").refusals
        assert "no normal numbers of float32" in refusal.reason

    def test_nor_in_bfloat16(self) -> None:
        net = Net()
        small = net.const(1e-30, DType.BF16)
        y = net(Mul(), net(Mul(), net.input(4, dtype=DType.BF16), small), small)
        (refusal,) = run_passes(net.graph(y), self.PASSES, evaluate).refusals
        assert "no normal numbers of bfloat16" in refusal.reason

    def test_no_terms_whose_sum_overflows(self) -> None:
        """x may be the number that brings the first sum back."""
        net = Net()
        y = net(Add(), net(Add(), net.input(N, 4), 3e38), 3e38)
        (refusal,) = run_passes(net.graph(y), self.PASSES, evaluate).refusals
        assert refusal.reason == "the sum of the constants overflows"

    def test_not_at_o1(self) -> None:
        net = Net()
        y = net(Add(), net(Add(), net.input(N, 4), net.param(4)), net.param(4))
        check(net.bound(y), EXACT, "Add Add", exact=True)
