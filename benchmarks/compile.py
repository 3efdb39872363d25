"""What compiling costs: whole commands beside PyTorch's exporter, and time per node by size.

    python benchmarks/compile.py [build inspect help nodes] [--rounds 5]

`build`, `inspect` and `help` time whole processes, both sides in turn. `nodes` times each stage of
the compiler on programs of 1,000, 10,000 and 100,000 nodes; the ratio is time per node against the
smallest (1.0: linear).
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 100_000)
WIDTH = 100  # strands of the wide program


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a process; it must end well."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{' '.join(command)} failed"
    return seconds, usage.ru_maxrss / 1024


def compare(commands: list[list[str]], rounds: int) -> list[tuple[float, float]]:
    """Median seconds and peak memory of each, in turn, after one round that fills the caches."""
    rows = [[run(command) for command in commands] for _ in range(rounds + 1)][1:]
    return [
        (statistics.median(r[i][0] for r in rows), max(r[i][1] for r in rows))
        for i in range(len(commands))
    ]


def nncomp(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nncomp", *arguments]


def report(name: str, seconds: float, memory: float, against: str = "", other: float = 0) -> None:
    ratio = f"  {against} {other:6.2f} s  ratio {seconds / other:.2f}" if other else ""
    print(f"{name:32} {seconds:6.2f} s {memory:6.0f} MB{ratio}", flush=True)


def build(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = nncomp("build", "models/resnet.nn", "--set", "depth=50", "-o", f"{folder}/a.onnx")
        theirs = [sys.executable, __file__, "--export", f"{folder}/b.onnx"]
        (a, memory), (b, _) = compare([ours, theirs], rounds)
    report("build ResNet-50", a, memory, "dynamo export", b)


def inspect(rounds: int) -> None:
    ((seconds, memory),) = compare(
        [nncomp("inspect", "models/gpt.nn", "--set", "size=gpt3")], rounds
    )
    report("inspect GPT-3, 96 layers", seconds, memory)


def help_(rounds: int) -> None:
    (a, memory), (b, _) = compare([nncomp("--help"), [sys.executable, "-c", "pass"]], 4 * rounds)
    report("--help", a, memory, "bare Python", b)


def export(path: str) -> None:
    """PyTorch's side of `build`: the same ResNet-50 with the batch size open."""
    import torch
    from torch import nn

    def conv_norm(i: int, o: int, k: int, s: int = 1) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o))

    class Block(nn.Module):
        def __init__(self, i: int, c: int, s: int) -> None:
            super().__init__()
            self.a, self.b, self.c = (
                conv_norm(i, c, 1),
                conv_norm(c, c, 3, s),
                conv_norm(c, 4 * c, 1),
            )
            self.shortcut = conv_norm(i, 4 * c, 1, s) if s > 1 or i != 4 * c else nn.Identity()

        def forward(self, x: Any) -> Any:
            y = self.c(torch.relu(self.b(torch.relu(self.a(x)))))
            return torch.relu(y + self.shortcut(x))

    layers: list[nn.Module] = [conv_norm(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for i, count in enumerate((3, 4, 6, 3)):
        for j in range(count):
            layers.append(Block(before, 64 * 2**i, 2 if i and not j else 1))
            before = 256 * 2**i
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000)]
    network = nn.Sequential(*layers).eval()
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, 224, 224),),
        path,
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("N")},),
        external_data=False,
    )


# --- time per node -------------------------------------------------------------------------------


def written(count: int, width: int) -> str:
    """`count` statements of one node each, in `width` strands that end in sums."""
    lines = ["nn 1", "model M {", "  input x: f32[N, 8]"]
    lines += [f"  s{i} = x * {i + 1}.0" for i in range(width)]
    functions = ("relu", "tanh")
    for i in range(count):
        lines.append(f"  s{i % width} = {functions[i // width % 2]}(s{i % width})")
    lines += ["  y = s0", *(f"  y = y + s{i}" for i in range(1, width))]
    return "\n".join([*lines, "  output y", "}", ""])


def looped(count: int) -> str:
    """As many nodes from one loop, with a weight every fifth."""
    return f"""nn 1
from std import SGD
block Layer()(x: float[N, C]) {{
  param w: float[C] = ones()
  return tanh(relu(x * w) - 0.5)
}}
model M {{
  input x: f32[N, 8]
  for i in range({count // 4}) {{
    x = x |> Layer() as layer
  }}
  output x
  train {{
    minimize mean(x) by SGD(lr=0.1)
  }}
}}
"""


def timed(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The mean of some runs in processor seconds, and the last result.

    Not the shortest: among a hundred runs of 3 ms one meets the processor at its fastest, which a
    single run of 3 s never does. Each size runs as many nodes in all, so that means compare.
    """
    seconds, result = 0.0, None
    for _ in range(repeats):
        result = None
        gc.collect()
        start = time.process_time()
        result = function()
        seconds += time.process_time() - start
    return seconds / repeats, result


def stages(name: str, text: str, size: int) -> Iterator[tuple[str, float, int]]:
    """Each stage with its seconds and the number of nodes that it makes or reads."""
    from nncomp.autodiff.expand import expand_gradients
    from nncomp.backends.ort.emit import emit, to_bytes
    from nncomp.backends.ort.legalize import legalize
    from nncomp.backends.reference.interpreter import evaluate
    from nncomp.driver.compiling import initial_values
    from nncomp.ir.bind import bind
    from nncomp.ir.verify import verify
    from nncomp.lower.program import lower
    from nncomp.passes.manager import optimize
    from nncomp.source import SourceFile
    from nncomp.syntax import parse

    repeats = max(1, SIZES[-1] // size)

    def source() -> SourceFile:
        """A new one each time, since a source keeps its tree."""
        return SourceFile(f"{name}.nn", text)

    parsing, _ = timed(lambda: parse(source()), repeats)
    if name != "loop":
        yield "parse", parsing, size
    lowering, program = timed(lambda: lower(source(), kinds=()), repeats)
    nodes = len(program.graph.nodes)
    assert nodes >= size, f"{name} has {nodes} nodes"
    yield "lower", lowering - parsing, nodes
    yield "infer", timed(lambda: verify(program.graph), repeats)[0], nodes
    own = {p.path for p in program.graph.parameters}
    weights = {path: array for path, array in initial_values(program).items() if path in own}
    bound = bind(program.graph, weights)
    seconds, optimized = timed(lambda: optimize(bound, 2, evaluate), repeats)
    yield "optimise", seconds, nodes
    graph = optimized.graph
    yield "emit", timed(lambda: to_bytes(emit(legalize(graph))), repeats)[0], len(graph.nodes)
    if name == "loop":
        del optimized, graph, bound
        step = lower(source(), kinds=("train",)).train["train"].step
        seconds, expanded = timed(lambda: expand_gradients(step), repeats)
        yield "expand gradients", seconds, len(expanded.nodes)


def nodes(rounds: int) -> None:
    from nncomp.limits import limited

    programs = {
        "chain": lambda n: written(n, 1),
        "wide": lambda n: written(n, WIDTH),
        "loop": looped,
    }
    print(f"µs per node {'':20}" + "".join(f"{size:>10,}" for size in SIZES) + "   ratio")
    for name, program in programs.items():
        found: dict[str, dict[int, list[float]]] = {}
        for size in SIZES * rounds:  # in turn: the machine's speed changes within minutes
            with limited(words=10**6, nodes=10**6):
                for stage, seconds, count in stages(name, program(size), size):
                    found.setdefault(stage, {}).setdefault(size, []).append(1e6 * seconds / count)
        for stage, by_size in found.items():
            row = [statistics.median(times) for times in by_size.values()]
            cells = "".join(f"{cell:10.1f}" for cell in row)
            print(f"{name + ': ' + stage:32}{cells}{row[-1] / row[0]:8.2f}", flush=True)


BENCHMARKS = {
    "build": build,
    "inspect": inspect,
    "help": help_,
    "nodes": nodes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", nargs="*", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--export", metavar="PATH", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.export:
        export(args.export)
        return
    for name in args.which or BENCHMARKS:
        BENCHMARKS[name](args.rounds)


if __name__ == "__main__":
    main()
