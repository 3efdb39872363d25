"""float16: what stays float32 and why, how few casts, and the same answers but for rounding."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import run
from nncomp.deployment.float16 import BETWEEN, Narrowed, narrowed
from nncomp.deployment.keeping import FREE, KEPT, PRODUCTS, Role, role_of
from nncomp.deployment.placing import halves
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops import REGISTRY
from nncomp.ops.activation import Relu, Softmax
from nncomp.ops.comparison import Less
from nncomp.ops.conv import Conv
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Exp, Sqrt
from nncomp.ops.linear import MatMul
from nncomp.ops.normalization import LayerNormalization
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.reduction import CumSum, ReduceMean
from nncomp.ops.shape import Transpose
from nncomp.types import DType
from tests.passes.support import Net, feeds, names

N = new_dim("N")


def product(net: Net, x: Value, columns: int = 6) -> Value:
    rows = x.shape[-1]
    assert isinstance(rows, int)
    return net(MatMul(), x, net.param(rows, columns))


def lowered(net: Net, *outputs: Value, tolerance: float = 5e-3, **options: bool) -> Narrowed:
    """The graph in float16, once NumPy and onnxruntime have given the answers of float32."""
    graph = net.bound(*outputs)
    found = narrowed(graph, **options)
    inputs = feeds(graph)
    wanted = run(graph, inputs).outputs
    ports = {v.name: v.type.dtype.numpy for v in found.graph.inputs}
    given = {name: array.astype(ports[name]) for name, array in inputs.items()}
    model = emit(legalize(found.graph))
    for outputs_ in (run(found.graph, given).outputs, Session(model, optimize=False).run(given)):
        for name, array in wanted.items():
            scale = float(np.abs(array).max()) or 1.0
            apart = np.abs(outputs_[name].astype(np.float32) - array).max()
            assert apart <= tolerance * scale, name
    return found


def reasons(found: Narrowed) -> dict[str, str]:
    return {kept.operator: kept.reason for kept in found.kept}


def test_products_and_what_follows_them() -> None:
    net = Net()
    y = net(Conv(pads=(1, 1, 1, 1)), net.input(N, 3, 6, 5), net.param(4, 3, 3, 3), net.param(4))
    found = lowered(net, net(Relu(), net(Add(), y, net.param(4, 1, 1))))
    assert names(found.graph) == ["Cast", "Conv", "Add", "Relu", "Cast"]
    assert (found.half, found.nodes, found.casts, found.kept) == (3, 3, 2, ())
    weights = [n.op.value.array for n in found.graph.nodes if isinstance(n.op, Constant)]
    assert {w.dtype for w in weights} == {np.dtype(np.float16)}


def test_softmax_between_products() -> None:
    net = Net()
    y = net(Softmax(), product(net, net.input(N, 5)))
    found = lowered(net, product(net, net(Mul(), y, net.param(1))))
    # one cast of the input, two around Softmax, one of the output: Mul goes with the product
    assert names(found.graph).count("Cast") == found.casts == 4
    assert "exponentials" in reasons(found)["Softmax"]


def test_a_value_is_cast_once_for_all_readers() -> None:
    net = Net()
    y = product(net, net.input(N, 5))
    found = lowered(net, net(Exp(), y), net(Softmax(), y))
    assert found.casts == 2


def test_what_stands_between_kept_operators_stays() -> None:
    net = Net()
    x = product(net, net.input(N, 40))
    y = net(Transpose(perm=(1, 0)), net(Softmax(), x))
    y = net(CumSum(), net(Add(), y, 1.0), net.const(0, DType.I64))
    found = lowered(net, y)
    assert reasons(found)["Transpose"] == reasons(found)["Add"] == BETWEEN
    assert "running sum" in reasons(found)["CumSum"]


def test_statistics_of_a_written_out_layer_norm() -> None:
    net = Net()
    x = product(net, net.input(N, 5), 400)
    centred = net(Sub(), x, net(ReduceMean(), x, net.b.ints(-1)))
    variance = net(ReduceMean(), net(Mul(), centred, centred), net.b.ints(-1))
    y = net(Div(), centred, net(Sqrt(), net(Add(), variance, 1e-12)))
    found = lowered(net, product(net, y))
    told = reasons(found)
    assert "400 numbers" in told["ReduceMean"]
    assert "squares" in told["Mul"]
    assert told["Add"] == "its constant 1e-12 is too small for float16"
    assert "divisor" in told["Div"]


def test_layer_normalization_keeps_its_own_statistics() -> None:
    net = Net()
    x = product(net, net.input(N, 5), 300)
    y = net(LayerNormalization(), x, net.param(300), net.param(300))
    assert lowered(net, product(net, y)).kept == ()


def test_large_means() -> None:
    net = Net()
    x = net(Conv(), net.input(N, 3, 20, 20), net.param(4, 3, 1, 1))
    found = lowered(net, net(GlobalAveragePool(), x))
    assert reasons(found) == {"GlobalAveragePool": "a sum of 400 numbers loses the small ones"}


@pytest.mark.parametrize("constant", [-1e9, 3.4e38])
def test_constants_that_overflow(constant: float) -> None:
    net = Net()
    x, mask = product(net, net.input(N, 5)), net.input(N, 6, dtype=DType.BOOL)
    y = net(Where(), mask, x, constant)
    found = lowered(net, product(net, net(Softmax(), y)))
    assert "beyond float16's 65504" in reasons(found)["Where"]


def test_infinity_is_no_overflow() -> None:
    net = Net()
    x, mask = product(net, net.input(N, 5)), net.input(N, 6, dtype=DType.BOOL)
    found = narrowed(net.bound(net(Where(), mask, x, float("-inf"))))
    assert found.kept == ()


def test_zeros_and_ones_are_exact_and_counts_are_not() -> None:
    net = Net()
    x, mask, count = (
        product(net, net.input(N, 5)),
        net.input(N, 6, dtype=DType.BOOL),
        net.input(N, 6, dtype=DType.I64),
    )
    y = net(Mul(), x, net(Cast(DType.F32), mask))
    found = lowered(net, net(Add(), y, net(Cast(DType.F32), count)))
    assert [n.op.to for n in found.graph.nodes if isinstance(n.op, Cast)].count(DType.F16) == 2
    assert "2048" in reasons(found)["Cast"]


def test_comparisons_stay() -> None:
    net = Net()
    x = product(net, net.input(N, 5))
    y = net(Where(), net(Less(), x, net.param(6)), x, 0.5)
    assert "compare otherwise" in reasons(narrowed(net.bound(y)))["Less"]


def test_numbers_seen_to_overflow() -> None:
    net = Net()
    y = product(net, net.input(N, 5))
    graph = net.bound(product(net, net(Relu(), y)))
    found = narrowed(graph, seen={graph.nodes[2].outputs[0]: 5e4})
    assert found.kept[0].reason == "it reads or gives 5e+04, and float16 ends at 65504"


def test_ports_in_float16() -> None:
    net = Net()
    found = lowered(net, product(net, net.input(N, 5)), ports=True)
    assert names(found.graph) == ["MatMul"]
    assert {v.type.dtype for v in (*found.graph.inputs, *found.graph.outputs.values())} == {
        DType.F16
    }


def test_nothing_to_gain() -> None:
    net = Net()
    with pytest.raises(CompileError) as refused:
        narrowed(net.bound(net(Softmax(), net.input(N, 5))))
    assert refused.value.diagnostics[0].code == "NN0606"


def test_the_tables_name_operators() -> None:
    assert REGISTRY.keys() >= PRODUCTS | FREE | KEPT.keys()
    assert not (PRODUCTS | FREE) & KEPT.keys()


@pytest.mark.parametrize("seed", range(25))
def test_no_division_has_fewer_casts(seed: int) -> None:
    """Against all divisions of small random graphs."""
    graph = _random_graph(np.random.default_rng(seed))
    roles = {node: role_of(node)[0] for node in graph.nodes}
    free = [node for node, role in roles.items() if role is Role.FREE]
    fixed = {node for node, role in roles.items() if role is Role.HALF}
    for ports in (False, True):
        outside = Role.HALF if ports else Role.FULL
        chosen = halves(graph, roles, outside)
        every = [
            fixed | {n for n, on in zip(free, choice, strict=True) if on}
            for choice in itertools.product((False, True), repeat=len(free))
        ]
        best = min((_casts(graph, half, roles, ports), -len(half)) for half in every)
        assert (_casts(graph, chosen, roles, ports), -len(chosen)) == best


def _random_graph(rng: np.random.Generator) -> Graph:
    net = Net()
    values = [net.input(4, 4), net.input(4, 4)]
    for _ in range(9):
        x, y = (values[i] for i in rng.integers(len(values), size=2))
        which = int(rng.integers(6))
        values.append(
            product(net, x, 4)
            if which == 0
            else net(Softmax(), x)
            if which == 1
            else net(Relu(), x)
            if which == 2
            else net(Transpose(perm=(1, 0)), x)
            if which == 3
            else net(Add(), x, y)
        )
    return net.bound(values[-1], values[-2], product(net, values[-1], 4))


def _casts(graph: Graph, half: set[Node], roles: dict[Node, Role], ports: bool) -> int:
    count = 0
    for value in (*graph.inputs, *(v for n in graph.nodes for v in n.outputs)):
        if value.node is not None and isinstance(value.node.op, Constant):
            continue
        made = ports if value.node is None else value.node in half
        read = {node in half for node in graph.nodes if value in node.operands}
        read |= {ports for v in graph.results if v is value}
        count += (not made) in read
    return count
