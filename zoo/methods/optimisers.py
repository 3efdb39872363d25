"""Optimisers."""

from __future__ import annotations

from zoo.members import Member

TORCH = "tests/std/test_optimizers.py::test_fifty_steps_equal_torch#"
PUBLISHED = "tests/std/test_published.py::test_published_update#"
MLP = "nncomp train models/mlp.nn --data sklearn:digits"

OPTIMISERS = (
    Member(
        "gradient descent",
        "p ← p - η g, g of all samples",
        "optim.nn: optimizer SGD",
        PUBLISHED + "SGD(lr=0.1)",
        (("linear.nn", "SGD(lr=0.1)"),),
        ("nncomp train models/linear.nn --data sklearn:diabetes --batch-size 442",),
    ),
    Member(
        "mini-batch SGD",
        "p ← p - η g, g of a batch",
        "optim.nn: optimizer SGD",
        TORCH + "SGD(lr=0.1)",
        (("perceptron.nn", "SGD(lr=0.1)"),),
    ),
    Member(
        "momentum",
        "v ← β v + g; p ← p - η v",
        "optim.nn: optimizer Momentum",
        PUBLISHED + "Momentum(lr=0.1)",
        (("rbm.nn", "Momentum(lr=0.05)"), ("resnet.nn", "momentum=0.9")),
    ),
    Member(
        "Nesterov",
        "v ← β v + g; p ← p - η (g + β v)",
        "optim.nn: optimizer SGD",
        PUBLISHED + "SGD(lr=0.1, momentum=0.8, nesterov=true)",
        (("densenet.nn", "nesterov=true"), ("mlp.nn", "nesterov=true")),
    ),
    Member(
        "R-prop",
        "Δ grows by 1.2 while sign g stays, shrinks by ½ where it turns; p ← p - Δ sign g",
        "optim.nn: optimizer Rprop",
        PUBLISHED + "Rprop(lr=0.05)",
        (("mlp.nn", "Rprop(lr=1e-3)"),),
        (f"{MLP} --set optimizer=rprop --batch-size 1258",),
    ),
    Member(
        "AdaGrad",
        "s ← s + g²; p ← p - η g / √s",
        "optim.nn: optimizer Adagrad",
        PUBLISHED + "Adagrad(lr=0.1)",
        (("mlp.nn", "Adagrad(lr=0.02)"),),
    ),
    Member(
        "AdaDelta",
        "Δ = √(E[Δ²] + ε) / √(E[g²] + ε) · g; p ← p - Δ",
        "optim.nn: optimizer Adadelta",
        PUBLISHED + "Adadelta(lr=1.0)",
        (("mlp.nn", "Adadelta(lr=1.0)"),),
    ),
    Member(
        "RMSprop",
        "s ← α s + (1 - α) g²; p ← p - η g / √s; centered: s less the squared mean of g",
        "optim.nn: optimizer RMSprop",
        PUBLISHED + "RMSprop(lr=0.01)",
        (("dqn.nn", "RMSprop(lr=2.5e-4, alpha=0.95, eps=0.01, centered=true)"),),
    ),
    Member(
        "Adam",
        "m, v: averages of g, g² without their bias; p ← p - η m / (√v + ε)",
        "optim.nn: optimizer Adam",
        PUBLISHED + "Adam(lr=0.01)",
        (("lenet5.nn", "Adam"), ("gpt.nn", "Adam(lr=3e-4)")),
    ),
)
