"""Sequences of tensors and optional values. None has a gradient.

A sequence that is known element by element while a model is imported never comes here.
"""

from __future__ import annotations

from nncomp.dims import DimLike, equal, floordiv, new_dim
from nncomp.ir.op import Gradients, InferError, NoGradientError, Op, Vjp, operator
from nncomp.ops.rules import normalize_axis, same_dtype
from nncomp.types import NARROW, STRINGS, DType, OptionalType, SequenceType, TensorType


def _sequence(t: TensorType, operand: int = 0) -> SequenceType:
    if not isinstance(t, SequenceType):
        raise InferError("NN0203", f"a sequence is needed, this is {t}", operand=operand)
    return t


def _tensor(t: TensorType, operand: int) -> TensorType:
    if isinstance(t, SequenceType | OptionalType):
        raise InferError("NN0203", f"a tensor is needed, this is {t}", operand=operand)
    return t


def _position(t: TensorType | None, operand: int) -> None:
    if t is not None and (t.dtype not in (DType.I32, DType.I64) or t.size != 1):
        raise InferError("NN0203", f"a position is an i32 or i64, this is {t}", operand=operand)


def _sizes(t: SequenceType, what: str) -> tuple[DimLike | None, ...]:
    if t.sizes is None:
        raise InferError("NN0204", f"{what} of {t} has an unknown number of dimensions")
    return t.sizes


def _opened(sizes: tuple[DimLike | None, ...], name: str) -> tuple[DimLike, ...]:
    """The sizes, with symbols for those that only the run knows."""
    return tuple(new_dim(f"{name}_{i}", 0) if d is None else d for i, d in enumerate(sizes))


@operator
class _Container(Op):
    """Base of the operators here."""

    containers = True

    def vjp(self, at: Vjp) -> Gradients:
        raise NoGradientError("no gradient goes through sequences and optional values")


@operator
class SequenceEmpty(_Container):
    """A sequence of nothing (ONNX SequenceEmpty-11). dtype: of its tensors, f32 if left out"""

    signature = "-> output"
    dtype: DType | None = None

    def infer(self) -> SequenceType:
        return SequenceType(self.dtype or DType.F32, empty=True)


@operator
class SequenceConstruct(_Container):
    """A sequence of the operands (ONNX SequenceConstruct-11)."""

    signature = "inputs* -> output_sequence"
    takes = STRINGS

    def infer(self, *inputs: TensorType) -> SequenceType:
        if not inputs:
            raise InferError("NN0702", "SequenceConstruct takes one tensor or more")
        found = SequenceType.of(_tensor(inputs[0], 0))
        for index, t in enumerate(inputs):
            same_dtype(found, _tensor(t, index))
            found = found.joined(t)
        return found


@operator
class SequenceInsert(_Container):
    """The sequence with a tensor before `position`, at its end if that is left out
    (ONNX SequenceInsert-11)."""

    signature = "input_sequence, tensor, position? -> output_sequence"
    takes = STRINGS

    def infer(
        self, values: TensorType, tensor: TensorType, position: TensorType | None = None
    ) -> SequenceType:
        _position(position, 2)
        same_dtype(_sequence(values), _tensor(tensor, 1))
        return _sequence(values).joined(tensor)


@operator
class SequenceErase(_Container):
    """The sequence without the tensor at `position`, the last if that is left out
    (ONNX SequenceErase-11)."""

    signature = "input_sequence, position? -> output_sequence"
    takes = STRINGS

    def infer(self, values: TensorType, position: TensorType | None = None) -> SequenceType:
        _position(position, 1)
        return _sequence(values)


@operator
class SequenceAt(_Container):
    """The tensor at a position; a negative one counts from the end (ONNX SequenceAt-11)."""

    signature = "input_sequence, position -> tensor"
    takes = STRINGS
    open_sizes = True

    def infer(self, values: TensorType, position: TensorType) -> TensorType:
        _position(position, 1)
        sequence = _sequence(values)
        return TensorType(sequence.dtype, _opened(_sizes(sequence, "an element"), "element"))


@operator
class SequenceLength(_Container):
    """How many tensors there are (ONNX SequenceLength-11)."""

    signature = "input_sequence -> length"
    takes = STRINGS

    def infer(self, values: TensorType) -> TensorType:
        _sequence(values)
        return TensorType(DType.I64, ())


@operator
class ConcatFromSequence(_Container):
    """The tensors joined along an axis, a new one with new_axis=1 (ONNX ConcatFromSequence-11)."""

    signature = "input_sequence -> concat_result"
    takes = STRINGS
    open_sizes = True
    axis: int
    new_axis: int = 0

    def infer(self, values: TensorType) -> TensorType:
        sequence = _sequence(values)
        sizes = _opened(_sizes(sequence, "an element"), "element")
        joined = new_dim("joined", 0)
        if self.new_axis:
            axis = normalize_axis(self.axis, len(sizes) + 1)
            return TensorType(sequence.dtype, (*sizes[:axis], joined, *sizes[axis:]))
        axis = normalize_axis(self.axis, len(sizes))
        return TensorType(sequence.dtype, (*sizes[:axis], joined, *sizes[axis + 1 :]))


@operator
class SplitToSequence(_Container):
    """Parts of a tensor along an axis as a sequence (ONNX SplitToSequence-24).

    split: the size of each part, or one size for all but the last; 1 if left out, and then with
        keepdims=0 without the axis
    """

    signature = "input, split? -> output_sequence"
    takes = STRINGS
    axis: int = 0
    keepdims: int = 1

    def infer(self, x: TensorType, split: TensorType | None = None) -> SequenceType:
        axis = normalize_axis(self.axis, _tensor(x, 0).rank)
        before, after = x.shape[:axis], x.shape[axis + 1 :]
        if split is None:
            kept = (1,) if self.keepdims else ()
            return SequenceType(x.dtype, sizes=(*before, *kept, *after))
        if split.dtype not in (DType.I32, DType.I64) or split.rank > 1:
            raise InferError("NN0203", f"sizes of parts are i32 or i64, these are {split}")
        return SequenceType(x.dtype, sizes=(*before, self._part(x.shape[axis], split), *after))

    @staticmethod
    def _part(length: DimLike, split: TensorType) -> DimLike | None:
        """The one size of all parts, None if they differ or are not known."""
        parts = split.elements
        if not parts or not all(equal(part, parts[0]) for part in parts):
            return None
        size = parts[0]
        if split.rank or (size != 0 and equal(floordiv(length, size) * size, length)):
            return size
        return None


@operator
class Optional(_Container):
    """The operand as an optional value, or one that is not there (ONNX Optional-15).

    type: of what is not there
    """

    signature = "input? -> output"
    takes = NARROW | STRINGS
    type: TensorType | None = None

    def infer(self, x: TensorType | None = None) -> OptionalType:
        if x is None and self.type is None:
            raise InferError("NN0208", "Optional has neither an operand nor a type")
        content = x if x is not None else self.type
        assert content is not None
        if isinstance(content, OptionalType):
            raise InferError("NN0203", f"an optional value cannot hold {content}")
        return OptionalType.of(content)


@operator
class OptionalHasElement(_Container):
    """Whether the operand is there; any other than an optional one is
    (ONNX OptionalHasElement-18)."""

    signature = "input? -> output"
    takes = NARROW | STRINGS

    def infer(self, x: TensorType | None = None) -> TensorType:
        return TensorType(DType.BOOL, ())


@operator
class OptionalGetElement(_Container):
    """What an optional value holds, or the operand itself if it is none
    (ONNX OptionalGetElement-18)."""

    signature = "input -> output"
    takes = NARROW | STRINGS
    open_sizes = True

    def infer(self, x: TensorType) -> TensorType:
        return x.content if isinstance(x, OptionalType) else x


OPS: tuple[type[Op], ...] = (
    *(SequenceEmpty, SequenceConstruct, SequenceInsert, SequenceErase, SequenceAt),
    *(SequenceLength, ConcatFromSequence, SplitToSequence),
    *(Optional, OptionalHasElement, OptionalGetElement),
)
