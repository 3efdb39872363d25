"""U-Net (Ronneberger et al., 2015), as models/unet.nn has it."""

from itertools import pairwise

import torch
from torch import nn


def double(inputs, channels):
    layers = nn.Sequential(
        nn.Conv2d(inputs, channels, 3), nn.ReLU(), nn.Conv2d(channels, channels, 3), nn.ReLU()
    )
    for conv in layers[::2]:
        nn.init.kaiming_normal_(conv.weight)
    return layers


def crop(x, y):
    (h, w), (k, m) = x.shape[2:], y.shape[2:]
    top, left = (h - k) // 2, (w - m) // 2
    return x[:, :, top : top + k, left : left + m]


class UNet(nn.Module):
    def __init__(self, channels=1, classes=2, width=64, levels=4):
        super().__init__()
        widths = [width * 2**i for i in range(levels + 1)]
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList([double(channels, width), *(double(a, b) for a, b in pairs)])
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairs)
        self.merge = nn.ModuleList(double(b, a) for a, b in pairs)
        self.pool, self.head = nn.MaxPool2d(2), nn.Conv2d(width, classes, 1)

    def forward(self, x):
        kept = []
        for i, down in enumerate(self.down):
            x = down(x if i == 0 else self.pool(x))
            kept.append(x)
        for i in reversed(range(len(self.up))):
            x = self.up[i](x)
            x = self.merge[i](torch.cat([crop(kept[i], x), x], 1))
        return self.head(x)
