"""Energy-based and associative systems: rows 48 to 52."""

from __future__ import annotations

import numpy as np

from nncomp.types import Array
from zoo.figures import energies
from zoo.marks import train
from zoo.row import Case, Mark, Row

RBM = "models/rbm.nn --data sklearn:digits"
DBN = "models/dbn.nn --data sklearn:digits"


def spins(shape: tuple[int, ...]) -> Array:
    return np.where(np.random.default_rng(1).uniform(size=shape) < 0.5, -1, 1).astype(np.float32)


ROWS = (
    Row(
        48,
        "Markov chain",
        (Case("markov.nn", {"states": 5, "steps": 30}, symbols=5),),
        energies.STATIONARY,
    ),
    Row(
        49,
        "Hopfield network",
        (
            Case(
                "hopfield.nn",
                {"units": 12, "sweeps": 2, "projection": False},
                special={"state": spins, "patterns": spins},
            ),
        ),
        energies.HOPFIELD,
        Mark(
            "recalls a digit of which 20 % of the bits are flipped; share of ten digits",
            ("python examples/recall.py",),
            "recalled",
            0.9,
            quick=True,
        ),
    ),
    Row(50, "Boltzmann machine", (Case("boltzmann.nn", {"units": 4}),), energies.BOLTZMANN),
    Row(
        51,
        "Restricted Boltzmann machine (CD-k)",
        (Case("rbm.nn", {"features": 6, "hidden": 4}),),
        energies.FREE_ENERGY,
        Mark(
            "digits: reconstruction error falls by half",
            (train(51, f"{RBM} --epochs 30 --keep last"),),
            "reconstruction",
            0.5,
            measure=energies.fall("reconstruction", "51"),
        ),
    ),
    Row(
        52,
        "Deep belief network",
        (Case("dbn.nn", {"features": 6, "classes": 3, "widths": (5, 4)}),),
        None,
        Mark(
            "digits ≥ 95 % after fine-tuning",
            (
                train(52, f"{DBN} --section first --epochs 20 --keep last", "52-first"),
                train(
                    52,
                    f"{DBN} --section second --weights out/zoo/52-first/best.safetensors "
                    "--epochs 20 --keep last",
                    "52-second",
                ),
                train(52, f"{DBN} --weights out/zoo/52-second/best.safetensors --epochs 20"),
            ),
            "accuracy",
            0.95,
        ),
    ),
)
