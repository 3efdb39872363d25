"""One step of DCGAN's training, as Keras' trainer calls it on its PyTorch backend: the
discriminator, then the generator."""

from keras import Model, ops, optimizers, random


class DCGAN(Model):
    def __init__(self, generator, discriminator, latent=100, rate=2e-4):
        super().__init__()
        self.latent, self.G, self.D = latent, generator, discriminator
        self.on_d = optimizers.Adam(rate, 0.5, epsilon=1e-8)
        self.on_g = optimizers.Adam(rate, 0.5, epsilon=1e-8)

    def train_step(self, image):
        made = self.G(random.normal((len(image), self.latent)), training=True)
        real, fake = self.D(image, training=True), self.D(made.detach(), training=True)
        right = ops.mean(ops.softplus(-real)) + ops.mean(ops.softplus(fake))
        self.update(right, self.D, self.on_d)
        wrong = ops.mean(ops.softplus(-self.D(made, training=True)))
        self.update(wrong, self.G, self.on_g)
        return {"loss": right, "loss_2": wrong}

    def update(self, loss, net, optimizer):
        self.zero_grad()
        loss.backward()
        weights = net.trainable_weights
        optimizer.apply([w.value.grad for w in weights], weights)
