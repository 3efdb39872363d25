"""Resize: sampling a tensor at other places, axis by axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, prod

import numpy as np

from nncomp.dims import DimLike, floordiv, new_dim
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Gradients, InferError, NoGradientError, Op, Vjp, operator
from nncomp.ops import resize_blocks
from nncomp.ops.elementwise import Mul
from nncomp.ops.forms import transpose
from nncomp.ops.linear import MatMul
from nncomp.ops.pooling_average import AveragePool
from nncomp.ops.resize_axis import COORDINATES, MODES, NEAREST, Sampling, taps
from nncomp.ops.rules import normalize_axis
from nncomp.ops.windows import Ints, out_of_range
from nncomp.types import DType, Shape, TensorType

POLICIES = ("stretch", "not_larger", "not_smaller")
Floats = Sequence[float] | None


@dataclass(frozen=True, slots=True)
class Target:
    """What becomes of one axis. scale is None where it depends on symbolic dims."""

    axis: int
    size: DimLike
    outputs: DimLike
    scale: float | None
    roi: tuple[float, float] = (0.0, 1.0)

    @property
    def is_identity(self) -> bool:
        return self.size == self.outputs and self.scale in (None, 1.0) and self.roi == (0.0, 1.0)

    @property
    def factor(self) -> int | None:
        """The integer by which the axis grows, if scale and sizes say so."""
        factor = floordiv(self.outputs, self.size)
        if not isinstance(factor, int) or self.size * factor != self.outputs:
            return None
        return factor if self.scale in (None, float(factor)) else None


@operator
class Resize(Op):
    """X sampled at other places, interpolated axis by axis (ONNX Resize-19).

    roi: [starts…, ends…], for tf_crop_and_resize; scales: a factor, or sizes: a size, for each axis
    in `axes` (all axes without); exactly one of the two. What is not known of them, sizes as dims
    and others as constants, leaves the resulting sizes to be measured by each run.
    """

    signature = "X, roi?, scales?, sizes? -> Y"
    open_sizes = True
    antialias: int = 0
    axes: Ints = None
    coordinate_transformation_mode: str = "half_pixel"
    cubic_coeff_a: float = -0.75
    exclude_outside: int = 0
    extrapolation_value: float = 0.0
    keep_aspect_ratio_policy: str = "stretch"
    mode: str = "nearest"
    nearest_mode: str = "round_prefer_floor"

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            self.mode,
            self.coordinate_transformation_mode,
            self.nearest_mode,
            self.cubic_coeff_a,
            bool(self.antialias),
            bool(self.exclude_outside),
        )

    def infer(
        self,
        x: TensorType,
        roi: TensorType | None = None,
        scales: TensorType | None = None,
        sizes: TensorType | None = None,
    ) -> TensorType:
        self._check_attributes()
        shape = list(x.shape)
        if not _known(roi, scales, sizes):
            for axis in self.axes or range(x.rank):
                shape[normalize_axis(axis, x.rank)] = new_dim("resized", 0)
            return TensorType(x.dtype, tuple(shape))
        for target in self.targets(x.shape, *_contents(roi, scales, sizes)):
            shape[target.axis] = target.outputs
        return TensorType(x.dtype, tuple(shape))

    def _check_attributes(self) -> None:
        for name, allowed in (
            ("mode", MODES),
            ("coordinate_transformation_mode", COORDINATES),
            ("nearest_mode", NEAREST),
            ("keep_aspect_ratio_policy", POLICIES),
        ):
            if getattr(self, name) not in allowed:
                out_of_range(f'{name}="{getattr(self, name)}"', "one of " + ", ".join(allowed))
        if self.antialias and self.mode == "nearest":
            out_of_range("antialias does not go with nearest", 'mode="linear" or "cubic"')

    def targets(
        self, shape: Shape, roi: Floats, scales: Floats, sizes: Sequence[DimLike] | None
    ) -> list[Target]:
        """What becomes of each axis that is named; InferError for contents that do not fit."""
        rank = len(shape)
        axes = [normalize_axis(axis, rank) for axis in self.axes or range(rank)]
        given = scales if scales is not None else sizes
        if given is None or (scales is not None and sizes is not None):
            raise InferError("NN0702", "a resize needs either scales or sizes")
        if len(given) != len(axes):
            raise InferError(
                "NN0205", f"{len(given)} numbers are given for {len(axes)} axes", operand=0
            )
        spans = self._spans(roi, len(axes))
        if scales is not None:
            if min(scales) <= 0:
                out_of_range(f"scales {list(scales)} must be positive")
            return [
                Target(a, shape[a], _scaled(shape[a], scale * (end - start)), scale, (start, end))
                for a, scale, (start, end) in zip(axes, scales, spans, strict=True)
            ]
        assert sizes is not None
        if self.keep_aspect_ratio_policy != "stretch":
            return self._proportional([shape[a] for a in axes], sizes, axes, spans)
        return [
            Target(a, shape[a], size, _ratio(size, shape[a]), span)
            for a, size, span in zip(axes, sizes, spans, strict=True)
        ]

    def _proportional(
        self,
        old: Sequence[DimLike],
        new: Sequence[DimLike],
        axes: Sequence[int],
        spans: Sequence[tuple[float, float]],
    ) -> list[Target]:
        ratios = [_ratio(n, o) for n, o in zip(new, old, strict=True)]
        known = [r for r in ratios if r is not None]
        if len(known) != len(ratios):
            raise InferError(
                "NN0212",
                f'keep_aspect_ratio_policy="{self.keep_aspect_ratio_policy}" needs known sizes',
                help='with symbolic sizes, "stretch"',
            )
        scale = min(known) if self.keep_aspect_ratio_policy == "not_larger" else max(known)
        return [
            Target(axis, size, floor(scale * size + 0.5), scale, span)
            for axis, size, span in zip(axes, old, spans, strict=True)
            if isinstance(size, int)
        ]

    def _spans(self, roi: Floats, count: int) -> list[tuple[float, float]]:
        if self.coordinate_transformation_mode != "tf_crop_and_resize":
            return [(0.0, 1.0)] * count
        if roi is None or len(roi) != 2 * count:
            raise InferError(
                "NN0702", f"tf_crop_and_resize needs a roi of {2 * count} numbers", operand=1
            )
        return list(zip(roi[:count], roi[count:], strict=True))

    def vjp(self, at: Vjp) -> Gradients:
        """The transpose of each axis' interpolation: a constant matrix, or for repetition by an
        integer (of any axis from 2 on) a sum over blocks."""
        types = [None if v is None else v.type for v in (*at.inputs[1:], None, None, None)[:3]]
        if not _known(*types):
            raise NoGradientError("what a Resize makes of its axes must be known")
        targets = [t for t in self.targets(at.x.shape, *_contents(*types)) if not t.is_identity]
        if self._repeats and all(t.axis >= 2 and t.factor for t in targets):
            dx = _block_sums(at.b, at.g, targets)
        else:
            dx = at.g
            for target in targets:
                dx = self._transposed(at.b, dx, target)
        return (dx, None, None, None)[: len(at.inputs)]

    @property
    def _repeats(self) -> bool:
        """Whether growing by an integer repeats each element."""
        if self.mode != "nearest":
            return False
        if self.coordinate_transformation_mode == "asymmetric":
            return self.nearest_mode == "floor"
        half = self.coordinate_transformation_mode in COORDINATES[:2]
        return half and self.nearest_mode.startswith("round")

    def _transposed(self, b: Builder, g: Value, target: Target) -> Value:
        size, outputs = target.size, target.outputs
        if not isinstance(size, int) or not isinstance(outputs, int) or target.scale is None:
            raise NoGradientError(
                f"Resize of the symbolic axis {target.axis} ({size} to {outputs}) by "
                f"{self.mode} interpolation"
            )
        matrix = taps(self.sampling, size, outputs, target.scale, target.roi).matrix(size)
        order = [a for a in range(g.rank) if a != target.axis] + [target.axis]
        product = b(
            MatMul(), transpose(b, g, *order), b.constant(matrix.astype(g.type.dtype.numpy))
        )
        return transpose(b, product, *(order.index(a) for a in range(g.rank)))


def _block_sums(b: Builder, g: Value, targets: Sequence[Target]) -> Value:
    factors = {t.axis: t.factor or 1 for t in targets}
    kernel = tuple(factors.get(axis, 1) for axis in range(2, g.rank))
    if prod(kernel) == 1:
        return g
    means = b(AveragePool(kernel_shape=kernel, strides=kernel), g)
    return b(Mul(), means, float(prod(kernel)))


def _known(roi: TensorType | None, scales: TensorType | None, sizes: TensorType | None) -> bool:
    """Whether the contents of all operands are known."""
    if sizes is not None and sizes.size != 0:
        if sizes.dtype is not DType.I64:
            raise InferError("NN0203", f"sizes are i64, these are {sizes}", operand=3)
        if sizes.elements is None:
            return False
    return all(t is None or t.size == 0 or t.floats is not None for t in (roi, scales))


def _contents(
    roi: TensorType | None, scales: TensorType | None, sizes: TensorType | None
) -> tuple[Floats, Floats, Sequence[DimLike] | None]:
    """What the operands hold, where it is known; an operand without elements counts as left out."""
    spans, factors = (None if t is None or t.size == 0 else t.floats for t in (roi, scales))
    return spans, factors, None if sizes is None or sizes.size == 0 else sizes.elements


def _ratio(new: DimLike, old: DimLike) -> float | None:
    if isinstance(new, int) and isinstance(old, int):
        return new / old
    return 1.0 if new == old else None


def _scaled(size: DimLike, scale: float) -> DimLike:
    """floor(size · scale), in single precision as runtimes compute it."""
    if isinstance(size, int):
        return floor(np.float32(size) * np.float32(scale))
    fraction = Fraction(scale).limit_denominator(64)
    if np.float32(fraction) != np.float32(scale):
        raise InferError(
            "NN0212",
            f"scale {scale} of the symbolic size {size} is no simple fraction",
            operand=0,
            help="give sizes",
        )
    return floordiv(size * fraction.numerator, fraction.denominator)


OPS: tuple[type[Op], ...] = (Resize, *resize_blocks.OPS)
