"""Random graphs: gradients are finite differences and PyTorch's; optimised or not, in NumPy or
onnxruntime, a graph gives one answer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph
from nncomp.ir.verify import verify
from nncomp.ops import REGISTRY
from nncomp.ops.grad import Grad
from nncomp.passes.manager import TRAINING, optimize, run_passes
from nncomp.passes.retype import retype
from nncomp.types import Array, DType
from tests.random_graphs import in_torch
from tests.random_graphs.generator import BATCH, Sample, random_graph
from tests.random_graphs.recipes import RECIPES
from tests.random_graphs.recipes_image import IMAGE_RECIPES
from tests.random_graphs.recipes_matrices import MATRIX_RECIPES

ALL = (*RECIPES, *IMAGE_RECIPES, *MATRIX_RECIPES)
STEP = 1e-5
DIRECTIONS = 2  # of finite differences, for each input
FEW, MANY = 50, 1000
PART = 20  # graphs of one test


def with_gradients(sample: Sample) -> Graph:
    """The loss and its gradients with respect to all inputs, expanded."""
    b = Builder()
    b.nodes = list(sample.graph.nodes)
    found = b.multi(Grad(), sample.loss, *sample.graph.inputs)
    named = {f"d_{v.name}": g for v, g in zip(sample.graph.inputs, found, strict=True)}
    outputs = {"loss": sample.loss, **named}
    graph = expand_gradients(replace(sample.graph, nodes=tuple(b.nodes), outputs=outputs))
    verify(graph)
    return graph


def same(found: Array, wanted: Array, tolerance: float, what: str) -> None:
    assert found.shape == wanted.shape, what
    scale = max(1.0, float(np.abs(wanted).max(initial=0)))
    error = float(np.abs(found - wanted).max(initial=0)) / scale
    assert error <= tolerance, f"{what} is off by {error:.3g}"


def check_differences(sample: Sample, gradients: dict[str, Array]) -> None:
    rng = np.random.default_rng(1)
    for name, x in sample.arrays.items():
        gradient = gradients[f"d_{name}"]
        for _ in range(DIRECTIONS):
            d = rng.standard_normal(x.shape)
            d /= max(1.0, float(np.abs(d).max()))

            def at(k: int, name: str = name, x: Array = x, d: Array = d) -> float:
                moved = {**sample.arrays, name: x + k * STEP * d}
                return float(run(sample.graph, moved).outputs["loss"])

            slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * STEP)
            scale = max(1.0, abs(slope), float(np.abs(gradient * d).sum()))
            error = abs(float((gradient * d).sum()) - slope) / scale
            assert error <= 1e-6, f"d_{name} is off by {error:.3g}"


def check_passes(sample: Sample, graph: Graph, exact: dict[str, Array]) -> None:
    """-O2 and the passes of training change nothing but rounding, for another batch size too."""
    tidy = [run_passes(graph, TRAINING, evaluate).graph, optimize(graph, 2, evaluate).graph]
    forward = optimize(sample.graph, 2, evaluate).graph
    other = sample.inputs(BATCH + 8)
    wanted = run(graph, other).outputs
    for form in tidy:
        for inputs, numbers in ((sample.arrays, exact), (other, wanted)):
            for name, array in run(form, inputs).outputs.items():
                if np.isfinite(numbers[name]).all():
                    same(array, numbers[name], 1e-9, f"{name} after the passes")
    same(run(forward, sample.arrays).outputs["loss"], exact["loss"], 1e-9, "the loss after -O2")


def check_runtime(graph: Graph, sample: Sample, exact: dict[str, Array]) -> None:
    """onnxruntime, its optimiser off and on, before and after our passes, in float32."""
    narrow = retype(graph, {DType.F64: DType.F32})
    assert isinstance(narrow, Graph)
    inputs = {name: a.astype(np.float32) for name, a in sample.arrays.items()}
    tidy = run_passes(narrow, TRAINING, evaluate).graph
    for form, optimizer in ((narrow, False), (tidy, False), (tidy, True)):
        session = Session(emit(legalize(form)), optimize=optimizer, threads=1)
        for name, array in session.run(inputs).items():
            what = f"{name} in onnxruntime{', optimised' if optimizer else ''}"
            same(array, exact[name], 2e-3, what)


def check_torch(sample: Sample, exact: dict[str, Array]) -> None:
    """Where PyTorch can express the graph, its gradients are ours."""
    try:
        loss, leaves = in_torch.run(sample.graph, sample.arrays)
    except in_torch.InexpressibleError:
        return
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    for name, gradient in zip(leaves, found, strict=True):
        wanted = np.zeros_like(exact[f"d_{name}"]) if gradient is None else gradient.numpy()
        same(exact[f"d_{name}"], wanted, 1e-9, f"d_{name} beside torch")


def check(seed: int) -> None:
    sample = random_graph(seed, ALL)
    try:
        graph = with_gradients(sample)
        exact = run(graph, sample.arrays).outputs
        check_differences(sample, exact)
        check_passes(sample, graph, exact)
        check_runtime(graph, sample, exact)
        check_torch(sample, exact)
    except Exception as failure:
        failure.add_note(f"random graph {seed}: {', '.join(sample.kinds)}")
        raise


@pytest.mark.parametrize("seed", range(FEW))
def test_random_graphs(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(MANY // PART))
def test_many_random_graphs(part: int) -> None:
    for i in range(PART):
        check(FEW + part * PART + i)


CONTAINERS = """
    SequenceEmpty SequenceConstruct SequenceInsert SequenceErase SequenceAt SequenceLength
    ConcatFromSequence SplitToSequence Optional OptionalHasElement OptionalGetElement
"""
# what no recipe makes, and why
WITHOUT_RECIPE = {
    "Hardmax": "jumps",
    "EyeLike": "depends on shapes alone",
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "control flow: tests/ops/samples"),
    **dict.fromkeys(("Attention", "RotaryEmbedding"), "is a formula: tests/ops/samples"),
    **dict.fromkeys(("DFT", "STFT"), "is linear, its attributes are what matters: its samples"),
    **dict.fromkeys(("HannWindow", "HammingWindow", "BlackmanWindow"), "depends on a size alone"),
    "MelWeightMatrix": "is a table",
    **dict.fromkeys(("LinearAttention", "CausalConvWithState"), "is a formula: tests/ops/samples"),
    "BitCast": "takes bits",
    **dict.fromkeys(("NonZero", "Compress", "Unique", "NonMaxSuppression"), "sizes of its own"),
    **dict.fromkeys(("RandomNormal", "RandomUniform", "RandomNormalLike"), "is random"),
    **dict.fromkeys(("RandomUniformLike", "Bernoulli", "Multinomial", "Dropout"), "is random"),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"), "integers"),
    **dict.fromkeys(("MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv"), "integers"),
    **dict.fromkeys(("GridSample", "AffineGrid"), "its places: tests/ops/torch_cases.py"),
    **dict.fromkeys(("RoiAlign", "MaxRoiPool", "DeformConv"), "its places: tests/ops/samples"),
    **dict.fromkeys(
        [
            "SequenceEmpty",
            "SequenceConstruct",
            "SequenceInsert",
            "SequenceErase",
            "SequenceAt",
            "SequenceLength",
            "ConcatFromSequence",
            "SplitToSequence",
            "Optional",
            "OptionalHasElement",
            "OptionalGetElement",
        ],
        "sequences and optional values: tests/ops/test_containers.py",
    ),
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch"), "texts"),
    **dict.fromkeys(("TfIdfVectorizer", "ImageDecoder"), "takes texts or bytes"),
    **dict.fromkeys(("Binarizer", "LabelEncoder", "TreeEnsemble"), "jumps"),
    "ArrayFeatureExtractor": "its places: tests/ops/samples",
    **dict.fromkeys(("ReverseSequence", "TensorScatter"), "its lengths: tests/ops/samples"),
    **dict.fromkeys(("Scan", "Loop", "If"), "control flow: tests/autodiff/test_control.py"),
    **dict.fromkeys(("Grad", "Jvp"), "is replaced before a run"),
    **dict.fromkeys(("Random", "StopGradient"), "differences do not see what it does"),
    **dict.fromkeys(("And", "Or", "Xor", "Not", "Equal", "IsNaN", "IsInf"), "gives bools"),
    **dict.fromkeys(("LessOrEqual", "GreaterOrEqual"), "gives bools"),
    **dict.fromkeys(("BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor"), "ints"),
    **dict.fromkeys(("Shape", "Size", "Range", "ConstantOfShape"), "depends on shapes alone"),
    "Mod": "jumps at every multiple of the divisor",
}


def test_every_other_operator_has_a_recipe() -> None:
    """In a few hundred graphs, with their gradients, every operator comes up."""
    made: Counter[str] = Counter()
    torch_has = 0
    for seed in range(300):
        sample = random_graph(seed, ALL)
        torch_has += {*sample.kinds} - {"Constant", "Dims"} <= in_torch.CALLS.keys()
        made.update(sample.kinds)
        made.update(node.op.name for node in with_gradients(sample).nodes)
    assert set(REGISTRY) - set(made) - set(WITHOUT_RECIPE) == set()
    assert torch_has >= 30


def test_the_generator_is_deterministic() -> None:
    one, other = (random_graph(3, ALL) for _ in range(2))
    assert [n.op for n in one.graph.nodes] == [n.op for n in other.graph.nodes]
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])
