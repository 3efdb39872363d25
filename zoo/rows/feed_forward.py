"""Feed-forward networks: rows 1 to 8."""

from __future__ import annotations

from zoo.figures import dense
from zoo.marks import train
from zoo.row import Case, Mark, Row

MLP = "models/mlp.nn --data sklearn:digits"
CANCER = "--data sklearn:breast_cancer"

ROWS = (
    Row(
        1,
        "Linear predictor, squared loss",
        (Case("linear.nn"),),
        dense.LEAST_SQUARES,
        Mark(
            "diabetes: weights within 1e-3 of lstsq",
            (
                train(
                    1,
                    "models/linear.nn --data sklearn:diabetes --split 100,0,0 "
                    "--batch-size 442 --epochs 2200 --lr 0.2",
                ),
            ),
            "largest difference",
            1e-3,
            most=True,
            measure=dense.distance_from_lstsq,
        ),
    ),
    Row(
        2,
        "Perceptron, logistic regression",
        (Case("perceptron.nn"),),
        None,
        Mark(
            "breast cancer ≥ 96 %",
            (train(2, f"models/perceptron.nn {CANCER} --epochs 20"),),
            "accuracy",
            0.96,
            quick=True,
        ),
    ),
    Row(
        3,
        "One hidden layer of sigmoids",
        (Case("mlp.nn", {"widths": (20,), "activation": "sigmoid"}),),
        dense.SIGMOID_GRADIENTS,
        Mark(
            "digits ≥ 95 %",
            (train(3, f"{MLP} --set widths=[64] --set activation=sigmoid --epochs 20 --lr 0.01"),),
            "accuracy",
            0.95,
            quick=True,
        ),
    ),
    Row(
        4,
        "Deep MLP: ReLU, He's initial values, batch norm, dropout",
        (Case("mlp.nn", {"widths": (20, 15), "batch_norm": True}),),
        None,
        Mark(
            "digits ≥ 97 %",
            (
                train(
                    4,
                    f"{MLP} --set widths=[128,128] --set batch_norm=true --set dropout=0.3 "
                    "--epochs 30 --lr 3e-3 --schedule cosine",
                ),
            ),
            "accuracy",
            0.97,
        ),
    ),
    Row(
        5,
        "Kernel SVM as a network",
        (Case("kernel_svm.nn", {"features": 6, "vectors": 5}),),
        dense.SVC,
        Mark(
            "breast cancer ≥ 95 %",
            (train(5, f"models/kernel_svm.nn {CANCER} --epochs 20"),),
            "accuracy",
            0.95,
            quick=True,
        ),
    ),
    Row(
        6,
        "Radial basis network",
        (Case("rbf.nn", {"units": 5}),),
        dense.RBF,
        Mark(
            "iris ≥ 95 %",
            (train(6, "models/rbf.nn --data sklearn:iris --epochs 60 --batch-size 16 --seed 1"),),
            "accuracy",
            0.95,
            quick=True,
        ),
    ),
    Row(
        7,
        "Highway network, 20 layers",
        (Case("highway.nn", {"features": 9, "layers": 3, "width": 6}),),
        dense.CLOSED_GATE,
        Mark(
            "digits ≥ 96 %",
            (train(7, "models/highway.nn --data sklearn:digits --epochs 25 --schedule cosine"),),
            "accuracy",
            0.96,
        ),
    ),
    Row(
        8,
        "Plain deep net: vanishing gradients",
        (
            Case("vanishing.nn", {"features": 9, "layers": 3, "width": 6}),
            Case("vanishing.nn", {"features": 9, "layers": 3, "width": 6, "modern": True}),
        ),
        dense.VANISHING,
        Mark(
            "digits: worse than row 7 by the same steps",
            (train(8, "models/vanishing.nn --data sklearn:digits --epochs 25 --schedule cosine"),),
            "accuracy",
            0.5,
            most=True,
        ),
    ),
)
