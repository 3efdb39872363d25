"""The networks of `networks.py` in PyTorch, their parameters in the order of ours, and the three
ways of taking a training step that are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nncomp.types import Array
from parts.networks import Network


def _mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def _lenet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


class _Lstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(128, 128, batch_first=True), nn.Linear(128, 1)

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.lstm(x)[0]
        y: Tensor = self.head(states[:, -1])
        return y


class _TransformerBlock(nn.Module):
    """Queries, keys and values by one product: faster in PyTorch than three."""

    def __init__(self, width: int = 256, heads: int = 4, hidden: int = 1024) -> None:
        super().__init__()
        self.heads = heads
        self.attend, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.expand, self.project = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        n, t, d = x.shape
        apart = self.attend(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(*apart.unbind(0))
        x = self.norm1(x + self.out(y.transpose(1, 2).reshape(n, t, d)))
        y = self.project(torch.relu(self.expand(x)))
        result: Tensor = self.norm2(x + y)
        return result

    def take(self, weights: Mapping[str, Array]) -> None:
        rest = {path.removeprefix("layer."): torch.tensor(w) for path, w in weights.items()}
        for kind in ("weight", "bias"):
            parts = [rest.pop(f"attend.{name}.{kind}") for name in ("query", "key", "value")]
            rest[f"attend.{kind}"] = torch.cat(parts)
        names = {name.replace("attend.out", "out").replace("feed.", ""): name for name in rest}
        self.load_state_dict({name: rest[ours] for name, ours in names.items()})


def _conv_norm(i: int, o: int, k: int, s: int = 1, groups: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(o))


def _conv(i: int, o: int, k: int, s: int = 1) -> nn.Module:
    return nn.Conv2d(i, o, k, s, k // 2)


class _Residual(nn.Module):
    def __init__(self, i: int, o: int, s: int, conv: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.a, self.b = conv(i, o, 3, s), conv(o, o, 3)
        self.shortcut = conv(i, o, 1, s) if s > 1 or i != o else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.b(torch.relu(self.a(x)))
        return torch.relu(y + self.shortcut(x))


def _resnet(count: int, conv: Callable[..., nn.Module] = _conv_norm) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 16, 3), nn.ReLU()]
    before = 16
    for i, width in enumerate((16, 32, 64)):
        for j in range(count):
            layers.append(_Residual(before, width, 2 if i and not j else 1, conv))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class _Inverted(nn.Module):
    def __init__(self, i: int, o: int, s: int, expand: int) -> None:
        super().__init__()
        wide = i * expand
        layers = [] if expand == 1 else [_conv_norm(i, wide, 1), nn.ReLU6()]
        layers += [_conv_norm(wide, wide, 3, s, wide), nn.ReLU6(), _conv_norm(wide, o, 1)]
        self.layers, self.short = nn.Sequential(*layers), s == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.short else y


_MOBILENET = [
    *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
    *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
]


def _mobilenet() -> nn.Module:
    layers: list[nn.Module] = [_conv_norm(3, 32, 3, 2), nn.ReLU6()]
    before = 32
    for expand, channels, count, stride in _MOBILENET:
        for i in range(count):
            layers.append(_Inverted(before, channels, 1 if i else stride, expand))
            before = channels
    layers += [_conv_norm(before, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(1280, 10))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": _mlp,
    "lenet": _lenet,
    "lstm": _Lstm,
    "transformer": _TransformerBlock,
    "resnet8": lambda: _resnet(1),
    "resnet20": lambda: _resnet(3),
    "mobilenet": _mobilenet,
    "plain-resnet8": lambda: _resnet(1, _conv),
}
MODES = ("eager", "fused", "compile")


def module(name: str, weights: Mapping[str, Array]) -> nn.Module:
    """The network with our weights."""
    network = NETWORKS[name]()
    if isinstance(network, _TransformerBlock):
        network.take(weights)
        return network
    with torch.no_grad():
        for parameter, weight in zip(network.parameters(), weights.values(), strict=True):
            parameter.copy_(torch.tensor(weight))
    return network


def torch_step(
    name: str, row: Network, mode: str, weights: Mapping[str, Array], batch: list[Array]
) -> Callable[[], float]:
    """Takes a training step and gives its loss.

    mode: "eager"; "fused" has the optimiser in one kernel and images channels-last; "compile" has
        the forward and the backward part compiled, and the optimiser in one kernel
    """
    network: Any = module(name, weights)
    x, target = (torch.from_numpy(array) for array in batch)
    if mode == "fused" and x.dim() == 4:
        network = network.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    fused = mode != "eager"
    parameters = network.parameters()
    if row.optimizer == "adam":
        optimizer: Any = torch.optim.Adam(parameters, lr=row.lr, fused=fused)
    else:
        optimizer = torch.optim.SGD(parameters, lr=row.lr, momentum=0.9, fused=fused)
    measure: Any = functional.cross_entropy if row.target is None else functional.mse_loss

    def forward(x: Tensor, target: Tensor) -> Tensor:
        loss: Tensor = measure(network(x), target)
        return loss

    run = torch.compile(forward) if mode == "compile" else forward

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = run(x, target)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step
