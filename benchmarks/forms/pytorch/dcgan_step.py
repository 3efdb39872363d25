"""One step of DCGAN's training: the discriminator, then the generator."""

import torch
from torch.nn.functional import softplus


class Training:
    def __init__(self, model, latent=100, rate=2e-4):
        self.model, self.latent = model, latent
        self.on_d = torch.optim.Adam(model.D.parameters(), rate, (0.5, 0.999))
        self.on_g = torch.optim.Adam(model.G.parameters(), rate, (0.5, 0.999))

    def step(self, image):
        made = self.model.G(torch.randn(len(image), self.latent, 1, 1, device=image.device))
        real, fake = self.model.judge(image), self.model.D(made.detach())
        right = softplus(-real).mean() + softplus(fake).mean()
        self.on_d.zero_grad()
        right.backward()
        self.on_d.step()
        wrong = softplus(-self.model.D(made)).mean()
        self.on_g.zero_grad()
        wrong.backward()
        self.on_g.step()
        return right.item(), wrong.item()
