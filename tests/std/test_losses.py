"""The library's losses beside PyTorch's, or beside their published formulas."""

from __future__ import annotations

import pytest
import torch

from tests.std.against_torch import Function, check

F = torch.nn.functional

WEIGHT = torch.tensor([1, 2, 0.5, 3, 0.1], dtype=torch.float64)
TRIPLET = torch.nn.TripletMarginLoss()


def _contrastive(
    a: torch.Tensor, b: torch.Tensor, same: torch.Tensor, margin: float
) -> torch.Tensor:
    """Hadsell et al., 2006, equation 4."""
    d = F.pairwise_distance(a, b)
    return torch.where(same, d**2, torch.relu(margin - d) ** 2).mean() / 2


def _focal(entropy: torch.Tensor, gamma: float) -> torch.Tensor:
    """Lin et al., 2017, equation 4."""
    return ((1 - torch.exp(-entropy)) ** gamma * entropy).mean()


def _binary_focal(
    x: torch.Tensor, target: torch.Tensor, alpha: float, gamma: float
) -> torch.Tensor:
    """Lin et al., 2017, equation 5."""
    p = torch.where(target == 1, torch.sigmoid(x), 1 - torch.sigmoid(x))
    weight = torch.where(target == 1, alpha, 1 - alpha)
    return -(weight * (1 - p) ** gamma * torch.log(p)).mean()


def _dice(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    p, t = p.flatten(1), t.flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


# what stands in the model, on `x: f64[N, 5, T]` and `label: i64[N, T]`; the same in PyTorch
LOSSES: list[tuple[str, Function]] = [
    ("cross_entropy(x, label)", F.cross_entropy),
    (
        'cross_entropy(rearrange(x, "n k t -> n t k"), label, axis=-1)',
        F.cross_entropy,
    ),
    (
        "nll_loss(log_softmax(x[:, :, -1], axis=1), label[:, -1])",
        lambda x, label: F.cross_entropy(x[:, :, -1], label[:, -1]),
    ),
    ("mse_loss(x, square(x))", lambda x, _: F.mse_loss(x, x * x)),
    ("l1_loss(x, square(x))", lambda x, _: F.l1_loss(x, x * x)),
    ("huber_loss(x, square(x), 1.5)", lambda x, _: F.huber_loss(x, x * x, delta=1.5)),
    (
        "binary_cross_entropy(x, sigmoid(x * 3))",
        lambda x, _: F.binary_cross_entropy_with_logits(x, torch.sigmoid(x * 3)),
    ),
    (
        "cross_entropy(x, label, smoothing=0.2)",
        lambda x, label: F.cross_entropy(x, label, label_smoothing=0.2),
    ),
    (
        "cross_entropy(x, label, weight=f64([1, 2, 0.5, 3, 0.1]))",
        lambda x, label: F.cross_entropy(x, label, WEIGHT),
    ),
    (
        "cross_entropy(x, label, weight=f64([1, 2, 0.5, 3, 0.1]), smoothing=0.3)",
        lambda x, label: F.cross_entropy(x, label, WEIGHT, label_smoothing=0.3),
    ),
    (
        "cross_entropy(x, label, ignore=2, smoothing=0.3)",
        lambda x, label: F.cross_entropy(x, label, ignore_index=2, label_smoothing=0.3),
    ),
    (
        "cross_entropy(x, where(label == 2, -100, label), "
        "ignore=-100, weight=f64([1, 2, 0.5, 3, 0.1]), smoothing=0.3)",
        lambda x, label: F.cross_entropy(
            x, torch.where(label == 2, -100, label), WEIGHT, label_smoothing=0.3
        ),
    ),
    (
        "binary_cross_entropy(x, sigmoid(x * 3), positive_weight=2.5)",
        lambda x, _: F.binary_cross_entropy_with_logits(
            x, torch.sigmoid(x * 3), pos_weight=torch.tensor(2.5)
        ),
    ),
    (
        "binary_cross_entropy(x, sigmoid(x * 3), stop_gradient(exp(x[0, 0])))",
        lambda x, _: F.binary_cross_entropy_with_logits(
            x, torch.sigmoid(x * 3), pos_weight=torch.exp(x[0, 0]).detach()
        ),
    ),
    ("smooth_l1_loss(x, square(x), 0.4)", lambda x, _: F.smooth_l1_loss(x, x * x, beta=0.4)),
    (
        "hinge_loss(x, sign(x[:, ::-1]))",
        lambda x, _: torch.relu(1 - x * torch.sign(x.flip(1))).mean(),
    ),
    (
        "hinge_loss(x, sign(x[:, ::-1]), squared=true)",
        lambda x, _: torch.relu(1 - x * torch.sign(x.flip(1))).square().mean(),
    ),
    (
        "multi_margin_loss(x[:, :, 0], label[:, 0], 1.5)",
        lambda x, label: F.multi_margin_loss(x[:, :, 0], label[:, 0], margin=1.5),
    ),
    (
        "margin_ranking_loss(x[0, 0], x[1, 0], sign(x[2, 0]), 0.5)",
        lambda x, _: F.margin_ranking_loss(x[0, 0], x[1, 0], torch.sign(x[2, 0]), margin=0.5),
    ),
    (
        "gaussian_nll_loss(x, square(x), exp(x))",
        lambda x, _: F.gaussian_nll_loss(x, x * x, torch.exp(x)),
    ),
    ("poisson_nll_loss(x, square(x))", lambda x, _: F.poisson_nll_loss(x, x * x)),
    (
        "kl_divergence(log_softmax(x), softmax(x * 2))",
        lambda x, _: F.kl_div(F.log_softmax(x, -1), F.softmax(x * 2, -1), reduction="sum") / 15,
    ),
    (
        "gaussian_kl(x, tanh(x))",
        lambda x, _: (
            torch.distributions.kl_divergence(
                torch.distributions.Normal(x, torch.exp(torch.tanh(x) / 2)),
                torch.distributions.Normal(torch.zeros_like(x), torch.ones_like(x)),
            )
            .sum(-1)
            .mean()
        ),
    ),
    (
        "cosine_embedding_loss(x[:, 0], x[:, 1], sign(x[:, 4, 0]), 0.1)",
        lambda x, _: F.cosine_embedding_loss(x[:, 0], x[:, 1], torch.sign(x[:, 4, 0]), margin=0.1),
    ),
    (
        "triplet_loss(x[:, 0], x[:, 1], x[:, 2], 2.0)",
        lambda x, _: F.triplet_margin_loss(x[:, 0], x[:, 1], x[:, 2], margin=2.0),
    ),
    ("triplet_loss(x[:, 0], x[:, 0], x[:, 2])", lambda x, _: TRIPLET(x[:, 0], x[:, 0], x[:, 2])),
    (
        "contrastive_loss(x[:, 0], x[:, 1], cast(x[:, 4, 0] > 0, f64), 6.0)",
        lambda x, _: _contrastive(x[:, 0], x[:, 1], x[:, 4, 0] > 0, 6.0),
    ),
    (
        "info_nce(x[0], x[1], 0.3)",
        lambda x, _: F.cross_entropy(
            F.normalize(x[0]) @ F.normalize(x[1]).T / 0.3, torch.arange(5)
        ),
    ),
    ("focal_loss(x, label, 0.0)", F.cross_entropy),
    (
        "focal_loss(x, label)",
        lambda x, label: _focal(F.cross_entropy(x, label, reduction="none"), 2.0),
    ),
    (
        "binary_focal_loss(x, cast(x > 1, f64), 0.25, 1.5)",
        lambda x, _: _binary_focal(x, (x > 1).double(), 0.25, 1.5),
    ),
    (
        "dice_loss(sigmoid(x), cast(x > 1, f64))",
        lambda x, _: _dice(torch.sigmoid(x), (x > 1).double()),
    ),
    (
        "gan_discriminator_loss(x[0], x[1])",
        lambda x, _: (
            -torch.log(torch.sigmoid(x[0])).mean() - torch.log(1 - torch.sigmoid(x[1])).mean()
        ),
    ),
    ("gan_generator_loss(x)", lambda x, _: -torch.log(torch.sigmoid(x)).mean()),
    (
        "gan_generator_loss(x, minimax=true)",
        lambda x, _: torch.log(1 - torch.sigmoid(x)).mean(),
    ),
]


@pytest.mark.parametrize(("text", "function"), LOSSES, ids=[text for text, _ in LOSSES])
def test_against_torch(text: str, function: Function) -> None:
    check(text, function)
