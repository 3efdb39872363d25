"""Pictures of docs/families/feed_forward.md."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
from drawing import GRADIENTS, OUT, chart, command, picture, tiles

import nncomp


@picture
def vanishing() -> plt.Figure:
    """Gradient norms layer by layer, by initial values."""
    figure, axis = chart("layer", "‖gradient of the weights‖", log=True)
    for name, settings in {
        "sigmoid, Xavier": "",
        "sigmoid, uniform": "--set init=uniform",
        "ReLU, He": "--set init=he_normal --set activation=relu",
        "ReLU, identity": "--set init=identity --set activation=relu",
        "ReLU, He, batch norm": "--set modern=true",
    }.items():
        text = f"inspect models/vanishing.nn {settings} {GRADIENTS} --data sklearn:digits"
        layers = json.loads(command(text))["gradients"]["layers"]
        norms = [row["norm"] for row in layers if row["layer"].endswith(".linear")]
        axis.plot(range(1, len(norms) + 1), norms, label=name)
    axis.legend(fontsize=7)
    return figure


@picture
def mlp_units() -> plt.Figure:
    """What the units of a first layer see."""
    command(
        "train models/mlp.nn --data sklearn:digits --set widths=[24] --set l1=1e-3 "
        "--epochs 40 --lr 0.01 -o mlp"
    )
    weights = nncomp.load("models/mlp.nn", widths=[24], weights=OUT / "mlp/best.safetensors")
    images = weights.parameters["linear.0.weight"].reshape(24, 8, 8)
    return tiles([images[:12], images[12:]], ["", ""])
