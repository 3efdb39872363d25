"""Gradients of the models beside PyTorch's: of all parameters and of the inputs, at several sizes
from one graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.grad import Grad
from nncomp.ops.reduction import ReduceSum
from nncomp.passes.manager import optimize_step
from nncomp.passes.retype import retype
from nncomp.types import Array, DType, TensorType
from tests.models import support, support_images
from tests.models.agreement import drawn
from tests.models.test_text import SMALL_BERT, SMALL_GPT, torch_transformer

FLOOR = 1e-6  # of onnxruntime's error, beside the largest gradient
KINKS = 1e-2  # of deep networks of ReLUs: in one of millions float32 takes the other side
Arrays = Mapping[str, Array]
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Twin:
    """A model's counterpart in PyTorch.

    make: from our weights a module
    call: the module on the inputs, as a list of the model's outputs
    names: from a parameter of the module to our paths, several for what it has joined; by order
        of declaration, if it is None
    outputs: how many of the model's outputs have one
    """

    make: Callable[[Arrays], nn.Module]
    call: Callable[[nn.Module, Tensors], Sequence[torch.Tensor]]
    names: Callable[[str], Sequence[str]] | None = None
    outputs: int = 1


def with_gradients(graph: Graph, outputs: int) -> Graph:
    """Σ weight · output, the weights being inputs; and its gradient by each floating input and
    each parameter."""
    b = Builder()
    b.nodes = list(graph.nodes)
    weights = [
        Value(TensorType(v.type.dtype, v.shape), f"weight.{name}")
        for name, v in list(graph.outputs.items())[:outputs]
    ]
    loss = b.constant(0.0, weights[0].type.dtype)
    for weight, value in zip(weights, graph.outputs.values(), strict=False):
        loss = b(Add(), loss, b(ReduceSum(keepdims=0), b(Mul(), weight, value)))
    wrt = {v.name: v for v in graph.inputs if v.type.dtype.is_float}
    wrt |= {p.path: p.value for p in graph.parameters if p.kind == "param"}
    found = dict(zip(wrt, b.multi(Grad(), loss, *wrt.values()), strict=True))
    named = {f"d.{name}": g for name, g in found.items()}
    whole = replace(
        graph,
        inputs=(*graph.inputs, *weights),
        nodes=tuple(b.nodes),
        outputs={"loss": loss, **named},
        updates={},
    )
    return expand_gradients(whole)


def in_torch(
    twin: Twin, graph: Graph, values: Arrays, inputs: Arrays, weights: Arrays, dtype: torch.dtype
) -> dict[str, Array]:
    module = twin.make(values).to(dtype).eval()
    tensors = {
        name: torch.tensor(a).to(dtype).requires_grad_()
        if a.dtype == np.float32
        else torch.tensor(a)
        for name, a in inputs.items()
    }
    results = twin.call(module, tensors)
    pairs = zip(weights.values(), results, strict=True)
    loss = sum((torch.tensor(w).to(dtype) * y).sum() for w, y in pairs)
    wanted = {(name,): t for name, t in tensors.items() if t.requires_grad}
    if twin.names is None:
        learnt = [(p.path,) for p in graph.parameters if p.kind == "param"]
        wanted |= dict(zip(learnt, module.parameters(), strict=True))
    else:
        wanted |= {tuple(twin.names(name)): p for name, p in module.named_parameters()}
    assert isinstance(loss, torch.Tensor)
    found = torch.autograd.grad(loss, list(wanted.values()), allow_unused=True)
    gradients = {}
    for (names, t), g in zip(wanted.items(), found, strict=True):
        parts = (torch.zeros_like(t) if g is None else g).chunk(len(names))
        gradients |= {f"d.{n}": part.detach().numpy() for n, part in zip(names, parts, strict=True)}
    return gradients


def wide(arrays: Arrays) -> dict[str, Array]:
    return {n: a.astype(np.float64) if a.dtype == np.float32 else a for n, a in arrays.items()}


def check(graph: Graph, twin: Twin, batches: Sequence[Arrays], floor: float = FLOOR) -> None:
    """NumPy float64 = torch float64; onnxruntime's float32 error ≤ 2 × torch float32's own."""
    values = drawn(graph)
    whole = with_gradients(graph, twin.outputs)
    double = with_gradients(retype(graph, {DType.F32: DType.F64}), twin.outputs)
    state = support.own(whole, values)
    tidy = optimize_step(whole, evaluate).graph
    session = Session(emit(legalize(tidy)))
    rng = np.random.default_rng(5)
    ours = theirs = largest = 0.0
    for inputs in batches:
        results = list(run(graph, inputs, support.own(graph, values)).outputs.items())
        weights = {
            f"weight.{name}": rng.standard_normal(a.shape).astype(np.float32)
            for name, a in results[: twin.outputs]
        }
        given = {**inputs, **weights}
        exact = run(double, wide(given), wide(state)).outputs
        narrow = session.run({**given, **support.own(tidy, values)})
        expected = in_torch(twin, graph, values, inputs, weights, torch.float64)
        rough = in_torch(twin, graph, values, inputs, weights, torch.float32)
        scale = max(float(np.abs(a).max(initial=0)) for a in expected.values())
        largest = max(largest, scale)
        assert len(exact) == len(expected) + 1
        for name in exact.keys() - {"loss"}:
            error = float(np.abs(exact[name] - expected[name]).max(initial=0))
            assert error <= 1e-9 * scale, f"{name} is off by {error / scale:.3g}"
            ours = max(ours, float(np.abs(narrow[name] - expected[name]).max(initial=0)))
            theirs = max(theirs, float(np.abs(rough[name] - expected[name]).max(initial=0)))
    assert ours <= 2 * theirs + floor * largest, f"error {ours:.2e}, torch's {theirs:.2e}"


# --- images ------------------------------------------------------------------------------------

SIZES = (1, 3, 7)
SEED = 2


def image_twin(graph: Graph, peer: Callable[[], nn.Module], outputs: int = 1) -> Twin:
    def call(module: nn.Module, tensors: Tensors) -> Sequence[torch.Tensor]:
        (x,) = tensors.values()
        y = module(x)
        return y if isinstance(y, tuple) else (y,)

    return Twin(lambda v: support.with_weights(peer(), graph, v), call, outputs=outputs)


Case = tuple[str, str | None, dict[str, Any], Callable[[], nn.Module], tuple[int, ...]]
FAST: dict[str, Case] = {
    "lenet": ("lenet5.nn", None, {}, support.lenet, SIZES),
    "mlp": ("mlp.nn", None, {"widths": (48, 40), "batch_norm": True}, support.mlp, SIZES),
    "resnet20": ("resnet.nn", "CifarResNet", {}, support.cifar_resnet, SIZES),
    "unet": (
        *("unet.nn", None, {"size": 60, "width": 5, "levels": 2}),
        *(lambda: support_images.UNet(5, 2), SIZES),
    ),
}
SLOW: dict[str, Case] = {
    "resnet18": ("resnet.nn", None, {"depth": 18}, lambda: support.resnet(18), SIZES),
    "resnet50": ("resnet.nn", None, {"depth": 50}, lambda: support.resnet(50), (1,)),
    "alexnet": ("alexnet.nn", None, {}, support_images.alexnet, SIZES),
    "vgg11": ("vgg.nn", None, {"depth": 11}, lambda: support_images.vgg((1, 1, 2, 2, 2)), (1,)),
    "googlenet": ("googlenet.nn", None, {"auxiliary": True}, support_images.GoogLeNet, (1, 3)),
    "densenet": ("densenet.nn", None, {}, support_images.densenet, (1, 3)),
}


def images(case: Case, floor: float = FLOOR) -> None:
    file, model, settings, peer, sizes = case
    graph = support.load(file, model, **settings).graph
    (image,) = graph.inputs
    # a ReLU that float32 rounds across its kink puts any two runs 1e-3 apart: here none is
    rng = np.random.default_rng(SEED)
    batches = [
        {image.name: rng.standard_normal((n, *image.shape[1:])).astype(np.float32)} for n in sizes
    ]
    check(graph, image_twin(graph, peer, len(graph.outputs)), batches, floor)


@pytest.mark.parametrize("name", FAST)
def test_image_models(name: str) -> None:
    images(FAST[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_image_models_at_full_size(name: str) -> None:
    images(SLOW[name], KINKS)


# --- sequences ---------------------------------------------------------------------------------


class Reader(nn.Module):
    """torch's recurrent layer over [N, T, features], and a linear head on its last state."""

    def __init__(self, kind: str, features: int, hidden: int, outputs: int, **more: Any) -> None:
        super().__init__()
        self.net = getattr(nn, kind)(features, hidden, batch_first=True, **more)
        sides = 2 if more.get("bidirectional") else 1
        self.head = nn.Linear(sides * hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.head(self.net(x)[0][:, -1])
        return result


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("more", [{}, {"layers": 2, "bidirectional": True}], ids=["one", "many"])
def test_recurrent_models(kind: str, more: dict[str, Any]) -> None:
    graph = support.load(f"{kind.lower()}.nn", hidden=5, **more).graph
    features = graph.inputs[0].shape[2]
    (y,) = graph.outputs.values()
    options = {"num_layers": more.get("layers", 1), "bidirectional": "bidirectional" in more}

    def ours(name: str) -> list[str]:
        part, _, rest = name.partition(".")
        if part == "head":
            return [name]
        weight, _, place = rest.partition("_l")
        return [f"{kind.lower()}.l{place}.{weight}"]

    def make(values: Arrays) -> nn.Module:
        module = Reader(kind, features, 5, y.shape[1], **options)  # type: ignore[arg-type]
        state = {name: torch.from_numpy(values[ours(name)[0]]) for name in module.state_dict()}
        module.load_state_dict(state)
        return module

    rng = np.random.default_rng(0)
    shapes = [(n, t, features) for n, t in ((1, 3), (3, 7), (7, 1))]
    batches = [{"x": rng.standard_normal(s).astype(np.float32)} for s in shapes]
    check(graph, Twin(make, lambda m, t: [m(t["x"])], ours), batches)


# --- text --------------------------------------------------------------------------------------


# heads of 16: one over the root of that is the same number in f32 and f64
WIDTH = {"width": 48}


def loaded(module: nn.Module, values: Arrays) -> nn.Module:
    """With our weights, which have the module's own names."""
    found = module.load_state_dict({n: torch.tensor(a) for n, a in values.items()}, strict=False)
    assert not found.unexpected_keys
    return module


def texts(size: tuple[int, int], seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(0, SMALL_GPT["vocabulary"], size)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_transformer() -> None:
    # roots of the width and of the heads' size that are the same numbers in f32 and f64
    settings = {
        "layers": 1,
        "width": 16,
        "heads": 4,
        "hidden": 12,
        "vocabulary": SMALL_GPT["vocabulary"],
    }
    graph = support.load("transformer.nn", **settings).graph
    heads, hidden = settings["heads"], settings["hidden"]

    class Net(nn.Module):
        def __init__(self, values: Arrays) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.from_numpy(values["embedding.weight"]))
            self.net = torch_transformer(dict(values), hidden, heads)

        def embedded(self, text: torch.Tensor) -> torch.Tensor:
            width = self.table.shape[1]
            place = torch.arange(text.shape[1])[:, None]
            slope = np.float32(-2 * np.log(10000.0) / width)  # a constant of the f32 model
            angle = place * torch.exp(torch.arange(width // 2).double() * float(slope))
            code = torch.stack([angle.sin(), angle.cos()], 2).reshape(text.shape[1], width)
            return self.table[text] * width**0.5 + code.to(self.table.dtype)

        def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            causal = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            causal = causal.to(self.table.dtype)
            y = self.net(self.embedded(source), self.embedded(target), tgt_mask=causal)
            result: torch.Tensor = y @ self.table.T
            return result

    def ours(name: str) -> list[str]:
        if name == "table":
            return ["embedding.weight"]
        side, *middle, last = name.removeprefix("net.").split(".")
        path = ".".join([side, *middle])
        path = path.replace("self_attn", "attend").replace("multihead_attn", "look")
        path = path.replace("linear1", "feed.expand").replace("linear2", "feed.project")
        path = path.replace("out_proj", "out")
        if not last.startswith("in_proj"):
            return [f"{path}.{last}"]
        part = last.removeprefix("in_proj_")
        return [f"{path}.{n}.{part}" for n in ("query", "key", "value")]

    twin = Twin(Net, lambda m, t: [m(t["source"], t["target"])], ours)
    sizes = ((1, 3, 7), (3, 7, 1), (7, 1, 3))
    batches = [{"source": texts((n, s)), "target": texts((n, t), 1)} for n, s, t in sizes]
    check(graph, twin, batches)


@pytest.mark.slow
def test_gpt() -> None:
    import transformers  # heavy: only where it is needed

    config = transformers.GPT2Config(
        vocab_size=SMALL_GPT["vocabulary"], n_positions=32, n_embd=48, n_layer=2, n_head=3
    )
    graph = support.load("gpt.nn", **{**SMALL_GPT, **WIDTH}).graph

    def make(values: Arrays) -> nn.Module:
        module = loaded(transformers.GPT2LMHeadModel(config), values)
        module.tie_weights()
        return module

    twin = Twin(make, lambda m, t: [m(t["tokens"]).logits], lambda name: [name])
    check(graph, twin, [{"tokens": texts(size)} for size in ((1, 3), (3, 7), (7, 1))])


@pytest.mark.slow
def test_bert() -> None:
    import transformers  # heavy: only where it is needed

    config = transformers.BertConfig(
        vocab_size=SMALL_BERT["vocabulary"],
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=192,
        max_position_embeddings=32,
        attn_implementation="eager",
    )
    graph = support.load("bert.nn", **{**SMALL_BERT, **WIDTH}).graph

    def call(module: nn.Module, t: Tensors) -> Sequence[torch.Tensor]:
        mask = t["mask"].to(torch.int64)
        found = module(t["tokens"], token_type_ids=t["segments"], attention_mask=mask)
        return found.last_hidden_state, found.pooler_output

    twin = Twin(
        lambda v: loaded(transformers.BertModel(config), v), call, lambda name: [name], outputs=2
    )
    rng = np.random.default_rng(2)
    batches = []
    for size in ((1, 3), (3, 7), (7, 1)):
        mask = rng.integers(0, 3, size) > 0
        mask[:, 0] = True
        segments = rng.integers(0, 2, size)
        batches.append({"tokens": texts(size), "segments": segments, "mask": mask})
    check(graph, twin, batches)
