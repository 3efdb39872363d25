"""Sums of products over named indices, spelt in matrix products."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike, equal, product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.comparison import Equal
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Mul, require_number
from nncomp.ops.filling import Range
from nncomp.ops.linear import MatMul
from nncomp.ops.reduction import ReduceSum
from nncomp.ops.rules import same_dtype
from nncomp.ops.shape import Squeeze, Transpose, Unsqueeze, reshaped
from nncomp.types import DType, TensorType

Indices = list[str]
MAX_OPERANDS = 64


@operator
class Einsum(Op):
    """Σ of products by Einstein's convention (ONNX Einsum-12): "bij,bjk->bik".

    Without `->` the result has the letters that stand once, in the order of the alphabet.
    """

    signature = "Inputs* -> Output"
    equation: str

    def infer(self, *inputs: TensorType) -> TensorType:
        require_number(*inputs)
        dtype = same_dtype(*inputs)
        terms, out = check_terms(*self._spelt(), inputs)
        sizes = _sizes(terms, inputs)
        return TensorType(dtype, tuple(sizes[name] for name in out))

    def decompose(self, b: Builder, *inputs: Value) -> Value:
        terms, out = check_terms(*self._spelt(), [value.type for value in inputs])
        return contraction(b, terms, out, inputs)

    def _spelt(self) -> tuple[list[Indices], Indices]:
        left, arrow, right = self.equation.replace(" ", "").partition("->")
        terms = [_letters(term) for term in left.split(",")]
        if arrow:
            return terms, _letters(right)
        flat = [name for term in terms for name in term]
        once = sorted(name for name in set(flat) if flat.count(name) == 1 and name != "...")
        return terms, ["..."] * ("..." in flat) + once


def _letters(term: str) -> Indices:
    head, dots, tail = term.partition("...")
    return [*head, *([dots] if dots else []), *tail]


def check_terms(
    terms: Sequence[Indices], out: Indices, types: Sequence[TensorType]
) -> tuple[list[Indices], Indices]:
    """The indices with `...` spelt out. InferError where they do not fit the operands."""
    if len(terms) != len(types):
        raise InferError("NN0202", f"it names {len(terms)} operands, {len(types)} are given")
    if len(terms) > MAX_OPERANDS:
        raise InferError("NN0202", f"it takes at most {MAX_OPERANDS} operands")
    rest = 0
    for term, type_ in zip(terms, types, strict=True):
        named = [name for name in term if name != "..."]
        dots = len(term) - len(named)
        if dots > 1 or len(named) > type_.rank or (not dots and len(named) != type_.rank):
            raise InferError(
                "NN0204",
                f"`{' '.join(term)}` names {len(named)} axes, the operand is {type_}",
                label=f"{type_.rank} dimensions",
            )
        rest = max(rest, type_.rank - len(named)) if dots else rest
    full = [
        _widened(term, type_.rank - len(term) + 1, rest)
        for term, type_ in zip(terms, types, strict=True)
    ]
    result = _widened(out, rest, rest)
    known = {name for term in full for name in term}
    for name in result:
        if name not in known:
            raise InferError("NN0208", f"the result's index `{name}` stands in no operand")
        if result.count(name) > 1:
            raise InferError("NN0208", f"the index `{name}` stands twice in the result")
    _sizes(full, types)
    return full, result


def _widened(term: Indices, own: int, most: int) -> Indices:
    """The term with `...` as its last `own` of the `most` axes that it may stand for."""
    names = [f"...{i}" for i in range(most - own, most)]
    return [n for name in term for n in (names if name == "..." else [name])]


def _sizes(terms: Sequence[Indices], types: Sequence[TensorType]) -> dict[str, DimLike]:
    sizes: dict[str, DimLike] = {}
    for term, type_ in zip(terms, types, strict=True):
        for name, dim in zip(term, type_.shape, strict=True):
            before = sizes.setdefault(name, dim)
            same = equal(before, dim)
            if same is not True:
                raise InferError(
                    "NN0205" if same is False else "NN0206",
                    f"the index `{name}` has two sizes",
                    label=f"{before} before, {dim} in {type_}",
                )
    return sizes


def contraction(
    b: Builder, terms: Sequence[Indices], out: Indices, operands: Sequence[Value]
) -> Value:
    """The sum of products as matrix products, two operands at a time from the left."""
    names, value = _without_repeats(b, terms[0], operands[0])
    for number in range(1, len(operands)):
        later = {*out, *(name for term in terms[number + 1 :] for name in term)}
        right, other = _without_repeats(b, terms[number], operands[number])
        names, value = _summed(b, names, value, later | set(right))
        right, other = _summed(b, right, other, later | set(names))
        names, value = _pair(b, names, value, right, other, later)
    names, value = _summed(b, names, value, set(out))
    return _ordered(b, names, value, out)


def _ordered(b: Builder, names: Indices, value: Value, wanted: Indices) -> Value:
    perm = tuple(names.index(name) for name in wanted)
    return value if perm == tuple(range(len(perm))) else b(Transpose(perm), value)


def _summed(b: Builder, names: Indices, value: Value, keep: set[str]) -> tuple[Indices, Value]:
    """Summed over the indices that nothing else needs."""
    gone = [axis for axis, name in enumerate(names) if name not in keep]
    if not gone:
        return names, value
    kept = [name for name in names if name in keep]
    return kept, b(ReduceSum(keepdims=0), value, b.ints(*gone))


def _without_repeats(b: Builder, names: Indices, value: Value) -> tuple[Indices, Value]:
    """An index that stands twice takes the diagonal: a product with the identity, summed."""
    names = list(names)
    while twice := next((n for n in names if names.count(n) > 1), None):
        first = names.index(twice)
        second = names.index(twice, first + 1)
        count = b(Squeeze(), b.dims([value.shape[first]]), b.ints(0))
        places = b(Range(), b.constant(0, DType.I64), count, b.constant(1, DType.I64))
        column = b(Unsqueeze(), places, b.ints(1))
        identity = b(Cast(value.type.dtype), b(Equal(), column, places))
        shape: list[DimLike] = [1] * value.rank
        shape[first] = shape[second] = value.shape[first]
        masked = b(Mul(), value, reshaped(b, identity, shape))
        value = b(ReduceSum(keepdims=0), masked, b.ints(second))
        del names[second]
    return names, value


def _pair(
    b: Builder, left: Indices, x: Value, right: Indices, y: Value, later: set[str]
) -> tuple[Indices, Value]:
    """The product of two operands, summed over the indices that they alone share."""
    sizes = _sizes([left, right], [x.type, y.type])
    shared = [name for name in left if name in right]
    batch = [name for name in shared if name in later]
    inner = [name for name in shared if name not in later]
    rows = [name for name in left if name not in right]
    columns = [name for name in right if name not in left]
    names = [*batch, *rows, *columns]
    x = _ordered(b, left, x, [*batch, *rows, *inner])
    y = _ordered(b, right, y, [*batch, *inner, *columns])
    shape = [sizes[name] for name in names]
    outer = [sizes[name] for name in batch]
    if not inner:
        ones = [1] * len(columns)
        return names, b(Mul(), _shaped(b, x, [*x.shape, *ones]), _among(b, y, len(batch), rows))
    depth = product(sizes[name] for name in inner)
    if not batch:  # one matrix: the rows stay as they are
        x = _shaped(b, x, [*(sizes[name] for name in rows), depth])
        y = _shaped(b, y, [depth, *([product(sizes[n] for n in columns)] if columns else [])])
    else:
        x = _shaped(b, x, [*outer, product(sizes[name] for name in rows), depth])
        y = _shaped(b, y, [*outer, depth, product(sizes[name] for name in columns)])
    return names, _shaped(b, b(MatMul(), x, y), shape)


def _among(b: Builder, y: Value, batch: int, rows: Indices) -> Value:
    """y with axes of size 1 after its batch, to stand beside the rows of the other operand."""
    return _shaped(b, y, [*y.shape[:batch], *([1] * len(rows)), *y.shape[batch:]])


def _shaped(b: Builder, value: Value, shape: Sequence[DimLike]) -> Value:
    return value if value.shape == tuple(shape) else reshaped(b, value, list(shape))


OPS: tuple[type[Op], ...] = (Einsum,)
