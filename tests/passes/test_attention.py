"""Attention that is written out, as the operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import Target, legalize
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.dims import DimLike, new_dim
from nncomp.ir.graph import Graph, Value
from nncomp.ops.activation import Softmax
from nncomp.ops.attention import Attention
from nncomp.ops.comparison import IsNaN
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Neg
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.forms import reshape, transpose, window
from nncomp.ops.linear import MatMul
from nncomp.ops.shape import Expand, Unsqueeze
from nncomp.ops.shape_joining import Concat
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.fuse_attention import FuseAttention
from nncomp.passes.fuse_rotary import FuseRotary
from nncomp.passes.manager import run_passes
from nncomp.passes.selection import plan_of
from nncomp.passes.simplify_shapes import SimplifyShapes
from nncomp.passes.simplify_transposes import SimplifyTransposes
from nncomp.types import DType
from tests.passes.broken.fault import N
from tests.passes.support import Net, assert_close, check, feeds, names

T = new_dim("T")
PASSES = [FuseAttention()]
LOWEST = float(np.finfo(np.float32).min)
ROTARY = [SimplifyShapes(), FuseRotary(), EliminateDeadNodes()]


def heads(net: Net, x: Value, count: int = 2, size: int = 3) -> Value:
    """[N, heads, length, size] of [N, length, heads · size]."""
    return transpose(net.b, reshape(net.b, x, *x.shape[:2], count, size), 0, 2, 1, 3)


def weights(net: Net, q: Value, k: Value, mask: Value | None = None) -> Value:
    scores = net(Div(), net(MatMul(), q, transpose(net.b, k, 0, 1, 3, 2)), 3**0.5)
    return net(Softmax(), scores if mask is None else net(Add(), scores, mask))


def rows(net: Net, y: Value) -> Value:
    batch, count, length, size = y.shape
    return reshape(net.b, transpose(net.b, y, 0, 2, 1, 3), batch, length, count * size)


def test_one_head_that_is_not_turned() -> None:
    net = Net()
    q, v = (heads(net, net.input(N, 5, 6), 1, 6) for _ in range(2))
    k = reshape(net.b, net.input(N, 5, 6), N, 1, 5, 6)
    y = rows(net, net(MatMul(), weights(net, q, k), v))
    result = check(net.bound(y), [SimplifyShapes(), *PASSES, EliminateDeadNodes()], "Attention")
    assert result.graph.nodes[-1].op.q_num_heads == 1  # type: ignore[attr-defined]


def causal(net: Net, length: int) -> Value:
    return net.const(np.where(np.tri(length), 0, -1e9).reshape(1, 1, length, length))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("batch", [2, N])
def test_all_heads(batch: DimLike, masked: bool) -> None:
    net = Net()
    parts = [heads(net, net.input(batch, 5, 6)) for _ in range(3)]
    mask = causal(net, 5) if masked else None
    y = net(MatMul(), weights(net, parts[0], parts[1], mask), parts[2])
    result = check(net.bound(rows(net, y)), PASSES, "Attention")
    op = result.graph.nodes[-1].op
    assert op == Attention(q_num_heads=2, kv_num_heads=2)


def test_heads_that_are_given() -> None:
    net = Net()
    q, k = net.input(N, 2, 5, 3), net.input(N, 2, 7, 3)
    y = net(MatMul(), weights(net, q, k), net.input(N, 2, 7, 4))
    result = check(net.bound(y), PASSES, "Attention")
    assert result.graph.nodes[-1].op == Attention()


def test_scale_on_both_sides_and_keys_turned_at_once() -> None:
    """As `scaled_dot_product_attention` is exported."""
    net = Net()
    q, v = (heads(net, net.input(N, 5, 6)) for _ in range(2))
    k = transpose(net.b, reshape(net.b, net.input(N, 5, 6), N, 5, 2, 3), 0, 2, 3, 1)
    scores = net(MatMul(), net(Mul(), q, 0.7), net(Mul(), k, 0.7))
    y = rows(net, net(MatMul(), net(Softmax(), scores), v))
    result = check(net.bound(y), PASSES, "Attention")
    op = result.graph.nodes[-1].op
    assert isinstance(op, Attention)
    assert op.scale == pytest.approx(0.49)


def test_keys_turned_with_heads_and_batch_as_one() -> None:
    """As PyTorch's dynamo exporter transposes four axes."""
    net = Net()
    q, k, v = (heads(net, net.input(N, 5, 6)) for _ in range(3))
    keys = transpose(net.b, reshape(net.b, k, N * 2, 5, 3), 0, 2, 1)
    scores = net(MatMul(), q, reshape(net.b, keys, N, 2, 3, 5))
    y = rows(net, net(MatMul(), net(Softmax(), scores), v))
    passes = [SimplifyShapes(), SimplifyTransposes(), *PASSES, EliminateDeadNodes()]
    check(net.bound(y), passes, "Attention")


def test_mask_of_queries_that_the_run_tells() -> None:
    net = Net()
    parts = [heads(net, net.input(N, T, 6)) for _ in range(3)]
    seen = net.input(N, 1, T, T, dtype=DType.BOOL)
    mask = net(Where(), seen, net.const(0.0), net.const(LOWEST))
    y = net(MatMul(), weights(net, parts[0], parts[1], mask), parts[2])
    after = run_passes(net.bound(rows(net, y)), PASSES, evaluate).graph
    assert names(after) == ["Where", "Attention"]


HIDDEN = np.where(np.tri(3), 0, -np.inf)


def masked(make: Callable[[Net], Value], *, guarded: bool = False) -> Graph:
    net = Net()
    q, k, v = (net.input(2, 2, 3, 3) for _ in range(3))
    y = weights(net, q, k, make(net))
    if guarded:
        y = net(Where(), net(IsNaN(), y), net.const(0.0), y)
    return net.bound(net(MatMul(), y, v))


def selected(net: Net, otherwise: float) -> Value:
    seen = net.input(1, 1, 3, 3, dtype=DType.BOOL)
    return net(Where(), seen, net.const(0.0), net.const(otherwise))


class TestQueriesThatSeeNoKey:
    """The formula makes NaN of them, the operator 0."""

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda net: net.const(HIDDEN), id="causal"),
            pytest.param(lambda net: selected(net, LOWEST), id="finite"),
            pytest.param(
                lambda net: net(
                    Mul(), net(Cast(DType.F32), net.input(3, 3, dtype=DType.BOOL)), -1e9
                ),
                id="product",
            ),
        ],
    )
    def test_none_is_possible(self, make: Callable[[Net], Value]) -> None:
        graph = masked(make)
        after = run_passes(graph, PASSES, evaluate).graph
        assert names(after)[-1] == "Attention"
        inputs = feeds(graph)
        for seen in (0, 1):  # no key at all, too, where the mask is an input
            bools = {v.name for v in graph.inputs if v.type.dtype is DType.BOOL}
            given = {n: np.full_like(x, seen) if n in bools else x for n, x in inputs.items()}
            assert_close(run(after, given, {}).outputs, run(graph, given, {}).outputs, 1e-5)

    @pytest.mark.parametrize(
        "make",
        [
            pytest.param(lambda net: net.const(np.where(np.eye(3), -np.inf, HIDDEN)), id="row"),
            pytest.param(lambda net: selected(net, -np.inf), id="selected"),
            pytest.param(lambda net: net.input(1, 1, 3, 3), id="input"),
            pytest.param(lambda net: net(Mul(), selected(net, LOWEST), 2.0), id="overflow"),
        ],
    )
    def test_refused_where_one_is_possible(self, make: Callable[[Net], Value]) -> None:
        graph = masked(make)
        result = run_passes(graph, PASSES, evaluate)
        assert "Attention" not in names(result.graph)
        (refusal,) = result.refusals
        assert "may hide every key from a query" in refusal.reason

    def test_where_the_formula_makes_0_itself(self) -> None:
        graph = masked(lambda net: selected(net, -np.inf), guarded=True)
        after = run_passes(graph, PASSES, evaluate).graph
        assert names(after) == ["Where", "Attention"]
        given = {n: np.zeros_like(x) if x.dtype == bool else x for n, x in feeds(graph).items()}
        for ran in (run(graph, given, {}), run(after, given, {})):
            assert not ran.outputs["y0"].any()


def test_heads_that_stay_apart() -> None:
    net = Net()
    q, k = net.input(N, 2, 5, 3), heads(net, net.input(N, 5, 6))
    y = net(MatMul(), weights(net, q, k), heads(net, net.input(N, 5, 6)))
    graph = net.bound(rows(net, y))
    result = check(graph, PASSES)
    assert names(result.graph).count("Attention") == 1
    (refusal,) = result.refusals
    assert refusal.reason == "a part of Attention is not cut from rows of all heads"


def repeated(net: Net, x: Value, times: int) -> Value:
    """As transformers' repeat_kv has it."""
    batch, count, length, size = x.shape
    wide = net(Expand(), net(Unsqueeze(), x, net.b.ints(2)), net.b.dims((1, 1, times, 1, 1)))
    return reshape(net.b, wide, batch, count * times, length, size)


def test_heads_that_serve_several() -> None:
    net = Net()
    q = heads(net, net.input(N, 5, 12), 4)
    k, v = (heads(net, net.input(N, 5, 6)) for _ in range(2))
    y = net(MatMul(), weights(net, q, repeated(net, k, 2)), repeated(net, v, 2))
    result = check(net.bound(rows(net, y)), [SimplifyShapes(), *PASSES, EliminateDeadNodes()])
    assert names(result.graph) == ["Attention"]
    assert result.graph.nodes[-1].op == Attention(q_num_heads=4, kv_num_heads=2)


def test_keys_that_are_repeated_alone() -> None:
    net = Net()
    q, v = net.input(N, 4, 5, 3), net.input(N, 4, 5, 3)
    y = net(MatMul(), weights(net, q, repeated(net, net.input(N, 2, 5, 3), 2)), v)
    after = check(net.bound(y), PASSES).graph
    assert {"Expand", "Attention"} <= set(names(after))


def angles(net: Net, length: int, size: int, whole: bool = True) -> tuple[Value, Value]:
    half = net.random.normal(size=(1, 1, length, size // 2))
    both = np.concatenate([half, half if whole else -half], axis=3)
    return net.const(np.cos(both)), net.const(np.sin(both))


def rotated(net: Net, x: Value, cos: Value, sin: Value) -> Value:
    """As transformers' apply_rotary_pos_emb has it."""
    size = x.shape[3]
    assert isinstance(size, int)
    lower, upper = (window(net.b, x, [i * (size // 2)], [size // 2], [3]) for i in range(2))
    turned = net(Concat(axis=-1), net(Neg(), upper), lower)
    return net(Add(), net(Mul(), x, cos), net(Mul(), turned, sin))


@pytest.mark.parametrize("batch", [1, 2, N])
def test_rotary(batch: DimLike) -> None:
    net = Net()
    x = net.input(batch, 2, 5, 4)
    result = check(net.bound(rotated(net, x, *angles(net, 5, 4))), ROTARY)
    assert names(result.graph)[-1] == "RotaryEmbedding"


def test_rotary_of_heads_that_are_cut() -> None:
    net = Net()
    q, k, v = (heads(net, net.input(1, 5, 8), 2, 4) for _ in range(3))
    turn = angles(net, 5, 4)
    y = net(MatMul(), weights(net, rotated(net, q, *turn), rotated(net, k, *turn)), v)
    passes = [*ROTARY, *PASSES]
    check(net.bound(rows(net, y)), passes, "RotaryEmbedding RotaryEmbedding Attention")


class TestRotaryRefusals:
    def reason(self, net: Net, *outputs: Value) -> str:
        (refusal,) = check(net.bound(*outputs), ROTARY).refusals
        return refusal.reason

    def test_angles_of_the_run(self) -> None:
        net = Net()
        x = net.input(1, 2, 5, 4)
        reason = self.reason(net, rotated(net, x, *(net.input(1, 1, 5, 4) for _ in range(2))))
        assert reason == "the angles are no constants that both halves have in common"

    def test_halves_that_differ(self) -> None:
        net = Net()
        x = net.input(1, 2, 5, 4)
        reason = self.reason(net, rotated(net, x, *angles(net, 5, 4, whole=False)))
        assert reason == "the angles are no constants that both halves have in common"

    def test_other_reader(self) -> None:
        net = Net()
        x = net.input(1, 2, 5, 4)
        y = rotated(net, x, *angles(net, 5, 4))
        assert y.node is not None
        reason = self.reason(net, y, net(Exp(), y.node.operands[1]))
        assert reason == (
            "the formula of RotaryEmbedding is needed step by step: Mul in it has 1 other reader"
        )

    def test_heads_that_others_read(self) -> None:
        net = Net()
        x = heads(net, net.input(1, 5, 8), 2, 4)
        y = rotated(net, x, *angles(net, 5, 4))
        reason = self.reason(net, y, net(Exp(), x))
        assert reason == "heads are turned apart: its result has 1 other reader"


class TestRefusals:
    def reason(self, net: Net, *outputs: Value) -> str:
        result = run_passes(net.bound(*outputs), PASSES, evaluate)
        assert not result.log[0].changed
        (refusal,) = result.refusals
        return refusal.reason

    def parts(self, net: Net) -> tuple[Value, Value, Value]:
        return net.input(N, 2, 5, 3), net.input(N, 2, 5, 3), net.input(N, 2, 5, 3)

    def test_weights_are_read(self) -> None:
        net = Net()
        q, k, v = self.parts(net)
        seen = weights(net, q, k)
        reason = self.reason(net, net(MatMul(), seen, v), net(Exp(), seen))
        assert reason == (
            "the formula of Attention is needed step by step: Softmax in it has 1 other reader"
        )

    def test_one_number_for_all_keys(self) -> None:
        net = Net()
        q, k, v = self.parts(net)
        reason = self.reason(net, net(MatMul(), weights(net, q, k, net.input(N, 1, 5, 1)), v))
        assert reason == (
            "Attention cannot take the mask: f32[N, 1, 5, 1] has no number for each of 5 keys"
        )

    def test_mask_without_queries(self) -> None:
        net = Net()
        q, k, v = self.parts(net)
        reason = self.reason(net, net(MatMul(), weights(net, q, k, net.input(5)), v))
        assert reason == "Attention cannot take the mask: f32[5] has no axis of queries"

    @pytest.mark.parametrize(
        ("queries", "keys", "values", "differ"),
        [
            (
                (1, 2),
                (N, 2),
                (N, 2),
                "Q f32[1, 2, 5, 3] and K f32[N, 2, 3, 5] differ in their batch",
            ),
            (
                (N, 1),
                (N, 2),
                (N, 2),
                "Q f32[N, 1, 5, 3] and K f32[N, 2, 3, 5] differ in their heads",
            ),
            (
                *((N, 2), (N, 2), (1, 2)),
                "K f32[N, 2, 3, 5] and V f32[1, 2, 5, 3] differ in their batch or heads",
            ),
            (
                *((N, 2), (N, 1), (N, 2)),
                "K f32[N, 1, 3, 5] and V f32[N, 2, 5, 3] differ in their batch or heads",
            ),
        ],
    )
    def test_products_that_broadcast(
        self,
        queries: tuple[DimLike, ...],
        keys: tuple[DimLike, ...],
        values: tuple[DimLike, ...],
        differ: str,
    ) -> None:
        """As queries that are learnt, and serve the whole batch, do."""
        net = Net()
        q, k, v = (net.input(*first, 5, 3) for first in (queries, keys, values))
        reason = self.reason(net, net(MatMul(), weights(net, q, k), v))
        assert reason == f"Attention does not broadcast: {differ}"

    def test_negative_scale(self) -> None:
        net = Net()
        q, k, v = self.parts(net)
        scores = net(Mul(), net(MatMul(), q, transpose(net.b, k, 0, 1, 3, 2)), -1.0)
        reason = self.reason(net, net(MatMul(), net(Softmax(), scores), v))
        assert reason == "Attention scales by a number above 0, not by -1"


def test_an_opset_without_the_operator_keeps_the_formula() -> None:
    """No more nodes than came in, where it would have to be written out again."""
    net = Net()
    parts = [heads(net, net.input(2, 5, 6)) for _ in range(3)]
    graph = net.bound(rows(net, net(MatMul(), weights(net, *parts[:2], causal(net, 5)), parts[2])))
    sizes = {}
    for opset in (17, 23):
        after = run_passes(graph, plan_of(2, opset).passes, evaluate).graph
        made = emit(legalize(after, Target(opset=opset)), opset=opset)
        kinds = [node.op_type for node in made.graph.node]
        assert ("Attention" in kinds) == (opset == 23)
        sizes[opset] = len(kinds)
    assert sizes[23] < sizes[17] <= len(names(graph))
