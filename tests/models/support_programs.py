"""Six networks in plain PyTorch, as functions of parameters by path: outputs and the loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Tensors = Mapping[str, Tensor]
Peer = Callable[[Tensors, Tensors], dict[str, Tensor]]


def linear(p: Tensors, path: str, x: Tensor) -> Tensor:
    return functional.linear(x, p[f"{path}.weight"], p.get(f"{path}.bias"))


def squash(s: Tensor) -> Tensor:
    length = s.norm(dim=-1, keepdim=True)
    return s * length / (1 + length**2)


def capsnet(p: Tensors, given: Tensors) -> dict[str, Tensor]:
    image = given["image"]
    n = len(image)
    x = functional.conv2d(image, p["conv.weight"], p["conv.bias"]).relu()
    x = functional.conv2d(x, p["primary.weight"], p["primary.bias"], stride=2)
    u = squash(x.reshape(n, -1, 8, *x.shape[2:]).permute(0, 1, 3, 4, 2).reshape(n, -1, 8))
    prediction = torch.einsum("nid,ijdw->njiw", u, p["digit.weight"])
    agreement = torch.zeros(prediction.shape[:3], dtype=x.dtype)
    for _ in range(3):
        v = squash((agreement.softmax(1)[..., None] * prediction).sum(2))
        agreement = agreement + (prediction * v[:, :, None]).sum(3)

    def decoded(chosen: Tensor) -> Tensor:
        y = (v * chosen[:, :, None]).reshape(n, -1)
        y = linear(p, "decoder.fc2", linear(p, "decoder.fc1", y).relu()).relu()
        return linear(p, "decoder.fc3", y).sigmoid()

    logits = v.norm(dim=2)
    results = {"logits": logits}
    results["reconstruction"] = decoded(functional.one_hot(logits.argmax(1), 10).to(x.dtype))
    if "label" in given:
        right = functional.one_hot(given["label"], 10).to(x.dtype)
        margin = right * (0.9 - logits).relu() ** 2 + 0.5 * (1 - right) * (logits - 0.1).relu() ** 2
        error = (decoded(right) - image.reshape(n, -1)) ** 2
        results["loss"] = margin.sum(1).mean() + 5e-4 * error.sum(1).mean()
    return results


def ntm(p: Tensors, given: Tensors) -> dict[str, Tensor]:
    x = given["x"]
    n, length, bits = x.shape
    rows, width = p["blank"].shape

    def look(path: str, h: Tensor, memory: Tensor, before: Tensor) -> Tensor:
        aim = linear(p, f"cell.{path}.aim", h)
        key, strength, gate, shift, sharp = aim.split([width, 1, 1, 3, 1], 1)
        alike = functional.cosine_similarity(key[:, None], memory, dim=2)
        content = (functional.softplus(strength) * alike).softmax(1)
        w = gate.sigmoid() * content + (1 - gate.sigmoid()) * before
        s = shift.softmax(1)
        w = sum(s[:, i : i + 1] * w.roll(by, 1) for i, by in enumerate((-1, 0, 1)))
        w = w ** (1 + functional.softplus(sharp))
        return w / w.sum(1, keepdim=True)

    h = c = torch.zeros(n, p["cell.controller.weight_hh"].shape[1], dtype=x.dtype)
    memory = p["blank"].expand(n, rows, width)
    w = r = functional.one_hot(torch.zeros(n, dtype=torch.int64), rows).to(x.dtype)
    outputs, writing, reading = [], [], []
    for t in range(2 * length):
        step = torch.zeros(n, bits + 1, dtype=x.dtype)
        if t < length:
            step = torch.cat([x[:, t], torch.ones(n, 1, dtype=x.dtype)], 1)
        read = (r[:, :, None] * memory).sum(1)
        cell = [p[f"cell.controller.{k}"] for k in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        h, c = torch.lstm_cell(torch.cat([step, read], 1), (h, c), *cell)
        w = look("write", h, memory, w)
        erase, add = linear(p, "cell.change", h).chunk(2, 1)
        memory = (
            memory * (1 - w[:, :, None] * erase.sigmoid()[:, None]) + w[:, :, None] * add[:, None]
        )
        r = look("read", h, memory, r)
        writing.append(w)
        reading.append(r)
        if t >= length:
            outputs.append(linear(p, "out", torch.cat([h, (r[:, :, None] * memory).sum(1)], 1)))
    logits = torch.stack(outputs, 1)
    loss = functional.binary_cross_entropy_with_logits(logits, x)
    return {
        "logits": logits,
        "writing": torch.stack(writing, 1),
        "reading": torch.stack(reading, 1),
        "loss": loss,
    }


def mamba(p: Tensors, given: Tensors) -> dict[str, Tensor]:
    tokens = given["tokens"]
    x = p["backbone.embeddings.weight"][tokens]
    layers = sum(path.endswith("A_log") for path in p)
    for i in range(layers):
        own = {k.removeprefix(f"backbone.layers.{i}."): v for k, v in p.items()}
        inner, state = own["mixer.A_log"].shape
        y = functional.rms_norm(x, x.shape[-1:], own["norm.weight"], 1e-5)
        u, gate = linear(own, "mixer.in_proj", y).chunk(2, 2)
        kernel = own["mixer.conv1d.weight"]
        u = functional.pad(u.transpose(1, 2), (kernel.shape[2] - 1, 0))
        u = functional.silu(
            functional.conv1d(u, kernel, own["mixer.conv1d.bias"], groups=inner)
        ).transpose(1, 2)
        parts = linear(own, "mixer.x_proj", u)
        step, b, c = parts.split([parts.shape[2] - 2 * state, state, state], 2)
        delta = functional.softplus(linear(own, "mixer.dt_proj", step))
        h = torch.zeros(len(x), inner, state, dtype=x.dtype)
        ys = []
        for t in range(x.shape[1]):
            h = torch.exp(-delta[:, t, :, None] * own["mixer.A_log"].exp()) * h
            h = h + (delta[:, t] * u[:, t])[:, :, None] * b[:, t, None]
            ys.append((h * c[:, t, None]).sum(2))
        y = torch.stack(ys, 1) + u * own["mixer.D"]
        x = x + linear(own, "mixer.out_proj", y * functional.silu(gate))
    x = functional.rms_norm(x, x.shape[-1:], p["backbone.norm_f.weight"], 1e-5)
    logits = x @ p["backbone.embeddings.weight"].T
    loss = functional.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:])
    return {"logits": logits, "loss": loss}


def senet(p: Tensors, given: Tensors) -> dict[str, Tensor]:
    """Two bottlenecks, `first` and, with stride 2, `second`."""

    def conv(path: str, x: Tensor, stride: int = 1) -> Tensor:
        kernel = p[f"{path}.conv.weight"]
        x = functional.conv2d(x, kernel, stride=stride, padding=kernel.shape[2] // 2)
        weight, bias = p[f"{path}.batch_norm.weight"], p[f"{path}.batch_norm.bias"]
        if "target" in given:  # in training
            return functional.batch_norm(x, None, None, weight, bias, training=True)
        mean, var = p[f"{path}.batch_norm.running_mean"], p[f"{path}.batch_norm.running_var"]
        return functional.batch_norm(x, mean, var, weight, bias)

    x = given["x"]
    for path, stride in (("first", 1), ("second", 2)):
        y = conv(f"{path}.b", conv(f"{path}.a", x).relu(), stride).relu()
        y = conv(f"{path}.c", y)
        scale = linear(p, f"{path}.se.squeeze", y.mean((2, 3))).relu()
        scale = linear(p, f"{path}.se.excite", scale).sigmoid()
        y = y * scale[:, :, None, None]
        short = f"{path}.shortcut"
        x = (y + (conv(short, x, stride) if f"{short}.conv.weight" in p else x)).relu()
    results = {"y": x}
    if "target" in given:
        results["loss"] = functional.mse_loss(x, given["target"])
    return results


def moe(p: Tensors, given: Tensors) -> dict[str, Tensor]:
    """Without noise."""
    x = given["x"]
    best, index = linear(p, "gate.clean", x).topk(2, 1)
    gates = torch.zeros(len(x), p["experts.expand"].shape[0], dtype=x.dtype)
    gates = gates.scatter(1, index, best.softmax(1))
    y = x
    for e in range(gates.shape[1]):
        out = (x @ p["experts.expand"][e]).relu() @ p["experts.project"][e]
        y = y + gates[:, e : e + 1] * out
    logits = linear(p, "head", y)
    results = {"logits": logits, "gates": gates}
    if "label" in given:
        importance = gates.sum(0)
        spread = importance.var(correction=0) / (importance.mean() ** 2 + 1e-10)
        results["loss"] = functional.cross_entropy(logits, given["label"]) + 0.1 * spread
    return results


def wavenet(p: Tensors, given: Tensors) -> dict[str, Tensor]:
    x = given["x"]
    h = p["embedding.weight"][x].transpose(1, 2)
    total = torch.zeros(1, dtype=h.dtype)
    for stack in range(2):
        for i in range(3):
            path = f"stack.{stack}.{i}"
            part = {k.removeprefix(f"{path}."): v for k, v in p.items()}
            padded = functional.pad(h, (2**i, 0))
            y = functional.conv1d(
                padded, part["dilated.weight"], part["dilated.bias"], dilation=2**i
            )
            value, gate = y.chunk(2, 1)
            y = value.tanh() * gate.sigmoid()
            total = total + functional.conv1d(y, part["skip.weight"], part["skip.bias"])
            h = h + functional.conv1d(y, part["residual.weight"], part["residual.bias"])
    y = functional.conv1d(total.relu(), p["end1.weight"], p["end1.bias"]).relu()
    logits = functional.conv1d(y, p["end2.weight"], p["end2.bias"])
    return {"logits": logits, "loss": functional.cross_entropy(logits[:, :, :-1], x[:, 1:])}
