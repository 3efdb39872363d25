"""Whole training steps (forward, backward, update) beside PyTorch's, in one run.

    python benchmarks/training.py [mlp lenet resnet20] [--rounds 40] [--target onnxruntime-cpu]

For each network both sides take the same steps on the same batch from the same weights, in turn;
the table gives medians and the ratio ours / PyTorch eager (below 1: ours is faster). The losses of
the first steps are compared, so that nothing is timed that does not train. Each thread-waiting
policy is measured in a process of its own, because PyTorch and onnxruntime react to it differently.
`--one-thread` takes the processor's time of one thread on either side: the figure for a machine on
which other things run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ("PASSIVE", "ACTIVE")

NETWORKS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "mlp": ("mlp.nn", "MLP", {"features": 784, "widths": [512, 512]}, 128),
    "lenet": ("lenet5.nn", "LeNet5", {}, 64),
    "resnet20": ("resnet.nn", "CifarResNet", {}, 64),
}


def torch_network(name: str) -> Any:
    """The same network in PyTorch, with parameters in the order of ours."""
    import torch
    from torch import nn

    if name == "mlp":
        return nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )
    if name == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
        )  # fmt: skip

    def conv_norm(i: int, o: int, k: int, s: int = 1) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))

    class Residual(nn.Module):
        def __init__(self, i: int, o: int, s: int) -> None:
            super().__init__()
            self.a, self.b = conv_norm(i, o, 3, s), conv_norm(o, o, 3)
            self.shortcut = conv_norm(i, o, 1, s) if s > 1 or i != o else nn.Identity()

        def forward(self, x: Any) -> Any:
            y = self.b(torch.relu(self.a(x)))
            return torch.relu(y + self.shortcut(x))

    layers: list[nn.Module] = [conv_norm(3, 16, 3), nn.ReLU()]
    before = 16
    for i, width in enumerate((16, 32, 64)):
        for j in range(3):
            layers.append(Residual(before, width, 2 if i and not j else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def torch_step(
    name: str, weights: list[np.ndarray], batch: list[np.ndarray]
) -> Callable[[], float]:
    import torch

    network = torch_network(name)
    with torch.no_grad():
        for parameter, weight in zip(network.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(weight.copy()))
    image, label = (torch.from_numpy(array) for array in batch)
    if name == "resnet20":
        optimizer: Any = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(network(image), label)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def measure(name: str, rounds: int, target: Any, one_thread: bool) -> dict[str, Any]:
    """Milliseconds of each step, both sides in turn."""
    import torch

    import nncomp

    threads = 1 if one_thread else os.cpu_count() or 1
    clock = time.process_time if one_thread else time.perf_counter
    torch.set_num_threads(threads)
    file, model_name, settings, size = NETWORKS[name]
    model = nncomp.load(ROOT / "models" / file, model=model_name, **settings)
    batch_size = None if target == "onnx" else size
    step = model.training_step(target=target, batch=batch_size, threads=threads)
    rng = np.random.default_rng(0)
    inputs = {v.name: v for v in model.program.train["train"].step.inputs}
    feature = next(n for n in inputs if n in ("x", "image"))
    shape = [size, *inputs[feature].type.shape[1:]]
    batch = [
        rng.standard_normal(shape).astype(np.float32),
        rng.integers(0, 10, size).astype(np.int64),
    ]
    learnt = [p.path for p in model.program.graph.parameters if p.kind == "param"]
    weights = [model.parameters[path] for path in learnt]
    theirs = torch_step(name, weights, batch)

    def ours() -> float:
        return float(step(**{feature: batch[0], "label": batch[1]})["loss"])

    losses = [(ours(), theirs()) for _ in range(4)]
    for a, b in losses[:2]:  # later ones drift apart, as two runs of PyTorch's own do
        assert abs(a - b) <= 2e-3 * max(1.0, abs(b)), f"{name} does not train alike: {losses}"
    times: dict[str, list[float]] = {"ours": [], "torch": []}
    for _ in range(rounds):
        for side, function in (("ours", ours), ("torch", theirs)):
            start = clock()
            function()
            times[side].append(1e3 * (clock() - start))
    return {"network": name, "losses": losses, **times}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=", ".join(NETWORKS))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--target", default="onnx", help="onnx (default) or onnxruntime-cpu")
    parser.add_argument("--one-thread", action="store_true", help="processor time of one thread")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = args.networks or list(NETWORKS)
    if args.child:
        for name in names:
            print(json.dumps(measure(name, args.rounds, args.target, args.one_thread)))
        return
    print(
        f"{'network':10} {'policy':8} {'ours ms':>9} {'torch ms':>9} {'ratio':>6}  pairwise range"
    )
    for policy in POLICIES[:1] if args.one_thread else POLICIES:
        command = [sys.executable, __file__, *names, "--child"]
        command += ["--rounds", str(args.rounds), "--target", args.target]
        command += ["--one-thread"] * args.one_thread
        environment = {**os.environ, "OMP_WAIT_POLICY": policy}
        result = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        for line in result.stdout.splitlines():
            row = json.loads(line)
            ours, theirs = statistics.median(row["ours"]), statistics.median(row["torch"])
            ratios = sorted(a / b for a, b in zip(row["ours"], row["torch"], strict=True))
            low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
            print(
                f"{row['network']:10} {policy:8} {ours:9.2f} {theirs:9.2f} {ours / theirs:6.2f}"
                f"  {low:.2f}–{high:.2f}"
            )


if __name__ == "__main__":
    main()
