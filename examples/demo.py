"""From one text file to trained, fused, checked ONNX: what `make demo` shows.

1. trains LeNet-5 on scikit-learn's digits, through the compiled training step in onnxruntime
2. compiles it for inference, with convolutions, batch norms and activations fused; does the same to
   a ResNet-18, where batch norms are folded
3. runs the file on the test samples, in onnxruntime alone
4. runs both by onnxruntime and by NumPy, and compares
5. leaves the curve and the pictures of the graphs in out/demo
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

import nncomp
from nncomp.driver.inspecting import picture_of, summary_of
from nncomp.driver.showing import inference_of
from nncomp.driver.train import Trained, data_for, train
from nncomp.files import write_atomic
from nncomp.inspect.summary import count_nodes
from nncomp.passes.manager import optimize
from nncomp.training.data import DataSet
from nncomp.training.options import Options
from nncomp.training.plot import plot
from nncomp.training.progress import Bar, Lines
from nncomp.weights import save_weights

ROOT = Path(__file__).resolve().parent.parent
OUT = Path("out/demo")
EPOCHS, BATCH, RATE, SEED = 20, 64, 3e-3, 0
GOAL = 0.98
TOLERANCE = 1e-5  # of the largest value: what rounding may differ

console = Console(highlight=False)


def main() -> int:
    lenet, trained = train_lenet()
    resnet = make_resnet()
    show_fusion(lenet, resnet)
    accuracy = run_compiled(trained.data)
    agree = compare(lenet, resnet)
    draw(lenet, resnet)
    fine = accuracy >= GOAL and agree
    console.print(f"\neverything is in {OUT}/", style="bold green" if fine else "bold red")
    return 0 if fine else 1


def heading(text: str) -> None:
    console.print(f"\n[bold cyan]{text}[/bold cyan]")


def train_lenet() -> tuple[nncomp.Model, Trained]:
    """LeNet-5 with its trained weights, and the training."""
    heading("1. Training LeNet-5 in onnxruntime, by a graph of standard operators")
    model = nncomp.load(ROOT / "models/lenet5.nn", seed=SEED)
    data = data_for(model.program, "sklearn:digits")
    console.print(f"{data.describe()} ({'; '.join(data.notes)})")
    began = time.perf_counter()
    trained = train(
        model.program,
        model.state,
        data,
        Options(epochs=EPOCHS, batch_size=BATCH, schedule="cosine", shift=1, seed=SEED),
        OUT,
        lr=RATE,
        reporter=Bar(EPOCHS) if sys.stderr.isatty() else Lines(EPOCHS),
    )
    seconds = time.perf_counter() - began
    print(plot(trained.outcome.records))
    accuracy = trained.outcome.test["accuracy"]
    style = "green" if accuracy >= GOAL else "red"
    console.print(
        f"test accuracy [bold {style}]{accuracy:.2%}[/] after {EPOCHS} epochs in {seconds:.1f} s"
    )
    return nncomp.load(ROOT / "models/lenet5.nn", weights=trained.checkpoint), trained


def make_resnet() -> nncomp.Model:
    """A ResNet-18 with random weights, and batch statistics as if it had been trained: those of a
    new model are zeros and ones, which would make folding them look easy."""
    file, path = ROOT / "models/resnet.nn", OUT / "resnet18.safetensors"
    weights = nncomp.load(file, "ResNet", depth=18, seed=SEED).parameters
    rng = np.random.default_rng(SEED)
    for name, array in weights.items():
        if name.endswith("running_mean"):
            array[:] = rng.normal(0, 0.1, array.shape)
        elif name.endswith("running_var"):
            array[:] = rng.uniform(0.5, 1.5, array.shape)
    save_weights(path, weights)
    return nncomp.load(file, "ResNet", depth=18, weights=path)


def show_fusion(*models: nncomp.Model) -> None:
    """Builds each model, and says what the passes made of it."""
    heading("2. Compiling, with convolution, batch norm and activation fused")
    table = Table("model", "parameters", "nodes", "rewrites", "file")
    for model in models:
        built = model.build(OUT / f"{model.name.lower()}.onnx")
        assert built.inference is not None
        summary = summary_of(model.program)
        result = optimize(model.graph)
        rules = {rule: n for r in result.log for rule, n in r.result.counts.items()}
        table.add_row(
            model.name,
            f"{summary.parameters:,}",
            f"{count_nodes(model.graph)} → {count_nodes(result.graph)}",
            "\n".join(f"{rule} ×{n}" for rule, n in rules.items()),
            f"{built.inference.path.name}, opset {built.inference.opset}",
        )
    console.print(table)


def run_compiled(data: DataSet) -> float:
    """The accuracy of the file on the test samples."""
    heading("3. The compiled file in onnxruntime, nothing else around it")
    session = onnxruntime.InferenceSession(OUT / "lenet5.onnx")
    images, label = data.test["image"][:], data.test["label"][:]
    began = time.perf_counter()
    (logits,) = session.run(None, {"image": images})
    seconds = time.perf_counter() - began
    accuracy = float((logits.argmax(1) == label).mean())
    console.print(f"{accuracy:.2%} of {len(label)} test samples, in {1000 * seconds:.1f} ms")
    return accuracy


def compare(*models: nncomp.Model) -> bool:
    """Whether all ways to run a model agree, at three batch sizes."""
    heading("4. The same numbers from onnxruntime and NumPy")
    console.print(
        "Largest difference to NumPy running the model as written, as a share of the largest value"
    )
    table = Table("model", "batch", "NumPy, fused", "onnxruntime, fused", "its own optimiser too")
    rng = np.random.default_rng(SEED)
    fine = True
    for model in models:
        (name,) = model.inputs
        shape = [d for d in model.graph.inputs[0].shape if isinstance(d, int)]
        for batch in (1, 3, 7):
            x = {name: rng.random((batch, *shape), np.float32)}
            reference = model.run(x, backend="numpy", level=0)
            others = (
                model.run(x, backend="numpy"),
                model.session(optimize=False).run(x),
                model.session().run(x),
            )
            differences = [difference(reference, other) for other in others]
            fine &= max(differences) <= TOLERANCE
            table.add_row(model.name, f"{batch}", *(f"{d:.1e}" for d in differences))
    console.print(table)
    console.print("they agree" if fine else f"[red]they differ by more than {TOLERANCE}[/red]")
    return fine


def difference(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    return max(float(np.abs(a[n] - b[n]).max() / np.abs(a[n]).max()) for n in a)


def draw(*models: nncomp.Model) -> None:
    """The graphs, as written beside fused."""
    for model in models:
        path = OUT / f"{model.name.lower()}.svg"
        write_atomic(path, picture_of(inference_of(model.program)))


if __name__ == "__main__":
    sys.exit(main())
