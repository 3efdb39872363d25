"""ResNet-18 to 152 (He et al., 2015), and the plain nets, as models/resnet.nn has them."""

from keras import Input, Model, initializers, layers, ops

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
STAGES |= {101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def conv_norm(x, channels, kernel, stride=1):
    init = initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    x = layers.ZeroPadding2D(kernel // 2)(x)
    x = layers.Conv2D(channels, kernel, stride, use_bias=False, kernel_initializer=init)(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def block(x, channels, stride, wide, residual):
    out = 4 * channels if wide else channels
    if wide:
        y = ops.relu(conv_norm(x, channels, 1))
        y = ops.relu(conv_norm(y, channels, 3, stride))
        y = conv_norm(y, out, 1)
    else:
        y = ops.relu(conv_norm(x, channels, 3, stride))
        y = conv_norm(y, out, 3)
    if residual:
        y += x if x.shape[-1] == out and stride == 1 else conv_norm(x, out, 1, stride)
    return ops.relu(y)


def resnet(depth=50, classes=1000, residual=True, size=224):
    image = Input((size, size, 3))
    x = ops.relu(conv_norm(image, 64, 7, 2))
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for i, count in enumerate(STAGES[depth]):
        for j in range(count):
            x = block(x, 64 * 2**i, 2 if i > 0 and j == 0 else 1, depth >= 50, residual)
    return Model(image, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))
