"""Samples of normalization."""

from __future__ import annotations

from nncomp.ops.normalization import (
    LRN,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    LpNormalization,
    MeanVarianceNormalization,
    RMSNormalization,
)
from nncomp.ops.normalization_batch import BatchNormalization, BatchNormGrad, BatchNormTraining
from nncomp.types import DType, TensorType
from tests.ops.sample import Failure, Sample, normal, spread, uniform

X = normal(2, 3, 5, 7)
SCALE, BIAS, MEAN, VAR = normal(3), normal(3, seed=1), normal(3, seed=2), uniform(0.5, 2, 3)

SAMPLES = [
    Sample(BatchNormalization(), X, SCALE, BIAS, MEAN, VAR),
    Sample(BatchNormalization(epsilon=0.1), normal(5, 3), SCALE, BIAS, MEAN, VAR, id="flat"),
    Sample(
        BatchNormalization(training_mode=1, momentum=0.7, epsilon=0.1),
        *(X, SCALE, BIAS, MEAN, VAR),
        id="training",
        ort=False,  # overwrites its mean and variance operands
    ),
    Sample(BatchNormTraining(epsilon=0.1), X, SCALE, BIAS),
    Sample(BatchNormTraining(epsilon=0.1), normal(5, 3), SCALE, BIAS, id="flat"),
    Sample(BatchNormGrad(), normal(2, 3, 5, 7, seed=3), X, SCALE, MEAN, VAR),
    Sample(LayerNormalization(epsilon=0.1), X, normal(7), normal(7, seed=1)),
    Sample(LayerNormalization(axis=2, epsilon=0.1), X, normal(5, 7), id="axes"),
    Sample(RMSNormalization(epsilon=0.1), X, normal(7)),
    Sample(RMSNormalization(axis=1, epsilon=0.1), X, normal(3, 5, 7), id="axes"),
    Sample(InstanceNormalization(epsilon=0.1), X, SCALE, BIAS),
    Sample(
        GroupNormalization(num_groups=2, epsilon=0.1),
        *(normal(3, 4, 5, 7), normal(4), normal(4, seed=1)),
        fixed=(4,),
    ),
    Sample(LRN(size=3, alpha=0.3, beta=0.6, bias=1.5), normal(2, 5, 3, 4)),
    # onnxruntime takes odd sizes only
    Sample(LRN(size=2, alpha=0.3), normal(2, 5, 3), id="even", ort=False),
    Sample(LpNormalization(), X),
    Sample(LpNormalization(p=1, axis=1), spread(2, 3, 5), id="p=1"),
    Sample(MeanVarianceNormalization(), X),
    Sample(MeanVarianceNormalization(axes=(2, -1)), X, id="axes"),
]


def f32(*shape: int) -> TensorType:
    return TensorType(DType.F32, shape)


IMAGE, THREE = f32(2, 3, 5, 7), f32(3)
FAILURES = [
    Failure(
        BatchNormalization(),
        *(IMAGE, f32(4), THREE, THREE, THREE),
        code="NN0205",
        words="`scale`|4 numbers for 3 channels",
    ),
    Failure(BatchNormTraining(), f32(3), THREE, THREE, code="NN0204", words="f32[3]"),
    Failure(LayerNormalization(axis=4), IMAGE, f32(7), code="NN0210", words="axis 4"),
    Failure(LayerNormalization(), IMAGE, f32(3), code="NN0207", words="f32[3]"),
    Failure(
        GroupNormalization(num_groups=2), IMAGE, THREE, THREE, code="NN0205", words="2 groups|3 cha"
    ),
    Failure(LRN(size=0), IMAGE, code="NN0208", words="size=0"),
    Failure(LpNormalization(p=3), IMAGE, code="NN0208", words="p=3"),
]
