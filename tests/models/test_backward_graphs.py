"""Step graphs are as tidy as if written by hand, and cost about three forward passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.autodiff.request import Request
from nncomp.backends.reference.interpreter import evaluate
from nncomp.dims import equal
from nncomp.driver.differentiating import compile_request, find_request
from nncomp.inspect.cost import cost
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.rebuild import ancestors
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Div, Mul, Neg, Sub
from nncomp.ops.filling import ConstantOfShape
from nncomp.ops.reduction import ReduceMean, ReduceSum
from nncomp.ops.shape import Expand, Flatten, Reshape, Squeeze, Transpose, Unsqueeze
from nncomp.passes.manager import optimize_step
from nncomp.types import DType
from tests.autodiff.support import Net
from tests.models import support
from tests.models.test_text import SMALL_GPT

MODELS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "lenet": ("lenet5.nn", None, {}),
    "mlp": ("mlp.nn", None, {"widths": (16, 8), "batch_norm": True}),
    "resnet20": ("resnet.nn", "CifarResNet", {}),
    "resnet18": ("resnet.nn", None, {"depth": 18}),
    "alexnet": ("alexnet.nn", None, {}),
    "vgg": ("vgg.nn", None, {"depth": 11}),
    "googlenet": ("googlenet.nn", None, {"auxiliary": True}),
    "densenet": ("densenet.nn", None, {}),
    "unet": ("unet.nn", None, {"size": 60, "width": 5, "levels": 2}),
    "rnn": ("rnn.nn", None, {}),
    "lstm": ("lstm.nn", None, {"layers": 2, "bidirectional": True}),
    "gru": ("gru.nn", None, {}),
    "transformer": (
        *("transformer.nn", None),
        {"layers": 1, "width": 8, "heads": 2, "hidden": 12, "vocabulary": 61},
    ),
    "gpt": ("gpt.nn", None, SMALL_GPT),
    "bert": ("bert.nn", "BertForPreTraining", SMALL_GPT),
    "gcn": ("gcn.nn", None, {}),
    "memnet": ("memnet.nn", None, {}),
    "evoformer": ("evoformer.nn", None, {}),
    "linear": ("linear.nn", None, {}),
}
RESHAPING = (Reshape, Flatten, Squeeze, Unsqueeze)
INVERSE = (Transpose, Neg, Cast)  # twice in a row is once, or nothing


def untidy(graph: Graph, where: str = "") -> Iterator[str]:
    """What an engineer would not have written."""
    live = set(graph.results)
    for node in reversed(graph.nodes):
        if any(v in live for v in node.outputs):
            live.update(node.operands)
        else:
            yield f"{where}{node} leads to nothing"
    for node in graph.nodes:
        for body in node.op.bodies:
            yield from untidy(body, f"{node.op.name}: ")
        above = node.inputs[0].node if node.inputs and node.inputs[0] else None
        if above is not None and _cancels(node, above):
            yield f"{where}{node} after {above}"
        for value in node.operands:
            filled = value.node is not None and isinstance(value.node.op, ConstantOfShape)
            if filled and isinstance(node.op, Add | Sub | Mul) and not value.node.op.value:
                yield f"{where}{node} of zeros"
        if above is not None and isinstance(node.op, ReduceSum | ReduceMean):
            yield from (f"{where}{node} of {above}" for _ in _broadcast(node, above))


def _cancels(node: Node, above: Node) -> bool:
    if isinstance(node.op, RESHAPING):
        return isinstance(above.op, RESHAPING)
    return isinstance(node.op, INVERSE) and type(node.op) is type(above.op)


def _broadcast(node: Node, above: Node) -> Iterator[Value]:
    """The operands of what is summed that are the same along all axes that are summed over."""
    wide = above.outputs[0]
    axes = node.inputs[1].type if len(node.inputs) > 1 and node.inputs[1] else None
    assert isinstance(node.op, ReduceSum | ReduceMean)
    summed = [a for a in node.op.axes(wide.type, axes) if equal(wide.shape[a], 1) is not True]
    if not summed or not isinstance(above.op, Add | Sub | Mul | Div | Expand):
        return
    for value in list(above.operands)[: 1 if isinstance(above.op, Expand) else 2]:
        shape = (1,) * (wide.rank - value.rank) + value.shape
        if value.rank and all(shape[a] == 1 for a in summed):
            yield value


@pytest.mark.parametrize("name", MODELS)
def test_step_graphs_are_tidy(name: str) -> None:
    file, model, settings = MODELS[name]
    program = support.load(file, model, **settings)
    assert program.train
    for section in program.train.values():
        step = optimize_step(expand_gradients(section.step), evaluate).graph
        assert list(untidy(step)) == []


def test_what_is_untidy_is_seen() -> None:
    net = Net()
    x, y = net.input(4, 1, 3), net.input(4, 7, 3)
    net(Neg(), x)
    turned = net(Transpose((1, 0, 2)), net(Transpose((1, 0, 2)), x))
    zeros = net(Mul(), net(ConstantOfShape(), net.b.ints(3)), net(Cast(DType.F32), y))
    wide = net(ReduceSum(), net(Mul(), x, y), net.b.ints(1))
    copies = net(ReduceSum(), net(Expand(), x, net.b.ints(4, 7, 3)), net.b.ints(1))
    found = list(untidy(net.graph(turned, zeros, wide, copies)))
    for words in ("leads to nothing", "> after <", "of zeros", "> of <Mul", "> of <Expand"):
        assert sum(words in line for line in found) == 1, words


def _forward(asked: Request) -> Graph:
    nodes = tuple(ancestors(asked.loss))
    return replace(asked.graph, nodes=nodes, outputs={"loss": asked.loss}, updates={})


@pytest.mark.parametrize(
    ("file", "settings", "sizes"),
    [
        ("resnet.nn", {"depth": 50}, {"N": 8}),
        ("gpt.nn", {}, {"N": 4, "L": 256, "T": 256}),
        ("lstm.nn", {"hidden": 128}, {"N": 32, "T": 100}),
        ("gru.nn", {"hidden": 128}, {"N": 32, "T": 100}),
    ],
    ids=["resnet50", "gpt2", "lstm", "gru"],
)
def test_operations(file: str, settings: dict[str, Any], sizes: dict[str, int]) -> None:
    """Forward and backward ≤ 3.1 × forward, by our count."""
    asked = find_request(support.load(file, None, **settings))
    both, forward = cost(compile_request(asked), sizes).flops, cost(_forward(asked), sizes).flops
    assert 2 < both / forward <= 3.1
