"""DCGAN (Radford, Metz, Chintala, 2015), as models/dcgan.nn has it."""

from functools import partial

from keras import Input, Model, initializers, layers, ops

SMALL = initializers.RandomNormal(stddev=0.02)
Up = partial(layers.Conv2DTranspose, use_bias=False, kernel_initializer=SMALL)
Down = partial(layers.Conv2D, use_bias=False, kernel_initializer=SMALL)
BatchNorm = partial(layers.BatchNormalization, momentum=0.9, epsilon=1e-5)


def generator(latent=100, widths=(64, 128, 256, 512), channels=3):
    z = Input((latent,))
    x = Up(widths[-1], 4)(z[:, None, None])
    for w in reversed(widths[:-1]):
        x = Up(w, 4, 2, "same")(ops.relu(BatchNorm()(x)))
    x = Up(channels, 4, 2, "same", activation="tanh")(ops.relu(BatchNorm()(x)))
    return Model(z, (x + 1) / 2)


def discriminator(widths=(64, 128, 256, 512), channels=3):
    image = Input((4 * 2 ** len(widths), 4 * 2 ** len(widths), channels))
    x = 2 * image - 1
    for i, w in enumerate(widths):
        x = Down(w, 4, 2, "same")(x)
        x = ops.leaky_relu(BatchNorm()(x) if i > 0 else x, 0.2)
    return Model(image, layers.Flatten()(Down(1, 4)(x)))
