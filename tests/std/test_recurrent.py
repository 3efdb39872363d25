"""Recurrent layers: PyTorch's and ONNX's, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.passes.manager import optimize_step
from nncomp.passes.retype import retype
from nncomp.types import Array, DType
from tests.lower.programs import program

SIZES = [(1, 1), (3, 7), (7, 3)]
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
D, H = 3, 5
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def doubled(text: str) -> tuple[Any, dict[str, Array]]:
    """The graph in float64 with its gradients, and its initial weights."""
    made = program(text)
    graph = expand_gradients(retype(made.graph, {DType.F32: DType.F64}))
    weights = run(made.initial, {"seed": np.int64(1)}).outputs
    return graph, {path: value.astype(np.float64) for path, value in weights.items()}


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_are_those_of_torch(kind: str, bidirectional: bool) -> None:
    sides = ("", "_reverse") if bidirectional else ("",)
    places = [(f"l{layer}{side}", w) for layer in (0, 1) for side in sides for w in WEIGHTS]
    cells = kind == "LSTM"
    start = "h0, c0" if cells else "h0"
    wrt = ["x", "h0", *(["c0"] if cells else []), *(f"net.{at}.{w}" for at, w in places)]
    count = 2 * len(sides)
    text = (
        f"from std import {kind}\nmodel M {{\n  input x: f32[T, N, {D}]\n"
        f"  input h0: f32[{count}, N, {H}]\n"
        + (f"  input c0: f32[{count}, N, {H}]\n" if cells else "")
        + f"  net = {kind}({H}, layers=2, bidirectional={str(bidirectional).lower()}, state=true)\n"
        f"  r = net(x, {start})\n  output y = r[0]\n  output h = r[1]\n"
        "  loss = sum(r[0] * r[0] * r[0]) + sum(r[1])"
        + (" + sum(exp(r[2]))\n" if cells else "\n")
        + f"  g = grad(loss, [{', '.join(wrt)}])\n"
        + "".join(f"  output g{i} = g[{i}]\n" for i in range(len(wrt)))
        + "}\n"
    )
    graph, weights = doubled(text)
    graph = optimize_step(graph, evaluate).graph
    net = getattr(torch.nn, kind)(D, H, num_layers=2, bidirectional=bidirectional).double()
    net.load_state_dict({f"{w}_{at}": torch.tensor(weights[f"net.{at}.{w}"]) for at, w in places})
    for length, batch in SIZES:
        rng = np.random.default_rng(length)
        given = {"x": rng.normal(size=(length, batch, D)), "h0": rng.normal(size=(count, batch, H))}
        if cells:
            given["c0"] = rng.normal(size=(count, batch, H))
        found = run(graph, given, weights).outputs
        tensors = {name: torch.tensor(a, requires_grad=True) for name, a in given.items()}
        states = (tensors["h0"], tensors["c0"]) if cells else tensors["h0"]
        y, last = net(tensors["x"], states)
        loss = (y**3).sum() + ((last[0].sum() + last[1].exp().sum()) if cells else last.sum())
        net.zero_grad()
        loss.backward()
        expected = [t.grad for t in tensors.values()]
        expected += [getattr(net, f"{w}_{at}").grad for at, w in places]
        np.testing.assert_allclose(found["y"], y.detach().numpy(), atol=1e-9)
        final = last[0] if cells else last
        np.testing.assert_allclose(found["h"], final.detach().numpy(), atol=1e-9)
        for i, gradient in enumerate(expected):
            np.testing.assert_allclose(found[f"g{i}"], gradient.numpy(), atol=1e-9, err_msg=wrt[i])


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_cells_are_those_of_torch(kind: str) -> None:
    state = "h, c" if kind == "LSTM" else "h"
    text = (
        f"from std import {kind}Cell\nmodel M {{\n  input x: f32[N, {D}]\n  input h: f32[N, {H}]\n"
        + (f"  input c: f32[N, {H}]\n" if kind == "LSTM" else "")
        + f"  cell = {kind}Cell({H})\n  r = cell(x, {state})\n"
        + ("  output y = r[0]\n  output z = r[1]\n" if kind == "LSTM" else "  output y = r\n")
        + "}\n"
    )
    graph, weights = doubled(text)
    cell = getattr(torch.nn, f"{kind}Cell")(D, H).double()
    cell.load_state_dict({w: torch.tensor(weights[f"cell.{w}"]) for w in WEIGHTS})
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(2, D)), "h": rng.normal(size=(2, H))}
    if kind == "LSTM":
        given["c"] = rng.normal(size=(2, H))
    x, *states = (torch.tensor(a) for a in given.values())
    expected = cell(x, tuple(states) if kind == "LSTM" else states[0])
    found = run(graph, given, weights).outputs
    results = expected if kind == "LSTM" else (expected,)
    for array, tensor in zip(found.values(), results, strict=True):
        np.testing.assert_allclose(array, tensor.detach().numpy(), atol=1e-12)


def onnx_gates(kind: str, array: Array) -> Array:
    """From PyTorch's order of gates to ONNX's: i f g o to i o f g (c), r z n to z r h."""
    parts = np.split(array, GATES[kind])
    order = {"RNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [1, 0, 2]}[kind]
    return np.concatenate([parts[i] for i in order])


def onnx_layer(kind: str, weights: dict[str, Array], peephole: bool, reverse: bool) -> Any:
    """onnxruntime's own operator with the weights of a layer."""
    w, r, *biases = (onnx_gates(kind, weights[f"net.l0.{name}"])[None] for name in WEIGHTS)
    constants = {"W": w, "R": r, "B": np.concatenate(biases, 1)}
    names = ["x", "W", "R", "B"]
    if peephole:
        constants["P"] = np.concatenate([weights[f"net.l0.weight_c{g}"] for g in "iof"])[None]
        names += ["", "", "", "P"]
    attributes: dict[str, Any] = {"hidden_size": H}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    if reverse:
        attributes["direction"] = "reverse"
    node = helper.make_node(kind, names, ["Y"], **attributes)
    graph = helper.make_graph(
        [node],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", "N", D])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ["T", 1, "N", H])],
        [onnx.numpy_helper.from_array(a.astype("f"), name) for name, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize(
    ("kind", "more"),
    [("RNN", ""), ("GRU", ""), ("LSTM", ""), ("LSTM", ", peephole=true, forget_bias=2.0")],
)
def test_layers_are_the_operators_of_onnx(kind: str, more: str) -> None:
    text = (
        f"from std import {kind}\nmodel M {{\n  input x: f32[T, N, {D}]\n"
        f"  net = {kind}({H}{more})\n  output y = net(x)\n}}\n"
    )
    made = program(text)
    weights = run(made.initial, {"seed": np.int64(1)}).outputs
    if "forget_bias" in more:
        forget = weights["net.l0.bias_ih"][H : 2 * H] + weights["net.l0.bias_hh"][H : 2 * H]
        np.testing.assert_array_equal(forget, np.full(H, 2, np.float32))
    session = onnx_layer(kind, weights, "peephole" in more, reverse=False)
    for length, batch in SIZES:
        x = np.random.default_rng(0).normal(size=(length, batch, D)).astype("f")
        (expected,) = session.run(None, {"x": x})
        found = run(made.graph, {"x": x}, weights).outputs["y"]
        np.testing.assert_allclose(found, expected[:, 0], rtol=1e-5, atol=1e-5)


def test_peephole_gradients_are_central_differences() -> None:
    text = (
        "from std import LSTM\nmodel M {\n  input x: f32[T, N, 3]\n"
        "  net = LSTM(2, peephole=true)\n  y = net(x)\n  loss = sum(y * y * y)\n"
        "  output loss\n  p = net.l0\n  g = grad(loss, [p.weight_ci, p.weight_cf, p.weight_co])\n"
        "  output d_i = g[0]\n  output d_f = g[1]\n  output d_o = g[2]\n}\n"
    )
    graph, weights = doubled(text)
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    found = run(graph, {"x": x}, weights).outputs
    for gate in "ifo":
        path = f"net.l0.weight_c{gate}"
        for place in range(2):
            ends = []
            for step in (1e-6, -1e-6):
                moved = weights[path].copy()
                moved[place] += step
                ends.append(run(graph, {"x": x}, {**weights, path: moved}).outputs["loss"])
            slope = (ends[0] - ends[1]) / 2e-6
            assert abs(slope - found[f"d_{gate}"][place]) < 1e-7
