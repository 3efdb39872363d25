"""onnxruntime's operators of the blocked layout, domain `com.microsoft.nchwc`.

A blocked tensor [N, C, H, W] keeps that shape, but its elements lie in the order
[N, C/b, H, W, b]: b channels of a pixel beside each other, b being what one vector register
holds. C is a multiple of b. Elementwise operators do not notice. Each operator decomposes into
standard ones, which is what the interpreter runs and what says what it means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from nncomp.dims import DimLike
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError, Op, operator
from nncomp.ops.convolution import Convolution
from nncomp.ops.forms import reshape, transpose
from nncomp.ops.fused import FusedConv
from nncomp.ops.pooling import GlobalAveragePool
from nncomp.ops.rules import require_float
from nncomp.ops.shape_slicing import Pad, Slice
from nncomp.types import TensorType

DOMAIN = "com.microsoft.nchwc"
PACKED = 4  # ReorderInput takes multiples of so many channels


@operator
class Blocked(Op):
    """Base: `spelling` is the operator's name in its domain; block, b, stands in no model."""

    domain = DOMAIN
    spelling: ClassVar[str]
    block: int

    def written(self) -> dict[str, Any]:
        """The attributes as the model has them."""
        return {k: v for k, v in self.attributes().items() if k != "block"}


@operator
class ReorderInput(Blocked):
    """A plain [N, C, H, W] in blocked order; zeros fill the last block, C being a multiple of 4.

    channels_last: X is [N, H, W, C], C whole blocks, which are copied as they are
    """

    signature = "X -> Y"
    spelling = "ReorderInput"
    channels_last: int = 0

    def infer(self, x: TensorType) -> TensorType:
        if self.channels_last and x.rank == 4:
            n, h, w, c = x.shape
            x = _require_blocks(TensorType(x.dtype, (n, c, h, w)), self.block)
        whole = _require_blocks(x, min(self.block, PACKED))
        channels = x.shape[1] + self._missing(x.shape[1])
        return TensorType(whole.dtype, (x.shape[0], channels, *x.shape[2:]))

    def _missing(self, channels: DimLike) -> int:
        return -channels % self.block if isinstance(channels, int) else 0

    def decompose(self, b: Builder, x: Value) -> Value:
        if self.channels_last:
            x = transpose(b, x, 0, 3, 1, 2)
        n, c, h, w = x.shape
        missing = self._missing(c)
        if missing:
            x = b(Pad(), x, b.ints(0, 0, 0, 0, 0, missing, 0, 0))
        apart = reshape(b, x, n, (c + missing) // self.block, self.block, h, w)
        return reshape(b, transpose(b, apart, 0, 1, 3, 4, 2), *x.shape)


@operator
class ReorderOutput(Blocked):
    """A blocked [N, C, H, W] in plain order; channels: how many of C there are, the rest fill the
    last block. 0: all"""

    signature = "X -> Y"
    spelling = "ReorderOutput"
    channels: int

    def infer(self, x: TensorType) -> TensorType:
        whole = _require_blocks(x, self.block)
        return TensorType(whole.dtype, (x.shape[0], self.channels or x.shape[1], *x.shape[2:]))

    def decompose(self, b: Builder, x: Value) -> Value:
        n, c, h, w = x.shape
        apart = reshape(b, x, n, c // self.block, h, w, self.block)
        plain = reshape(b, transpose(b, apart, 0, 1, 4, 2, 3), *x.shape)
        if self.channels in (0, c):
            return plain
        return b(Slice(), plain, b.ints(0), b.ints(self.channels), b.ints(1))


def _require_blocks(x: TensorType, block: int) -> TensorType:
    if x.rank != 4:
        raise InferError("NN0204", f"the blocked layout has four dimensions, {x} has {x.rank}")
    if isinstance(x.shape[1], int) and x.shape[1] % block:
        raise InferError("NN0205", f"{x.shape[1]} channels are not a multiple of {block}")
    return TensorType(require_float(x).dtype, x.shape)


@operator
class BlockedConv(Convolution, Blocked):
    """activation(conv(X, W) + B + Z), Y and Z blocked.

    X: blocked; plain where it has fewer channels than a block. W: [K, C / group, R, S], in memory
    K/b, C/b, R, S, b(c), b(k), where b(k) is K's part in a block; without the blocks of C where
    there are fewer channels than one holds. B: [K]. activation, activation_params: as FusedConv's
    """

    signature = "X, W, B?, Z? -> Y"
    domain = DOMAIN
    spelling = "Conv"
    activation: str = ""
    activation_params: tuple[float, ...] = ()

    def infer(
        self,
        x: TensorType,
        w: TensorType,
        b: TensorType | None = None,
        z: TensorType | None = None,
    ) -> TensorType:
        y = self.infer_forward(x, w, b)
        if x.rank != 4:
            raise InferError("NN0204", f"the blocked layout has four dimensions, {x} has {x.rank}")
        if z is not None and z.rank != 4:
            raise InferError("NN0207", f"the added tensor {z} is not of the result's type {y}")
        return y

    def decompose(
        self, b: Builder, x: Value, w: Value, bias: Value | None = None, z: Value | None = None
    ) -> Value:
        attributes = {f.name: getattr(self, f.name) for f in dataclasses.fields(Convolution)}
        conv = FusedConv(
            **attributes,
            activation=self.activation,
            activation_params=self.activation_params,
        )
        if not self.takes_plain(x.shape):
            x = _plain(b, x, self.block)
        z = None if z is None else _plain(b, z, self.block)
        return b(ReorderInput(self.block), b(conv, x, self._plain_filters(b, w), bias, z))

    def takes_plain(self, x: Sequence[DimLike]) -> bool:
        """Whether X is not blocked: it has fewer channels than a block."""
        return isinstance(x[1], int) and x[1] < self.block

    def _plain_filters(self, b: Builder, w: Value) -> Value:
        k, c, r, s = w.shape
        order, inner = (0, 4, 1, 2, 3), (k // self.block, c, r, s, self.block)
        if isinstance(c, int) and c >= self.block:
            apart = reshape(b, w, k // self.block, c // self.block, r, s, self.block, self.block)
            return reshape(b, transpose(b, apart, 0, 5, 1, 4, 2, 3), *w.shape)
        return reshape(b, transpose(b, reshape(b, w, *inner), *order), *w.shape)


@operator
class BlockedGlobalAveragePool(Blocked):
    """The mean over H and W; [N, C, 1, 1] lies in blocked order as it does in plain order."""

    signature = "X -> Y"
    spelling = "GlobalAveragePool"

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(_require_blocks(x, self.block).dtype, (*x.shape[:2], 1, 1))

    def decompose(self, b: Builder, x: Value) -> Value:
        return b(GlobalAveragePool(), _plain(b, x, self.block))


def _plain(b: Builder, x: Value, block: int) -> Value:
    channels = x.shape[1]
    return b(ReorderOutput(block, channels if isinstance(channels, int) else 0), x)
