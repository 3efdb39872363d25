"""A case through the importer and the NumPy backend: results, and the types that were inferred."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.dims import Dim, DimLike, Symbol, substitute
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.verify import verify
from nncomp.onnx_import.importer import Imported, import_model
from nncomp.onnx_import.reading import OnnxFile, parse_model
from nncomp.types import Array, DType, OptionalType, SequenceType, TensorType
from tests.conformance.cases import Case

_MUST_BE_KNOWN = ("NN0212", "NN0206", "NN0804")
_BRANCH = ("NN0210", "NN0201")  # one that is not taken need not fit what is given
_BFLOAT16 = 2**-6  # of ONNX's own runner: two units in the last place


@dataclass(eq=False)
class Outcome:
    """What became of a case.

    failure: why it does not pass, "" if it does
    given: whether small inputs had to be constants, for it could not be typed without
    untyped: results that are not of the type that was inferred for them
    graph: what was imported
    """

    case: Case
    failure: str = ""
    given: bool = False
    untyped: list[str] = field(default_factory=list)
    graph: Graph | None = None


def outcome(case: Case) -> Outcome:
    """Runs a case. Any exception is a failure, and all but those with a code are bugs."""
    found = Outcome(case)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of NumPy's casts
            for inputs, expected in case.data:
                _run(found, inputs, expected)
    except CompileError as failure:
        first = failure.diagnostics[0]
        found.failure = f"{first.code}: {first.message}"
    except Exception as failure:
        found.failure = f"{type(failure).__name__}: {failure}"
    return found


def _run(found: Outcome, inputs: Mapping[str, Any], expected: Sequence[Any]) -> None:
    imported, found.given = import_case(found.case, inputs)
    verify(imported.graph)
    found.graph = imported.graph
    graph = expand_gradients(imported.graph)
    names = {value.name for value in graph.inputs}
    given = {name: array for name, array in inputs.items() if name in names}
    types = Types(graph, given, imported.weights)
    results = run(graph, given, imported.weights, watch=types.watch).outputs
    for name, result in results.items():
        types.check(graph.outputs[name], result)
    found.untyped += types.wrong
    assert len(results) == len(expected), f"{len(results)} results, not {len(expected)}"
    for (name, result), wanted in zip(results.items(), expected, strict=True):
        _compare(name, result, wanted, found.case)


def import_case(case: Case, inputs: Mapping[str, Any]) -> tuple[Imported, bool]:
    """The model, and whether small inputs became constants, as it could not be typed without."""
    file = parse_model(case.model.SerializeToString())
    settings = {t.name for t in case.model.graph.initializer} & inputs.keys()
    empty = {n for n, a in inputs.items() if isinstance(a, np.ndarray) and a.shape == (0,)}
    unsized = any(
        d.WhichOneof("value") != "dim_value"
        for info in case.model.graph.input
        if info.name in empty
        for d in info.type.tensor_type.shape.dim
    )  # a size without a number is 1 at least
    try:
        if not settings and not unsized:
            return import_model(file, evaluate), False
    except CompileError as failure:
        if failure.diagnostics[0].code not in (*_MUST_BE_KNOWN, *_BRANCH):
            raise
    return with_constants(file, inputs), True


def with_constants(file: OnnxFile, inputs: Mapping[str, Any]) -> Imported:
    """The model with its small inputs as constants."""
    small = {
        name: array
        for name, array in inputs.items()
        if isinstance(array, np.ndarray) and array.ndim <= 1 and array.size <= 64
    }
    return import_model(file, evaluate, small)


def _compare(name: str, result: Any, wanted: Any, case: Case) -> None:
    """As ONNX's own runner does (which cannot compare tensors of rank 0 in a sequence)."""
    if wanted is None or isinstance(wanted, list):
        assert type(result) is type(wanted), f"{name} is no {type(wanted).__name__}"
        for item, other in zip(result or (), wanted or (), strict=True):
            _compare(name, item, other, case)
        return
    wanted = np.asarray(wanted)
    if wanted.dtype.kind == "U":
        wanted = wanted.astype(object)
    assert result.shape == wanted.shape, f"{name} is {result.shape}, not {wanted.shape}"
    assert result.dtype == wanted.dtype, f"{name} is {result.dtype}, not {wanted.dtype}"
    if wanted.dtype == object:
        np.testing.assert_array_equal(result, wanted)
        return
    rtol = case.rtol
    if wanted.dtype == ml_dtypes.bfloat16:
        rtol = max(rtol, _BFLOAT16)
    if wanted.dtype.kind not in "fiubc":
        result, wanted = result.astype(np.float32), wanted.astype(np.float32)
    np.testing.assert_allclose(result, wanted, rtol, case.atol)


class Types:
    """Holds the inferred types against what kernels give."""

    def __init__(
        self, graph: Graph, inputs: Mapping[str, Any], weights: Mapping[str, Array]
    ) -> None:
        self.sizes: dict[Symbol, DimLike] = {}
        self.wrong: list[str] = []
        for value in graph.inputs:
            self.check(value, inputs[value.name])
        for parameter in graph.parameters:
            self.check(parameter.value, weights[parameter.path])

    def watch(self, node: Node, operands: Sequence[Value | None], results: Sequence[Any]) -> None:
        for value, result in zip(node.outputs, results, strict=False):
            self.check(value, result)

    def check(self, value: Value, result: Any) -> None:
        if not self._fits(value.type, result):
            has = f"{getattr(result, 'dtype', '')}{list(getattr(result, 'shape', ()))}"
            name = value.node.op.name if value.node else value.name
            self.wrong.append(f"{name} gives {has}, not {value.type}")

    def _fits(self, type_: TensorType, result: Any) -> bool:
        if isinstance(type_, OptionalType):
            return result is None or self._fits(type_.content, result)
        if isinstance(type_, SequenceType):
            return isinstance(result, list) and all(self._is_element(type_, x) for x in result)
        if not isinstance(result, np.ndarray) or DType.of(result) is not type_.dtype:
            return False
        return result.ndim == type_.rank and all(
            self._is_size(dim, size) for dim, size in zip(type_.shape, result.shape, strict=True)
        )

    def _is_element(self, type_: SequenceType, array: Array) -> bool:
        if type_.empty or DType.of(array) is not type_.dtype:
            return False
        if type_.sizes is None:
            return True
        return len(type_.sizes) == array.ndim and all(
            dim is None or self._is_size(dim, size)
            for dim, size in zip(type_.sizes, array.shape, strict=True)
        )

    def _is_size(self, dim: DimLike, size: int) -> bool:
        """A symbol that stands alone is the size that it has where it is first seen."""
        if isinstance(dim, Dim) and dim.symbol is not None and dim.symbol not in self.sizes:
            self.sizes[dim.symbol] = size
            return size >= dim.symbol.minimum
        known = substitute(dim, self.sizes)
        return isinstance(known, Dim) or known == size
