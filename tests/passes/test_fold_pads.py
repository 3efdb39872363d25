"""Zeros around a convolution's input, as the convolution's own padding."""

from __future__ import annotations

import pytest

from nncomp.dims import new_dim
from nncomp.ir.graph import Value
from nncomp.ops.conv import Conv
from nncomp.ops.elementwise_math import Exp
from nncomp.ops.fused import FusedConv
from nncomp.ops.shape_slicing import Pad
from nncomp.passes.fold_pads import FoldPads
from nncomp.passes.manager import pipeline
from nncomp.types import DType
from tests.passes.support import Net, check

FOLD = (FoldPads(),)
N, H = new_dim("N"), new_dim("H")
ALL = (0, 0, 1, 0, 0, 0, 2, 3)  # of axes 2 and 3: 1 and 0 before, 2 and 3 after


def pad(
    net: Net, x: Value, *amounts: int, axes: tuple[int, ...] = (), mode: str = "constant"
) -> Value:
    given = net.const(axes, DType.I64) if axes else None
    return net(Pad(mode=mode), x, net.const(amounts, DType.I64), None, given)


def conv(net: Net, x: Value, op: Conv | FusedConv | None = None) -> Value:
    return net(op or Conv(), x, net.param(6, 4, 3, 2), net.param(6))


def pads_after(net: Net, y: Value, left: str = "Conv") -> tuple[int, ...] | None:
    op = check(net.bound(y), FOLD, left).graph.nodes[-1].op
    assert isinstance(op, Conv | FusedConv)
    assert op.auto_pad == "NOTSET"
    return op.pads


@pytest.mark.parametrize(
    ("op", "pads"),
    [
        (Conv(), (1, 0, 2, 3)),
        (Conv(pads=(0, 2, 1, 1)), (1, 2, 3, 4)),
        (Conv(auto_pad="VALID", strides=(2, 3)), (1, 0, 2, 3)),
        (Conv(dilations=(2, 1), kernel_shape=(3, 2)), (1, 0, 2, 3)),
    ],
)
def test_pads_add_up(op: Conv, pads: tuple[int, ...]) -> None:
    net = Net()
    assert pads_after(net, conv(net, pad(net, net.input(N, 4, 9, 7), *ALL), op)) == pads


def test_of_a_fused_convolution() -> None:
    net = Net()
    op = FusedConv(activation="Relu")
    y = conv(net, pad(net, net.input(N, 4, 9, 7), *ALL), op)
    assert pads_after(net, y, "FusedConv") == (1, 0, 2, 3)


def test_named_axes_and_an_unknown_size() -> None:
    net = Net()
    x = pad(net, net.input(N, 4, H, 7), 3, 1, 0, 2, axes=(-1, 2))
    assert pads_after(net, conv(net, x)) == (1, 3, 2, 0)


def test_one_pad_on_another() -> None:
    net = Net()
    x = pad(net, pad(net, net.input(N, 4, 9, 7), *ALL), 1, 1, axes=(2,))
    assert pads_after(net, conv(net, x)) == (2, 0, 3, 3)


def test_other_readers_keep_the_padded_tensor() -> None:
    net = Net()
    x = pad(net, net.input(N, 4, 9, 7), *ALL)
    check(net.bound(conv(net, x), net(Exp(), x)), FOLD, "Pad Conv Exp")


def test_in_the_pipeline() -> None:
    net = Net()
    x = pad(net, net.input(N, 4, 9, 7), *ALL)
    check(net.bound(conv(net, x)), pipeline(2), "Conv")


class TestRefusals:
    def reason(self, net: Net, x: Value, op: Conv | None = None) -> str:
        (refusal,) = check(net.bound(conv(net, x, op)), FOLD, "Pad Conv").refusals
        return refusal.reason

    def test_mode(self) -> None:
        net = Net()
        x = pad(net, net.input(N, 4, 9, 7), *ALL, mode="edge")
        assert self.reason(net, x) == 'Conv cannot take Pad in: its mode is "edge"'

    def test_other_numbers(self) -> None:
        net = Net()
        amounts = net.const(ALL, DType.I64)
        x = net(Pad(), net.input(N, 4, 9, 7), amounts, net.const(-1.5))
        assert self.reason(net, x).endswith("it pads with -1.5")
        net = Net()
        amounts = net.const(ALL, DType.I64)
        x = net(Pad(), net.input(N, 4, 9, 7), amounts, net.input())
        assert self.reason(net, x).endswith("it pads with a computed value")

    def test_taking_away(self) -> None:
        net = Net()
        x = pad(net, net.input(N, 4, 9, 7), -1, 1, axes=(2,))
        assert self.reason(net, x).endswith("it takes elements away")

    def test_channels(self) -> None:
        net = Net()
        x = pad(net, net.input(N, 3, 9, 7), 1, 0, axes=(1,))
        assert self.reason(net, x).endswith("it pads axis 1, which is not spatial")

    def test_pads_of_its_own_choice(self) -> None:
        net = Net()
        x = pad(net, net.input(N, 4, 9, 7), *ALL)
        reason = self.reason(net, x, Conv(auto_pad="SAME_UPPER"))
        assert reason.endswith("it chooses its own pads, SAME_UPPER")
