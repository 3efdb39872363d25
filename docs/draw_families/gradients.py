"""Pictures of docs/families/gradients.md."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from convolutional import lenet
from drawing import OUT, command, picture, tiles
from sklearn.datasets import load_sample_images

import nncomp
from nncomp.driver.train import data_for
from nncomp.training.data import Split
from nncomp.weights import save_weights


@picture
def attacked() -> plt.Figure:
    """Digits, the same with their loss raised, and what LeNet-5 takes them for."""
    lenet()
    net = nncomp.load("models/lenet5.nn", weights=OUT / "lenet/best.safetensors")
    names = nncomp.load("models/fgsm.nn").parameters
    save_weights(OUT / "bare.safetensors", {name: net.parameters[name] for name in names})
    model = nncomp.load("models/fgsm.nn", weights=OUT / "bare.safetensors")
    test = data_for(net.program, "sklearn:digits").test
    image, label = test["image"][:8], test["label"][:8]
    found = model(image=image, label=label, epsilon=np.float32(0.15))
    changed, said = found["adversarial"], found["logits"].argmax(1)
    whole, labels = test["image"][:], test["label"][:]
    for epsilon in (0.05, 0.1, 0.15):
        logits = model(image=whole, label=labels, epsilon=np.float32(epsilon))["logits"]
        print(f"ε {epsilon}: {np.mean(logits.argmax(1) == labels):.4f}")
    figure = tiles([image[:, 0], changed[:, 0]], ["seen", "changed"], side=0.8)
    for axis, before, after in zip(figure.axes[8:], label, said, strict=True):
        axis.set_title(f"{before} → {after}", size=7, pad=1)
    figure.subplots_adjust(hspace=0.25)
    return figure


@picture
def dream() -> plt.Figure:
    """A photograph, and what a layer would rather see."""
    command(
        "train models/deepdream.nn --data sklearn:photos --split 100,0,0 --batch-size 1 "
        "--epochs 8 --keep last -o dream"
    )
    model = nncomp.load("models/deepdream.nn", weights=OUT / "dream/best.safetensors")
    photos = data_for(model.program, "sklearn:photos", split=Split(1.0, 0.0, 0.0)).train["image"][
        :2
    ]
    dreams = model(image=photos)["dream"]
    rows = [np.moveaxis(images, 1, 3) for images in (photos, dreams)]
    return tiles(rows, ["photographs", "dreams"], side=1.3)


@picture
def style() -> plt.Figure:
    """The content of one photograph in the style of the other."""
    size = 64
    images = []
    for pixels in load_sample_images().images:
        side = min(pixels.shape[:2])
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        square = pixels[top : top + side, left : left + side]
        step = side // size
        blocks = square[: step * size, : step * size].reshape(size, step, size, step, 3)
        images.append(np.moveaxis(blocks.mean((1, 3)) / 255, 2, 0)[None].astype("f"))
    content, manner = images
    model = nncomp.load("models/style.nn", size=size, beta=5.0)
    step_ = model.training_step()
    losses = [step_(content=content, style=manner)["loss"] for _ in range(300)]
    print(f"style: {losses[0]:.4f} to {losses[-1]:.4f}")
    made = np.clip(model.parameters["image"], 0, 1)
    row = np.moveaxis(np.concatenate([content, manner, made]), 1, 3)
    return tiles([row], [""], side=1.5)
