"""ResNet-18 to 152 (He et al., 2015), and the plain nets, as models/resnet.nn has them."""

from torch import nn, relu

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
STAGES |= {101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def conv_norm(inputs, channels, kernel, stride=1):
    conv = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


class Block(nn.Module):
    def __init__(self, inputs, channels, stride, wide, residual):
        super().__init__()
        out = 4 * channels if wide else channels
        kernels = [(1, 1), (3, stride), (1, 1)] if wide else [(3, stride), (3, 1)]
        widths = [inputs, channels, channels, out] if wide else [inputs, channels, out]
        self.layers = nn.Sequential()
        for i, (kernel, step) in enumerate(kernels):
            self.layers.append(nn.ReLU() if i > 0 else nn.Identity())
            self.layers.append(conv_norm(widths[i], widths[i + 1], kernel, step))
        self.residual, self.shortcut = residual, nn.Identity()
        if residual and (inputs != out or stride > 1):
            self.shortcut = conv_norm(inputs, out, 1, stride)

    def forward(self, x):
        y = self.layers(x)
        return relu(y + self.shortcut(x) if self.residual else y)


def resnet(depth=50, classes=1000, residual=True):
    layers = [conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs, wide = 64, depth >= 50
    for i, count in enumerate(STAGES[depth]):
        for j in range(count):
            stride = 2 if i > 0 and j == 0 else 1
            layers.append(Block(inputs, 64 * 2**i, stride, wide, residual))
            inputs = 64 * 2**i * (4 if wide else 1)
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(inputs, classes))
