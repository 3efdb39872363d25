"""Which family an operator belongs to: for tables, for the colours of pictures."""

from __future__ import annotations

from nncomp.ir.op import Op

# Family: its operators. What stands in none is "other".
FAMILIES: dict[str, str] = {
    "convolution": """
        Conv ConvTranspose FusedConv ConvInputGrad ConvWeightGrad DeformConv ConvInteger QLinearConv
        CausalConvWithState
    """,
    "linear": """
        MatMul Gemm Einsum Det Inverse Attention MatMulInteger QLinearMatMul LSTM GRU RNN
        RotaryEmbedding LinearAttention
    """,
    "normalization": """
        BatchNormalization BatchNormTraining BatchNormGrad LayerNormalization GroupNormalization
        InstanceNormalization RMSNormalization LpNormalization MeanVarianceNormalization LRN Dropout
    """,
    "activation": """
        Relu ReluGrad Sigmoid Tanh LeakyRelu Elu Selu Celu PRelu HardSigmoid HardSwish Softplus
        Softsign Gelu Mish Swish ThresholdedRelu Softmax LogSoftmax Hardmax Clip
    """,
    "pooling": """
        MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool MaxPoolGrad
        AveragePoolGrad MaxUnpool Resize Upsample GridSample RoiAlign MaxRoiPool
    """,
    "reduction": """
        ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceSumSquare ReduceL1 ReduceL2
        ReduceLogSum ReduceLogSumExp ArgMax ArgMin CumSum CumProd TopK
    """,
    "elementwise": """
        Add Sub Mul Div Mod Pow Neg Abs Sign Min Max Sum Mean Sqrt Reciprocal Exp Log Sin Cos Tan
        Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Erf Floor Ceil Round Equal Greater GreaterOrEqual
        Less LessOrEqual And Or Xor Not IsNaN IsInf Where BitShift BitwiseAnd BitwiseOr BitwiseXor
        BitwiseNot QuantizeLinear DequantizeLinear DynamicQuantizeLinear
    """,
    "data movement": """
        Reshape Transpose Flatten Squeeze Unsqueeze Expand Concat Split Slice Tile Pad Gather
        GatherGrad GatherElements GatherND ScatterElements ScatterND OneHot Shape Size Cast Identity
        StopGradient DepthToSpace SpaceToDepth Trilu Compress NonZero Constant ConstantOfShape Range
        EyeLike Dims Col2Im Unique NonMaxSuppression CastLike BitCast CenterCropPad ReverseSequence
        TensorScatter AffineGrid ArrayFeatureExtractor SequenceEmpty SequenceConstruct
        SequenceInsert SequenceErase SequenceAt SequenceLength ConcatFromSequence SplitToSequence
        Optional OptionalHasElement OptionalGetElement
    """,
    "text and tables": """
        StringConcat StringSplit StringNormalizer RegexFullMatch TfIdfVectorizer ImageDecoder
        Binarizer LabelEncoder TreeEnsemble
    """,
    "loss": "SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss CrossEntropyGrad Grad Jvp",
    "random": """
        Random RandomNormal RandomUniform RandomNormalLike RandomUniformLike Bernoulli Multinomial
    """,
    "signal": "DFT STFT HannWindow HammingWindow BlackmanWindow MelWeightMatrix",
    "control": "If Loop Scan",
}

_FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names.split()}

# An operator that is not listed has the family of the module that declares it.
_FAMILY_OF_MODULE = {
    "activation": "activation",
    "comparison": "elementwise",
    "opened": "control",
    "conv": "convolution",
    "elementwise": "elementwise",
    "linear": "linear",
    "loss": "loss",
    "normalization": "normalization",
    "pooling": "pooling",
    "random": "random",
    "reduction": "reduction",
    "shape": "data movement",
}


def family(op: Op) -> str:
    """The family of an operator, "other" if it stands in none."""
    return family_of(type(op))


def family_of(op: type[Op]) -> str:
    """The same of an operator's class."""
    module = op.__module__.rpartition(".")[2].partition("_")[0]
    return _FAMILY_OF.get(op.__name__) or _FAMILY_OF_MODULE.get(module, "other")
