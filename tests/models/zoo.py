"""Every model of models/*.nn: what others may rely on, and the sizes at which it is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nncomp.lower.modules import read_source
from nncomp.syntax import ast
from nncomp.syntax.parser import parse
from nncomp.types import Array
from tests.models.support import MODELS

FILES = sorted(path.name for path in MODELS.glob("*.nn"))


def declared(file: str) -> list[ast.ModelDecl]:
    """The models of a file in order; the first is what a command takes without `--model`."""
    tree = parse(read_source(Path(MODELS / file)))
    return [d for d in tree.declarations if isinstance(d, ast.ModelDecl)]


@dataclass(frozen=True)
class Interface:
    """Names that do not change: inputs in order, the first outputs, some hyperparameters."""

    model: str
    inputs: list[str]
    outputs: list[str]
    hyperparameters: list[str]
    settings: dict[str, Any] = field(default_factory=dict)


CLASSIFIER = (["image"], ["logits"])
RECURRENT = ["hidden", "layers", "bidirectional"]
INTERFACES: dict[str, Interface] = {
    "alexnet.nn": Interface("AlexNet", *CLASSIFIER, ["classes"]),
    "bert.nn": Interface("Bert", ["tokens"], ["hidden", "pooled"], ["layers", "width", "heads"]),
    "capsnet.nn": Interface("CapsNet", *CLASSIFIER, ["classes", "rounds"]),
    "densenet.nn": Interface("DenseNet", *CLASSIFIER, ["classes", "depth"]),
    "evoformer.nn": Interface(
        "Evoformer", ["msa", "pair"], ["msa_next", "pair_next"], ["blocks", "heads"]
    ),
    "gcn.nn": Interface("GCN", ["x", "adjacency"], ["logits"], ["classes", "features"]),
    "googlenet.nn": Interface("GoogLeNet", *CLASSIFIER, ["classes", "auxiliary"]),
    "gpt.nn": Interface("GPT", ["tokens"], ["logits"], ["size", "layers", "width", "heads"]),
    "gru.nn": Interface("AddingGRU", ["x"], ["y"], [*RECURRENT, "outputs"]),
    "lenet5.nn": Interface("LeNet5", *CLASSIFIER, ["classes"]),
    "linear.nn": Interface("LinearPredictor", ["x"], ["prediction"], ["features"]),
    "lstm.nn": Interface("AddingLSTM", ["x"], ["y"], [*RECURRENT, "peephole", "forget_bias"]),
    "mamba.nn": Interface("Mamba", ["tokens"], ["logits"], ["layers", "width", "state"]),
    "memnet.nn": Interface("MemNet", ["story", "question"], ["logits"], ["classes", "hops"]),
    "mlp.nn": Interface("MLP", ["x"], ["logits"], ["classes", "features", "widths"]),
    "moe.nn": Interface("MixtureOfExperts", ["x"], ["logits"], ["classes", "experts", "k"]),
    "ntm.nn": Interface("NTM", ["x"], ["logits", "writing", "reading"], ["bits", "rows"]),
    "resnet.nn": Interface("ResNet", *CLASSIFIER, ["classes", "depth", "residual"]),
    "rnn.nn": Interface("ElmanRNN", ["x"], ["logits"], [*RECURRENT, "classes"]),
    "senet.nn": Interface("SEResNet", *CLASSIFIER, ["classes", "depth"]),
    "transformer.nn": Interface(
        "Transformer", ["source", "target"], ["logits"], ["layers", "width", "heads"]
    ),
    "unet.nn": Interface("UNet", *CLASSIFIER, ["classes", "size", "width", "levels"]),
    "vgg.nn": Interface("VGG", *CLASSIFIER, ["classes", "depth"]),
    "wavenet.nn": Interface("WaveNet", ["x"], ["logits"], ["layers", "stacks"]),
}


def ring(shape: tuple[int, ...]) -> Array:
    """The adjacency of nodes in a circle."""
    linked = np.roll(np.eye(*shape), 1, axis=0)
    return (linked + linked.T > 0).astype(np.float32)


def halves(shape: tuple[int, ...]) -> Array:
    """Segment 0, then segment 1."""
    return np.broadcast_to(np.arange(shape[1]) * 2 // shape[1], shape).astype(np.int64)


Make = Callable[[tuple[int, ...]], Array]


@dataclass(frozen=True)
class Row:
    """One model with hyperparameters.

    special: inputs that cannot be any numbers
    initial: with the weights that training starts from, where others are badly conditioned
    symbols: whole numbers among the inputs are below it
    sizes: of the batch, and of every other open dim
    """

    file: str
    settings: dict[str, Any] = field(default_factory=dict)
    model: str | None = None
    special: dict[str, Make] = field(default_factory=dict)
    initial: bool = False
    symbols: int = 10
    sizes: tuple[int, ...] = (1, 3, 7)

    def __str__(self) -> str:
        settings = "-".join(f"{k}={v}" for k, v in self.settings.items())
        return "-".join(filter(None, (self.file.removesuffix(".nn"), self.model, settings)))


_DECODER = {"layers": 2, "width": 12, "heads": 3, "vocabulary": 11, "context": 32}
_TRANSFORMER = {"layers": 1, "width": 8, "heads": 2, "hidden": 12, "vocabulary": 11}
_DEEP = {"hidden": 5, "layers": 2, "bidirectional": True}
_EVOFORMER = {
    "msa_width": 10, "pair_width": 8, "heads": 2, "head_width": 3, "pair_heads": 2,
    "hidden": 6, "outer": 4,
}  # fmt: skip

SMALL: list[Row] = [
    Row("alexnet.nn", {"size": 63}),
    Row("bert.nn", _DECODER),
    Row("bert.nn", {**_DECODER, "pairs": True, "padded": True}, special={"segments": halves}),
    Row("bert.nn", _DECODER, "BertForPreTraining", {"segments": halves}),
    Row("capsnet.nn", {"channels": 8, "capsules": 2}),
    Row("densenet.nn", {"size": 32, "growth": 4}),
    Row("evoformer.nn", _EVOFORMER),
    Row("gcn.nn", {"features": 5, "classes": 3}, special={"adjacency": ring}),
    Row("googlenet.nn", {"size": 80, "auxiliary": True, "classes": 10}, sizes=(1, 3)),
    Row("gpt.nn", _DECODER),
    Row("gru.nn", {"hidden": 5}),
    Row("gru.nn", _DEEP),
    Row("lenet5.nn"),
    Row("linear.nn"),
    Row("lstm.nn", {"hidden": 5}),
    Row("lstm.nn", {**_DEEP, "peephole": True}),
    Row("mamba.nn", {"layers": 2, "width": 20, "state": 3, "vocabulary": 11}),
    Row("memnet.nn", {"vocabulary": 11, "width": 6, "sentences": 5}),
    Row("mlp.nn", {"widths": (20, 15), "batch_norm": True}),
    Row("moe.nn", {"features": 9, "hidden": 5}),
    Row("ntm.nn", {"bits": 3, "rows": 6, "width": 4, "hidden": 8}),
    Row("resnet.nn", {"depth": 18, "size": 32, "classes": 10}),
    Row("resnet.nn", {"depth": 8, "size": 12}, "CifarResNet"),
    Row("rnn.nn", {"hidden": 5}),
    Row("rnn.nn", _DEEP),
    Row("senet.nn", {"size": 32, "classes": 10}, sizes=(1, 3)),
    Row("transformer.nn", _TRANSFORMER),
    Row("transformer.nn", {**_TRANSFORMER, "padding": 0}),
    Row("unet.nn", {"size": 60, "width": 3, "levels": 2}),
    Row("vgg.nn", {"depth": 11, "size": 32, "classes": 10}, sizes=(1, 3)),
    Row("wavenet.nn", {"channels": 5, "skip": 6, "symbols": 11, "stacks": 2, "layers": 3}),
]
FULL: list[Row] = [
    Row("alexnet.nn"),
    Row("bert.nn", {"pairs": True, "padded": True}, special={"segments": halves}),
    Row("bert.nn", {}, "BertForPreTraining", {"segments": halves}),
    Row("capsnet.nn"),
    Row("densenet.nn"),
    Row("evoformer.nn"),
    Row("gcn.nn", special={"adjacency": ring}),
    Row("googlenet.nn", {"auxiliary": True}),
    Row("gpt.nn"),
    Row("gru.nn"),
    Row("lenet5.nn"),
    Row("linear.nn"),
    Row("lstm.nn"),
    Row("mamba.nn", initial=True),
    Row("memnet.nn"),
    Row("mlp.nn"),
    Row("moe.nn"),
    Row("ntm.nn"),
    Row("resnet.nn"),
    Row("resnet.nn", {"depth": 18}),
    Row("resnet.nn", {"depth": 34}),
    Row("resnet.nn", {"depth": 34, "residual": False}),
    Row("resnet.nn", {"depth": 101}),
    Row("resnet.nn", {"depth": 152}),
    Row("resnet.nn", {}, "CifarResNet"),
    Row("rnn.nn"),
    Row("senet.nn"),
    Row("transformer.nn"),
    Row("unet.nn"),
    Row("vgg.nn"),
    Row("vgg.nn", {"depth": 19}),
    Row("wavenet.nn"),
]
