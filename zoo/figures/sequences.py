"""What recurrent rows are held against."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from onnx import TensorProto, helper
from onnxruntime import InferenceSession

import nncomp
from nncomp.types import Array
from zoo.figures.support import close, grown, loaded
from zoo.row import Figure

RNG = np.random.default_rng(0)
STEPS, FEATURES, HIDDEN = 12, 2, 6


def _unrolled() -> str:
    """The scan of `ElmanRNN` against the graph without a scan of `Unrolled`: outputs, gradients."""
    scan = loaded("rnn.nn", features=FEATURES, hidden=HIDDEN)
    weights = {name.replace("rnn.l0", "cell"): w for name, w in scan.parameters.items()}
    flat = grown("rnn.nn", weights, "Unrolled", features=FEATURES, hidden=HIDDEN, steps=STEPS)
    x = RNG.standard_normal((3, STEPS, FEATURES)).astype("f")
    label = RNG.integers(0, 2, 3)
    close(scan(x=x)["logits"], flat(x=x)["logits"], 1e-5)
    ours = nncomp.grad(scan)(x=x, label=label)
    theirs = nncomp.grad(flat)(x=x, label=label)
    for name, value in ours.items():
        close(value, theirs[name.replace("rnn.l0", "cell")], 1e-5)
    return "outputs and gradients"


def _norms() -> str:
    """Gradients by time step fall from the last to the first."""
    steps = 30
    model = loaded("rnn.nn", "Unrolled", steps=steps)
    x = RNG.standard_normal((16, steps, 1)).astype("f")
    given = {"x": x, "label": RNG.integers(0, 2, 16)}
    norms = model.run(given, entry="gradients")["norms"].tolist()
    falling = [a < b for a, b in itertools.pairwise(norms)]
    assert sum(falling) > 0.8 * len(falling), "the norms do not fall"
    assert norms[0] < 1e-3 * norms[-1], f"{norms[0]:.1g} of {norms[-1]:.1g}"
    return f"first / last step: {norms[0] / norms[-1]:.0e}"


def _against_torch(file: str, name: str, peer: type[torch.nn.RNNBase]) -> str:
    """Two layers in both directions: all steps, by a linear layer that takes them as they are."""
    model = loaded(file, features=FEATURES, hidden=HIDDEN, layers=2, bidirectional=True, outputs=3)
    x = RNG.standard_normal((3, STEPS, FEATURES)).astype("f")
    module = peer(FEATURES, HIDDEN, 2, bidirectional=True)
    weights = model.parameters
    with torch.no_grad():
        for layer in ("l0", "l0_reverse", "l1", "l1_reverse"):
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                value = torch.from_numpy(weights[f"{name}.{layer}.{kind}"])
                getattr(module, f"{kind}_{layer}").copy_(value)
        states, _ = module(torch.from_numpy(x).transpose(0, 1))
        expected = states[-1].numpy() @ weights["head.weight"].T + weights["head.bias"]
    return close(model(x=x)["y"], expected, 1e-5)


def _onnx_operator(
    kind: str, x: Array, weights: dict[str, Array], order: list[int], peepholes: bool = False
) -> Array:
    """The last state of ONNX's own operator, whose gates stand in the order given."""

    def gates(value: Array) -> Array:
        return np.concatenate([np.split(value, len(order))[i] for i in order])

    given = {
        "x": np.ascontiguousarray(x.transpose(1, 0, 2)),
        "W": gates(weights["weight_ih"])[None],
        "R": gates(weights["weight_hh"])[None],
        "B": np.concatenate([gates(weights["bias_ih"]), gates(weights["bias_hh"])])[None],
    }
    names = ["x", "W", "R", "B"]
    if peepholes:
        parts = [weights[f"weight_c{gate}"] for gate in "iof"]
        given["P"] = np.concatenate(parts)[None]
        names += ["", "", "", "P"]
    extra = {"linear_before_reset": 1} if kind == "GRU" else {}
    node = helper.make_node(kind, names, ["", "h"], hidden_size=HIDDEN, **extra)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
        for name, value in given.items()
    ]
    output = helper.make_tensor_value_info("h", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], kind, inputs, [output])
    opset = helper.make_opsetid("", 17)
    proto = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    session = InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (h,) = session.run(["h"], given)
    return np.asarray(h[0])


def _against_onnx(file: str, name: str, kind: str, order: list[int], **settings: bool) -> str:
    model = loaded(file, features=FEATURES, hidden=HIDDEN, outputs=3, **settings)
    weights = model.parameters
    own = {n.split(".")[-1]: w for n, w in weights.items() if n.startswith(f"{name}.l0.")}
    x = RNG.standard_normal((3, STEPS, FEATURES)).astype("f")
    h = _onnx_operator(kind, x, own, order, peepholes="weight_ci" in own)
    expected = h @ weights["head.weight"].T + weights["head.bias"]
    return close(model(x=x)["y"], expected, 1e-5)


def _lstm() -> str:
    _against_torch("lstm.nn", "lstm", torch.nn.LSTM)
    return _against_onnx("lstm.nn", "lstm", "LSTM", [0, 3, 1, 2])


def _peepholes() -> str:
    return _against_onnx("lstm.nn", "lstm", "LSTM", [0, 3, 1, 2], peephole=True)


def _gru() -> str:
    _against_torch("gru.nn", "gru", torch.nn.GRU)
    return _against_onnx("gru.nn", "gru", "GRU", [1, 0, 2])


def _looks() -> str:
    model = loaded("seq2seq.nn", attention=True, length=12)
    look = model(source=RNG.integers(1, 10, (5, 12)))["look"]
    assert look.shape == (5, 12, 12)
    assert look.min() >= 0
    return close(look.sum(axis=2), np.ones((5, 12)), 1e-5)


UNROLLED = Figure("scan = unrolled graph", _unrolled)
NORMS = Figure("gradient norms by time step vanish", _norms)
LSTM = Figure("= torch.nn.LSTM, = ONNX LSTM", _lstm)
PEEPHOLES = Figure("= ONNX LSTM with P", _peepholes)
GRU = Figure("= torch.nn.GRU, = ONNX GRU", _gru)
LOOKS = Figure("rows of attention sum to 1", _looks)
