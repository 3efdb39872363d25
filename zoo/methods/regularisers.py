"""What keeps networks from learning by heart."""

from __future__ import annotations

from zoo.members import Member

LAYER = "tests/models/test_layers.py::test_layer#"
MLP = "nncomp train models/mlp.nn --data sklearn:digits"
DIGITS = "nncomp train models/lenet5.nn --data sklearn:digits"

REGULARISERS = (
    Member(
        "L1",
        "λ Σ |w|",
        "regularizers.nn: fn l1_penalty",
        "tests/std/test_regularizers.py::test_penalties#l1_penalty",
        (("mlp.nn", "l1 * l1_penalty(weights)"),),
    ),
    Member(
        "L2, weight decay",
        "λ Σ w²; or g + λ w",
        "regularizers.nn: fn l2_penalty",
        "tests/std/test_regularizers.py::test_penalties#l2_penalty",
        (("mlp.nn", "l2 * l2_penalty(weights)"), ("alexnet.nn", "weight_decay=5e-4")),
    ),
    Member(
        "max-norm",
        "w ← w min(1, c / |w|), unit by unit",
        "regularizers.nn: fn max_norm",
        "tests/std/test_regularizers.py::test_units_keep_below_a_norm",
        (("mlp.nn", "max_norm(layer.weight, longest)"),),
        (f"{MLP} --set dropout=0.3 --set longest=2.0",),
    ),
    Member(
        "sign constraints",
        "w ← w where w s > 0, else 0",
        "regularizers.nn: fn sign_constrained",
        "tests/std/test_regularizers.py::test_weights_keep_their_sign",
        (("neocognitron.nn", "sign_constrained(cells.a.weight, 1)"),),
        ("nncomp train models/neocognitron.nn --data sklearn:digits --set positive=true",),
    ),
    Member(
        "sparse initialisation",
        "k of a unit's inputs have a weight at first",
        "initializers.nn: fn sparse_normal",
        "tests/std/test_initializers.py::test_sparse_units",
        (("vanishing.nn", "sparse_normal(15, 0.3)"),),
    ),
    Member(
        "negative-bias initialisation",
        "b < 0 at first: a unit is off until it is needed",
        "linear.nn: bias_init: fn? = none",
        "zoo/figures/dense.py::_closed_gate",
        (("highway.nn", "gate_bias: float = -2.0"),),
    ),
    Member(
        "batch-norm statistics over the whole training set",
        "μ, σ²: the means of all batches' (algorithm 2)",
        "normalization.nn: block BatchNorm",
        "tests/std/test_normalization.py::test_statistics_of_the_whole_training_set",
        (("mlp.nn", "BatchNorm(momentum)"),),
        (f"{MLP} --set batch_norm=true --set momentum=none",),
    ),
    Member(
        "batch norm, at training and at test time",
        "γ (x - μ) / √(σ² + ε) + β; μ, σ² of the batch, then of averages",
        "normalization.nn: block BatchNorm",
        "tests/std/test_normalization.py::test_batch_norm_in_both_modes",
        (("resnet.nn", "BatchNorm()"),),
    ),
    Member(
        "layer norm",
        "γ (x - μ) / √(σ² + ε) + β; μ, σ² of a sample's features",
        "normalization.nn: block LayerNorm",
        LAYER + "LayerNorm",
        (("gpt.nn", "LayerNorm()"),),
    ),
    Member(
        "dropout",
        "x m / (1 - p), m = 0 with probability p",
        "dropout.nn: block Dropout",
        "tests/std/test_normalization.py::test_dropout",
        (("alexnet.nn", "Dropout()"),),
    ),
    Member(
        "DropConnect",
        "(W ⊙ M) x / (1 - p)",
        "regularizers.nn: block DropConnect",
        "tests/std/test_regularizers.py::test_dropped_samples_channels_and_weights#DropConnect",
        (("mlp.nn", "partial(DropConnect, p=drop_connect)"),),
        (f"{MLP} --set drop_connect=0.3",),
    ),
    Member(
        "stochastic depth",
        "x + m F(x) / (1 - p), m = 0 for a sample with probability p",
        "regularizers.nn: fn stochastic_depth",
        "tests/std/test_regularizers.py::test_dropped_samples_channels_and_weights#stochastic_depth",
        (("senet.nn", "stochastic_depth(drop)"),),
    ),
    Member(
        "early stopping",
        "stop when the validation loss has not fallen for k epochs",
        "train --patience",
        "tests/training/test_trainer.py::test_patience_ends_a_run_early",
        (),
        (f"{MLP} --epochs 200 --patience 5",),
    ),
    Member(
        "augmentation: shift",
        "up to k pixels",
        "train --shift",
        "tests/training/test_feed.py::test_masks_move_with_their_images#(2, False)",
        (),
        (f"{DIGITS} --shift 1",),
    ),
    Member(
        "augmentation: flip",
        "every second image mirrored",
        "train --flip",
        "tests/training/test_feed.py::test_masks_move_with_their_images#(0, True)",
        (),
        ("nncomp train models/unet.nn --data sklearn:strokes --set size=60 --flip",),
    ),
    Member(
        "augmentation: noise",
        "x + N(0, σ²)",
        "train --noise",
        "tests/training/test_feed.py::test_noise_and_intensity_have_their_size",
        (),
        (f"{MLP} --noise 0.1",),
    ),
    Member(
        "augmentation: intensity",
        "a x, a of U(1 - k, 1 + k)",
        "train --intensity",
        "tests/training/test_feed.py::test_noise_and_intensity_have_their_size",
        (),
        (f"{DIGITS} --intensity 0.2",),
    ),
    Member(
        "gradient clipping",
        "g min(1, c / |g|); or each element in [-c, c]",
        "compiler: clipped",
        "tests/std/test_regularizers.py::test_clipped_gradients_are_those_of_torch",
        (("deep_rnn.nn", "clipped(Adam(lr=3e-3), norm=1.0)"),),
    ),
)
