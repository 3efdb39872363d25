"""Shape rules that operators share. All raise InferError with both facts."""

from __future__ import annotations

from collections.abc import Sequence

from nncomp.dims import DimLike, bounds, equal, minimum, new_dim, substitute, symbols_in
from nncomp.ir.op import InferError
from nncomp.types import DType, Shape, TensorType

# what ONNX's numbers for dtypes stand for here
_DTYPES = {1: DType.F32, 2: DType.U8, 3: DType.I8, 4: DType.U16, 5: DType.I16, 6: DType.I32}
_DTYPES |= {7: DType.I64, 10: DType.F16, 11: DType.F64, 12: DType.U32, 13: DType.U64}
_DTYPES |= {16: DType.BF16, 8: DType.STRING, 9: DType.BOOL}
_DTYPES |= {17: DType.F8E4M3FN, 18: DType.F8E4M3FNUZ, 19: DType.F8E5M2, 20: DType.F8E5M2FNUZ}
_DTYPES |= {21: DType.U4, 22: DType.I4, 23: DType.F4E2M1, 24: DType.F8E8M0}
_DTYPES |= {25: DType.U2, 26: DType.I2}
SIDES = ("left", "right")


def broadcast(*types: TensorType, verb: str = "combine") -> Shape:
    """The shape of the operands broadcast together, as in NumPy (ONNX multidirectional)."""
    shapes = [t.shape for t in types]
    if shapes and shapes.count(shapes[0]) == len(shapes):  # by far the most frequent case
        return shapes[0]
    rank = max((t.rank for t in types), default=0)
    result: list[DimLike] = [1] * rank
    owner: list[int] = [0] * rank  # which operand gave the size
    for number, type_ in enumerate(types):
        for axis, dim in enumerate(type_.shape, start=rank - type_.rank):
            current = result[axis]
            if dim == 1:
                continue
            if current == 1:
                result[axis], owner[axis] = dim, number
                continue
            same = equal(current, dim)
            if same:
                continue
            facts = f"{verb} {' and '.join(map(str, types))}"
            if same is False:
                raise InferError(
                    "NN0207",
                    f"cannot {facts}",
                    label=f"{axis_name(axis, rank)} {current} ({_side(owner[axis], types)}) "
                    f"is not {dim} ({_side(number, types)})",
                    operand=number,
                    against=owner[axis],
                    axis=axis - rank,
                )
            raise InferError(
                "NN0206",
                f"cannot {facts}: {current} and {dim} are not known to be equal",
                label=f"{current} ({_side(owner[axis], types)}) against {dim} "
                f"({_side(number, types)}) at axis {axis - rank}",
                operand=number,
                against=owner[axis],
                axis=axis - rank,
                help=_assumed(current, dim)
                or "if they are, declare the one by the other's dims: "
                "`b: float[…] = …` checks it at each run",
            )
    return tuple(result)


def _assumed(left: DimLike, right: DimLike) -> str | None:
    """What to assume where one of two sizes was cut to the other: T and min(64, T), of a slice
    `[:T]` of 64; H and 2*(H // 2), of a map that was halved and doubled."""
    for dim, other in ((left, right), (right, left)):
        _, most = bounds(other)
        if most is not None and minimum(dim, most) == other:
            return f"there are no more than {most}: `assert {dim} <= {most}` checks it at each run"
    symbols = symbols_in((left, right))
    for symbol in symbols if len(symbols) == 1 else ():
        for by in (2, 4, 8, 16, 32, 64):
            whole = {symbol: by * new_dim(symbol.name)}
            if substitute(left, whole) == substitute(right, whole):
                form = f"{by} * {symbol.name.lower()}"
                return f"where {symbol.name} is a multiple of {by}, the input says `{form}` for it"
    return None


def axis_name(axis: int, rank: int) -> str:
    """What practitioners call an axis of an image batch; of other tensors, its number."""
    if rank == 4:
        return ("batch", "channels", "height", "width")[axis]
    return f"size of axis {axis - rank}:"


def _side(number: int, types: Sequence[TensorType]) -> str:
    return SIDES[number] if len(types) == 2 else f"operand {number + 1}"


def same_dtype(*types: TensorType | None) -> DType:
    """The one dtype of all operands that are present."""
    present = [t for t in types if t is not None]
    for t in present[1:]:
        if t.dtype is not present[0].dtype:
            raise InferError("NN0203", f"dtypes {present[0].dtype} and {t.dtype} clash")
    return present[0].dtype


def require_float(t: TensorType) -> TensorType:
    if not t.dtype.is_float:
        raise InferError(
            "NN0203", f"a floating tensor is needed, this is {t}", help="convert it with `cast`"
        )
    return t


def require_rank(t: TensorType, rank: int, what: str) -> None:
    if t.rank != rank:
        raise InferError("NN0204", f"{what} has {t.rank} dimensions ({t}) and needs {rank}")


def require_one_of(attribute: str, given: str, allowed: Sequence[str]) -> None:
    if given not in allowed:
        choice = ", ".join(f'"{word}"' for word in allowed)
        raise InferError("NN0208", f'{attribute} is one of {choice}, not "{given}"')


def require_equal(left: DimLike, right: DimLike, message: str, *, code: str = "NN0205") -> None:
    """An error unless the two dims are known to be equal."""
    same = equal(left, right)
    if same is False:
        raise InferError(code, message)
    if same is None:
        what = f"{message} (not known to be equal)"
        raise InferError("NN0206", what, help=_assumed(left, right))


def require_same_shape(left: TensorType, right: TensorType, *, operand: int = 1) -> None:
    """An error unless the two are known to have one shape; nothing is broadcast.

    operand: the place of the right one
    """
    if left.rank != right.rank:
        raise InferError("NN0204", f"{left} and {right} differ in rank", operand=operand)
    for axis, (a, b) in enumerate(zip(left.shape, right.shape, strict=True)):
        try:
            require_equal(a, b, f"{left} and {right} differ: {a} is not {b}", code="NN0207")
        except InferError as failure:
            failure.operand, failure.axis = operand, axis - right.rank
            raise


def normalize_axis(axis: int, rank: int) -> int:
    """The axis counted from 0; InferError if there is none such."""
    if not -rank <= axis < rank:
        raise InferError("NN0210", f"axis {axis} is out of range for {rank} dimensions")
    return axis % rank


def require_ints(t: TensorType, what: str) -> None:
    """InferError unless it is of integers, as a number that stands beside floats is not."""
    if not t.dtype.is_int:
        raise InferError(
            "NN0203",
            f"{what} takes integers, this is {t}",
            help="a number takes the dtype of the tensors beside it: write `i64(…)`",
        )


def known_ints(t: TensorType | None, what: str) -> tuple[int, ...] | None:
    """The contents of an optional integer operand that must be known (axes, pads, splits)."""
    if t is None:
        return None
    require_ints(t, what)
    if t.elements is None or not all(isinstance(e, int) for e in t.elements):
        raise InferError("NN0212", f"{what} must be known while compiling")
    return tuple(e for e in t.elements if isinstance(e, int))


def numbered_dtype(number: int, *, special: bool = False) -> DType:
    """The dtype that ONNX has that number for. special: also narrow ones and strings"""
    if number not in _DTYPES or (_DTYPES[number].is_special and not special):
        raise InferError("NN0208", f"there is no number type {number} in ONNX that nncomp has")
    return _DTYPES[number]
