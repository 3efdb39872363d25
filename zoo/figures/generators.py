"""What generative rows are held against."""

from __future__ import annotations

import networkx
import numpy as np
import torch
from torch.nn import functional

from tests.lower.programs import program
from tests.models.agreement import compiled, drawn
from zoo.figures.support import close, loaded
from zoo.row import MODELS, Figure

RNG = np.random.default_rng(0)


def _schedule() -> str:
    """ᾱ starts at 1 and ends at 0, is the product of 1 - β, and a sample whose noise is known goes
    back to the image in one step."""
    text = (MODELS / "diffusion.nn").read_text("utf-8")
    text += """
model Schedule(T: int = 1000) {
  output ab = alpha_bar(float(arange(T + 1)), T)
}
"""
    graph = program(text, "Schedule").graph
    ab = compiled(graph, {})({})["ab"].astype(float)
    t = np.arange(1001) / 1000
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    close(ab, np.clip(f / f[0], 1e-4, 0.9999), 1e-5)
    beta = 1 - ab[1:] / ab[:-1]
    assert beta.min() >= 0, "a step takes noise away"
    assert beta.max() < 1, "a step takes more than all"
    close(np.cumprod(1 - beta) * ab[0], ab[1:], 1e-6)
    x, noise = RNG.standard_normal((2, 5))
    seen = np.sqrt(ab[500]) * x + np.sqrt(1 - ab[500]) * noise
    return close((seen - np.sqrt(1 - ab[500]) * noise) / np.sqrt(ab[500]), x, 1e-6)


def _spade() -> str:
    """The block in PyTorch, with the same weights."""
    text = (MODELS / "spade.nn").read_text("utf-8")
    text += """
model Block {
  input x: f32[N, 4, H, W]
  input map: f32[N, 3, H, W]
  output y = x |> SPADEBlock(6, 5)(map) as block
}
"""
    graph = program(text, "Block").graph
    values = drawn(graph)
    x = RNG.standard_normal((2, 4, 6, 5)).astype("f")
    map_ = RNG.standard_normal((2, 3, 6, 5)).astype("f")
    p = {n.removeprefix("block."): torch.from_numpy(w) for n, w in values.items()}

    def conv(y: torch.Tensor, name: str) -> torch.Tensor:
        weight = p[f"{name}.weight"]
        return functional.conv2d(y, weight, p.get(f"{name}.bias"), padding=weight.shape[2] // 2)

    def spade(y: torch.Tensor, name: str) -> torch.Tensor:
        y = functional.batch_norm(y, None, None, training=True)
        shared = conv(torch.from_numpy(map_), f"{name}.shared").relu()
        return y * (1 + conv(shared, f"{name}.gamma")) + conv(shared, f"{name}.beta")

    given = torch.from_numpy(x)
    y = conv(functional.leaky_relu(spade(given, "norm_0"), 0.2), "conv_0")
    y = conv(functional.leaky_relu(spade(y, "norm_1"), 0.2), "conv_1")
    expected = y + conv(spade(given, "norm_s"), "conv_s")
    return close(compiled(graph, values)({"x": x, "map": map_})["y"], expected.numpy(), 1e-4)


def _eckart_young() -> str:
    """The best reconstruction by a linear code of k numbers is that of the first k singular values;
    with a bias, of what is centred."""
    graph = networkx.karate_club_graph()
    adjacency = networkx.to_numpy_array(graph, weight=None).astype("f")
    S = adjacency / adjacency.sum(1, keepdims=True)
    model = loaded("graph_cluster.nn", linear=True, widths=[], code=3)
    step = model.training_step()
    for number in range(1500):
        step(adjacency=adjacency, lr=0.03 * (1 - number / 1500))
    found = np.mean((model(adjacency=adjacency)["reconstruction"] - S) ** 2)
    singular = np.linalg.svd(S - S.mean(axis=0), compute_uv=False)
    best = np.sum(singular[3:] ** 2) / S.size
    assert found <= 1.001 * best, f"{found:.6f}, not {best:.6f}"
    return f"{found / best:.5f} of the best rank 3"


SCHEDULE = Figure("noise schedule identities", _schedule)
SPADE = Figure("= torch SPADE block", _spade)
ECKART_YOUNG = Figure("reconstruction = best rank k", _eckart_young)
