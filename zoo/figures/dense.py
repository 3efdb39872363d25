"""What rows 1 to 8 are held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nncomp
from nncomp.training.sources import read_data
from nncomp.types import Array
from nncomp.weights import load_weights
from zoo.figures.support import close, grown, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _least_squares() -> str:
    """Gradient descent by the compiled step, on data of full rank."""
    x = RNG.standard_normal((60, 4)).astype("f")
    y = (x @ [[1.0], [-2], [3], [0.5]] + 0.7).astype("f")
    model = loaded("linear.nn", features=4)
    step = model.training_step()
    for _ in range(400):
        step(x=x, y=y)
    found = [*model.parameters["linear.weight"][0], *model.parameters["linear.bias"]]
    return close(np.array(found), _lstsq(x, y), 1e-5)


def _lstsq(x: Array, y: Array) -> Array:
    design = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    return np.asarray(np.linalg.lstsq(design, y, rcond=None)[0].ravel())


def distance_from_lstsq(output: str, folder: Path) -> float:
    """Of the weights of row 1's mark."""
    source = read_data("sklearn:diabetes").train
    weights = load_weights(folder / "out/zoo/1/best.safetensors")
    found = [*weights["linear.weight"][0], *weights["linear.bias"]]
    best = _lstsq(source["features"][:], source["target"][:][:, None])
    return float(np.abs(found - best).max())


def _sigmoid_gradients() -> str:
    """Of a layer σ(W x + b) below a softmax, as they are on paper."""
    model = loaded("mlp.nn", features=5, widths=[4], classes=3, activation="sigmoid")
    x, label = RNG.standard_normal((6, 5)).astype("f"), RNG.integers(0, 3, 6)
    found = nncomp.grad(model)(x=x, label=label)
    p = {name: value.astype(float) for name, value in model.parameters.items()}
    h = 1 / (1 + np.exp(-(x @ p["linear.0.weight"].T + p["linear.0.bias"])))
    z = np.exp(h @ p["head.weight"].T + p["head.bias"])
    d = (z / z.sum(1, keepdims=True) - np.eye(3)[label]) / len(x)
    e = (d @ p["head.weight"]) * h * (1 - h)
    expected = [e.T @ x, e.sum(0), d.T @ h, d.sum(0)]
    names = ["linear.0.weight", "linear.0.bias", "head.weight", "head.bias"]
    return close(
        np.concatenate([found[f"grad/{name}"].ravel() for name in names]),
        np.concatenate([value.ravel() for value in expected]),
        1e-5,
    )


def _svc() -> str:
    """The decision function with the support vectors that scikit-learn found."""
    from sklearn.svm import SVC

    source = read_data("sklearn:breast_cancer").train
    x, label = source["features"][:], source["label"][:]
    svc = SVC(C=1.0, gamma=0.03).fit(x.astype(float), label)
    model = grown(
        "kernel_svm.nn",
        {
            "support": svc.support_vectors_,
            "alpha_y": svc.dual_coef_[0],
            "b": svc.intercept_[0],
        },
        vectors=len(svc.support_vectors_),
        gamma=0.03,
    )
    return close(model(x=x)["f"], svc.decision_function(x), 1e-4)


def _rbf() -> str:
    model = loaded("rbf.nn", features=3, units=5)
    x = RNG.standard_normal((7, 3)).astype("f")
    p = model.parameters
    distance = np.linalg.norm(x[:, None] - p["centre"], axis=2)
    phi = np.exp(-((distance / np.exp(p["log_width"])) ** 2) / 2)
    return close(model(x=x)["logits"], phi @ p["head.weight"].T + p["head.bias"], 1e-5)


def _closed_gate() -> str:
    """With the gates' biases at -100 the layers do nothing, and with it the gradient."""
    gates = {f"layer.{i}.gate.bias": np.full(50, -100) for i in range(20)}
    model = grown("highway.nn", gates)
    x = RNG.standard_normal((7, 64)).astype("f")
    p = model.parameters
    first = np.maximum(x @ p["first.weight"].T + p["first.bias"], 0)
    expected = first @ p["head.weight"].T + p["head.bias"]
    return close(model(x=x)["logits"], expected, 1e-6)


def _vanishing() -> str:
    """The gradient of the first layer over that of the last, with sigmoids and without."""
    x, label = RNG.standard_normal((64, 64)).astype("f"), RNG.integers(0, 10, 64)
    ratios = []
    for modern in (False, True):
        model = loaded("vanishing.nn", modern=modern)
        found = nncomp.grad(model, "*.linear.weight")(x=x, label=label)
        norms = [np.linalg.norm(found[f"grad/layer.{i}.linear.weight"]) for i in range(20)]
        ratios.append(norms[0] / norms[-1])
    sigmoids, modern_ones = ratios
    assert sigmoids < 1e-6, f"with sigmoids the first layer has {sigmoids:.1g} of the last's"
    assert modern_ones > 0.1, f"with ReLU the first layer has {modern_ones:.1g} of the last's"
    return f"first / last layer: {sigmoids:.0e}, modern {modern_ones:.1f}"


LEAST_SQUARES = Figure("= closed form", _least_squares)
SIGMOID_GRADIENTS = Figure("gradients by hand", _sigmoid_gradients)
SVC = Figure("= scikit-learn's SVC", _svc)
RBF = Figure("= its formula", _rbf)
CLOSED_GATE = Figure("identity when the gate is closed", _closed_gate)
VANISHING = Figure("gradients decay, and do not with ReLU, He and BN", _vanishing)
