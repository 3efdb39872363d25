"""Arguments that `train` and `tune` share, and some of them `build`."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_list, add_memory, add_place, add_renamed, add_target, positive
from nncomp.training.schedules import NAMES

if TYPE_CHECKING:
    from nncomp.lower.objective import Objective
    from nncomp.lower.program import Program
    from nncomp.training.data import DataSet
    from nncomp.training.options import Options
    from nncomp.training.sources import Reading
    from nncomp.training.variants import Variant


def add_data(parser: argparse.ArgumentParser) -> None:
    """--data and how it is read, divided and changed."""
    group = parser.add_argument_group("data")
    add_source(group, required=True)
    group.add_argument(
        "--split",
        metavar="TRAIN,VALIDATION,TEST",
        type=_split,
        default=(0.7, 0.1, 0.2),
        help="shares of the samples, for parts that the data does not name (default: 70,10,20)",
    )
    group.add_argument(
        "--no-shuffle", action="store_true", help="take the samples as they stand in each epoch"
    )
    group.add_argument(
        "--shift",
        metavar="PIXELS",
        type=_count,
        default=0,
        help="move the images by up to so many pixels, anew in each epoch (default: 0)",
    )
    group.add_argument(
        "--flip", action="store_true", help="mirror every second image, left and right"
    )
    group.add_argument(
        "--noise",
        metavar="STD",
        type=amount,
        default=0.0,
        help="add Gaussian noise to the model's inputs (default: 0)",
    )
    group.add_argument(
        "--intensity",
        metavar="SHARE",
        type=amount,
        default=0.0,
        help="multiply each sample by a factor in 1 ± SHARE (default: 0)",
    )


def add_source(group: argparse._ActionsContainer, required: bool) -> None:
    """--data, --label and --columns."""
    group.add_argument(
        "--data",
        required=required,
        action="append",
        metavar="DATA",
        help="sklearn:digits (iris, wine, breast_cancer, diabetes, linnerud, photos, "
        "descriptions, sentences, words, strokes); networkx:karate; generated:adding (parity, "
        "copy, reverse, sort, bits, motif, music, ring, facts); an .npz, .safetensors, .csv or "
        ".tsv file; a folder of .npy files, or of images in a folder for each class; or "
        "[NAME=]FILE.npy, once for each array",
    )
    group.add_argument(
        "--label",
        metavar="COLUMN",
        help="of a table, the target (default: columns named as inputs, else the last)",
    )
    group.add_argument(
        "--columns",
        metavar="A,B,…",
        type=lambda text: tuple(name.strip() for name in text.split(",")),
        default=(),
        help="of a table, the features (default: all other columns)",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """How to train."""
    group = parser.add_argument_group("training")
    group.add_argument("--epochs", metavar="N", type=positive, default=20, help="(default: 20)")
    group.add_argument("--batch-size", metavar="N", type=positive, default=64, help="(default: 64)")
    group.add_argument("--lr", metavar="RATE", type=amount, help="(default: the model's own)")
    group.add_argument(
        "--schedule",
        choices=NAMES,
        default="constant",
        help="of the learning rate over the whole run (default: constant)",
    )
    group.add_argument(
        "--warmup",
        metavar="STEPS",
        type=_count,
        default=0,
        help="raise the learning rate to its full size over so many steps first (default: 0)",
    )
    group.add_argument(
        "--patience",
        metavar="N",
        type=positive,
        help="stop when the validation loss has not fallen for N epochs (default: never)",
    )
    group.add_argument(
        "--keep",
        choices=("best", "last"),
        default="best",
        help="the weights of the epoch with the lowest validation loss, or of the last, where a "
        "loss does not say what is good, as with two adversaries (default: best)",
    )
    add_variant(group)
    group.add_argument("--section", metavar="NAME", help="which train block (default: the first)")
    add_memory(parser)
    add_place(parser)
    add_target(parser)


def add_objective(parser: argparse.ArgumentParser) -> None:
    """--loss, --metric and --optimizer."""
    group = parser.add_argument_group("what an ONNX model is to learn")
    group.add_argument(
        "--loss",
        metavar="LOSS",
        help="a fn of the library: cross_entropy, mse, 'cross_entropy(logits, axis=-1)'; or an "
        "output of the model",
    )
    about = "accuracy, rmse, 'top5=top_k_accuracy(k=5)'"
    add_list(group, "--metric", "[NAME=]METRIC", about)
    group.add_argument(
        "--optimizer",
        metavar="OPTIMIZER",
        help="'AdamW(lr=3e-5)', 'clipped(SGD(lr=0.01, momentum=0.9), norm=1)' (default: "
        "Adam(lr=1e-4))",
    )


def objective_of(args: argparse.Namespace) -> Objective | None:
    """What the arguments say that an ONNX model is to learn, if they say so."""
    from nncomp.errors import error
    from nncomp.lower.objective import Objective

    if args.loss is None:
        if args.metric or args.optimizer:
            given = "--metric" if args.metric else "--optimizer"
            raise error("NN0408", f"{given} is for --loss, which is not given")
        return None
    optimizer = args.optimizer or Objective.optimizer
    return Objective(args.loss, tuple(args.metric), optimizer, tuple(args.trainable))


def add_variant(group: argparse._ActionsContainer) -> None:
    """--freeze, --trainable, --average, --precision and --accumulate."""
    about = "leave parameters as they are: a path, a block, or a pattern (conv*)"
    add_list(group, "--freeze", "NAME", about)
    add_renamed(
        group,
        "--trainable",
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="leave all other parameters as they are; may be repeated",
    )
    group.add_argument(
        "--average",
        metavar="SHARE",
        type=_share,
        help="validate and keep moving averages of the parameters, which keep this share of "
        "themselves in each step, such as 0.999 (default: none)",
    )
    group.add_argument(
        "--precision",
        choices=("float32", "mixed"),
        default="float32",
        help="mixed: products in float16, with a scale of the loss that keeps small gradients; "
        "parameters and losses stay float32 (default: float32)",
    )
    group.add_argument(
        "--accumulate",
        metavar="N",
        type=positive,
        default=1,
        help="let the optimiser act on the mean gradient of N batches (default: 1)",
    )


def data_of(args: argparse.Namespace, program: Program) -> DataSet:
    """The data that the arguments name, fitted to the program. Raises CompileError."""
    from nncomp.driver.train import data_for
    from nncomp.training.data import Split

    split, reading = Split(*args.split), reading_of(args)
    return data_for(program, args.data, args.section, split=split, reading=reading)


def reading_of(args: argparse.Namespace) -> Reading:
    """How the arguments say to read a table."""
    from nncomp.training.sources import Reading

    return Reading(args.label, args.columns)


def options_of(args: argparse.Namespace) -> Options:
    """How the arguments say to train."""
    from nncomp.training.options import Options

    return Options(
        epochs=args.epochs,
        batch_size=args.batch_size,
        schedule=args.schedule,
        warmup=args.warmup,
        shift=args.shift,
        flip=args.flip,
        noise=args.noise,
        intensity=args.intensity,
        shuffle=not args.no_shuffle,
        patience=args.patience,
        keep=args.keep,
        seed=args.seed,
    )


def variant_of(args: argparse.Namespace) -> Variant:
    """What the arguments change of the step."""
    from nncomp.training.variants import Variant

    return Variant(
        tuple(args.freeze), args.average, args.accumulate, tuple(args.trainable), args.precision
    )


def _split(text: str) -> tuple[float, float, float]:
    """`70,10,20` as shares, for argparse."""
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected three numbers, not {text!r}") from None
    total = train + validation + test
    if not (train > 0 and validation >= 0 and test >= 0 and math.isfinite(total)):
        raise argparse.ArgumentTypeError(f"expected shares from 0 on, some to train, not {text!r}")
    return train / total, validation / total, test / total


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return value


def amount(text: str) -> float:
    value = float(text)
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError("must be a number from 0 on")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


_share.__name__ = "number"
_count.__name__ = "integer"  # argparse shows them
amount.__name__ = "number"
_split.__name__ = "shares"
