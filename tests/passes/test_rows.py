"""Products of one tensor merged, and what works row by row as matrices."""

from __future__ import annotations

import pytest

from nncomp.ir.graph import Value
from nncomp.ops.activation import Gelu, Relu, Softmax
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.forms import reduce_mean, reshape, transpose
from nncomp.ops.linear import Gemm, MatMul
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.reduction import ReduceMean
from nncomp.ops.shape import Flatten, Transpose
from nncomp.passes.eliminate_dead_nodes import EliminateDeadNodes
from nncomp.passes.flatten_rows import FlattenRows
from nncomp.passes.fuse_matmul_bias import FuseMatmulBias
from nncomp.passes.manager import run_passes
from nncomp.passes.merge_products import MergeProducts
from nncomp.passes.simplify_shapes import SimplifyShapes
from nncomp.passes.simplify_transposes import SimplifyTransposes
from nncomp.passes.squeeze_reductions import SqueezeReductions
from tests.passes.broken.fault import N
from tests.passes.support import Net, check


def linear(net: Net, x: Value, columns: int, bias: bool = True) -> Value:
    inner = x.shape[-1]
    assert isinstance(inner, int)
    y = net(MatMul(), x, net.param(inner, columns))
    return net(Add(), y, net.param(columns)) if bias else y


MERGE = [MergeProducts()]


def test_queries_keys_and_values() -> None:
    net = Net()
    x = net.input(N, 5, 6)
    parts = [net(Relu(), linear(net, x, 4)) for _ in range(3)]
    check(net.bound(*parts), MERGE, "MatMul Add Split Relu Relu Relu")


def test_some_without_bias_and_other_widths() -> None:
    net = Net()
    x = net.input(N, 6)
    parts = [linear(net, x, 4), linear(net, x, 3, bias=False), linear(net, x, 2)]
    check(net.bound(*parts), MERGE, "MatMul Add Split")


def test_gemm() -> None:
    net = Net()
    x = net.input(N, 6)
    parts = [
        net(Gemm(transB=1), x, net.param(4, 6), net.param(4)),
        net(Gemm(), x, net.param(6, 3)),
        net(Gemm(), x, net.param(6, 3)),
    ]
    merged = check(net.bound(*parts), MERGE).graph
    assert [n.op.name for n in merged.nodes if n.inputs] == ["Gemm", "Split"]


def test_two_products_stay_apart() -> None:
    """A product and a Split would be as many."""
    net = Net()
    x = net.input(N, 6)
    parts = [linear(net, x, 4, bias=False), linear(net, x, 4, bias=False)]
    result = check(net.bound(*parts), MERGE)
    assert not result.log[0].changed
    count = "2 products of one tensor, 2 nodes"
    assert [r.reason for r in result.refusals] == [
        f"{count}, would be 2 as one product with a Split behind it"
    ] * 2


def test_computed_weights_stay_apart() -> None:
    net = Net()
    x = net.input(N, 6)
    parts = [net(MatMul(), x, net.input(6, 4)) for _ in range(3)]
    assert not check(net.bound(*parts), MERGE).log[0].changed


def test_why_products_stay_apart_before_their_weights_are_known() -> None:
    """What is said of parameters is what becomes of them."""
    net = Net()
    x, z = net.input(N, 5, 6), net.input(N, 6)
    many = [net(Relu(), linear(net, x, 4)) for _ in range(3)]
    few = [linear(net, z, 4, bias=False), linear(net, z, 4, bias=False)]
    result = run_passes(net.graph(*many, *few), MERGE)
    bound = check(net.bound(*many, *few), MERGE)
    merged = "3 products of one tensor, 6 nodes, would be 3 as one product with a Split behind it"
    apart = "2 products of one tensor, 2 nodes, would be 2 as one product with a Split behind it"
    later = f"{merged}, once the numbers of the weights are known"
    assert [r.reason for r in result.refusals] == [later] * 3 + [apart] * 2
    assert [r.reason for r in bound.refusals] == [apart] * 2
    assert bound.log[0].result.counts == {"merge-parallel": 1}


FLATTEN = [
    *(SimplifyShapes(), FlattenRows(), FuseMatmulBias()),
    *(SimplifyShapes(), EliminateDeadNodes()),
]


def test_feed_forward() -> None:
    net = Net()
    x = net.input(N, 5, 6)
    y = linear(net, net(Gelu(), linear(net, x, 8)), 6)
    y = net(LayerNormalization(), net(Add(), y, x), net.param(6), net.param(6))
    y = linear(net, y, 6)
    expected = "Reshape Gemm Gelu Gemm Add LayerNormalization Gemm Reshape"
    check(net.bound(y), FLATTEN, expected)


def test_reshapes_in_between_go() -> None:
    net = Net()
    x = net.input(N, 5, 6)
    y = net(Gemm(), reshape(net.b, x, N * 5, 6), net.param(6, 8), net.param(8))
    y = net(Gelu(), reshape(net.b, y, N, 5, 8))
    y = net(Gemm(), reshape(net.b, y, N * 5, 8), net.param(8, 6), net.param(6))
    check(net.bound(reshape(net.b, y, N, 5, 6)), FLATTEN, "Reshape Gemm Gelu Gemm Reshape")


def test_one_product_is_not_worth_it() -> None:
    net = Net()
    y = net(Relu(), linear(net, net.input(N, 5, 6), 4))
    result = check(net.bound(y), [FlattenRows()])
    assert not result.log[0].changed
    (refusal,) = result.refusals
    assert refusal.reason == "it would be a Gemm, but there would be 1 node more: " + (
        "reshapes to matrices and back"
    )


def test_two_products_are_worth_it() -> None:
    """As many nodes; but a runtime would make matrices for each product on its own. The number that
    scales stands first."""
    net = Net()
    y = linear(net, net(Gelu(), linear(net, net.input(N, 5, 6), 8)), 6)
    y = net(Mul(), net.input(6), y)
    check(net.bound(y), FLATTEN, "Reshape Gemm Gelu Gemm Mul Reshape")


def test_heads_that_are_cut_take_matrices() -> None:
    """The reshape that cuts the heads serves for the one that leaves the matrix."""
    net = Net()
    x = linear(net, net.input(N, 5, 6), 6)
    y = linear(net, net(Relu(), linear(net, x, 6)), 6)
    y = transpose(net.b, reshape(net.b, net(Softmax(), y), N, 5, 2, 3), 0, 2, 1, 3)
    after = check(net.bound(y), FLATTEN).graph
    assert [n.op.name for n in after.nodes if n.inputs].count("Gemm") == 3


def test_factors_along_other_axes_stay() -> None:
    net = Net()
    x = net.input(N, 5, 6)
    y = net(Mul(), linear(net, x, 6), net.param(5, 1))
    assert not check(net.bound(linear(net, y, 6)), [FlattenRows()]).log[0].changed


SQUEEZE = [SqueezeReductions()]


def test_mean_over_an_image() -> None:
    net = Net()
    y = reduce_mean(net.b, net.input(N, 4, 5, 6), [2, 3], keep=True)
    result = check(net.bound(net(Flatten(), y)), SQUEEZE, "ReduceMean")
    op = result.graph.nodes[-1].op
    assert isinstance(op, ReduceMean)
    assert op.keepdims == 0


def test_reduction_that_others_read_keeps_its_axes() -> None:
    net = Net()
    y = reduce_mean(net.b, net.input(N, 4, 5, 6), [2, 3], keep=True)
    (refusal,) = check(net.bound(net(Flatten(), y), net(Relu(), y)), SQUEEZE).refusals
    assert refusal.reason == "ReduceMean keeps its axes: its result has 1 other reader"


def test_reshape_to_another_shape_stays() -> None:
    net = Net()
    y = reduce_mean(net.b, net.input(3, 4, 5), [2], keep=True)
    assert not check(net.bound(reshape(net.b, y, 4, 3)), SQUEEZE).log[0].changed


TURN = [SimplifyTransposes()]


def test_transpose_of_merged_axes() -> None:
    net = Net()
    x = reshape(net.b, net.input(N, 2, 5, 6), N * 2, 5, 6)
    y = reshape(net.b, transpose(net.b, x, 0, 2, 1), N, 2, 6, 5)
    after = check(net.bound(y), TURN).graph
    assert [n.op for n in after.nodes if n.op.name == "Transpose"] == [Transpose((0, 1, 3, 2))]
    assert not any(n.op.name == "Reshape" for n in after.nodes)


def test_transpose_that_others_read_stays() -> None:
    net = Net()
    x = reshape(net.b, net.input(2, 3, 5, 6), 6, 5, 6)
    turned = transpose(net.b, x, 0, 2, 1)
    y = reshape(net.b, turned, 2, 3, 6, 5)
    (refusal,) = check(net.bound(y, net(Relu(), turned)), TURN).refusals
    assert refusal.reason == "the transpose with merged axes stays: its result has 1 other reader"


def test_axes_parted_elsewhere() -> None:
    net = Net()
    x = reshape(net.b, net.input(2, 3, 5, 6), 2, 15, 6)
    y = reshape(net.b, transpose(net.b, x, 0, 2, 1), 2, 6, 5, 3)
    check(net.bound(y), TURN, "Transpose Reshape")


def test_transposes_around_merged_axes() -> None:
    net = Net()
    x = transpose(net.b, net.input(N, 5, 2, 6), 0, 2, 1, 3)
    y = transpose(net.b, reshape(net.b, x, N, 10, 6), 0, 2, 1)
    after = check(net.bound(y), TURN).graph
    assert [n.op for n in after.nodes if n.op.name == "Transpose"] == [Transpose((0, 3, 2, 1))]


def test_merged_axes_that_others_read_stay() -> None:
    net = Net()
    x = transpose(net.b, net.input(3, 5, 2, 6), 0, 2, 1, 3)
    merged = reshape(net.b, x, 3, 10, 6)
    graph = net.bound(transpose(net.b, merged, 0, 2, 1), net(Relu(), merged))
    (refusal,) = check(graph, TURN).refusals
    assert refusal.reason == "the reshape between transposes stays: its result has 1 other reader"


def test_axes_that_are_not_merged_stay() -> None:
    net = Net()
    x = reshape(net.b, net.input(2, 3, 5, 6), 3, 10, 6)
    y = reshape(net.b, transpose(net.b, x, 0, 2, 1), 2, 6, 5, 3)
    assert not check(net.bound(y), TURN).log[0].changed


def test_axes_of_size_one_are_no_hindrance() -> None:
    """The keys of a single head, as PyTorch's exporter turns them."""
    net = Net()
    x = transpose(net.b, reshape(net.b, net.input(N, 7, 6), N, 7, 1, 6), 0, 3, 2, 1)
    y = transpose(net.b, reshape(net.b, x, N, 1, 6, 7), 0, 1, 3, 2)
    check(net.bound(y), TURN, "Reshape")


@pytest.mark.parametrize("shape", [(5, 1, 6, 2), (1, 5, 6, 2), (5, 6, 2)])
def test_axes_of_size_one_go_where_they_are_wanted(shape: tuple[int, ...]) -> None:
    net = Net()
    x = reshape(net.b, net.input(2, 1, 5, 6), 2, 5, 6)
    y = reshape(net.b, transpose(net.b, x, 1, 2, 0), *shape)
    assert len(check(net.bound(y), TURN).graph.nodes) <= 3


def test_pooled_image_as_a_vector() -> None:
    net = Net()
    y = net(Flatten(), net(GlobalAveragePool(), net.input(N, 4, 5, 6)))
    check(net.bound(y), SQUEEZE, "ReduceMean")


def test_pooled_image_that_others_read_stays() -> None:
    net = Net()
    y = net(GlobalAveragePool(), net.input(N, 4, 5, 6))
    (refusal,) = check(net.bound(net(Flatten(), y), net(Relu(), y)), SQUEEZE).refusals
    assert refusal.reason == "GlobalAveragePool keeps its axes: its result has 1 other reader"
