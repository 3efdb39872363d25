"""What rows 48 to 52 are held against."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

import nncomp
from zoo.figures.support import close, grown, loaded
from zoo.marks import read
from zoo.row import Figure

RNG = np.random.default_rng(0)


def _stationary() -> str:
    logits = RNG.standard_normal((6, 6))
    found = grown("markov.nn", {"logits": logits}, states=6).run({}, entry="limit")
    values, vectors = np.linalg.eig(found["P"].T)
    vector = np.real(vectors[:, np.argmin(abs(values - 1))])
    return close(found["stationary"], vector / vector.sum(), 1e-5)


def _hopfield() -> str:
    """With Hebb's weights as the paper has them, and with the projection."""
    patterns = np.sign(RNG.standard_normal((4, 64))).astype("f")
    state = np.sign(RNG.standard_normal((20, 64))).astype("f")
    for projection in (False, True):
        model = loaded("hopfield.nn", projection=projection)
        same = model(patterns=patterns, state=patterns)["recalled"]
        assert np.array_equal(same, patterns), "a stored pattern is no fixed point"
        energies = model(patterns=patterns, state=state)["energies"]
        rise = np.diff(energies, axis=1).max()
        assert rise <= 1e-4, f"the energy rises by {rise}"
    return "patterns are fixed points, energy never rises"


def _boltzmann() -> str:
    """-d/dW: <s s> of the data less that of all states by their exact probabilities."""
    model = loaded("boltzmann.nn")
    v = RNG.integers(0, 2, (20, 8)).astype("f")
    found = nncomp.grad(model)(v=v)
    p = {n: w.astype(float) for n, w in model.parameters.items()}
    W = (p["weight"] + p["weight"].T) / 2 * (1 - np.eye(8))
    states = np.array(list(itertools.product([0.0, 1], repeat=8)))
    weight = np.exp(0.5 * ((states @ W) * states).sum(1) + states @ p["b"])
    weight /= weight.sum()
    both = v.T @ v / len(v) - states.T @ (states * weight[:, None])
    close(found["grad/b"], -(v.mean(0) - weight @ states), 1e-4)
    return close(found["grad/weight"], -0.5 * both * (1 - np.eye(8)), 1e-4)


def _free_energy() -> str:
    """Against the sum over all states of the hidden units."""
    model = loaded("rbm.nn", features=5, hidden=4)
    v = RNG.integers(0, 2, (6, 5)).astype("f")
    p = {n.removeprefix("rbm."): w.astype(float) for n, w in model.parameters.items()}
    states = np.array(list(itertools.product([0.0, 1], repeat=4)))
    terms = v @ p["b"][:, None] + states @ p["c"] + v @ p["W"].T @ states.T
    return close(model(v=v)["F"], -np.log(np.exp(terms).sum(1)), 1e-5)


def fall(name: str, folder: str) -> Callable[[str, Path], float]:
    """By which share a number is lower on the test samples than in the first step."""

    def found(output: str, root: Path) -> float:
        log = (root / "out/zoo" / folder / "log.jsonl").read_text()
        first = json.loads(log.splitlines()[0])[name]
        return 1 - read(output, name) / float(first)

    return found


STATIONARY = Figure("stationary distribution = eigenvector", _stationary)
HOPFIELD = Figure("fixed points; energy never rises", _hopfield)
BOLTZMANN = Figure("exact likelihood gradient", _boltzmann)
FREE_ENERGY = Figure("free energy = sum over hidden states", _free_energy)
