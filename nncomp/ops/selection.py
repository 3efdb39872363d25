"""Operators whose results have sizes that only a run knows."""

from __future__ import annotations

from typing import ClassVar

from nncomp.dims import equal, new_dim
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.comparison import require_bool
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.forms import reshape
from nncomp.ops.indexing import Gather, GatherGrad
from nncomp.ops.reduction import CumSum
from nncomp.ops.rules import normalize_axis, require_equal, require_float, require_rank, same_dtype
from nncomp.ops.shape_slicing import Pad
from nncomp.types import STRINGS, DType, TensorType


@operator
class Selection(Op):
    """Base of these operators. Each node has dims of its own, so that no two nodes are alike."""

    open_sizes: ClassVar[bool] = True
    pure: ClassVar[bool] = False

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)


@operator
class NonZero(Selection):
    """The places of what is not 0, in row-major order: i64 [rank, found] (ONNX NonZero-13)."""

    signature = "X -> Y"
    takes = STRINGS

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(DType.I64, (max(1, x.rank), new_dim("found", 0)))


@operator
class Compress(Selection):
    """The slices along an axis where the condition holds; of all elements in row-major order
    without `axis` (ONNX Compress-11). A condition may be shorter than the axis, never longer."""

    signature = "input, condition -> output"
    takes = STRINGS
    axis: int | None = None

    def infer(self, x: TensorType, condition: TensorType) -> TensorType:
        require_bool(condition)
        require_rank(condition, 1, "the condition of Compress")
        size, length = x.size, condition.shape[0]
        axis = None if self.axis is None else normalize_axis(self.axis, x.rank)
        if axis is not None:
            size = x.shape[axis]
        if isinstance(size, int) and isinstance(length, int) and length > size:
            raise InferError("NN0205", f"{length} conditions do not fit {size} elements", operand=1)
        kept = new_dim("kept", 0)
        if axis is None:
            return TensorType(x.dtype, (kept,))
        return TensorType(x.dtype, (*x.shape[:axis], kept, *x.shape[axis + 1 :]))

    def vjp(self, at: Vjp) -> Gradients:
        """The gradient of each element that was kept, counted, or else of a zero in front."""
        b, x, condition, g = at.b, at.x, at.inputs[1], at.g
        assert condition is not None
        axis = 0 if self.axis is None else normalize_axis(self.axis, x.rank)
        pads = [0] * (2 * g.rank)
        pads[axis] = 1
        padded = b(Pad(), g, b.ints(*pads))
        number = b(CumSum(), b(Cast(DType.I64), condition), b.constant(0, DType.I64))
        place = b(Where(), condition, number, b.constant(0, DType.I64))
        size = x.type.size if self.axis is None else x.shape[axis]
        if not equal(condition.shape[0], size):
            place = b(Pad(), place, b.dims((0, size - condition.shape[0])))
        dx = b(Gather(axis=axis), padded, place)
        return (reshape(b, dx, *x.shape) if self.axis is None else dx), None


@operator
class Unique(Selection):
    """The slices along an axis, each once; the elements without `axis` (ONNX Unique-11).

    Y: sorted, or with sorted=0 as they first appear; indices: where each first is; inverse_indices:
    which of them each operand's slice is; counts: how often each is there
    """

    signature = "X -> Y, indices, inverse_indices, counts"
    takes = STRINGS
    axis: int | None = None
    sorted: int = 1

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        count = new_dim("unique", 0)
        size = x.size
        if self.axis is not None:
            axis = normalize_axis(self.axis, x.rank)
            size = x.shape[axis]
            y = TensorType(x.dtype, (*x.shape[:axis], count, *x.shape[axis + 1 :]))
        else:
            y = TensorType(x.dtype, (count,))
        each = TensorType(DType.I64, (count,))
        return y, each, TensorType(DType.I64, (size,)), each

    def vjp(self, at: Vjp) -> Gradients:
        """Of equal slices the first has the gradient."""
        if at.dy[0] is None:
            return (None,)
        b, x = at.b, at.x
        axis = 0 if self.axis is None else normalize_axis(self.axis, x.rank)
        shape = (x.type.size,) if self.axis is None else x.shape
        dx = b(GatherGrad(axis=axis), at.dy[0], at.outputs[1], b.dims(shape))
        return (reshape(b, dx, *x.shape) if self.axis is None else dx,)


@operator
class NonMaxSuppression(Selection):
    """Boxes of each class, best first, without those that overlap a better one too much
    (ONNX NonMaxSuppression-11): i64 [chosen, 3] of batch, class and box.

    boxes: f32 [N, boxes, 4], of (y1, x1, y2, x2), or with center_point_box=1 of (x, y, width,
    height); scores: f32 [N, classes, boxes]
    max_output_boxes_per_class: i64, 0 if left out; iou_threshold: f32, how much of the union two
    boxes may share, 0 if left out; score_threshold: f32, what a score must be above
    """

    signature = (
        "boxes, scores, max_output_boxes_per_class?, iou_threshold?, score_threshold?"
        " -> selected_indices"
    )
    center_point_box: int = 0

    def infer(
        self,
        boxes: TensorType,
        scores: TensorType,
        most: TensorType | None = None,
        overlap: TensorType | None = None,
        least: TensorType | None = None,
    ) -> TensorType:
        same_dtype(require_float(boxes), scores, overlap, least)
        require_rank(boxes, 3, "the table of boxes")
        require_rank(scores, 3, "the table of scores")
        require_equal(boxes.shape[2], 4, f"a box has 4 numbers, {boxes} has {boxes.shape[2]}")
        for own, other, what in (
            (boxes.shape[0], scores.shape[0], "batch"),
            (boxes.shape[1], scores.shape[2], "number of boxes"),
        ):
            require_equal(own, other, f"{boxes} and {scores} differ in their {what}")
        for t, name in ((most, "max_output_boxes_per_class"), (overlap, "iou_threshold")):
            if t is not None and t.size != 1:
                raise InferError("NN0204", f"{name} is one number, this is {t}")
        return TensorType(DType.I64, (new_dim("chosen", 0), 3))


OPS: tuple[type[Op], ...] = (NonZero, Compress, Unique, NonMaxSuppression)
