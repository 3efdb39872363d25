"""Optimised models beside other optimisers' of the same file: nodes, and latency.

    python benchmarks/optimize.py [mobilenet bert …] [--small] [--exporters dynamo torchscript]
        [--batches static dynamic] [--tools nncomp onnxsim …] [--opset N] [--latency]
        [--rounds 15] [--folder FOLDER] [--keep]

Networks of `transformers` with random weights, as PyTorch's two exporters write them, for one
sample or for any number of them, are optimised by nncomp at -O2 and by each of its peers with its
own defaults, each in a process of its own. A row has the nodes of each result, bodies of control
flow and local functions included, and the best peer's over ours (above 1: ours has fewer). What
each computes is held against the exported file, both run by onnxruntime with its optimiser off: a
result that differs by more than 1e-3 of an output's largest number is marked `!`, one that failed
is a dash.

`--latency` adds onnxruntime's time for a run and for loading, its optimiser at its default, ours
over the fastest peer's (below 1: ours is faster): medians of pairs that take turns. `beside` is the
time to load ours as `build --external-data` writes it, over that of the peer's file.

Exported files are kept in the folder, and not exported again; with `--keep` so are the files that
the peers make of them.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import truediv
from pathlib import Path
from typing import Any

import numpy as np

from nncomp.types import Array

TOLERANCE = 1e-3
BATCHES = ("static", "dynamic")
DASH = "–"


@dataclass
class Result:
    """What one optimiser made of one file; nodes None where it failed.

    kinds: how many nodes of each operator
    """

    path: Path
    nodes: int | None = None
    opset: int = 0
    difference: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.nodes is None:
            return DASH
        return f"{self.nodes}{'!' if not self.difference <= TOLERANCE else ''}"


def count(path: Path) -> tuple[collections.Counter[str], int]:
    """The nodes of a file by operator, and its opset."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    kinds: collections.Counter[str] = collections.Counter()
    pending: list[Any] = [model.graph, *model.functions]
    while pending:
        for node in pending.pop().node:
            kinds[node.op_type] += 1
            pending += [a.g for a in node.attribute if a.HasField("g")]
    opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    return kinds, opset


def session(path: Path, optimize: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(path: Path, feeds: Iterable[Array]) -> list[list[Array]]:
    """The outputs for each input, the optimiser off."""
    made = session(path, optimize=False)
    (name,) = (v.name for v in made.get_inputs())
    return [made.run(None, {name: x}) for x in feeds]


def difference(found: list[list[Array]], wanted: list[list[Array]]) -> float:
    """The largest, as a part of an output's largest number; NaN if shapes differ."""
    worst = 0.0
    for outputs, others in zip(found, wanted, strict=True):
        for a, b in zip(outputs, others, strict=True):
            if a.shape != b.shape:
                return float("nan")
            scale = float(np.abs(b).max(initial=0)) or 1.0
            worst = max(worst, float(np.abs(a - b).max(initial=0)) / scale)
    return worst


def in_process(*arguments: str) -> bool:
    """Runs this script on its own; whether it ended well."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"  {' '.join(arguments[:4])}: {last[:200]}", file=sys.stderr, flush=True)
    return done.returncode == 0


def work(arguments: list[str]) -> None:
    """What a process of its own does: `export`, `optimize`, or `compare`."""
    kind, *rest = arguments
    if kind == "export":
        from parts.exports import export

        name, exporter, batch, size, path = rest
        unfinished = Path(path).with_suffix(".partial.onnx")
        dynamic, small = batch == "dynamic", size == "small"
        export(name, unfinished, exporter, dynamic=dynamic, small=small)  # type: ignore[arg-type]
        _in_one_file(unfinished, Path(path))
    elif kind == "optimize":
        from parts.optimizers import OPTIMIZERS

        tool, source, target, opset = rest
        OPTIMIZERS[tool](Path(source), Path(target), int(opset) or None)
    else:
        compare(*rest)


def _in_one_file(unfinished: Path, path: Path) -> None:
    """Moves a model, whose weights may be beside it, into one file."""
    import onnx

    model = onnx.load(unfinished)
    for file in unfinished.parent.glob(f"{unfinished.name}*"):
        file.unlink()
    onnx.save(model, unfinished)
    unfinished.rename(path)


def compare(name: str, batch: str, size: str, source: str, to: str, *paths: str) -> None:
    """Writes how far each file is from the exported one."""
    from parts.exports import ARCHITECTURES

    batches = (2, 3) if batch == "dynamic" else (1,)
    feeds = [ARCHITECTURES[name].sample(n, size == "small") for n in batches]
    wanted = run(Path(source), feeds)
    found = {}
    for path in map(Path, paths):
        try:
            found[path.stem] = difference(run(path, feeds), wanted)
        except Exception as failure:
            print(f"{path.stem}: {failure}", file=sys.stderr)
            found[path.stem] = float("nan")
    Path(to).write_text(json.dumps(found))


@dataclass(frozen=True)
class Row:
    """One exported file."""

    name: str
    exporter: str
    batch: str
    size: str

    def path(self, folder: Path) -> Path:
        return folder / f"{self.name}-{self.exporter}-{self.batch}-{self.size}.onnx"

    def results(
        self, source: Path, tools: list[str], opset: int, to: Path, kept: Path
    ) -> dict[str, Result]:
        """What each tool makes of the file, in one folder what is ours, in one the peers'."""
        found = {t: Result((to if t == "nncomp" else kept) / f"{t}.onnx") for t in tools}
        for tool, result in found.items():
            words = ("--work", "optimize", tool, str(source), str(result.path), str(opset))
            if result.path.exists() or in_process(*words):
                kinds, result.opset = count(result.path)
                result.kinds, result.nodes = dict(kinds), kinds.total()
        made = [str(result.path) for result in found.values() if result.nodes is not None]
        differences = to / "differences.json"
        arguments = (self.name, self.batch, self.size, str(source), str(differences), *made)
        if in_process("--work", "compare", *arguments):
            for tool, size in json.loads(differences.read_text()).items():
                found[tool].difference = size
        return found


def paired(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> float:
    """The median of ratios of seconds, both in turn."""
    ratios = []
    for i in range(rounds + 1):
        pair = {}
        for run_one in (ours, theirs) if i % 2 else (theirs, ours):
            start = time.perf_counter()
            run_one()
            pair[run_one] = time.perf_counter() - start
        ratios.append(pair[ours] / pair[theirs])
    return statistics.median(ratios[1:])


def latency(row: Row, results: dict[str, Result], rounds: int) -> str:
    """Ours over the peer that is worst for us: of a run, and of loading, in one file and with the
    weights beside it."""
    import onnx
    from parts.exports import ARCHITECTURES

    from nncomp.driver.building import write_model

    x = ARCHITECTURES[row.name].sample(1, row.size == "small")
    ours, *peers = [r.path for r in results.values() if r.nodes is not None]
    runs = []
    for peer in peers:
        pair = [_bound(path, x) for path in (ours, peer)]
        runs.append(paired(*pair, rounds))
        del pair
    apart = write_model(ours.with_name("apart.onnx"), onnx.load(ours), external_data=True).path
    loads = loaded([ours, apart, *peers], max(rounds // 2, 2))
    cells = [max(runs)]
    for path in (ours, apart):
        ratios = [map(truediv, loads[path], loads[peer]) for peer in peers]
        cells.append(max(map(statistics.median, ratios)))
    return "".join(f" {cell:8.2f}" for cell in cells)


def loaded(paths: list[Path], rounds: int) -> dict[Path, list[float]]:
    """Seconds to load each, round by round, each time in another order: a load finds the memory
    that the one before it has left."""
    found: dict[Path, list[float]] = {path: [] for path in paths}
    order = random.Random(0)
    for _ in range(rounds + 1):
        for path in order.sample(paths, len(paths)):
            start = time.perf_counter()
            session(path, optimize=True)
            found[path].append(time.perf_counter() - start)
    return {path: times[1:] for path, times in found.items()}


def _bound(path: Path, x: Array) -> Callable[[], object]:
    made = session(path, optimize=True)
    (name,) = (v.name for v in made.get_inputs())
    return lambda: made.run(None, {name: x})


def report(row: Row, source: Path, args: argparse.Namespace) -> tuple[int, int]:
    """Prints a row; our nodes and the best peer's (0, 0 without either)."""
    with tempfile.TemporaryDirectory() as folder:
        kept = args.folder / "peers" / source.stem if args.keep else Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        results = row.results(source, args.tools, args.opset, Path(folder), kept)
        ours = results.get("nncomp")
        right = [
            r.nodes
            for tool, r in results.items()
            if tool != "nncomp" and r.nodes is not None and r.difference <= TOLERANCE
        ]
        best = min(right, default=0)
        nodes = ours.nodes if ours is not None and ours.nodes is not None else 0
        ratio = f"{best / nodes:8.2f}" if nodes and best else f"{DASH:>8}"
        cells = "".join(f" {results[tool]!s:>13}" for tool in args.tools)
        exported = count(source)[0].total()
        more = latency(row, results, args.rounds) if args.latency and nodes and best else ""
        opset = ours.opset if ours else DASH
        label = f"{row.name:10} {row.exporter:11} {row.batch:8}"
        print(f"{label} {exported:8}{cells} {ratio} {opset:>5}{more}", flush=True)
        if args.kinds:
            _print_kinds(results)
        return (nodes, best) if nodes and best else (0, 0)


def _print_kinds(results: dict[str, Result]) -> None:
    kinds = sorted({kind for r in results.values() for kind in r.kinds})
    for kind in kinds:
        cells = "".join(f" {r.kinds.get(kind, 0):13}" for r in results.values())
        print(f"    {kind:35}{cells}")


def main() -> None:
    from parts.exports import ARCHITECTURES, EXPORTERS
    from parts.optimizers import OPTIMIZERS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=", ".join(ARCHITECTURES))
    parser.add_argument("--small", action="store_true", help="narrow networks of few layers")
    parser.add_argument("--exporters", nargs="*", default=[*EXPORTERS])
    parser.add_argument("--batches", nargs="*", default=[*BATCHES])
    parser.add_argument("--tools", nargs="*", default=[*OPTIMIZERS])
    parser.add_argument("--opset", type=int, default=0, help="of ours; default: as it needs")
    parser.add_argument("--kinds", action="store_true", help="nodes by operator, too")
    parser.add_argument("--latency", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir(), "nncomp-exports")
    )
    parser.add_argument("--keep", action="store_true", help="the peers' files")
    parser.add_argument("--work", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work)
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    times = f" {'run':>8} {'load':>8} {'beside':>8}" if args.latency else ""
    tools = "".join(f" {tool:>13}" for tool in args.tools)
    print(
        f"{'network':10} {'exporter':11} {'batch':8} {'exported':>8}{tools}"
        f" {'best':>8} opset{times}"
    )
    total, best = 0, 0
    for name in args.networks or ARCHITECTURES:
        for exporter in args.exporters:
            for batch in args.batches:
                row = Row(name, exporter, batch, "small" if args.small else "full")
                path = row.path(args.folder)
                words = (row.name, row.exporter, row.batch, row.size, str(path))
                if not path.exists() and not in_process("--work", "export", *words):
                    continue
                nodes, peer = report(row, path, args)
                total, best = total + nodes, best + peer
    if total:
        print(f"all: {total} nodes, the best peer of each {best}: {best / total:.2f}")


if __name__ == "__main__":
    main()
