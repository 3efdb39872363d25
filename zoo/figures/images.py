"""What convolutional rows are held against."""

from __future__ import annotations

import numpy as np
from scipy.signal import correlate2d

from tests.models import support
from zoo.figures.support import close, grown, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _unet_map() -> str:
    """The sizes of section 2 of the paper, from shapes alone."""
    (logits,) = support.load("unet.nn").graph.outputs.values()
    found = tuple(logits.shape[2:])
    assert found == (388, 388), f"{found}"
    return "572×572 to 388×388"


def _receptive_field() -> str:
    """How far back the gradient of one step goes: as far as the formula says, and to no later
    step. A layer has two convolutions, each of which sees (k - 1) d further."""
    k, levels = 3, 3
    model = loaded("tcn.nn", k=k, levels=levels, channels=8)
    weights = {n: np.abs(w) for n, w in model.parameters.items()}  # no ReLU is off
    model = grown("tcn.nn", weights, k=k, levels=levels, channels=8)
    length, at = 60, 40
    x = RNG.uniform(size=(1, length, 2)).astype("f")
    field = 1 + 2 * (k - 1) * sum(2**i for i in range(levels))
    before = model(x=x)["states"][0, at]
    seen = []
    for step in range(length):
        changed = x.copy()
        changed[0, step] += 1
        seen.append(bool((model(x=changed)["states"][0, at] != before).any()))
    first, last = seen.index(True), length - 1 - seen[::-1].index(True)
    assert last == at, f"step {at} hears of step {last}"
    assert at - first + 1 == field, f"the field is {at - first + 1}, not {field}"
    return f"{field} steps, no leak"


def _toeplitz() -> str:
    model = loaded("filters.nn", size=12)
    image = RNG.integers(-8, 8, (3, 1, 12, 12)).astype("f")  # products and sums are exact
    found = model(image=image)
    assert np.array_equal(found["edges"], found["same"]), "convolution and product differ"
    sobel = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    close(found["edges"][0, 0], correlate2d(image[0, 0], sobel, "valid"), 0)
    return "Conv = Toeplitz MatMul, bit by bit"


def _preferred() -> str:
    """The best image of bounded norm of a linear filter is known: the climb comes near it."""
    model = loaded("filters.nn", "Preferred")
    step = model.training_step()
    start = RNG.standard_normal((1, 1, 28, 28)).astype("f")
    first = float(model(start=start)["answer"])
    for _ in range(100):
        step(start=start)
    found = float(model(start=start)["answer"])
    weight, bias = model.parameters["conv1.weight"][0, 0], model.parameters["conv1.bias"][0]
    best = 10 * np.linalg.norm(_adjoint(weight)) / 28**2 + bias
    assert found > first, "the answer does not rise"
    assert found >= best - 0.05 * abs(best - first), f"{found:.4f} of {best:.4f}"
    return f"{found:.3f} of at most {best:.3f}"


def _adjoint(weight: np.ndarray) -> np.ndarray:
    """What each pixel counts in the sum over all places of a padded convolution."""
    return correlate2d(np.ones((28, 28)), weight[::-1, ::-1], "same")


UNET_MAP = Figure("388×388 map for 572×572", _unet_map)
RECEPTIVE_FIELD = Figure("receptive field 1 + 2 (k-1) Σd, causal", _receptive_field)
TOEPLITZ = Figure("Conv = Toeplitz MatMul", _toeplitz)
PREFERRED = Figure("the best image of a linear filter", _preferred)
