"""Small graphs before and after a pass: which operators, which values, which refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.dims import Dim, DimLike
from nncomp.ir.bind import bind
from nncomp.ir.builder import Builder
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Parameter, Value
from nncomp.ir.op import Op
from nncomp.ir.verify import verify
from nncomp.passes.base import Pass
from nncomp.passes.manager import OptimizeResult, run_passes
from nncomp.passes.retype import retype
from nncomp.types import Array, DType, TensorType

SIZES = {"N": 3, "T": 5, "H": 9}  # what symbolic dims are in a run


class Net:
    """Collects the inputs, parameters and outputs of a graph under construction."""

    def __init__(self, seed: int = 0) -> None:
        self.b = Builder()
        self.random = np.random.default_rng(seed)
        self.inputs: list[Value] = []
        self.parameters: list[Parameter] = []
        self.weights: dict[str, Array] = {}

    def __call__(self, op: Op, *inputs: Value | float | None, name: str = "") -> Value:
        return self.b(op, *inputs, name=name)

    def input(self, *shape: DimLike, dtype: DType = DType.F32, name: str = "") -> Value:
        value = Value(TensorType(dtype, shape), name or f"x{len(self.inputs)}")
        self.inputs.append(value)
        return value

    def param(self, *shape: int, positive: bool = False) -> Value:
        """A parameter with random weights."""
        path = f"p{len(self.parameters)}"
        value = Value(TensorType(DType.F32, shape), path)
        self.parameters.append(Parameter(path, value, "param"))
        array = self.random.normal(size=shape)
        self.weights[path] = (np.abs(array) + 0.5 if positive else array).astype(np.float32)
        return value

    def const(self, array: object, dtype: DType = DType.F32) -> Value:
        return self.b.constant(np.asarray(array, dtype.numpy))

    def graph(self, *outputs: Value) -> Graph:
        named = {f"y{i}": v for i, v in enumerate(outputs)}
        graph = Graph("g", tuple(self.inputs), tuple(self.parameters), tuple(self.b.nodes), named)
        verify(graph)
        return graph

    def bound(self, *outputs: Value) -> Graph:
        return bind(self.graph(*outputs), self.weights)


def size_of(dim: DimLike) -> int:
    """The dim with the symbols' sizes put in."""
    if isinstance(dim, Dim):
        assert dim.symbol is not None
        return SIZES[dim.symbol.name]
    return dim


def feeds(graph: Graph, seed: int = 1) -> dict[str, Array]:
    """Random numbers for each input."""
    random = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for value in graph.inputs:
        shape = tuple(size_of(d) for d in value.shape)
        is_float = value.type.dtype.is_float
        array: Array = np.asarray(
            random.normal(size=shape) if is_float else random.integers(0, 2, size=shape)
        )
        found[value.name] = array.astype(value.type.dtype.numpy)
    return found


def names(graph: Graph) -> list[str]:
    """The operators in order, without constants."""
    return [node.op.name for node in graph.nodes if not isinstance(node.op, Constant)]


def assert_close(actual: Mapping[str, Array], wanted: Mapping[str, Array], rtol: float) -> None:
    """Equal up to `rtol` of each output's largest value; to the bit for 0."""
    assert actual.keys() == wanted.keys()
    for name, array in wanted.items():
        assert actual[name].dtype == array.dtype
        assert actual[name].shape == array.shape
        if rtol == 0:
            assert actual[name].tobytes() == array.tobytes(), name
            continue
        scale = float(np.max(np.abs(array), initial=0)) or 1.0
        np.testing.assert_allclose(actual[name], array, rtol=0, atol=rtol * scale)


def check(
    graph: Graph,
    passes: Sequence[Pass],
    expected: Sequence[str] | str | None = None,
    *,
    exact: bool = False,
    ort: bool = True,
    weights: Mapping[str, Array] | None = None,
) -> OptimizeResult:
    """Runs the passes and holds against each other what the graph computes before and after.

    expected: the operators that are left, without constants
    exact: no bit may change, else 1e-12 in float64 and 1e-5 in float32
    """
    result = run_passes(graph, passes, evaluate)
    after = result.graph
    verify(after)
    if expected is not None:
        wanted = expected.split() if isinstance(expected, str) else list(expected)
        assert names(after) == wanted
    weights = weights or {}
    inputs = feeds(graph)
    before_values = run(graph, inputs, weights).outputs
    assert_close(run(after, inputs, weights).outputs, before_values, 0 if exact else 1e-5)
    again = run_passes(after, passes, evaluate)
    assert again.graph is after, "the passes change their own result"
    if not exact:
        _check_float64(graph, passes, inputs, weights)
    if ort and not graph.parameters:
        assert_close(run_ort(graph, inputs), before_values, 1e-5)
        assert_close(run_ort(after, inputs), before_values, 1e-5)
    return result


def _check_float64(
    graph: Graph,
    passes: Sequence[Pass],
    inputs: Mapping[str, Array],
    weights: Mapping[str, Array],
) -> None:
    wide = retype(graph, {DType.F32: DType.F64})
    inputs, weights = (
        {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in m.items()}
        for m in (inputs, weights)
    )
    after = run_passes(wide, passes, evaluate).graph
    assert_close(run(after, inputs, weights).outputs, run(wide, inputs, weights).outputs, 1e-12)


def run_ort(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs by onnxruntime with its optimiser off."""
    model = emit(legalize(graph))
    return Session(model, optimize=False).run(inputs)


Body = Callable[[Net], Value | tuple[Value, ...]]
