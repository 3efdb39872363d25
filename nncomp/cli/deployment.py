"""Less precision for deployment: its arguments, and what it changes as tables."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nncomp.cli.arguments import positive

if TYPE_CHECKING:
    from nncomp.deployment.accuracy import Accuracy
    from nncomp.driver.deploying import Deployed, Deployment


def add_deployment(parser: argparse.ArgumentParser) -> None:
    """--dtype, --io, --quantize, --calibration and --samples."""
    group = parser.add_argument_group("precision of the inference model")
    group.add_argument(
        "--dtype",
        choices=("float32", "float16"),
        default="float32",
        help="float16: all but what is safer in float32, which is listed (default: float32)",
    )
    group.add_argument(
        "--io",
        choices=("float32", "float16"),
        default="float32",
        help="with --dtype float16: of inputs and outputs (default: float32)",
    )
    group.add_argument(
        "--quantize",
        choices=("int8",),
        help="products in 8-bit integers, with ranges from each run, or from --calibration",
    )
    group.add_argument(
        "--calibration",
        metavar="DATA",
        action="append",
        default=[],
        help="what `nncomp train --data` takes: half of it gives the ranges of numbers, on the "
        "other half (or its test samples) the change is measured, with the model's metrics",
    )
    group.add_argument(
        "--samples",
        metavar="N",
        type=positive,
        default=256,
        help="how many of each half at most (default: 256)",
    )


def deployment_of(args: argparse.Namespace) -> Deployment:
    """What the arguments ask for. Raises CompileError NN0606 for what contradicts itself."""
    from nncomp.driver.deploying import Deployment, require_sense

    wanted = Deployment(
        args.dtype,
        args.io,
        args.quantize,
        args.calibration or None,
        samples=args.samples,
    )
    require_sense(wanted)
    return wanted


def print_deployed(deployed: Deployed) -> None:
    """What stays float32 and why, and what is lost."""
    from rich.table import Table

    from nncomp.inspect.tables import report_console

    console = report_console()
    half, integers = deployed.float16, deployed.int8
    if half is not None:
        print(f"float16: {half.half} of {half.nodes} nodes, {half.casts} casts")
        table = Table("stays float32", "nodes", "because")
        for kept in half.kept:
            table.add_row(kept.operator, str(kept.nodes), kept.reason)
        if half.kept:
            console.print(table)
    if integers is not None:
        table = Table("products", "int8", "float32")
        for operator, (done, left) in integers.products.items():
            table.add_row(operator, str(done), str(left))
        console.print(table)
    _print_accuracy(deployed.accuracy)


def _print_accuracy(accuracy: Accuracy) -> None:
    from rich.table import Table

    from nncomp.inspect.tables import report_console

    console = report_console()
    parts = "errors as parts of the largest number and of the mean size"
    print(f"measured on {accuracy.measured}, {parts}:")
    table = Table("output", "max error", "mean error", "cosine")
    for change in accuracy.outputs:
        numbers = (f"{change.largest:.2g}", f"{change.mean:.2g}", f"{change.cosine:.6f}")
        table.add_row(change.name, *numbers)
    console.print(table)
    if accuracy.metrics:
        table = Table("metric", "float32", "now")
        for metric in accuracy.metrics:
            table.add_row(metric.name, f"{metric.before:.4f}", f"{metric.after:.4f}")
        console.print(table)
    for note in accuracy.notes:
        print(f"note: {note}")
