"""Pictures of docs/families/convolutional.md."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from drawing import OUT, command, picture, tiles

import nncomp
from nncomp.driver.train import data_for


@picture
def lenet_filters() -> plt.Figure:
    """LeNet-5's first filters, and what they make of a digit."""
    lenet()
    model = nncomp.load("models/lenet5.nn", weights=OUT / "lenet/best.safetensors")
    filters = model.parameters["conv1.weight"][:, 0]
    digit = data_for(model.program, "sklearn:digits").test["image"][3]
    padded = np.pad(digit[0], 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    answers = np.tanh(np.einsum("hwij,kij->khw", windows, filters))
    return tiles([filters, answers], ["filters", "a digit"], side=0.8)


def lenet() -> None:
    if not (OUT / "lenet/best.safetensors").exists():
        command(
            "train models/lenet5.nn --data sklearn:digits --epochs 12 --lr 3e-3 "
            "--schedule cosine --shift 1 -o lenet"
        )


@picture
def lenet_curve() -> Path:
    """What `nncomp train` draws of its run."""
    lenet()
    return OUT / "lenet/curve.png"


@picture
def strokes() -> plt.Figure:
    """U-Net: strokes found on photographs."""
    settings = "--set size=60 --set width=8 --set levels=2"
    command(
        f"train models/unet.nn --data sklearn:strokes {settings} --epochs 2 --batch-size 16 "
        "--lr 0.01 -o unet"
    )
    model = nncomp.load(
        "models/unet.nn", size=60, width=8, levels=2, weights=OUT / "unet/best.safetensors"
    )
    test = data_for(model.program, "sklearn:strokes").test
    images, masks = test["image"][:8], test["label"][:8]
    found = model(image=images)["logits"].argmax(1)
    return tiles([images[:, 0, 20:40, 20:40], masks, found], ["seen", "strokes", "found"])
