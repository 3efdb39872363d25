"""The networks whose training steps are measured, as rows: for `training.py` and `memory.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

import nncomp
from nncomp.types import Array

BENCHMARKS = Path(__file__).resolve().parent.parent
MODELS = BENCHMARKS.parent / "models"

CLASSES = 10


@dataclass(frozen=True)
class Network:
    """A network as nncomp has it; `torch_networks.NETWORKS` has the same by its name.

    size: samples of a batch
    shape: of one sample
    target: shape of one sample's target, for the squared error; without, a label
    goal, target_goal: what ours / the best of PyTorch may be at most; with the target
        `onnxruntime-cpu`
    """

    file: Path
    model: str
    size: int
    shape: tuple[int, ...]
    goal: float | None = None
    target_goal: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    target: tuple[int, ...] | None = None
    optimizer: Literal["adam", "momentum"] = "adam"
    lr: float = 1e-3

    def load(self) -> nncomp.Model:
        return nncomp.load(self.file, model=self.model, **self.settings)

    def batch(self, size: int | None = None) -> list[Array]:
        """The sample's features and its labels or targets."""
        rng = np.random.default_rng(0)
        count = size or self.size
        x = rng.standard_normal((count, *self.shape)).astype(np.float32)
        if self.target is None:
            return [x, rng.integers(0, CLASSES, count)]
        return [x, rng.standard_normal((count, *self.target)).astype(np.float32)]


def _image(file: Path, model: str, size: int, pixels: int = 32, **other: Any) -> Network:
    other = {"optimizer": "momentum", "lr": 0.1, **other}
    return Network(file, model, size, (3, pixels, pixels), **other)


NETWORKS: dict[str, Network] = {
    "mlp": Network(
        *(MODELS / "mlp.nn", "MLP", 128, (784,), 0.75),
        settings={"features": 784, "widths": [512, 512]},
    ),
    "lenet": Network(MODELS / "lenet5.nn", "LeNet5", 64, (1, 28, 28), 0.6),
    "lstm": Network(
        *(MODELS / "lstm.nn", "AddingLSTM", 32, (64, 128), 0.5),
        settings={"features": 128, "hidden": 128},
        target=(1,),
    ),
    "transformer": Network(
        *(BENCHMARKS / "transformer_block.nn", "TransformerBlock", 16, (128, 256), 0.95),
        target=(128, 256),
    ),
    "resnet8": _image(*(MODELS / "resnet.nn", "CifarResNet", 64), goal=1.25, settings={"depth": 8}),
    "resnet20": _image(MODELS / "resnet.nn", "CifarResNet", 64, goal=1.48, target_goal=1.0),
    "mobilenet": _image(
        *(BENCHMARKS / "mobilenet_v2.nn", "MobileNetV2", 16, 128),
        target_goal=0.9,
        lr=0.05,
        settings={"classes": CLASSES, "size": 128},
    ),
    "plain-resnet8": _image(
        *(BENCHMARKS / "plain_resnet.nn", "PlainResNet8", 64), optimizer="adam", lr=1e-3
    ),
}


def learnt(model: nncomp.Model) -> dict[str, Array]:
    """The values of the learnt parameters by path, in the order of their first use."""
    paths = [p.path for p in model.program.graph.parameters if p.kind == "param"]
    return {path: model.parameters[path] for path in paths}
