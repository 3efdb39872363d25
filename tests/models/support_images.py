"""Image networks in PyTorch, written from the papers. Parameters stand in the order in which the
`.nn` models declare theirs."""

from __future__ import annotations

import torch
from torch import nn


def alexnet() -> nn.Module:
    def norm() -> nn.Module:
        return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)

    return nn.Sequential(
        *(nn.Conv2d(3, 96, 11, 4, 2), nn.ReLU(), norm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, 1, 2, groups=2), nn.ReLU(), norm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, 1, 1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, 1, 1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, 1, 1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(9216, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    )


def vgg(counts: tuple[int, ...]) -> nn.Module:
    layers: list[nn.Module] = []
    before = 3
    for width, count in zip((64, 128, 256, 512, 512), counts, strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()]
            before = width
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers)


class Inception(nn.Module):
    def __init__(self, i: int, one: int, three: list[int], five: list[int], pool: int) -> None:
        super().__init__()
        relu = nn.ReLU()
        self.branches = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(i, one, 1), relu),
                nn.Sequential(
                    nn.Conv2d(i, three[0], 1), relu, nn.Conv2d(*three, 3, padding=1), relu
                ),
                nn.Sequential(nn.Conv2d(i, five[0], 1), relu, nn.Conv2d(*five, 5, padding=2), relu),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), nn.Conv2d(i, pool, 1), relu),
            ]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def _auxiliary(channels: int) -> nn.Module:
    return nn.Sequential(
        *(nn.AvgPool2d(5, 3), nn.Conv2d(channels, 128, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, 1000)),
    )


class GoogLeNet(nn.Module):
    """Gives the logits of the network and of its two auxiliary heads."""

    def __init__(self) -> None:
        super().__init__()

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.first = nn.Sequential(
            *(nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), pool(), nn.LocalResponseNorm(5)),
            *(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, 1, 1), nn.ReLU()),
            *(nn.LocalResponseNorm(5), pool()),
            Inception(192, 64, [96, 128], [16, 32], 32),
            *(Inception(256, 128, [128, 192], [32, 96], 64), pool()),
            Inception(480, 192, [96, 208], [16, 48], 64),
        )
        self.second = nn.Sequential(
            Inception(512, 160, [112, 224], [24, 64], 64),
            Inception(512, 128, [128, 256], [24, 64], 64),
            Inception(512, 112, [144, 288], [32, 64], 64),
        )
        self.third = nn.Sequential(
            *(Inception(528, 256, [160, 320], [32, 128], 128), pool()),
            Inception(832, 256, [160, 320], [32, 128], 128),
            Inception(832, 384, [192, 384], [48, 128], 128),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000)),
        )
        self.heads = nn.ModuleList([_auxiliary(512), _auxiliary(528)])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = self.first(x)
        z = self.second(y)
        return self.third(z), self.heads[0](y), self.heads[1](z)


class _Dense(nn.Module):
    def __init__(self, i: int, growth: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            *(nn.BatchNorm2d(i), nn.ReLU(), nn.Conv2d(i, 4 * growth, 1, bias=False)),
            *(nn.BatchNorm2d(4 * growth), nn.ReLU()),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.layer(x)], 1)


def densenet(counts: tuple[int, ...] = (6, 12, 24, 16), growth: int = 32) -> nn.Module:
    width = 2 * growth
    layers: list[nn.Module] = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)]
    layers += [nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    for i, count in enumerate(counts):
        if i:
            layers += [nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
        for _ in range(count):
            layers.append(_Dense(width, growth))
            width += growth
    layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(width, 1000))


class UNet(nn.Module):
    def __init__(self, width: int, levels: int, channels: int = 1, classes: int = 2) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(levels + 1)]
        self.down = nn.ModuleList(
            [self._double(i, o) for i, o in zip([channels, *widths], widths, strict=False)]
        )
        self.up = nn.ModuleList()
        for narrow in reversed(widths[:-1]):
            self.up += [nn.ConvTranspose2d(2 * narrow, narrow, 2, 2)]
            self.up += [self._double(2 * narrow, narrow)]
        self.head = nn.Conv2d(width, classes, 1)

    @staticmethod
    def _double(i: int, o: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(i, o, 3), nn.ReLU(), nn.Conv2d(o, o, 3), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = []
        for level, double in enumerate(self.down):
            x = double(x if level == 0 else nn.functional.max_pool2d(x, 2))
            kept.append(x)
        kept.pop()
        for transposed, double in zip(self.up[::2], self.up[1::2], strict=True):
            x = transposed(x)
            skip = kept.pop()
            top = (skip.shape[2] - x.shape[2]) // 2
            skip = skip[:, :, top : top + x.shape[2], top : top + x.shape[3]]
            x = double(torch.cat([skip, x], 1))
        return self.head(x)
