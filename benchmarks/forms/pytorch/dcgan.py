"""DCGAN (Radford, Metz, Chintala, 2015), as models/dcgan.nn has it."""

from itertools import pairwise

from torch import nn


def small(layer):
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, std=0.02)


class DCGAN(nn.Module):
    def __init__(self, latent=100, widths=(64, 128, 256, 512), channels=3):
        super().__init__()
        pairs = list(pairwise(widths))
        up = [nn.ConvTranspose2d(latent, widths[-1], 4, bias=False)]
        down = [nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for a, b in reversed(pairs):
            up += [nn.BatchNorm2d(b), nn.ReLU(), nn.ConvTranspose2d(b, a, 4, 2, 1, bias=False)]
        for a, b in pairs:
            down += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.LeakyReLU(0.2)]
        up += [nn.BatchNorm2d(widths[0]), nn.ReLU()]
        up += [nn.ConvTranspose2d(widths[0], channels, 4, 2, 1, bias=False), nn.Tanh()]
        down += [nn.Conv2d(widths[-1], 1, 4, bias=False), nn.Flatten()]
        self.G, self.D = nn.Sequential(*up), nn.Sequential(*down)
        self.apply(small)

    def sample(self, z):
        return (self.G(z[:, :, None, None]) + 1) / 2

    def judge(self, image):
        return self.D(2 * image - 1)
