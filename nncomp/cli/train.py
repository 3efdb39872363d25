"""Train a model on a data set.

Runs the compiled training step in onnxruntime (or NumPy), validates after each epoch, and writes
into DIR: best.safetensors and last.safetensors, log.jsonl, curve.png and curve.svg, and the trained
NAME.onnx. Ctrl-C ends it with a checkpoint, from which --resume goes on.

An ONNX model from elsewhere learns what --loss says; NAME.onnx is then the same model with its new
weights.

  nncomp train FILE.nn --data sklearn:digits
  nncomp train FILE.onnx --data DATA --loss cross_entropy --metric accuracy --freeze 'conv*'
"""

from __future__ import annotations

import argparse
import math
import sys
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_model, add_weights, positive
from nncomp.cli.loading import program_of, state_of, stem_of
from nncomp.cli.training import add_data, add_objective, add_training, amount, objective_of

if TYPE_CHECKING:
    from nncomp.lower.program import Program
    from nncomp.training.reporter import Reporter
    from nncomp.training.variants import Variant

_SHOWN = 8  # names of parameters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("-o", "--output", metavar="DIR", help="(default: out/NAME)")
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in DIR"
    )
    parser.add_argument(
        "--checkpoint-every",
        metavar="SECONDS",
        type=amount,
        default=60.0,
        help="how old a checkpoint may grow within an epoch (default: 60)",
    )
    parser.add_argument(
        "--tensorboard",
        action="store_true",
        help="write events for TensorBoard into DIR/tensorboard too",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=positive,
        default=1,
        help="let so many learners share each batch, each in a thread (default: 1)",
    )
    parser.add_argument(
        "--sync-every",
        metavar="STEPS",
        type=positive,
        default=1,
        help="average the workers after so many steps, in which each goes its own way (default: 1)",
    )
    add_data(parser)
    add_training(parser)
    add_objective(parser)
    add_weights(parser)


def execute(args: argparse.Namespace) -> int:
    import dataclasses

    from nncomp.cli.report import show

    program = program_of(args, objective=objective_of(args))
    from nncomp.cli.training import data_of, options_of, variant_of
    from nncomp.driver.train import train
    from nncomp.training.plot import plot
    from nncomp.training.progress import numbers
    from nncomp.training.reporter import Reporters

    show(program.warnings, args.format)
    data = data_of(args, program)
    print(f"{data.describe()} ({'; '.join(data.notes)})" if data.notes else data.describe())
    variant = variant_of(args)
    if args.loss:
        print(_learnt(program, args.section, variant))
    folder = args.output or f"out/{stem_of(args, program)}"
    try:
        trained = train(
            program,
            state_of(args, program, training=True),
            data,
            dataclasses.replace(
                options_of(args),
                checkpoint_seconds=args.checkpoint_every,
                workers=args.workers,
                sync_every=args.sync_every,
            ),
            folder,
            section=args.section,
            lr=args.lr,
            backend=args.backend,
            device=args.device,
            target=args.target,
            resume=args.resume,
            reporter=Reporters(_reporters(args, folder)),
            memory_budget=args.memory_budget,
            variant=variant,
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


def _learnt(program: Program, section: str | None, variant: Variant) -> str:
    """What of an imported model is learnt, which nothing in it says."""
    from nncomp.driver.compiling import section_of

    step = variant.of(section_of(program, section)[1].step)
    weights = [p for p in step.parameters if p.kind != "state"]
    learnt = [p for p in weights if p.kind == "param" and p.path in step.updates]
    most, least = (sum(math.prod(p.value.type.static_shape) for p in g) for g in (weights, learnt))
    names = [p.path for p in learnt]
    listed = ", ".join(names if len(names) <= _SHOWN else [*names[: _SHOWN - 1], "…"])
    count = f"{len(learnt)} of {len(weights)} parameters, {least:,} of {most:,} numbers"
    return f"learns {count}: {listed}"


def _reporters(args: argparse.Namespace, folder: str) -> list[Reporter]:
    from nncomp.training.progress import Bar, Lines

    found: list[Reporter] = [Bar(args.epochs) if sys.stderr.isatty() else Lines(args.epochs)]
    if args.tensorboard:
        from nncomp.training.tensorboard import TensorBoard

        found.append(TensorBoard(f"{folder}/tensorboard"))
    return found
