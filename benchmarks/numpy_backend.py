"""Inference by the NumPy backend beside onnxruntime and onnx's reference evaluator.

    python benchmarks/numpy_backend.py [lenet resnet50 …] [--rounds 9] [--reference-rounds 1]
                                       [--threads 1]

All three run the same model, optimised at -O2, on the same input; an imported one is what PyTorch's
exporter wrote, built again, which nncomp imports once more. Each side has a process of its
own, and they take turns: a side waits, asleep, while another is timed, and onnxruntime's threads do
not spin when a turn is over. A turn of a fast model is several runs. The outputs are compared, too.
With one thread each, the processor times hold on a machine that has other work as well.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "models"
SIDES = ("numpy", "onnxruntime", "reference")
TURN = 1.0  # seconds of runs in a turn, which has one at least
PAUSE = 0.1  # seconds until the threads of the side before sleep

# file, model, settings; input, its shape (of numbers, or of tokens below the given one)
NETWORKS: dict[str, tuple[Path, str, dict[str, Any], str, list[int], int]] = {
    "lenet": (MODELS / "lenet5.nn", "LeNet5", {}, "image", [64, 1, 28, 28], 0),
    "mobilenet": (HERE / "mobilenet_v2.nn", "MobileNetV2", {}, "image", [1, 3, 224, 224], 0),
    "resnet50": (MODELS / "resnet.nn", "ResNet", {"depth": 50}, "image", [1, 3, 224, 224], 0),
    "resnet50x8": (MODELS / "resnet.nn", "ResNet", {"depth": 50}, "image", [8, 3, 224, 224], 0),
    "bert": (MODELS / "bert.nn", "Bert", {}, "tokens", [1, 128], 30522),
    "gpt2": (MODELS / "gpt.nn", "GPT", {"size": "gpt2"}, "tokens", [1, 128], 50257),
}
IMPORTED = {f"imported-{name}": name for name in ("resnet50", "mobilenet", "bert", "gpt2")}


def runner(side: str, name: str, path: str) -> Callable[[], list[np.ndarray]]:
    """A function that runs the model once on one side. path: the model as ONNX."""
    if name in IMPORTED:
        from parts.exports import sample

        file, keywords, input_name, x = Path(path), {}, "x", sample(IMPORTED[name])
    else:
        file, model_name, settings, input_name, shape, tokens = NETWORKS[name]
        keywords = {"model": model_name, **settings}
        rng = np.random.default_rng(0)
        numbers = rng.integers(0, tokens, shape) if tokens else rng.standard_normal(shape)
        x = numbers if tokens else numbers.astype(np.float32)
    if side == "numpy":
        import nncomp

        model = nncomp.load(file, **keywords)
        return lambda: list(model.run({input_name: x}, backend="numpy").values())
    if side == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.force_spinning_stop", "1")
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: list(session.run(None, {input_name: x}))
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(path)
    return lambda: list(evaluator.run(None, {input_name: x}))


def work(side: str, name: str, path: str, outputs: str) -> None:
    """A side's process: for each line it reads it takes a turn and writes its times."""
    run = runner(side, name, path)
    np.savez(outputs, *run())
    print("ready", flush=True)
    for _ in sys.stdin:
        times: list[list[float]] = []
        end = time.perf_counter() + TURN
        while not times or time.perf_counter() < end:
            start, processor = time.perf_counter(), time.process_time()
            run()
            times.append([time.perf_counter() - start, time.process_time() - processor])
        print(json.dumps(times), flush=True)


class Side:
    """The process of one side of one network."""

    def __init__(self, side: str, name: str, folder: str, threads: int) -> None:
        self.outputs = f"{folder}/{side}.npz"
        self.times: list[list[float]] = []
        command = [sys.executable, __file__, name, "--work", side, f"{folder}/model.onnx"]
        environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
        if threads:
            environment |= {"OMP_NUM_THREADS": f"{threads}", "OPENBLAS_NUM_THREADS": f"{threads}"}
        self.process = subprocess.Popen(
            [*command, self.outputs],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"{' '.join(map(str, self.process.args))} failed")  # type: ignore
        return line

    def turn(self) -> None:
        assert self.process.stdin is not None
        time.sleep(PAUSE)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.times += json.loads(self._line())

    def close(self) -> list[np.ndarray]:
        """The outputs of the first run."""
        self.process.communicate()
        with np.load(self.outputs) as arrays:
            return list(arrays.values())


def _write(name: str, path: Path) -> None:
    import nncomp

    if name in IMPORTED:
        from parts.exports import export

        export(IMPORTED[name], path.with_name("exported.onnx"))
        nncomp.load(path.with_name("exported.onnx")).build(path)
    else:
        file, model_name, settings, *_ = NETWORKS[name]
        nncomp.load(file, model=model_name, **settings).build(path)


def measure(
    name: str, rounds: int, reference_rounds: int, threads: int
) -> dict[str, list[list[float]]]:
    """Seconds of each run, by the wall and of the processor, for each side."""
    with tempfile.TemporaryDirectory() as folder:
        _write(name, Path(folder, "model.onnx"))
        sides = {side: Side(side, name, folder, threads) for side in SIDES}
        for i in range(max(rounds, reference_rounds)):
            for side, process in sides.items():
                if i < (reference_rounds if side == "reference" else rounds):
                    process.turn()
        outputs = {side: process.close() for side, process in sides.items()}
        for side in SIDES[1:]:
            for ours, theirs in zip(outputs["numpy"], outputs[side], strict=True):
                scale = np.abs(theirs).max()
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 * scale, err_msg=name)
        return {side: process.times for side, process in sides.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", help=", ".join([*NETWORKS, *IMPORTED]))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--reference-rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="of each side; 0: one a core")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        side, path, outputs = args.work
        work(side, args.networks[0], path, outputs)
        return
    print(f"{'':18} {'milliseconds':^29}  {'medians':^15} {'minima':^15} {'processor':^15}")
    print(
        f"{'network':18} {'numpy':>9} {'ort':>9} {'onnx.ref':>9}  "
        f"{'np/ort':>7} {'ref/np':>7} {'np/ort':>7} {'ref/np':>7} {'np/ort':>7} {'ref/np':>7}"
    )
    for name in args.networks or [*NETWORKS, *IMPORTED]:
        times = measure(name, args.rounds, args.reference_rounds, args.threads)
        columns = {side: [1e3 * np.array(c) for c in zip(*times[side])] for side in SIDES}  # noqa
        medians = [statistics.median(columns[side][0]) for side in SIDES]
        minima = [min(columns[side][0]) for side in SIDES]
        processor = [statistics.median(columns[side][1]) for side in SIDES]
        print(
            f"{name:18} {medians[0]:9.2f} {medians[1]:9.2f} {medians[2]:9.0f}"
            f"  {medians[0] / medians[1]:7.2f} {medians[2] / medians[0]:7.1f}"
            f" {minima[0] / minima[1]:7.2f} {minima[2] / minima[0]:7.1f}"
            f" {processor[0] / processor[1]:7.2f} {processor[2] / processor[0]:7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
