"""Initial values."""

from __future__ import annotations

from zoo.members import Member

DRAWN = "tests/std/test_initializers.py::test_numbers_are_of_their_distribution#"

INITIALISERS = (
    Member(
        "uniform(−a, a)",
        "U(-a, a)",
        "compiler: uniform",
        DRAWN + "uniform(",
        (("vanishing.nn", "uniform(-0.1, 0.1)"), ("std/recurrent.nn", "uniform(-1 / sqrt(hidden)")),
    ),
    Member(
        "Gaussian",
        "N(0, σ²)",
        "compiler: normal",
        DRAWN + "normal(0.1, 0.02)",
        (("gpt.nn", "normal(std=0.02)"),),
    ),
    Member(
        "Xavier/Glorot uniform",
        "U(±√(6 / (fan_in + fan_out)))",
        "initializers.nn: fn xavier_uniform",
        DRAWN + "xavier_uniform",
        (("pca.nn", "init=xavier_uniform"), ("std/attention.nn", "init: fn = xavier_uniform")),
    ),
    Member(
        "Xavier/Glorot normal",
        "N(0, 2 / (fan_in + fan_out))",
        "initializers.nn: fn xavier_normal",
        DRAWN + "xavier_normal",
        (("vanishing.nn", "xavier_normal"),),
    ),
    Member(
        "He uniform",
        "U(±√(6 / fan_in))",
        "initializers.nn: fn he_uniform",
        DRAWN + "he_uniform",
        (("vanishing.nn", "he_uniform"), ("std/conv.nn", "init: fn = he_uniform")),
    ),
    Member(
        "He normal",
        "N(0, 2 / fan_in)",
        "initializers.nn: fn he_normal",
        DRAWN + "he_normal",
        (("unet.nn", "init=he_normal"), ("resnet.nn", "he_normal_fan_out")),
    ),
    Member(
        "orthogonal",
        "W Wᵀ = I, by the SVD of a Gaussian",
        "compiler: orthogonal",
        "tests/std/test_initializers.py::test_orthogonal_rows",
        (("vanishing.nn", "orthogonal()"),),
    ),
    Member(
        "identity",
        "W = I",
        "compiler: identity",
        "tests/std/test_initializers.py::test_the_identity",
        (("vanishing.nn", "identity()"),),
    ),
    Member(
        "LSUV",
        "W ← W / √Var(W x), layer by layer, from orthogonal ones",
        "regularizers.nn: fn unit_variance",
        "tests/std/test_regularizers.py::test_layers_of_unit_variance",
        (("vanishing.nn", "unit_variance"),),
        (
            "nncomp train models/vanishing.nn --data sklearn:digits --set init=orthogonal "
            "--section lsuv --epochs 1",
        ),
    ),
    Member(
        "zeros",
        "0",
        "initializers.nn: fn zero_init",
        "tests/std/test_initializers.py::test_constants#zero_init",
        (("perceptron.nn", "init=zero_init"), ("rbm.nn", "zeros()")),
    ),
    Member(
        "constants",
        "c",
        "initializers.nn: fn constant",
        "tests/std/test_initializers.py::test_constants#constant(-0.5)",
        (("vanishing.nn", "constant(0.02)"), ("highway.nn", "full(gate_bias)")),
    ),
)
