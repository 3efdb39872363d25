"""Losses that ONNX has an operator for."""

from __future__ import annotations

from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.activation import LogSoftmax
from nncomp.ops.comparison import Equal, Not
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Div, Mul, Neg, Sub
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.forms import count, full
from nncomp.ops.indexing import Gather, GatherElements, ScatterElements, require_index
from nncomp.ops.reduction import ReduceMean, ReduceSum
from nncomp.ops.rules import require_equal, require_float
from nncomp.ops.shape import Squeeze, Unsqueeze
from nncomp.types import TensorType

_SAME_RANK = (
    "labels are numbers of classes, without an axis for them: `squeeze(label, 1)` of [N, 1], "
    "`argmax(label, axis=1)` of one-hot rows"
)
_LAST_AXIS = "where the classes are the last axis, `cross_entropy(logits, label, axis=-1)`"
_ONE_LABEL = "for one label a row, make one row of scores: `… |> flatten |> Linear(classes)`"


@operator
class ClassLoss(Op):
    """Base of the losses that pick the score of each label's class.

    scores: [N, C, d…]; labels: [N, d…], classes from 0; weights: [C]
    reduction: "none" ([N, d…]), "sum", or "mean", which divides by the sum of the weights
    ignore_index: a label that counts for nothing
    """

    reduction: str = "mean"
    ignore_index: int | None = None

    def reduced(
        self, scores: TensorType, labels: TensorType, weights: TensorType | None
    ) -> TensorType:
        """The type of the loss."""
        if self.reduction not in ("none", "sum", "mean"):
            raise InferError("NN0208", f'there is no reduction "{self.reduction}"')
        require_float(scores)
        require_index(labels)
        if scores.rank < 2 or labels.rank != scores.rank - 1:
            raise InferError(
                "NN0204",
                f"scores [N, C, …] and labels [N, …] do not fit: {scores}, {labels}",
                help=_SAME_RANK
                if labels.rank == scores.rank
                else _ONE_LABEL
                if labels.rank == 1
                else None,
            )
        places = (scores.shape[0], *scores.shape[2:])
        for axis, (mine, theirs) in enumerate(zip(places, labels.shape, strict=True)):
            message = f"labels {labels} do not fit scores {scores}: {theirs} is not {mine}"
            try:
                require_equal(mine, theirs, message)
            except InferError as failure:
                failure.operand, failure.axis = 1, axis - labels.rank
                if labels.shape == scores.shape[:-1]:
                    failure.help = _LAST_AXIS
                raise
        if weights is not None:
            if weights.rank != 1 or weights.dtype is not scores.dtype:
                raise InferError(
                    "NN0204", f"weights are {scores.dtype}[{scores.shape[1]}], not {weights}"
                )
            message = f"{weights.shape[0]} weights do not fit {scores.shape[1]} classes"
            require_equal(weights.shape[0], scores.shape[1], message)
        shape = labels.shape if self.reduction == "none" else ()
        return TensorType(scores.dtype, shape)

    def loss(self, b: Builder, log_prob: Value, labels: Value, weights: Value | None) -> Value:
        """The loss of logarithms of probabilities."""
        weight, labels = self.weight(b, log_prob, labels, weights)
        picked = b(GatherElements(axis=1), log_prob, b(Unsqueeze(), labels, b.ints(1)))
        loss = b(Neg(), picked)
        if self.reduction == "mean" and weight is None:
            return b(ReduceMean(keepdims=0), loss)
        loss = b(Squeeze(), loss, b.ints(1))
        if weight is not None:
            loss = b(Mul(), loss, weight)
        if self.reduction == "none":
            return loss
        total = b(ReduceSum(keepdims=0), loss)
        if self.reduction == "mean" and weight is not None:
            total = b(Div(), total, b(ReduceSum(keepdims=0), weight))
        return total

    def weight(
        self, b: Builder, scores: Value, labels: Value, weights: Value | None
    ) -> tuple[Value | None, Value]:
        """What each label counts ([N, d…], None for 1), and labels that can index the classes."""
        weight, dtype = None, scores.type.dtype
        if self.ignore_index is not None:
            ignored = b(Equal(), labels, self.ignore_index)
            labels = b(Where(), ignored, b.constant(0, labels.type.dtype), labels)
            weight = b(Cast(dtype), b(Not(), ignored))
        if weights is not None:
            of_class = b(Gather(), weights, labels)
            weight = of_class if weight is None else b(Mul(), of_class, weight)
        return weight, labels


@operator
class NegativeLogLikelihoodLoss(ClassLoss):
    """-weight[target] · input[target] (ONNX NegativeLogLikelihoodLoss-22); see `ClassLoss`.

    input: [N, C, d…] logarithms of probabilities
    """

    signature = "input, target, weight? -> loss"

    def infer(
        self, scores: TensorType, labels: TensorType, weights: TensorType | None = None
    ) -> TensorType:
        return self.reduced(scores, labels, weights)

    def decompose(
        self, b: Builder, scores: Value, labels: Value, weights: Value | None = None
    ) -> Value:
        return self.loss(b, scores, labels, weights)


@operator
class SoftmaxCrossEntropyLoss(ClassLoss):
    """-weights[label] · log softmax(scores)[label] (ONNX SoftmaxCrossEntropyLoss-13).

    As in `ClassLoss`; log_prob: [N, C, d…]. The weights are taken as given: no gradient reaches
    them.
    """

    signature = "scores, labels, weights? -> output, log_prob?"

    def infer(
        self, scores: TensorType, labels: TensorType, weights: TensorType | None = None
    ) -> tuple[TensorType, TensorType]:
        return self.reduced(scores, labels, weights), TensorType(scores.dtype, scores.shape)

    def decompose(
        self, b: Builder, scores: Value, labels: Value, weights: Value | None = None
    ) -> tuple[Value, Value]:
        log_prob = b(LogSoftmax(axis=1), scores)
        return self.loss(b, log_prob, labels, weights), log_prob

    def vjp(self, at: Vjp) -> Gradients:
        """(softmax - one-hot) · weight, without making the one-hot matrix."""
        b, scores, labels = at.b, at.x, at.inputs[1]
        assert labels is not None
        weights = at.inputs[2] if len(at.inputs) > 2 else None
        probability = b(Exp(), at.outputs[1])
        gradient: Value | None = None
        if at.dy[0] is not None:
            weight, places = self.weight(b, scores, labels, weights)
            each = self._scale(b, at.dy[0], labels, weight)
            places = b(Unsqueeze(), places, b.ints(1))
            minus = full(b, -1, scores.type.dtype, places.shape)
            excess = b(ScatterElements(axis=1, reduction="add"), probability, places, minus)
            gradient = b(Mul(), excess, each)  # last, as scattering may then reuse its operand
        if at.dy[1] is not None:
            total = b(ReduceSum(), at.dy[1], b.ints(1))
            through = b(Sub(), at.dy[1], b(Mul(), probability, total))
            gradient = through if gradient is None else b(Add(), gradient, through)
        return gradient, *[None] * (len(at.inputs) - 1)

    def _scale(self, b: Builder, g: Value, labels: Value, weight: Value | None) -> Value:
        """The gradient of each label's unweighted loss, to be multiplied with [N, C, d…]."""
        if self.reduction == "mean":
            if weight is None:
                total = count(b, labels.shape, g.type.dtype)
                return b(Div(), g, b(Squeeze(), total) if total.rank else total)
            g = b(Div(), g, b(ReduceSum(keepdims=0), weight))
        each = g if weight is None else b(Mul(), g, weight)
        return b(Unsqueeze(), each, b.ints(1)) if each.rank else each


OPS: tuple[type[Op], ...] = (NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss)
