"""What is checked of a sample: types, gradients, decomposition, onnxruntime."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Sequence

import numpy as np

import tests.ops.samples
from nncomp.autodiff.expand import directional
from nncomp.autodiff.reverse import gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.reduction import ReduceSum
from nncomp.types import Array, DType
from tests.ops.sample import Case, Failure, Sample, case

_STEP = 1e-5  # of central differences: their error is of its square
_FEW = 60  # elements that are each varied; of larger operands random directions are
_DIRECTIONS = 6


def all_samples() -> list[Sample]:
    return [sample for module in _modules() for sample in module.SAMPLES]


def all_failures() -> list[Failure]:
    return [row for module in _modules() for row in getattr(module, "FAILURES", [])]


def _modules() -> Iterable[object]:
    folder = tests.ops.samples
    for info in pkgutil.iter_modules(folder.__path__):
        yield importlib.import_module(f"{folder.__name__}.{info.name}")


def check_close(found: Array, expected: Array, tolerance: float, what: str) -> None:
    """Same dtype and shape, and a largest difference within tolerance of the largest value."""
    assert found.dtype == expected.dtype, f"{what}: {found.dtype} is not {expected.dtype}"
    assert found.shape == expected.shape, f"{what}: {found.shape} is not {expected.shape}"
    if not DType.of(expected).is_float:
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    a, b = found.astype(np.float64), expected.astype(np.float64)
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b), err_msg=what)
    infinite = np.isinf(b)
    np.testing.assert_array_equal(a[infinite], b[infinite], err_msg=what)
    finite = np.isfinite(b)
    scale = max(1e-3, float(np.abs(b[finite]).max(initial=0)))
    difference = float(np.abs(a[finite] - b[finite]).max(initial=0))
    assert difference <= tolerance * scale, f"{what} differs by {difference:.3g} of {scale:.3g}"


def check_types(sample: Sample) -> None:
    """The inferred types, with fixed and with symbolic sizes, are those of NumPy's results."""
    expected = evaluate(sample.op, sample.inputs)
    for symbolic in (False, True):
        c = case(sample, symbolic=symbolic)
        assert len(c.node.outputs) == len(expected)
        outputs = run(c.graph(), c.arrays).outputs
        for value, array in zip(c.node.outputs, expected, strict=True):
            if sample.op.open_sizes:
                c.learn(value.type, array)
            bound = c.bound(value.type)
            what = f"{sample}, {'symbolic' if symbolic else 'static'}: {value.type}"
            assert bound.dtype is DType.of(array), what
            assert bound.shape == array.shape, f"{what} is not {array.shape}"
            if bound.elements is not None:
                assert list(bound.elements) == array.reshape(-1).tolist(), what
            check_close(outputs[f"y{value.index}"], array, 1e-6, what)


def check_decomposition(sample: Sample) -> None:
    """The decomposition gives the kernel's numbers."""
    c = case(sample, symbolic=True)
    expected = run(c.graph(), c.arrays).outputs
    b = Builder()
    b.nodes = c.builder.nodes[:-1]
    meaning = sample.op.decompose(b, *c.values)
    results = (meaning,) if isinstance(meaning, Value) else meaning
    named = {f"y{i}": value for i, value in enumerate(results)}
    graph = Graph("decomposed", tuple(c.inputs), (), tuple(b.nodes), named)
    for name, found in run(graph, c.arrays).outputs.items():
        check_close(found, expected[name], sample.tolerance, f"{sample} decomposed")


def check_runtime(sample: Sample) -> None:
    """onnxruntime, with its optimiser off, gives NumPy's numbers on symbolic shapes: at the lowest
    opset that has the operator, and at the newest, to which other operators may force it."""
    from nncomp.backends.ort.emit import emit
    from nncomp.backends.ort.legalize import Target, legalize
    from nncomp.backends.ort.opsets import IR_OPSET
    from nncomp.backends.ort.session import Session

    c = case(sample, symbolic=True)
    graph = c.graph()
    expected = run(graph, c.arrays).outputs
    for opset in (None, IR_OPSET):
        model = emit(legalize(graph, Target(opset=opset)), opset=opset)
        found = Session(model, optimize=False, threads=1).run(c.arrays)
        for name, array in expected.items():
            check_close(found[name], array, sample.tolerance, f"{sample} in onnxruntime, {opset}")


def check_gradients(sample: Sample) -> None:
    """In float64 and on symbolic sizes, first (and second) derivatives are central differences'."""
    c = case(sample.in_double(), symbolic=True)
    wrt = [value for place in sample.wrt if (value := c.values[place]) is not None]
    check_slopes(c, c.node.outputs, wrt, str(sample), second=sample.second)


def check_slopes(
    c: Case, results: Sequence[Value], wrt: Sequence[Value], what: str, *, second: bool = True
) -> None:
    """First (and second) derivatives of the floating results are central differences'."""
    outputs = [v for v in results if v.type.dtype.is_float]
    named = {f"y{i}": v for i, v in enumerate(outputs)}
    loss = _weighted_sum(c, outputs, run(c.graph(named), c.arrays).outputs)
    first = gradients(c.builder, loss, wrt)
    _compare(c, loss, wrt, first, what)
    found = [g for g in first if g is not None]
    if not second or not found:
        return
    named = {f"y{i}": g for i, g in enumerate(found)}
    slope = _weighted_sum(c, found, run(c.graph(named), c.arrays).outputs, seed=1)
    _compare(c, slope, wrt, gradients(c.builder, slope, wrt), f"{what}, second order")


def check_forward(sample: Sample) -> None:
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ in float64: forward mode is reverse mode's transpose."""
    c = case(sample.in_double(), symbolic=True)
    wrt = [value for place in sample.wrt if (value := c.values[place]) is not None]
    check_transpose(c, c.node.outputs, wrt, str(sample))


def check_transpose(c: Case, results: Sequence[Value], wrt: Sequence[Value], what: str) -> None:
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩ for each floating result."""
    rng = np.random.default_rng(3)
    tangents = [c.add_input(x.type, rng.standard_normal(c.arrays[x.name].shape)) for x in wrt]
    for y in [v for v in results if v.type.dtype.is_float]:
        shape = run(c.graph({"y": y}), c.arrays).outputs["y"].shape
        u = c.add_input(y.type, rng.standard_normal(shape))
        back = gradients(c.builder, y, wrt, u)
        named = {f"{i}": g for i, g in enumerate(back) if g is not None}
        named["Jv"] = directional(c.builder, y, wrt, tangents)
        found = run(c.graph(named), c.arrays).outputs
        left = float((c.arrays[u.name] * found.pop("Jv")).sum())
        terms = [found[i] * c.arrays[tangents[int(i)].name] for i in found]
        right = sum(float(term.sum()) for term in terms)
        scale = max(1.0, sum(float(np.abs(term).sum()) for term in terms))
        assert abs(left - right) <= 1e-10 * scale, f"{what}: {left} is not {right}"


def _weighted_sum(
    c: Case, values: Sequence[Value], arrays: dict[str, Array], seed: int = 0
) -> Value:
    """Σ weight · value with fixed random weights, as further nodes of the graph."""
    b, rng = c.builder, np.random.default_rng(seed)
    total = b.constant(0.0, DType.F64)
    for value, array in zip(values, arrays.values(), strict=False):
        weight = c.add_input(value.type, rng.uniform(0.5, 1.5, array.shape))
        total = b(Add(), total, b(ReduceSum(keepdims=0), b(Mul(), weight, value)))
    return total


def _compare(
    c: Case, y: Value, wrt: Sequence[Value], found: Sequence[Value | None], what: str
) -> None:
    named = {f"{i}": g for i, g in enumerate(found) if g is not None}
    computed = run(c.graph(named), c.arrays).outputs
    objective = c.graph({"y": y})

    def at(name: str, array: Array) -> float:
        return float(run(objective, {**c.arrays, name: array}).outputs["y"])

    for i, value in enumerate(wrt):
        x = c.arrays[value.name]
        analytic = computed.get(f"{i}", np.zeros_like(x))
        assert analytic.shape == x.shape, f"{what}, operand {value.name}"
        numeric, directions = _differences(lambda a, n=value.name: at(n, a), x)
        projected = np.array([float((analytic * d).sum()) for d in directions])
        scale = max(1.0, float(np.abs(numeric).max(initial=0)))
        error = float(np.abs(projected - numeric).max(initial=0)) / scale
        assert error <= 1e-6, f"{what}: gradient of {value.name} is off by {error:.3g}"


def _differences(f: Callable[[Array], float], x: Array) -> tuple[Array, list[Array]]:
    """Central differences along directions: each element, or random ones of a large operand."""
    if x.size <= _FEW:
        directions = [d.reshape(x.shape) for d in np.eye(x.size)]
    else:
        rng = np.random.default_rng(2)
        directions = [rng.standard_normal(x.shape) for _ in range(_DIRECTIONS)]
    slopes = [(f(x + _STEP * d) - f(x - _STEP * d)) / (2 * _STEP) for d in directions]
    return np.array(slopes), directions
