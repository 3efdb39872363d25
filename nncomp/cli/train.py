"""Train a model on a data set.

Runs the compiled training step in onnxruntime (or NumPy), validates after each epoch, and writes
into DIR: best.safetensors and last.safetensors, log.jsonl, curve.png and curve.svg, and the trained
NAME.onnx. Ctrl-C ends it with a checkpoint, from which --resume goes on.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_model, add_weights
from nncomp.cli.training import add_data, add_training

if TYPE_CHECKING:
    from nncomp.training.reporter import Reporter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="(default: out/NAME)")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in DIR"
    )
    parser.add_argument(
        "--checkpoint-every",
        metavar="SECONDS",
        type=float,
        default=60.0,
        help="how old a checkpoint may grow within an epoch (default: 60)",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write events for TensorBoard into DIR/tensorboard too",
    )
    add_data(parser)
    add_training(parser)
    add_weights(parser)


def execute(args: argparse.Namespace) -> int:
    import dataclasses

    from nncomp.cli.arguments import program_of, state_of, stem_of
    from nncomp.cli.report import show

    program = program_of(args)
    from nncomp.cli.training import data_of, options_of, variant_of
    from nncomp.driver.train import train
    from nncomp.training.plot import plot
    from nncomp.training.progress import numbers
    from nncomp.training.reporter import Reporters

    show(program.warnings, args.format)
    data = data_of(args, program)
    print(f"{data.describe()} ({'; '.join(data.notes)})" if data.notes else data.describe())
    folder = args.output or f"out/{stem_of(args, program)}"
    try:
        trained = train(
            program,
            state_of(args, program, training=True),
            data,
            dataclasses.replace(options_of(args), checkpoint_seconds=args.checkpoint_every),
            folder,
            section=args.section,
            lr=args.lr,
            backend=args.backend,
            device=args.device,
            target=args.target,
            resume=args.resume,
            reporter=Reporters(_reporters(args, folder)),
            memory_budget=args.memory_budget,
            variant=variant_of(args),
        )
    except KeyboardInterrupt:
        print(f"{folder}/last.safetensors is where it stopped; --resume goes on", file=sys.stderr)
        raise
    if trained.memory:
        print(trained.memory)
    for operator in trained.fallbacks:
        print(f"runs on the CPU: {operator}", file=sys.stderr)
    if sys.stdout.isatty():
        print(plot(trained.outcome.records))
    best = f"best epoch: {trained.outcome.best_epoch}"
    print(f"test {numbers(trained.outcome.test)} ({best})" if trained.outcome.test else best)
    for path in (trained.checkpoint, *trained.curves, trained.built):
        if path:
            print(f"wrote {path}")
    if not trained.curves:
        print("no curves: matplotlib is not installed (pip install 'nncomp[train]')")
    return 0


def _reporters(args: argparse.Namespace, folder: str) -> list[Reporter]:
    from nncomp.training.progress import Bar, Lines

    found: list[Reporter] = [Bar(args.epochs) if sys.stderr.isatty() else Lines(args.epochs)]
    if args.tensorboard:
        from nncomp.training.tensorboard import TensorBoard

        found.append(TensorBoard(f"{folder}/tensorboard"))
    return found
