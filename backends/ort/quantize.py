"""Models of 8-bit integers, by onnxruntime's own quantisation.

Without samples the ranges of what products read are found in each run (*dynamic*): matrix
products and LSTMs with constant weights. With samples they are constants (*static*): convolutions,
too, and what lies between two of them stays in integers.

Weights have a scale for each channel and 7 bits: on processors without integer products of 32 bits
(VNNI), sums of 8-bit ones saturate in 16.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from nncomp.backends.ort.runtime import onnxruntime
from nncomp.errors import error
from nncomp.types import Array

DYNAMIC = ("MatMul", "Gemm", "LSTM", "Gather")
STATIC = (
    *("Conv", "ConvTranspose", "MatMul", "Gemm", "Add", "Mul", "Relu", "Clip", "LeakyRelu"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Split", "Slice", "Pad", "Resize"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Gather"),
)
PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "GRU", "RNN", "Einsum"})
"""What integers make faster."""


@dataclass(frozen=True)
class Quantized:
    """A model of integers.

    products: by operator, how many are computed in integers, and how many stay float32
    """

    model: onnx.ModelProto
    products: Mapping[str, tuple[int, int]]


def quantized(
    model: onnx.ModelProto, samples: Iterable[Mapping[str, Array]] | None = None
) -> Quantized:
    """The model in 8-bit integers; `model` itself is left as it is.

    samples: batches of inputs to find ranges on, for static quantisation
    Raises CompileError NN0606 if onnxruntime's package cannot be used or refuses the model, or if
    no product of the model can be quantised.
    """
    package = _package()
    integers = package.QuantType.QInt8
    before = _count(model)
    with tempfile.TemporaryDirectory(prefix="nncomp.") as folder, _quiet():
        out = Path(folder, "quantized.onnx")
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        try:
            if samples is None:
                package.quantize_dynamic(
                    copy,
                    out,
                    op_types_to_quantize=list(DYNAMIC),
                    per_channel=True,
                    reduce_range=True,
                    weight_type=integers,
                    use_external_data_format=True,
                )
            else:
                package.quantize_static(
                    copy,
                    out,
                    _reader(package, samples),
                    quant_format=package.QuantFormat.QDQ,
                    op_types_to_quantize=list(STATIC),
                    per_channel=True,
                    reduce_range=True,
                    activation_type=package.QuantType.QUInt8,
                    weight_type=integers,
                    use_external_data_format=True,
                )
            result = onnx.load(out)
        except Exception as failure:  # whatever the package raises, it is about this model
            text = " ".join(str(failure).split())[:300]
            raise error("NN0606", f"onnxruntime cannot quantise this model: {text}") from None
    products = _products(before, result)
    if not any(done for done, _ in products.values()):
        raise _nothing(model, products, samples is not None)
    _restore(result, model)
    return Quantized(result, products)


def _package() -> Any:
    onnxruntime()
    try:
        import onnxruntime.quantization as package
    except ImportError as failure:
        missing = failure.name or str(failure)
        raise error(
            "NN0606",
            f"onnxruntime's quantisation cannot be imported: it needs `{missing}`",
            help=f"`pip install {missing}`",
        ) from None
    return package


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the package's advice on the log: there is nothing left to preprocess."""
    log = logging.getLogger()
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _reader(package: Any, samples: Iterable[Mapping[str, Array]]) -> Any:
    class Reader(package.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = iter(samples)

        def get_next(self) -> dict[str, Array] | None:
            batch = next(self._batches, None)
            return None if batch is None else dict(batch)

    return Reader()


def _count(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node if node.op_type in PRODUCTS)


def _products(before: Mapping[str, int], model: onnx.ModelProto) -> dict[str, tuple[int, int]]:
    """By operator as it was: how many became integers, and how many stay."""
    makers = {name: node for node in model.graph.node for name in node.output}
    stay: Counter[str] = Counter()
    for node in model.graph.node:
        read = [makers[name].op_type for name in node.input[:2] if name in makers]
        if node.op_type in PRODUCTS and read.count("DequantizeLinear") < 2:
            stay[node.op_type] += 1
    found = {}
    for operator, count in before.items():
        left = min(stay[operator], count)
        found[operator] = count - left, left
    return found


def _nothing(
    model: onnx.ModelProto, products: Mapping[str, tuple[int, int]], static: bool
) -> Exception:
    if not products:
        holders = sorted({node.op_type for node in model.graph.node if _holds_product(node)})
        if holders:
            named = " and ".join(f"`{holder}`" for holder in holders)
            return error(
                "NN0606", f"the model's products stand in the body of {named}, which stays float32"
            )
        return error("NN0606", "the model has no product with weights: integers gain nothing")
    listed = ", ".join(f"{operator} ×{left}" for operator, (_, left) in products.items())
    return error(
        "NN0606",
        f"none of the model's products can be quantised: {listed}",
        help="a product with constant weights is needed"
        if static
        else "convolutions are quantised with samples: `--calibration DATA`",
    )


def _holds_product(node: onnx.NodeProto) -> bool:
    """Whether a product stands in a body of the node."""
    return any(
        inner.op_type in PRODUCTS or _holds_product(inner)
        for attribute in node.attribute
        if attribute.HasField("g")
        for inner in attribute.g.node
    )


def _restore(model: onnx.ModelProto, original: onnx.ModelProto) -> None:
    """What the model says of itself, which the package drops or adds to.

    The package adds the shapes of all values. With them onnxruntime joins additions and layer
    normalisation to its SkipLayerNormalization, which takes twice as long as the two on the CPU.
    """
    del model.graph.value_info[:]
    model.producer_name = original.producer_name
    del model.metadata_props[:]
    model.metadata_props.extend(original.metadata_props)
