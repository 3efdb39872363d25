"""Differentiation, search, scale."""

from __future__ import annotations

from zoo.members import Member

SEARCH = (
    "nncomp tune models/mlp.nn --data sklearn:digits --maximize accuracy --search lr=1e-4..1e-1"
)

DIFFERENTIATION = (
    Member(
        "finite differences (the checker)",
        "(f(x + h v) - f(x - h v)) / 2 h = ∇f · v, for every operator",
        "compiler: grad",
        "tests/ops/test_samples.py::test_gradients_are_finite_differences",
        (("fgsm.nn", "grad(loss, image)"),),
    ),
    Member(
        "reverse mode",
        "x̄ = Jᵀ ȳ",
        "compiler: grad",
        "tests/ops/test_against_torch.py::test_value_and_gradients",
        (("vanishing.nn", "grad(loss, layer[0].linear.weight)"),),
        ("nncomp grad models/lenet5.nn",),
    ),
    Member(
        "forward mode",
        "ẏ = J ẋ",
        "compiler: jvp",
        "tests/ops/test_samples.py::test_forward_mode_is_the_transpose",
        (("pruning.nn", "jvp(slopes[0], w1, v1)"),),
    ),
    Member(
        "higher order",
        "H v = d/dε ∇f(x + ε v)",
        "compiler: jvp",
        "tests/ops/test_properties.py::test_second_order",
        (("pruning.nn", "jvp(slopes[1], w2, v2)"),),
    ),
    Member(
        "with respect to inputs",
        "∇ₓ J",
        "compiler: grad",
        "tests/autodiff/test_request.py::test_parameters_inputs_and_values_are_torchs",
        (("fgsm.nn", "grad(loss, image)"),),
        ("nncomp grad models/lenet5.nn --wrt image",),
    ),
)

SEARCHES = (
    Member(
        "grid",
        "all combinations",
        "tune --method",
        "tests/training/test_tune.py::test_a_grid_of_trainings",
        (),
        (f"{SEARCH}:log/4 --method grid",),
    ),
    Member(
        "random",
        "independent draws",
        "tune --method",
        "tests/training/test_tune.py::test_proposals_follow_from_the_trials_before#random",
        (),
        (f"{SEARCH}:log --method random --trials 10",),
    ),
    Member(
        "Bayesian (Gaussian process)",
        "where a Gaussian process expects most of an improvement",
        "tune --method",
        "tests/training/test_tune.py::test_a_gaussian_process_finds_the_place",
        (),
        (f"{SEARCH}:log --method gp --trials 10",),
    ),
)

SCALE = (
    Member(
        "mini-batches",
        "B samples a step",
        "train --batch-size",
        "tests/training/test_variants.py::test_accumulated_gradients_are_those_of_a_large_batch",
        (),
        ("nncomp train models/lenet5.nn --data sklearn:digits --batch-size 32",),
    ),
    Member(
        "data-parallel workers",
        "p ← mean of p - η gᵢ, gᵢ of a worker's part of the batch: p - η g",
        "train --workers",
        "tests/training/test_workers.py::test_data_parallel_steps_are_those_of_the_whole_batch",
        (),
        ("nncomp train models/perceptron.nn --data sklearn:breast_cancer --workers 4",),
    ),
    Member(
        "local updates with rare synchronisation",
        "k steps of each worker's own, then the mean of all p",
        "train --sync-every",
        "tests/training/test_workers.py::test_rare_synchronisation_averages_runs_of_their_own",
        (),
        ("nncomp train models/mlp.nn --data sklearn:digits --workers 4 --sync-every 16",),
    ),
)
