"""Beginnings and margins: rows 62 to 67."""

from __future__ import annotations

import numpy as np

from nncomp.types import Array
from zoo.figures import origins
from zoo.marks import train
from zoo.row import Case, Mark, Row


def bits(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(1).integers(0, 2, shape).astype(np.float32)


ROWS = (
    Row(
        62,
        "McCulloch–Pitts circuits; parity by depth",
        (
            Case("circuits.nn", special={"x": bits}),
            Case("circuits.nn", {"bits": 11}, "Parity", special={"x": bits}),
        ),
        origins.CIRCUITS,
    ),
    Row(
        63,
        "Hebb's rule, Oja's rule",
        (Case("hebb.nn", {"features": 6}),),
        origins.HEBB,
        Mark(
            "digits: cosine of the angle to the first principal component ≥ 0.99",
            (train(63, "models/hebb.nn --data sklearn:digits --epochs 60 --keep last"),),
            "cosine",
            0.99,
            measure=origins.cosine,
            quick=True,
        ),
    ),
    Row(
        64,
        "Random features",
        (Case("random_features.nn", {"features": 5, "D": 12}),),
        origins.RANDOM_FEATURES,
        Mark(
            "breast cancer ≥ 95 %",
            (train(64, "models/random_features.nn --data sklearn:breast_cancer --epochs 30"),),
            "accuracy",
            0.95,
        ),
    ),
    Row(
        65,
        "Bayesian network by Monte-Carlo dropout",
        (Case("mc_dropout.nn", {"features": 5, "hidden": 4, "draws": 3}),),
        None,
        Mark(
            "wine: uncertainty about a class never seen, over that about the others",
            ("python examples/uncertainty.py",),
            "ratio",
            1.0,
        ),
    ),
    Row(
        66,
        "Pruning: magnitude, Optimal Brain Damage",
        (
            Case("pruning.nn", {"features": 5, "hidden": 4, "draws": 2}, symbols=10),
            Case("pruning.nn", {"features": 5, "hidden": 4, "damage": False}),
        ),
        origins.SALIENCY,
        Mark(
            "digits: points lost with 70 % of the weights pruned",
            ("python examples/prune.py",),
            "lost",
            1.0,
            most=True,
        ),
    ),
    Row(
        67,
        "Reward model and policy gradient (RLHF in small)",
        (Case("rlhf.nn", {"symbols": 4, "length": 3, "hidden": 5}, symbols=4),),
        origins.REINFORCE,
        Mark(
            "the policy writes the rewarded pattern",
            ("python examples/preferences.py",),
            "pattern",
            0.9,
        ),
    ),
)
