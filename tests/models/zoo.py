"""Every model of models/*.nn: what others may rely on, and the sizes at which it is tested."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tests.models.support import MODELS
from zoo.levels import declared
from zoo.row import Case
from zoo.rows.attention import halves
from zoo.rows.structures import ring
from zoo.table import cases

FILES = sorted(path.name for path in MODELS.glob("*.nn"))


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

OTHERS = [  # systems that are no rows of the table
    Case("capsnet.nn", {"channels": 8, "capsules": 2}),
    Case("mamba.nn", {"layers": 2, "width": 20, "state": 3, "vocabulary": 11}),
    Case("moe.nn", {"features": 9, "hidden": 5}),
    Case("senet.nn", {"size": 64, "classes": 10}, sizes=(1, 3)),
    Case("wavenet.nn", {"channels": 5, "skip": 6, "symbols": 11, "stacks": 2, "layers": 3}),
]
SMALL = [*cases(), *OTHERS]
_VARIANTS = [
    Case("bert.nn", {"pairs": True, "padded": True}, special={"segments": halves}),
    Case("bert.nn", {}, "BertForPreTraining", {"segments": halves}),
    Case("gcn.nn", special={"adjacency": ring}),
    Case("googlenet.nn", {"auxiliary": True}),
    Case("mamba.nn", initial=True),
    *(Case("resnet.nn", {"depth": depth}) for depth in (18, 34, 50, 101, 152)),
    Case("resnet.nn", {"depth": 34, "residual": False}),
    Case("vgg.nn", {"depth": 16}),
    Case("vgg.nn", {"depth": 19}),
]


def first(case: Case) -> tuple[str, str]:
    """The file and the model of a case."""
    return case.file, case.model or declared(case.file)[0].name.text


def _full() -> list[Case]:
    """Those above, and every other model as it stands in its file."""
    found = {first(case) for case in _VARIANTS}
    rest = []
    for case in SMALL:
        if first(case) not in found:
            found.add(first(case))
            rest.append(replace(case, settings={}, symbols=min(case.symbols, 10), heavy=False))
    return [*_VARIANTS, *rest]


FULL = _full()
