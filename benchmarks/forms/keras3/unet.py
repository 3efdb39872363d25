"""U-Net (Ronneberger et al., 2015), as models/unet.nn has it."""

from keras import Input, Model, layers, ops


def double(x, channels):
    for _ in range(2):
        x = layers.Conv2D(channels, 3, activation="relu", kernel_initializer="he_normal")(x)
    return x


def unet(size=572, channels=1, classes=2, width=64, levels=4):
    x = image = Input((size, size, channels))
    kept = []
    for i in range(levels):
        x = double(x, width * 2**i)
        kept.append(x)
        x = layers.MaxPooling2D()(x)
    x = double(x, width * 2**levels)
    for i in reversed(range(levels)):
        x = layers.Conv2DTranspose(width * 2**i, 2, 2)(x)
        middle = layers.CenterCrop(*x.shape[1:3])(kept[i])
        x = double(ops.concatenate([middle, x], -1), width * 2**i)
    return Model(image, layers.Conv2D(classes, 1)(x))
