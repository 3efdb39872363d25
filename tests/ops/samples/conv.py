"""Samples of convolutions and their gradients. Channels and weights have fixed sizes."""

from __future__ import annotations

from typing import Any

from nncomp.ops.conv import Conv, ConvTranspose
from nncomp.ops.conv_grad import ConvInputGrad, ConvWeightGrad
from nncomp.ops.convolution import Convolution
from nncomp.ops.fused import FusedConv
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal

X, W, B = normal(2, 3, 7, 9), normal(4, 3, 3, 2), normal(4)


def convolve(op: Convolution, *arrays: Any, **more: Any) -> Sample:
    """X's batch and spatial sizes are symbols; W and B are as they are."""
    channels = arrays[0].shape[1]
    return Sample(op, *arrays, static=(1, 2), fixed=(channels,), **more)


SAMPLES = [
    convolve(Conv(), X, W),
    convolve(Conv(kernel_shape=(3, 2)), X, W, B, id="bias"),
    convolve(Conv(pads=(1, 0, 2, 1), strides=(2, 3)), X, W, id="strides"),
    convolve(Conv(dilations=(2, 3), strides=(1, 2)), X, W, id="dilations"),
    convolve(Conv(auto_pad="SAME_UPPER", strides=(2, 2)), X, W, id="same upper"),
    convolve(Conv(auto_pad="SAME_LOWER", strides=(2, 2)), X, W, id="same lower"),
    convolve(Conv(auto_pad="VALID", strides=(2, 2)), X, W, id="valid"),
    convolve(Conv(group=2), normal(3, 4, 6, 7), normal(6, 2, 3, 2), normal(6), id="groups"),
    convolve(Conv(group=4), normal(3, 4, 6, 7), normal(8, 1, 3, 2), id="depthwise"),
    convolve(Conv(), normal(2, 3, 7), normal(4, 3, 3), id="1-D"),
    convolve(Conv(pads=(1,) * 6), normal(2, 3, 4, 5, 6), normal(4, 3, 3, 2, 3), id="3-D"),
    convolve(Conv(), normal(2, 3, 5, 6), normal(4, 3, 1, 1), id="pointwise"),
    Sample(Conv(), normal(2, 3, 7, 9), normal(4, 3, 5, 6), id="symbolic kernel"),
    convolve(ConvTranspose(), normal(2, 3, 5, 6), normal(3, 4, 3, 2), B),
    convolve(
        ConvTranspose(strides=(2, 3), pads=(1, 0, 1, 1), output_padding=(1, 2)),
        normal(2, 3, 5, 6),
        normal(3, 4, 3, 2),
        id="strides",
    ),
    convolve(
        ConvTranspose(group=2, dilations=(2, 1)),
        normal(3, 4, 5, 6),
        normal(4, 3, 3, 2),
        id="groups",
    ),
    convolve(
        ConvTranspose(auto_pad="SAME_UPPER", strides=(2, 2)),
        normal(2, 3, 5, 6),
        normal(3, 4, 3, 4),
        id="same upper",
    ),
    convolve(
        ConvTranspose(auto_pad="SAME_LOWER", strides=(2, 2)),
        normal(2, 3, 5, 6),
        normal(3, 4, 3, 4),
        id="same lower",
    ),
    Sample(
        ConvTranspose(output_shape=(10, 12), strides=(2, 2)),
        *(normal(2, 3, 5, 6), normal(3, 4, 3, 4)),
        id="output shape",
        static=(0, 1),
    ),
    convolve(
        FusedConv(pads=(1, 1, 1, 1), activation="Tanh"), X, normal(4, 3, 3, 3), B, id="activation"
    ),
    Sample(
        FusedConv(pads=(1, 1, 1, 1), activation="HardSigmoid", activation_params=(0.03, 0.5)),
        *(X, normal(4, 3, 3, 3), None, normal(2, 4, 7, 9)),
        id="residual",
        static=(1,),
        fixed=(3, 4),
    ),
    convolve(FusedConv(strides=(2, 2)), X, W, B, id="plain"),
]
DX = {"sizes": (2,), "static": (1,)}
SAMPLES += [
    Sample(ConvInputGrad(), normal(2, 4, 5, 8), W, ints(2, 3, 7, 9), fixed=(4, 3), **DX),
    Sample(
        ConvInputGrad(strides=(2, 3), pads=(1, 0, 2, 1)),
        *(normal(2, 4, 5, 7, seed=1)[:, :, :4, :3], W, ints(2, 3, 7, 8)),
        id="strides",
        # the result's size does not follow from its gradient's: checked with sizes known
        static=(0, 1),
        fixed=(4, 3),
    ),
    Sample(
        ConvInputGrad(group=2),
        *(normal(3, 6, 4, 7), normal(6, 2, 3, 2), ints(3, 4, 6, 8)),
        id="groups",
        static=(0, 1),
    ),
    Sample(
        ConvWeightGrad(),
        *(X, normal(2, 4, 5, 8), ints(4, 3, 3, 2)),
        static=(0, 1),
    ),
    Sample(
        ConvWeightGrad(strides=(2, 2), dilations=(1, 3), pads=(1, 1, 1, 1)),
        *(X, normal(2, 4, 4, 4), ints(4, 3, 3, 2)),
        id="strides",
        static=(0, 1),
    ),
    Sample(
        ConvWeightGrad(group=2),
        *(normal(3, 4, 6, 8), normal(3, 6, 4, 7), ints(6, 2, 3, 2)),
        id="groups",
        static=(0, 1),
    ),
]


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


IMAGE = f32(2, 3, 5, 9)
FAILURES = [
    Failure(
        Conv(),
        *(IMAGE, f32(4, 3, 7, 7)),
        code="NN0205",
        words="kernel 7 does not fit into height 5 (padded 5)|pad=1",
    ),
    Failure(
        Conv(dilations=(1, 5)), IMAGE, f32(4, 3, 3, 3), code="NN0205", words="extent 11|width 9"
    ),
    Failure(
        Conv(), IMAGE, f32(4, 1, 3, 3), code="NN0205", words="3 channels|take 1|group=3 would fit"
    ),
    Failure(Conv(), IMAGE, f32(4, 0, 3, 3), code="NN0205", words="3 channels|take 0"),
    Failure(Conv(group=2), IMAGE, f32(4, 1, 3, 3), code="NN0205", words="2 groups|3 channels"),
    Failure(
        Conv(group=3), IMAGE, f32(4, 1, 3, 3), code="NN0205", words="group 3|4 output channels"
    ),
    Failure(Conv(), IMAGE, f32(4, 3, 3), code="NN0204", words="3 dimensions|[out, in / group"),
    Failure(Conv(), f32(3, 5), f32(4, 3, 3), code="NN0204", words="f32[3, 5]|batch axis"),
    Failure(
        Conv(), IMAGE, f32(4, 3, 3, 3), f32(3), code="NN0205", words="3 numbers for 4 channels"
    ),
    Failure(Conv(strides=(2,)), IMAGE, f32(4, 3, 3, 3), code="NN0208", words="[2]|2 spatial"),
    Failure(Conv(pads=(1, 1)), IMAGE, f32(4, 3, 3, 3), code="NN0208", words="before each axis"),
    Failure(Conv(kernel_shape=(5, 5)), IMAGE, f32(4, 3, 3, 3), code="NN0205", words="[5, 5]|leave"),
    Failure(Conv(auto_pad="SAME"), IMAGE, f32(4, 3, 3, 3), code="NN0208", words="SAME_UPPER"),
    Failure(
        Conv(),
        *(TensorType(DType.I64, (2, 3, 5, 9)), f32(4, 3, 3, 3)),
        code="NN0203",
        words="floating",
    ),
    Failure(ConvTranspose(), IMAGE, f32(4, 3, 3, 3), code="NN0205", words="take 4|[in, out"),
    Failure(
        ConvTranspose(output_padding=(2, 0), strides=(2, 2)),
        *(IMAGE, f32(3, 4, 3, 3)),
        code="NN0208",
        words="output_padding 2|at most 1",
    ),
    Failure(
        FusedConv(activation="Softmax"), IMAGE, f32(4, 3, 3, 3), code="NN0208", words="Softmax|Relu"
    ),
]
