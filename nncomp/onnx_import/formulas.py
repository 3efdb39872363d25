"""Operators of preview domains that are formulas: read as nodes of the standard ones.

`ai.onnx.preview.training`: Adagrad, Adam, Gradient, Momentum. `ai.onnx.preview`: FlexAttention.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.onnx_import.control import inlined
from nncomp.onnx_import.operation import Operation
from nncomp.ops.activation import Softmax
from nncomp.ops.attention import repeated_heads
from nncomp.ops.comparison import Greater
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Sub
from nncomp.ops.elementwise_math import Pow, Sqrt
from nncomp.ops.grad import Grad
from nncomp.ops.linear import MatMul, matrix_transpose
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import numbered_dtype
from nncomp.types import DType


class _Formula:
    """One operator with its operands, all of them there."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.b: Builder = operation.scope.b
        self.attributes = operation.attributes
        values = operation.tensors()
        self.values = [value for value in values if value is not None]
        if len(self.values) < len(values):
            raise operation.refuse("NN0702", f"{operation.name} lacks an operand")

    def refuse(self, code: str, message: str) -> CompileError:
        return self.operation.refuse(code, f"{self.operation.name}: {message}")

    def number(self, name: str, default: float | None = None) -> float:
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise self.refuse("NN0805", f"the attribute `{name}` is no number")
        return value

    @property
    def rate_and_step(self) -> tuple[Value, Value]:
        if len(self.values) < 3:
            raise self.refuse("NN0702", f"{len(self.values)} operands")
        return self.values[0], self.values[1]

    def tensors(self, each: int) -> list[tuple[Value, ...]]:
        """The optimised tensors, with what belongs to each: gradient, moments."""
        found = self.values[2:]
        count, over = divmod(len(found), each)
        if over or not count:
            raise self.refuse("NN0702", f"{len(found)} tensors are no groups of {each}")
        return [tuple(found[i + k * count] for k in range(each)) for i in range(count)]

    def regularized(self, x: Value, g: Value) -> Value:
        factor = self.number("norm_coefficient", 0.0)
        return g if factor == 0 else self.b(Add(), self.b(Mul(), x, factor), g)

    def blend(self, old: Value, new: Value, keep: float, share: float | Value) -> Value:
        return self.b(Add(), self.b(Mul(), old, keep), self.b(Mul(), new, share))


def _by_kind(groups: Sequence[tuple[Value, ...]]) -> list[Value]:
    """All new tensors, then all new moments of each kind."""
    return [value for kind in zip(*groups, strict=True) for value in kind]


def _adagrad(f: _Formula) -> list[Value]:
    b, (rate, step) = f.b, f.rate_and_step
    decay = f.number("decay_factor", 0.0)
    results = []
    for x, g, h in f.tensors(3):
        dtype = x.type.dtype
        slowed = b(Add(), b(Mul(), b(Cast(dtype), step), decay), 1.0)
        own = b(Div(), b(Cast(dtype), rate), slowed)
        g = f.regularized(x, g)
        h = b(Add(), h, b(Mul(), g, g))
        root = b(Add(), b(Sqrt(), h), f.number("epsilon", 1e-6))
        results.append((b(Sub(), x, b(Div(), b(Mul(), own, g), root)), h))
    return _by_kind(results)


def _adam(f: _Formula) -> list[Value]:
    b, (rate, step) = f.b, f.rate_and_step
    alpha, beta = f.number("alpha", 0.9), f.number("beta", 0.999)
    after = 1 - f.number("norm_coefficient_post", 0.0)
    results = []
    for x, g, v, h in f.tensors(4):
        dtype = x.type.dtype
        own, count = b(Cast(dtype), rate), b(Cast(dtype), step)
        g = f.regularized(x, g)
        v = f.blend(v, g, alpha, 1 - alpha)
        h = f.blend(h, b(Mul(), g, g), beta, 1 - beta)
        one = b.constant(1, dtype)
        powers = [b(Sub(), one, b(Pow(), b.constant(k, dtype), count)) for k in (alpha, beta)]
        corrected = b(Div(), b(Mul(), own, b(Sqrt(), powers[1])), powers[0])
        own = b(Where(), b(Greater(), step, b.constant(0, DType.I64)), corrected, own)
        root = b(Add(), b(Sqrt(), h), f.number("epsilon", 1e-6))
        x = b(Sub(), x, b(Mul(), own, b(Div(), v, root)))
        results.append((x if after == 1 else b(Mul(), x, after), v, h))
    return _by_kind(results)


def _momentum(f: _Formula) -> list[Value]:
    b, (rate, step) = f.b, f.rate_and_step
    alpha, beta = f.number("alpha"), f.number("beta")
    mode = f.attributes.get("mode")
    if mode not in ("standard", "nesterov"):
        raise f.refuse("NN0208", f"mode is `standard` or `nesterov`, not {mode!r:.40}")
    f.number("norm_coefficient")
    results = []
    for x, g, v in f.tensors(3):
        dtype = x.type.dtype
        begun = b(Greater(), step, b.constant(0, DType.I64))
        share = b(Where(), begun, b.constant(beta, dtype), b.constant(1, dtype))
        g = f.regularized(x, g)
        v = f.blend(v, g, alpha, share)
        change = v if mode == "standard" else b(Add(), g, b(Mul(), v, alpha))
        results.append((b(Sub(), x, b(Mul(), b(Cast(dtype), rate), change)), v))
    return _by_kind(results)


def _flex_attention(f: _Formula) -> list[Value]:
    """Softmax(score_mod(Q·Kᵀ·scale))·V, whose graphs are read in place."""
    if len(f.values) != 3 or any(v.rank != 4 for v in f.values):
        raise f.refuse("NN0204", "Q, K and V have four dimensions")
    b, (q, k, v) = f.b, f.values
    own = q.type.dtype
    heads = [x.shape[1] for x in (q, k)]
    if not all(isinstance(h, int) and h for h in heads) or heads[0] % heads[1]:
        raise f.refuse("NN0205", f"{heads[0]} heads cannot share {heads[1]} of keys")
    times = heads[0] // heads[1]
    assert isinstance(times, int)
    k, v = repeated_heads(b, k, times), repeated_heads(b, v, times)
    size = q.shape[3]
    if "scale" not in f.attributes and not isinstance(size, int):
        raise f.refuse("NN0206", f"the size {size} of a head is not known")
    scale = f.number("scale", 1 / math.sqrt(size) if isinstance(size, int) and size else 1.0)
    root = b.constant(math.sqrt(scale), own)
    scores = b(MatMul(), b(Mul(), q, root), matrix_transpose(b, b(Mul(), k, root)))
    wide: DType = own if own is DType.F64 else DType.F32
    if "softmax_precision" in f.attributes:
        wide = numbered_dtype(int(f.number("softmax_precision")))
    scores = _changed(f, "score_mod", b(Cast(wide), scores))
    weights = _changed(f, "prob_mod", b(Softmax(), scores))
    return [b(Cast(own), b(MatMul(), weights, b(Cast(wide), v)))]


def _changed(f: _Formula, name: str, x: Value) -> Value:
    """What the graph of that attribute makes of x; x itself without one."""
    if name not in f.attributes:
        return x
    results = inlined(f.operation, f.operation.graph(name), [x])
    if len(results) != 1 or results[0].type != x.type:
        raise f.refuse("NN0205", f"`{name}` does not give one tensor {x.type}")
    return results[0]


def _gradient(f: _Formula) -> list[Value]:
    """The derivatives of `y` with respect to each of `xs`, at the values that they have: `Grad`."""
    names = [f.attributes.get("xs") or (), f.attributes.get("zs") or (), (f.attributes.get("y"),)]
    texts = [name for group in names for name in group if isinstance(name, str)]
    if not names[0] or len(texts) < sum(map(len, names)):
        raise f.refuse("NN0805", "`xs`, `zs` and `y` are names of tensors")
    o = f.operation
    named = [o.importer.item(o.scope, name, o.span) for name in texts]
    *given, y = named
    if given != f.values or not isinstance(y, Value):
        raise f.refuse("NN0804", "its operands are not the tensors that `xs` and `zs` name")
    loss = f.b(ReduceSum(keepdims=0), y) if y.rank else y
    return list(f.b.multi(Grad(), loss, *f.values[: len(names[0])]))


FORMULAS: dict[tuple[str, str], Callable[[_Formula], list[Value]]] = {
    ("ai.onnx.preview.training", "Adagrad"): _adagrad,
    ("ai.onnx.preview.training", "Adam"): _adam,
    ("ai.onnx.preview.training", "Momentum"): _momentum,
    ("ai.onnx.preview.training", "Gradient"): _gradient,
    ("ai.onnx.preview", "FlexAttention"): _flex_attention,
}


def read_formula(operation: Operation) -> Sequence[Value]:
    """The results of one of `FORMULAS`."""
    return FORMULAS[operation.node.domain, operation.name](_Formula(operation))
