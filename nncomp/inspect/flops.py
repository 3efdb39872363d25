"""How many floating-point operations each operator takes, as a table.

The convention: one multiplication and one addition are one operation each, so a multiply-add is
two (many papers count it as one: their numbers are half of these). An elementary function (exp,
tanh, sqrt, erf, …) and a comparison count one. What only moves or reinterprets data takes none.
Composite operators are counted by their usual algorithm, not by one implementation of it.

An operator that does not stand here counts one for each element of its result, which is right for
elementwise ones; a test lists the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from nncomp.ir.op import Op

Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Sized:
    """An operator with the shapes of its operands (None for one left out) and results."""

    op: Op
    inputs: tuple[Sizes | None, ...]
    outputs: tuple[Sizes, ...]

    def has(self, index: int) -> bool:
        """Whether the operand is there."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def input(self, index: int = 0) -> Sizes:
        shape = self.inputs[index]
        assert shape is not None
        return shape

    @property
    def read(self) -> int:
        """Elements of the first operand."""
        return math.prod(self.input())

    @property
    def written(self) -> int:
        """Elements of the first result."""
        return math.prod(self.outputs[0])


Rule = Callable[[Sized], int]


_ONE_PER_RESULT = """
    Add Sub Mul Div Mod Pow Neg Abs Sign Sqrt Reciprocal Exp Log Sin Cos Tan Asin Acos Atan Sinh
    Cosh Asinh Acosh Atanh Erf Floor Ceil Round Equal Greater GreaterOrEqual Less LessOrEqual
    IsNaN IsInf Relu ReluGrad Tanh LeakyRelu PRelu ThresholdedRelu Softplus
"""
_ONE_PER_OPERAND = """
    ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceLogSum ArgMax ArgMin
    CumSum CumProd Unique GlobalAveragePool GlobalMaxPool GatherGrad MaxPoolGrad
"""

# Operations for each element of the result.
PER_RESULT: dict[str, int] = {
    **dict.fromkeys(_ONE_PER_RESULT.split(), 1),
    "Clip": 2,
    "Softsign": 3,
    "Elu": 3,
    "Selu": 4,
    "Celu": 4,
    "Sigmoid": 3,
    "HardSigmoid": 4,
    "HardSwish": 5,
    "Swish": 4,
    "Gelu": 5,
    "Mish": 4,
    **dict.fromkeys(("Random", "RandomUniform", "RandomUniformLike", "Bernoulli"), 1),
    **dict.fromkeys(("RandomNormal", "RandomNormalLike"), 4),
    **dict.fromkeys(("HannWindow", "HammingWindow"), 5),
    "BlackmanWindow": 8,
    "RotaryEmbedding": 3,
    "QuantizeLinear": 4,
    "DequantizeLinear": 2,
    "DynamicQuantizeLinear": 6,
    "BatchNormalization": 2,  # a scale and a shift, known for each channel before the run
}

# Operations for each element of the first operand.
PER_OPERAND: dict[str, int] = {
    **dict.fromkeys(_ONE_PER_OPERAND.split(), 1),
    "GlobalLpPool": 2,
    "Col2Im": 1,
    "ReduceSumSquare": 2,
    "ReduceL2": 2,
    "ReduceLogSumExp": 4,
    "TopK": 1,
    # maximum, difference, exp, sum, division
    "Softmax": 5,
    "LogSoftmax": 5,
    "Hardmax": 2,
    "SoftmaxCrossEntropyLoss": 5,
    "NegativeLogLikelihoodLoss": 1,
    # mean, difference, square, sum, scale, weight, bias
    "BatchNormTraining": 7,
    "LayerNormalization": 7,
    "GroupNormalization": 7,
    "InstanceNormalization": 7,
    "RMSNormalization": 4,
    "MeanVarianceNormalization": 5,
    "LpNormalization": 3,
    # two sums of a product or a term, then three products and two sums for dX
    "BatchNormGrad": 9,
    "CrossEntropyGrad": 3,
    "LRN": 5,
}

# Moves, makes or reinterprets data; logic on bits; texts, and what is looked up in tables.
_NONE = """
    Constant ConstantOfShape Range EyeLike Dims Shape Size Identity StopGradient Cast
    Reshape Transpose Flatten Squeeze Unsqueeze Expand Concat Split Slice Tile Pad
    Gather GatherElements GatherND ScatterElements ScatterND OneHot Where
    And Or Xor Not BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot NonZero
    DepthToSpace SpaceToDepth Trilu Compress MaxUnpool Grad Jvp Resize Dropout
    CastLike BitCast CenterCropPad ReverseSequence TensorScatter MelWeightMatrix
    SequenceEmpty SequenceConstruct SequenceInsert SequenceErase SequenceAt SequenceLength
    ConcatFromSequence SplitToSequence Optional OptionalHasElement OptionalGetElement
    StringConcat StringSplit StringNormalizer RegexFullMatch TfIdfVectorizer ImageDecoder
    Binarizer LabelEncoder TreeEnsemble ArrayFeatureExtractor
    Scan Loop If
"""
# of Scan, Loop and If the bodies count: see `nncomp.inspect.cost`
NONE = frozenset(_NONE.split())


def _conv(at: Sized) -> int:
    """Each result element is a dot product over the kernel and the channels of its group."""
    bias = at.written if at.has(2) else 0
    return 2 * at.written * math.prod(at.input(1)[1:]) + bias


def _fused_conv(at: Sized) -> int:
    added = at.written if at.has(3) else 0
    activation = getattr(at.op, "activation", "")
    return _conv(at) + added + PER_RESULT.get(activation, 1 if activation else 0) * at.written


def _conv_transpose(at: Sized) -> int:
    bias = at.written if at.has(2) else 0
    return 2 * at.read * math.prod(at.input(1)[1:]) + bias


def _conv_input_grad(at: Sized) -> int:
    return 2 * at.read * math.prod(at.input(1)[1:])


def _conv_weight_grad(at: Sized) -> int:
    return 2 * math.prod(at.input(1)) * math.prod(at.outputs[0][1:])


def _deform_conv(at: Sized) -> int:
    """A convolution, of elements that are each read between 2ʳ pixels, once for all channels of
    the result."""
    spatial = len(at.outputs[0]) - 2
    taps = math.prod(at.input(1)[2:]) * math.prod(at.outputs[0][2:])
    read = at.input()[0] * at.input()[1] * taps
    products = 2 * at.written * math.prod(at.input(1)[1:])
    neighbours = math.prod([2] * spatial)
    return products + (at.written if at.has(3) else 0) + 2 * neighbours * read


def _grid_sample(at: Sized) -> int:
    """A product and a sum for each pixel that counts."""
    reach: int = {"nearest": 0, "linear": 2, "cubic": 4}[str(getattr(at.op, "mode", "linear"))]
    return 2 * at.written * math.prod([reach] * (len(at.outputs[0]) - 2))


def _roi_align(at: Sized) -> int:
    """Four pixels for each place; as many places as the image has pixels, at most, where that is
    left open."""
    ratio = int(getattr(at.op, "sampling_ratio", 0))
    places = (
        ratio**2 if ratio else max(1, math.prod(at.input()[2:]) // math.prod(at.outputs[0][2:]))
    )
    return 8 * places * at.written


def _max_roi_pool(at: Sized) -> int:
    """At most each pixel of the image once, for each region."""
    return at.outputs[0][0] * at.outputs[0][1] * math.prod(at.input()[2:])


def _determinant(at: Sized) -> int:
    """Gauss's elimination: ⅔ n³ for each matrix."""
    return 2 * at.read * at.input()[-1] // 3


def _inverse(at: Sized) -> int:
    return 2 * at.read * at.input()[-1]


def _affine_grid(at: Sized) -> int:
    return 2 * at.written * at.outputs[0][-1]


def _matmul(at: Sized) -> int:
    return 2 * at.written * at.input()[-1]


def _gemm(at: Sized) -> int:
    inner = at.input()[0 if getattr(at.op, "transA", 0) else 1]
    bias = at.written if at.has(2) else 0
    return 2 * at.written * inner + bias


def _einsum(at: Sized) -> int:
    """Every combination of labels once: a product of all operands, and a sum."""
    left = str(getattr(at.op, "equation", "")).replace(" ", "").split("->")[0]
    sizes: dict[str, int] = {}
    for labels, shape in zip(left.split(","), at.inputs, strict=False):
        if shape is not None:
            head, dots, tail = labels.partition("...")
            sizes.update(zip(head, shape, strict=False))
            sizes.update(zip(reversed(tail), reversed(shape), strict=False))
            if dots:
                middle = shape[len(head) : len(shape) - len(tail)]
                sizes.update({f"...{i}": d for i, d in enumerate(reversed(middle))})
    return len([s for s in at.inputs if s is not None]) * math.prod(sizes.values())


def _attention(at: Sized) -> int:
    """Two products of [T, D] and [S, D] matrices for each head, and a softmax."""
    keys = at.input(1)[-2]
    return at.read * keys * 4 + 5 * (at.read // max(1, at.input()[-1])) * keys


def _qlinear_matmul(at: Sized) -> int:
    return 2 * at.written * at.input()[-1] + 4 * at.written


def _qlinear_conv(at: Sized) -> int:
    return 2 * at.written * math.prod(at.input(3)[1:]) + 4 * at.written


def _dft(at: Sized) -> int:
    """5 n log₂ n for each complex transform of n numbers, of the longest axis if need be."""
    size = max((2, *at.input()[:-1]))
    return int(5 * (at.written // 2) * math.log2(size))


def _stft(at: Sized) -> int:
    """A transform of each frame, and the window's products."""
    *_, frames, bins, _ = at.outputs[0]
    size = 2 * (bins - 1) if getattr(at.op, "onesided", 1) else bins
    each = 5 * size * math.log2(max(2, size)) + 2 * size
    return int(at.outputs[0][0] * frames * each)


def _multinomial(at: Sized) -> int:
    """Running sums, and a comparison of each number drawn with all of them."""
    return at.read * (3 + at.outputs[0][1])


def _non_max_suppression(at: Sized) -> int:
    """Each box that is chosen beside each other one."""
    return 12 * at.outputs[0][0] * at.input()[1]


def _linear_attention(at: Sized) -> int:
    """At each time a decay of the state, what is added to it, and two products with it."""
    _, time, _ = at.input()
    return 8 * time * math.prod(at.outputs[1])


def _recurrent(gates: int) -> Rule:
    def rule(at: Sized) -> int:
        time, batch, width = at.input()
        directions, _, hidden = at.input(2)
        per_step = 2 * gates * hidden * (width + hidden) + 4 * gates * hidden
        return directions * time * batch * per_step

    return rule


def _pool(at: Sized) -> int:
    return at.written * math.prod(getattr(at.op, "kernel_shape", ()))


def _average_pool_grad(at: Sized) -> int:
    return at.read * math.prod(getattr(at.op, "kernel_shape", ()))


def _variadic(at: Sized) -> int:
    return at.written * max(0, len(at.inputs) - 1)


RULES: dict[str, Rule] = {
    "Conv": _conv,
    "FusedConv": _fused_conv,
    "DeformConv": _deform_conv,
    "GridSample": _grid_sample,
    "AffineGrid": _affine_grid,
    "RoiAlign": _roi_align,
    "MaxRoiPool": _max_roi_pool,
    "Det": _determinant,
    "Inverse": _inverse,
    "ConvTranspose": _conv_transpose,
    "ConvInputGrad": _conv_input_grad,
    "ConvWeightGrad": _conv_weight_grad,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "MatMulInteger": _matmul,
    "QLinearMatMul": _qlinear_matmul,
    "ConvInteger": lambda at: 2 * at.written * math.prod(at.input(1)[1:]),
    "QLinearConv": _qlinear_conv,
    "CausalConvWithState": _conv,
    "LinearAttention": _linear_attention,
    "DFT": _dft,
    "STFT": _stft,
    "Multinomial": _multinomial,
    "NonMaxSuppression": _non_max_suppression,
    "Einsum": _einsum,
    "Attention": _attention,
    "LSTM": _recurrent(4),
    "GRU": _recurrent(3),
    "RNN": _recurrent(1),
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "AveragePoolGrad": _average_pool_grad,
    "Sum": _variadic,
    "Mean": lambda at: _variadic(at) + at.written,
    "Min": _variadic,
    "Max": _variadic,
}


def has_rule(name: str) -> bool:
    """Whether the operator of that name stands in the table."""
    return name in RULES or name in PER_RESULT or name in PER_OPERAND or name in NONE


def flops(at: Sized) -> int:
    """Floating-point operations of one node; one for each result element without a rule."""
    name = at.op.name
    if name in NONE:
        return 0
    if name in RULES:
        return RULES[name](at)
    if name in PER_OPERAND:
        return PER_OPERAND[name] * at.read
    return PER_RESULT.get(name, 1) * at.written
