"""Operators on encoded images."""

from __future__ import annotations

from nncomp.dims import new_dim
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.rules import require_one_of
from nncomp.types import DType, TensorType


@operator
class ImageDecoder(Op):
    """The pixels of an image file: BMP, JPEG, JPEG 2000, TIFF, PNG, WebP or PNM
    (ONNX ImageDecoder-20).

    pixel_format: "RGB", "BGR" or "Grayscale"
    encoded_stream: u8[bytes] -> image: u8[height, width, channels]
    """

    signature = "encoded_stream -> image"
    open_sizes = True
    pixel_format: str = "RGB"

    def infer(self, stream: TensorType) -> TensorType:
        require_one_of("pixel_format", self.pixel_format, ("RGB", "BGR", "Grayscale"))
        if stream.dtype is not DType.U8 or stream.rank != 1:
            raise InferError("NN0203", f"an encoded image is a u8 vector, this is {stream}")
        channels = 1 if self.pixel_format == "Grayscale" else 3
        return TensorType(DType.U8, (new_dim("height", 0), new_dim("width", 0), channels))

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


OPS: tuple[type[Op], ...] = (ImageDecoder,)
