"""Run a model on arrays.

Prints a summary of each output; -o writes them all to an .npz file, or the only one to an .npy
file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncomp.cli.arguments import add_entry, add_inputs, add_model, add_place, add_weights
from nncomp.cli.loading import inputs_of, program_of, state_of
from nncomp.cli.passes import add_passes, add_views

if TYPE_CHECKING:
    from nncomp.errors import CompileError
    from nncomp.ir.graph import Value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_inputs(parser, "an input of the model")
    parser.add_argument(
        "-o", "--output", metavar="OUT.npz", help="where to write the outputs; OUT.npy for one"
    )
    add_entry(parser)
    add_place(parser)
    add_weights(parser)
    add_passes(parser)
    add_views(parser)


def execute(args: argparse.Namespace) -> int:
    program = program_of(args, given=[name for name, _ in args.inputs])
    from nncomp.cli.passes import Viewer
    from nncomp.driver.compiling import entry_of
    from nncomp.driver.running import run
    from nncomp.errors import CompileError, error
    from nncomp.files import write_atomic
    from nncomp.types import tensors_of
    from nncomp.weights import describe, npy_bytes, npz_bytes

    graph = entry_of(program, args.entry)
    if args.output and args.output.endswith(".npy") and not _is_one(graph.outputs.values()):
        listed = ", ".join(f"`{name}`" for name in graph.outputs)
        help = f"write them to {Path(args.output).with_suffix('.npz')}"
        raise error("NN0001", f"{args.output} holds one array, the outputs are {listed}", help=help)
    inputs = inputs_of(args, graph)
    viewer = Viewer(args)
    try:
        result = run(
            program,
            state_of(args, program, training=False),
            inputs,
            backend=args.backend,
            device=args.device,
            entry=args.entry,
            level=viewer.plan,
        )
    except CompileError as failure:
        raise _with_files(failure, dict(args.inputs), inputs) from None
    viewer.finish()
    drawn = program.initial.inputs  # an ONNX model has weights of its own
    if args.weights is None and drawn and graph.parameters:
        print(
            f"note: the weights are initial values, drawn from seed {args.seed}; "
            "--weights names a file of trained ones",
            file=sys.stderr,
        )
    for operator in result.fallbacks:
        print(f"runs on the CPU: {operator}", file=sys.stderr)
    outputs = tensors_of(result.outputs)
    for name, array in outputs.items():
        text = f"{name}: {describe(array)}"
        if array.size and array.dtype.kind in "fiu":
            text += f"  min {array.min():.6g}  mean {array.mean():.6g}  max {array.max():.6g}"
        print(text)
    if args.output:
        path = args.output if args.output.endswith((".npz", ".npy")) else f"{args.output}.npz"
        alone = path.endswith(".npy")
        write_atomic(path, npy_bytes(*outputs.values()) if alone else npz_bytes(outputs))
        print(f"wrote {path}")
    return 0


def _with_files(
    failure: CompileError, files: Mapping[str, str], inputs: Mapping[str, Any]
) -> CompileError:
    """The same, with what the file holds of an input that does not fit."""
    from nncomp.errors import CompileError, Note
    from nncomp.weights import describe

    held = {
        f"input `{name}`": Note(f"{path} holds {describe(inputs[name])}")
        for name, path in files.items()
        if not isinstance(inputs[name], list)  # a sequence
    }
    found = []
    for diagnostic in failure.diagnostics:
        notes = [note for name, note in held.items() if diagnostic.message.startswith(name)]
        found.append(replace(diagnostic, notes=(*diagnostic.notes, *notes)))
    return CompileError(*found)


def _is_one(outputs: Collection[Value]) -> bool:
    """Whether they are one tensor."""
    from nncomp.types import is_container

    return len(outputs) == 1 and not any(is_container(value.type) for value in outputs)
