"""Activations and losses."""

from __future__ import annotations

from zoo.members import Member

LOSS = "tests/std/test_losses.py::test_against_torch#"
FUNCTION = "tests/std/test_functions.py::test_against_torch#"
LAYER = "tests/models/test_layers.py::test_layer#"
MLP = "nncomp train models/mlp.nn --data sklearn:digits"

ACTIVATIONS = (
    Member(
        "sigmoid",
        "1 / (1 + exp(-x))",
        "activations.nn: fn sigmoid",
        FUNCTION + "sigmoid(x)",
        (("vanishing.nn", "sigmoid"), ("mlp.nn", "sigmoid")),
    ),
    Member(
        "tanh",
        "tanh x",
        "compiler: tanh",
        "tests/ops/samples/activation.py::SAMPLES#Tanh()",
        (("lenet5.nn", "tanh"),),
    ),
    Member(
        "ReLU", "max(x, 0)", "activations.nn: fn relu", FUNCTION + "relu(x)", (("vgg.nn", "relu"),)
    ),
    Member(
        "leaky ReLU",
        "x where x > 0, else a x",
        "activations.nn: fn leaky_relu",
        FUNCTION + "leaky_relu(x, 0.2)",
        (("dcgan.nn", "leaky_relu(0.2)"),),
    ),
    Member(
        "PReLU",
        "x where x > 0, else a x, a learnt",
        "activations.nn: block PReLU",
        LAYER + "PReLU()",
        (("mlp.nn", "PReLU()"),),
        (f"{MLP} --set activation=prelu",),
    ),
    Member(
        "ELU",
        "x where x > 0, else a (exp x - 1)",
        "activations.nn: fn elu",
        FUNCTION + "elu(x, 0.7)",
        (("mlp.nn", "elu"),),
        (f"{MLP} --set activation=elu",),
    ),
    Member(
        "GELU", "x Φ(x)", "activations.nn: fn gelu", FUNCTION + "gelu(x)", (("bert.nn", "gelu"),)
    ),
    Member(
        "softplus",
        "log(1 + exp x)",
        "activations.nn: fn softplus",
        FUNCTION + "softplus(x)",
        (("rbm.nn", "softplus"),),
    ),
    Member(
        "softmax",
        "exp x / Σ exp x",
        "activations.nn: fn softmax",
        FUNCTION + "softmax(x, axis=1)",
        (("memnet.nn", "softmax"),),
    ),
    Member(
        "max-out",
        "max over k linear units",
        "activations.nn: fn maxout",
        "tests/models/test_layers.py::test_maxout_takes_the_largest_of_neighbours",
        (("mlp.nn", "maxout"),),
        (f"{MLP} --set activation=maxout --set dropout=0.2",),
    ),
)


LOSSES = (
    Member(
        "squared",
        "mean (y - t)²",
        "losses.nn: fn mse_loss",
        LOSS + "mse_loss",
        (("linear.nn", "mse_loss(prediction, y)"),),
    ),
    Member(
        "logistic",
        "-t log σ(x) - (1 - t) log(1 - σ(x))",
        "losses.nn: fn binary_cross_entropy",
        LOSS + "binary_cross_entropy(x, sigmoid(x * 3))",
        (("perceptron.nn", "binary_cross_entropy"),),
    ),
    Member(
        "cross-entropy",
        "-log softmax(x)[t]",
        "losses.nn: fn cross_entropy",
        LOSS + "cross_entropy(x, label)",
        (("lenet5.nn", "cross_entropy"),),
    ),
    Member(
        "hinge",
        "max(0, 1 - s x)",
        "losses.nn: fn hinge_loss",
        LOSS + "hinge_loss",
        (("kernel_svm.nn", "hinge_loss"),),
    ),
    Member(
        "Huber",
        "½ d² where |d| < δ, else δ (|d| - ½ δ)",
        "losses.nn: fn huber_loss",
        LOSS + "huber_loss",
        (("dqn.nn", "huber_loss"),),
    ),
    Member(
        "KL",
        "Σ p log(p / q); of normals ½ Σ (μ² + σ² - 1 - log σ²)",
        "losses.nn: fn gaussian_kl",
        LOSS + "gaussian_kl(x, tanh(x))",
        (("vae.nn", "gaussian_kl"),),
    ),
    Member(
        "contrastive (CD)",
        "F(v) - F(v after k steps of Gibbs sampling), whose slope is <v h> - <v h>ₖ",
        "compiler: stop_gradient",
        "tests/std/test_published.py::test_contrastive_divergence",
        (("rbm.nn", "stop_gradient(gibbs(v, W, b, c, k))"),),
    ),
    Member(
        "GAN, minimax",
        "log(1 - D(G(z)))",
        "losses.nn: fn gan_generator_loss",
        LOSS + "gan_generator_loss(x, minimax=true)",
        (("gan.nn", "gan_generator_loss(D(made), minimax)"),),
    ),
    Member(
        "GAN, non-saturating",
        "-log D(G(z))",
        "losses.nn: fn gan_generator_loss",
        LOSS + "gan_generator_loss(x)",
        (("dcgan.nn", "gan_generator_loss(D(made))"),),
    ),
)
