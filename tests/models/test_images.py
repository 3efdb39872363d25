"""Image networks: published sizes; NumPy = onnxruntime = PyTorch with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.models import support, support_images
from tests.models.agreement import compiled, count, drawn, images

PUBLISHED = [
    ("alexnet.nn", {}, 60_965_224),
    ("vgg.nn", {"depth": 16}, 138_357_544),
    ("vgg.nn", {"depth": 19}, 143_667_240),
    ("googlenet.nn", {}, 6_998_552),
    ("densenet.nn", {}, 7_978_856),
    ("unet.nn", {}, 31_030_658),
]


@pytest.mark.parametrize(("file", "settings", "expected"), PUBLISHED)
def test_published_parameter_counts(file: str, settings: dict[str, Any], expected: int) -> None:
    assert count(support.load(file, **settings)) == expected


def test_the_map_of_the_unet_is_smaller_than_its_image() -> None:
    (logits,) = support.load("unet.nn").graph.outputs.values()
    assert str(logits.type) == "f32[N, 2, 388, 388]"


def test_the_plain_net_has_no_shortcuts() -> None:
    plain = support.load("resnet.nn", depth=34, residual=False).graph
    assert not [p.path for p in plain.parameters if "shortcut" in p.path]


Case = tuple[str, dict[str, Any], Callable[[], nn.Module], tuple[int, ...]]
FAST: dict[str, Case] = {
    "unet": (
        "unet.nn",
        {"size": 60, "width": 5, "levels": 2},
        lambda: support_images.UNet(5, 2),
        (1, 3, 7),
    ),
}
SLOW: dict[str, Case] = {
    "alexnet": ("alexnet.nn", {}, support_images.alexnet, (1, 3, 7)),
    "vgg16": ("vgg.nn", {}, lambda: support_images.vgg((2, 2, 3, 3, 3)), (1, 3)),
    "vgg19": ("vgg.nn", {"depth": 19}, lambda: support_images.vgg((2, 2, 4, 4, 4)), (1,)),
    "googlenet": ("googlenet.nn", {"auxiliary": True}, support_images.GoogLeNet, (1, 3, 7)),
    "densenet": ("densenet.nn", {}, support_images.densenet, (1, 3, 7)),
    "unet": ("unet.nn", {}, lambda: support_images.UNet(64, 4), (1,)),
}


def _agree(file: str, settings: dict[str, Any], peer: Any, sizes: tuple[int, ...]) -> None:
    graph = support.load(file, **settings).graph
    values = drawn(graph)
    model = compiled(graph, values)
    module = support.with_weights(peer(), graph, values).eval()
    for inputs in images(graph, sizes):
        ours = list(model(inputs).values())
        with torch.no_grad():
            theirs = module(torch.from_numpy(inputs["image"]))
        theirs = theirs if isinstance(theirs, tuple) else (theirs,)
        for a, b in zip(ours, theirs, strict=True):
            assert support.difference(a, b.numpy()) <= 1e-4


@pytest.mark.parametrize("name", FAST)
def test_equals_torch(name: str) -> None:
    _agree(*FAST[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_equals_torch_at_full_size(name: str) -> None:
    _agree(*SLOW[name])
