"""Draws the pictures of docs/families: `python docs/draw_families.py [PICTURE …]`.

Each picture is a function below; what it trains, the page that shows it trains by the command. All
of them take about ten minutes on two cores. Needs `pip install 'nncomp[train]'`.
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import networkx
import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

import nncomp
from nncomp.cli import main
from nncomp.driver.train import data_for
from nncomp.training.data import Split
from nncomp.weights import save_weights

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "families"
OUT = Path(tempfile.gettempdir()) / "nncomp-families"
MOST = 60_000  # bytes of a picture
GRADIENTS = "--gradients --format json"
Picture = Callable[[], plt.Figure | Path]
PICTURES: dict[str, Picture] = {}


def picture(draw: Picture) -> Picture:
    PICTURES[draw.__name__] = draw
    return draw


def command(text: str) -> str:
    """Runs `nncomp …` and gives what it prints; `-o` is a folder below OUT, which is kept."""
    words = shlex.split(text)
    if "-o" in words:
        at = words.index("-o") + 1
        words[at] = str(OUT / words[at])
    words = [str(OUT / w) if w.startswith("out/") else w for w in words]
    with redirect_stdout(StringIO()) as printed:
        assert main(words) == 0, text
    print("\n".join(line for line in printed.getvalue().splitlines() if line.startswith("test ")))
    return printed.getvalue()


def tiles(rows: list[np.ndarray], names: list[str], cmap: str = "gray", side: float = 0.62):
    """Rows of images with a name at the left of each."""
    count = max(len(row) for row in rows)
    size = (count * side + 1.3, len(rows) * side + 0.1)
    figure, axes = plt.subplots(len(rows), count, figsize=size, squeeze=False)
    for line, row, name in zip(axes, rows, names, strict=True):
        for axis in line:
            axis.axis("off")
        for axis, image in zip(line, row, strict=False):
            axis.imshow(image, cmap=cmap)
        line[0].text(-0.15, 0.5, name, transform=line[0].transAxes, ha="right", va="center", size=8)
    figure.subplots_adjust(0.16 if count > 5 else 0.25, 0.02, 0.99, 0.98, 0.06, 0.06)
    return figure


def chart(x: str, y: str, log: bool = False, size: tuple[float, float] = (4.6, 2.7)):
    figure, axis = plt.subplots(figsize=size, layout="constrained")
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(alpha=0.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    if log:
        axis.set_yscale("log")
    return figure, axis


# --- feed-forward ---------------------------------------------------------------------------------


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


# --- convolutional --------------------------------------------------------------------------------


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


# --- recurrent ------------------------------------------------------------------------------------


@picture
def through_time() -> plt.Figure:
    """How much of the loss reaches back to each step: an Elman network and an LSTM."""
    figure, axis = chart("step", "‖gradient of the loss‖", log=True)
    adding = f"{GRADIENTS} --data generated:adding,length=60,samples=300"
    for name, text in {
        "LSTM, forget bias 1": f"inspect models/lstm.nn {adding}",
        "LSTM, forget bias 0": f"inspect models/lstm.nn --set forget_bias=0.0 {adding}",
        "GRU": f"inspect models/gru.nn {adding}",
    }.items():
        steps = json.loads(command(text))["gradients"]["scan 0"]
        axis.plot([row["step"] + 1 for row in steps], [row["norm"] for row in steps], label=name)
    axis.legend(fontsize=7)
    return figure


# --- attention ------------------------------------------------------------------------------------


@picture
def alignment() -> plt.Figure:
    """Where a translator looks: it says a string backwards."""
    command(
        "train models/seq2seq.nn --set attention=true --set hidden=48 --data generated:reverse "
        "--epochs 4 -o seq2seq"
    )
    model = nncomp.load(
        "models/seq2seq.nn", attention=True, hidden=48, weights=OUT / "seq2seq/best.safetensors"
    )
    source = data_for(model.program, "generated:reverse").test["source"][:3]
    answer = model(source=source)
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.3), layout="constrained")
    for axis, read, said, look in zip(axes, source, answer["said"], answer["look"], strict=True):
        axis.imshow(look, cmap="viridis", vmin=0, vmax=1)
        axis.set_xticks(range(len(read)), read, fontsize=7)
        axis.set_yticks(range(len(said)), said, fontsize=7)
    axes[0].set_ylabel("says")
    axes[1].set_xlabel("reads")
    return figure


# --- unsupervised and generative ------------------------------------------------------------------


@picture
def codes() -> plt.Figure:
    """Digits from eight numbers: principal components, an autoencoder, a variational one."""
    command(
        "train models/pca.nn --data sklearn:digits --epochs 120 --batch-size 256 --lr 0.02 "
        "--schedule cosine -o pca"
    )
    command("train models/autoencoder.nn --data sklearn:digits --epochs 40 --schedule cosine -o ae")
    pca = nncomp.load("models/pca.nn", weights=OUT / "pca/best.safetensors")
    deep = nncomp.load("models/autoencoder.nn", weights=OUT / "ae/best.safetensors")
    x = data_for(pca.program, "sklearn:digits").test["x"][:10]
    rows = [x, pca(x=x)["y"], deep(x=x)["y"]]
    return tiles([row.reshape(-1, 8, 8) for row in rows], ["digits", "PCA", "autoencoder"])


@picture
def made_digits() -> plt.Figure:
    """Digits that a variational autoencoder makes up, and the way from one code to another."""
    command("train models/vae.nn --data sklearn:digits --epochs 30 -o vae")
    model = nncomp.load("models/vae.nn", weights=OUT / "vae/best.safetensors")
    z = np.random.default_rng(3).standard_normal((20, 8)).astype("f")
    x = data_for(model.program, "sklearn:digits").test["x"][:2]
    a, b = model(x=x)["mu"]
    way = np.linspace(a, b, 10).astype("f")
    made, between = (model.run({"z": c}, entry="sample")["x"].reshape(-1, 8, 8) for c in (z, way))
    return tiles([made[:10], made[10:], between], ["made up", "", "between two"])


@picture
def denoised() -> plt.Figure:
    """What a denoising autoencoder takes out."""
    command("train models/denoising_ae.nn --data sklearn:digits --epochs 20 -o denoising")
    model = nncomp.load("models/denoising_ae.nn", weights=OUT / "denoising/best.safetensors")
    x = load_digits().data[:10].astype("f") / 16
    seen = x + 0.3 * np.random.default_rng(0).standard_normal(x.shape).astype("f")
    rows = [seen, model.run({"seen": seen}, entry="clean")["y"], x]
    return tiles([np.clip(r, 0, 1).reshape(-1, 8, 8) for r in rows], ["seen", "said", "true"])


# --- energy-based ---------------------------------------------------------------------------------


@picture
def recalled() -> plt.Figure:
    """A Hopfield network recalls digits of which a fifth of the bits are flipped."""
    digits = load_digits()
    first = [int(np.flatnonzero(digits.target == label)[0]) for label in range(10)]
    patterns = np.where(digits.data[first] > 7, 1, -1).astype("f")
    rng, state = np.random.default_rng(0), patterns.copy()
    for row in state:
        row[rng.choice(64, 13, replace=False)] *= -1
    found = nncomp.load("models/hopfield.nn")(patterns=patterns, state=state)["recalled"]
    print(f"recalled {np.mean((found == patterns).all(axis=1)):.1f}")
    rows = [a.reshape(-1, 8, 8) for a in (patterns, state, found)]
    return tiles(rows, ["stored", "seen", "recalled"])


@picture
def rbm_units() -> plt.Figure:
    """Hidden units of a restricted Boltzmann machine, and what it makes of digits."""
    command("train models/rbm.nn --data sklearn:digits --epochs 30 --keep last -o rbm")
    model = nncomp.load("models/rbm.nn", weights=OUT / "rbm/best.safetensors")
    W = model.parameters["rbm.W"].reshape(-1, 8, 8)
    v = load_digits().data[:10].astype("f") / 16
    rows = [W[:10], W[10:20], v.reshape(-1, 8, 8), model(v=v)["again"].reshape(-1, 8, 8)]
    return tiles(rows, ["units", "", "digits", "again"])


# --- memory, graph, control -----------------------------------------------------------------------


@picture
def club() -> plt.Figure:
    """The karate club by a GCN that knows the side of two members."""
    command(
        "train models/gcn.nn --data networkx:karate --batch-size 34 --no-shuffle --epochs 60 -o gcn"
    )
    model = nncomp.load("models/gcn.nn", weights=OUT / "gcn/best.safetensors")
    graph = networkx.karate_club_graph()
    adjacency = (networkx.to_numpy_array(graph, weight=None) > 0).astype("f")
    logits = model(x=np.eye(34, dtype="f"), adjacency=adjacency)["logits"]
    share = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    figure, axis = plt.subplots(figsize=(4.4, 3.2), layout="constrained")
    places = networkx.spring_layout(graph, seed=4)
    wrong = [n for n in graph if (share[n] > 0.5) != (graph.nodes[n]["club"] != "Mr. Hi")]
    edges = ["black" if n in wrong else "none" for n in graph]
    networkx.draw(
        graph,
        places,
        axis,
        node_color=share,
        cmap="coolwarm",
        node_size=90,
        width=0.4,
        edgecolors=edges,
        labels={0: "0", 33: "33"},
        font_size=6,
    )
    return figure


@picture
def looks() -> plt.Figure:
    """Which sentences of a story a memory network looks at, in its last hop."""
    settings = "--set vocabulary=16 --set classes=16"
    command(f"train models/memnet.nn --data generated:facts {settings} --epochs 15 -o memnet")
    weights = OUT / "memnet/best.safetensors"
    model = nncomp.load("models/memnet.nn", vocabulary=16, classes=16, weights=weights)
    test = data_for(model.program, "generated:facts").test
    story, question = test["story"][:12], test["question"][:12]
    found = model(story=story, question=question)["attention"]
    figure, axis = plt.subplots(figsize=(4.2, 3), layout="constrained")
    axis.imshow(found, cmap="viridis", vmin=0, vmax=1)
    for row, (sentences, asked) in enumerate(zip(story, question, strict=True)):
        words = set(asked[asked > 0])
        for place, sentence in enumerate(sentences):
            if words & set(sentence[sentence > 0]):
                axis.plot(place, row, "r.", markersize=4)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("sentence")
    axis.set_ylabel("story")
    return figure


# --- by gradient ----------------------------------------------------------------------------------


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


# --- beginnings and margins -----------------------------------------------------------------------


@picture
def oja() -> plt.Figure:
    """The weights that Oja's rule finds beside the first principal component."""
    command("train models/hebb.nn --data sklearn:digits --epochs 30 --keep last -o hebb")
    w = nncomp.load("models/hebb.nn", weights=OUT / "hebb/best.safetensors").parameters["w"]
    x = load_digits().data / 16
    first = np.linalg.svd(x - x.mean(0))[2][0]
    first *= np.sign(first @ w)
    return tiles([np.stack([w, first]).reshape(-1, 8, 8)], ["Oja, SVD"], side=1.0)


@picture
def random_features() -> plt.Figure:
    """The error of a kernel by random features, by how many there are."""
    figure, axis = chart("features D", "error of the kernel", log=True)
    axis.set_xscale("log")
    x = np.random.default_rng(0).standard_normal((40, 5)).astype("f")
    exact = np.exp(-0.1 * ((x[:, None] - x) ** 2).sum(2))
    counts, errors = [32, 64, 128, 256, 512, 1024, 2048], []
    for D in counts:
        drawn = [
            nncomp.load("models/random_features.nn", features=5, D=D, gamma=0.1, seed=seed)
            for seed in range(4)
        ]
        squares = [np.mean((model(x=x)["kernel"] - exact) ** 2) for model in drawn]
        errors.append(float(np.sqrt(np.mean(squares))))
    axis.plot(counts, errors, marker="o", label="random features")
    axis.plot(counts, errors[0] * np.sqrt(counts[0] / np.array(counts)), "--", label="1 / √D")
    axis.legend(fontsize=7)
    return figure


def draw(names: list[str]) -> None:
    """Writes the pictures; all of them if none is named."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(exist_ok=True)
    for name in names or PICTURES:
        figure = PICTURES[name]()
        path = IMAGES / f"{name}.png"
        if isinstance(figure, Path):
            image = Image.open(figure).convert("RGB")
            image.thumbnail((900, 900))
            image.save(path)
        else:
            figure.savefig(path, dpi=100, bbox_inches="tight", pad_inches=0.04)
            plt.close(figure)
        Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} B")
        assert path.stat().st_size <= MOST


if __name__ == "__main__":
    draw(sys.argv[1:])
