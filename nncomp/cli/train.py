"""Train a model on a data set.

Runs the compiled training step in onnxruntime (or NumPy), validates after each epoch, and writes
into DIR: best.safetensors and last.safetensors, log.jsonl, curve.png, and the trained NAME.onnx.
"""

from __future__ import annotations

import argparse
import sys

from nncomp.cli.arguments import (
    add_memory,
    add_model,
    add_place,
    add_target,
    add_weights,
    positive,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help="sklearn:digits (iris, wine, breast_cancer, diabetes) or an .npz file",
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="(default: out/NAME)")
    parser.add_argument("--epochs", metavar="N", type=positive, default=20, help="(default: 20)")
    parser.add_argument(
        "--batch-size", metavar="N", type=positive, default=64, help="(default: 64)"
    )
    parser.add_argument("--lr", metavar="RATE", type=float, help="(default: the model's own)")
    parser.add_argument(
        "--schedule",
        choices=("constant", "cosine"),
        default="constant",
        help="of the learning rate; cosine takes it down to zero (default: constant)",
    )
    parser.add_argument(
        "--shift",
        metavar="PIXELS",
        type=int,
        default=0,
        help="move the images by up to so many pixels, anew in each epoch (default: 0)",
    )
    parser.add_argument(
        "--patience",
        metavar="N",
        type=positive,
        help="stop when the validation loss has not fallen for N epochs (default: never)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the last checkpoint in DIR"
    )
    add_memory(parser)
    parser.add_argument("--section", metavar="NAME", help="which train block (default: the first)")
    add_weights(parser)
    add_place(parser)
    add_target(parser)


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.arguments import program_of, state_of, stem_of
    from nncomp.cli.report import show
    from nncomp.driver.train import data_for, train
    from nncomp.training.progress import Bar, Lines, numbers
    from nncomp.training.trainer import Options

    program = program_of(args)
    show(program.warnings, args.format)
    data = data_for(program, args.data, args.section)
    print(f"{data.describe()} ({'; '.join(data.notes)})" if data.notes else data.describe())
    options = Options(
        epochs=args.epochs,
        batch_size=args.batch_size,
        schedule=args.schedule,
        shift=max(args.shift, 0),
        patience=args.patience,
        seed=args.seed,
    )
    trained = train(
        program,
        state_of(args, program, training=True),
        data,
        options,
        args.output or f"out/{stem_of(args, program)}",
        section=args.section,
        lr=args.lr,
        backend=args.backend,
        device=args.device,
        target=args.target,
        resume=args.resume,
        reporter=Bar(args.epochs) if sys.stderr.isatty() else Lines(args.epochs),
        memory_budget=args.memory_budget,
    )
    if trained.memory:
        print(trained.memory)
    for operator in trained.fallbacks:
        print(f"runs on the CPU: {operator}", file=sys.stderr)
    print(f"test {numbers(trained.outcome.test)} (best epoch: {trained.outcome.best_epoch})")
    for path in (trained.checkpoint, trained.curve, trained.built):
        if path:
            print(f"wrote {path}")
    return 0
