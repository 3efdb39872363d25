"""AlexNet (Krizhevsky et al., 2012), as models/alexnet.nn has it."""

from keras import Sequential, layers, ops


def local_response_norm(x, size=5, alpha=5e-4, beta=0.75, k=2):
    near = ops.pad(x**2, [(0, 0)] * 3 + [(size // 2, size // 2)])
    total = sum(near[..., i : i + x.shape[-1]] for i in range(size))
    return x / (k + alpha / size * total) ** beta


def alexnet(classes=1000, size=224):
    return Sequential(
        [
            layers.Input((size, size, 3)),
            layers.ZeroPadding2D(2),
            layers.Conv2D(96, 11, 4, activation="relu"),
            layers.Lambda(local_response_norm),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(256, 5, padding="same", groups=2, activation="relu"),
            layers.Lambda(local_response_norm),
            layers.MaxPooling2D(3, 2),
            layers.Conv2D(384, 3, padding="same", activation="relu"),
            layers.Conv2D(384, 3, padding="same", groups=2, activation="relu"),
            layers.Conv2D(256, 3, padding="same", groups=2, activation="relu"),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(4096, "relu"),
            layers.Dropout(0.5),
            layers.Dense(4096, "relu"),
            layers.Dense(classes),
        ]
    )
