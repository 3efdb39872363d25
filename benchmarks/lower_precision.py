"""What less precision saves in onnxruntime on the CPU, and what recurrent operators save of Scans.

    python benchmarks/lower_precision.py [encoder resnet lstm …] [--rounds 25] [--one-thread]
        [--small]

`encoder`: a BERT-like encoder of six layers of width 512 on 4 texts of 128 tokens, as float32, with
dynamic int8 and as float16; `resnet`: a ResNet-20 on 8 images, int8 calibrated on random numbers;
`lstm`, `gru`, `rnn`: 128 units over 100 steps of 32 numbers, batch 8, as a Scan (-O1) and as the
operator (-O3). The forms of a model take turns on one input; a ratio is that of medians to the
first form's, with `--one-thread` that of the least processor time of one thread, which other work
on the machine moves little. Goal: encoder int8 ≤ 0.45, operators ≤ 0.5.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import nncomp
from nncomp.backends.ort.session import Session
from nncomp.types import Array

MODELS = Path(__file__).resolve().parent.parent / "models"
Form = tuple[str, dict[str, Any]]


@dataclass
class Case:
    """A model, the forms that it is built in, the first being what the others are held against."""

    file: str
    model: str
    settings: dict[str, Any]
    inputs: dict[str, Array]
    forms: list[Form]
    times: dict[str, list[float]] = field(default_factory=dict)


def cases(small: bool) -> dict[str, Case]:
    rng = np.random.default_rng(0)
    size = 4 if small else 1
    encoder = {"layers": 6 // size, "width": 512 // size, "heads": 8, "vocabulary": 1000}
    tokens = rng.integers(0, 1000, (4, 128 // size))
    images = rng.normal(size=(8, 3, 32, 32)).astype(np.float32)
    sequence = rng.normal(size=(8, 100 // size, 32)).astype(np.float32)
    recurrent = {"features": 32, "hidden": 128 // size}
    as_scan: list[Form] = [("Scan", {"level": 1}), ("operator", {"level": 3})]
    whole: Form = ("float32", {})
    half: Form = ("float16", {"dtype": "float16"})
    integers: Form = ("int8", {"quantize": "int8"})
    calibrated: Form = ("int8", {"quantize": "int8", "calibration": {"image": images}})
    return {
        "encoder": Case("bert.nn", "Bert", encoder, {"tokens": tokens}, [whole, integers, half]),
        "resnet": Case(
            "resnet.nn", "CifarResNet", {"depth": 20}, {"image": images}, [whole, calibrated]
        ),
        **{
            name: Case(f"{name}.nn", model, recurrent, {"x": sequence}, as_scan)
            for name, model in (("lstm", "AddingLSTM"), ("gru", "AddingGRU"), ("rnn", "ElmanRNN"))
        },
    }


def measure(case: Case, rounds: int, one_thread: bool) -> dict[str, int]:
    """Times each form in turn; the bytes of each."""
    clock = time.process_time if one_thread else time.perf_counter
    model = nncomp.load(MODELS / case.file, case.model, **case.settings)
    sessions, sizes = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in case.forms:
            file = Path(folder, f"{name}.onnx")
            model.build(file, **options)
            sizes[name] = file.stat().st_size
            sessions[name] = Session(file, threads=1 if one_thread else None)
    for name, session in sessions.items():
        session.run(case.inputs)
        case.times[name] = []
    for _ in range(rounds):
        for name, session in sessions.items():
            start = clock()
            session.run(case.inputs)
            case.times[name].append(clock() - start)
    return sizes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = cases(small=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--small", action="store_true", help="a fourth of each size, to try it out")
    parser.add_argument("--one-thread", action="store_true", help="processor time of one thread")
    args = parser.parse_args()
    typical = min if args.one_thread else statistics.median
    every = cases(args.small)
    print(f"{'model':9} {'form':9} {'ms':>9} {'ratio':>6} {'MB':>7}")
    for name in args.names or every:
        case = every[name]
        sizes = measure(case, args.rounds, args.one_thread)
        first = typical(case.times[case.forms[0][0]])
        for form, times in case.times.items():
            taken = typical(times)
            megabytes = sizes[form] / 1e6
            print(f"{name:9} {form:9} {1e3 * taken:9.3f} {taken / first:6.2f} {megabytes:7.2f}")


if __name__ == "__main__":
    main()
