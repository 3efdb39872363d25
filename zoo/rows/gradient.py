"""What follows the gradient of an input: rows 43, 44 and 60."""

from __future__ import annotations

from zoo.figures import descents
from zoo.marks import train
from zoo.row import Case, Mark, Row
from zoo.rows.convolutional import LENET

PHOTOS = "--data sklearn:photos --split 100,0,0 --batch-size 1"

ROWS = (
    Row(
        43,
        "Neural style transfer",
        (Case("style.nn", {"size": 8, "widths": (3, 4)}),),
        descents.GRAM,
        Mark(
            "the two sample photographs: total loss falls ≥ 90 %",
            ("python examples/style.py",),
            "fall",
            0.9,
        ),
    ),
    Row(
        44,
        "Deep dream",
        (Case("deepdream.nn", {"size": 8, "widths": (3, 4)}),),
        None,
        Mark(
            "activation rises ≥ 5 times",
            (train(44, f"models/deepdream.nn {PHOTOS} --epochs 60 --keep last"),),
            "rise",
            5,
            measure=descents.rise("44", "answer"),
        ),
    ),
    Row(
        60,
        "Adversarial example x + ε sign(∇J)",
        (Case("fgsm.nn"),),
        descents.INPUT_GRADIENT,
        Mark(
            "row 10's accuracy at ε = 0.15",
            (LENET, "python examples/attack.py"),
            "attacked",
            0.4,
            most=True,
        ),
    ),
)
