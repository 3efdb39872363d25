"""Softmax cross entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.backends.reference.kernels.activation import shifted_log_softmax
from nncomp.ir.op import Op
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.types import Array


def softmax_cross_entropy(
    op: SoftmaxCrossEntropyLoss, scores: Array, labels: Array, weights: Array | None = None
) -> tuple[Array, Array]:
    log_prob = shifted_log_softmax(scores, 1)
    counted = np.ones(labels.shape, bool) if op.ignore_index is None else labels != op.ignore_index
    places = np.where(counted, labels, 0)
    if places.size and (places.min() < 0 or places.max() >= scores.shape[1]):
        wrong = places.min() if places.min() < 0 else places.max()
        raise IndexError(f"label {wrong} is out of range for {scores.shape[1]} classes")
    weight = counted.astype(scores.dtype)
    if weights is not None:
        weight *= weights[places]
    picked = np.take_along_axis(log_prob, np.expand_dims(places, 1), 1)
    loss = -np.squeeze(picked, 1) * weight
    if op.reduction == "none":
        return loss, log_prob
    total = loss.sum()
    if op.reduction == "mean":
        total = total / weight.sum()
    return np.asarray(total, scores.dtype), log_prob


KERNELS: dict[type[Op], Callable[..., Any]] = {SoftmaxCrossEntropyLoss: softmax_cross_entropy}
