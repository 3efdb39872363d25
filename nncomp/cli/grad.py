"""Write a model's gradients as ONNX.

The written graph gives the loss, under its name, and for each x of --wrt its gradient, `grad/x`.
Parameters are inputs named by their paths, or constants with --weights.
"""

from __future__ import annotations

import argparse

from nncomp.cli.arguments import add_level, add_model, add_opset
from nncomp.cli.loading import output_of, program_of, stem_of

_SHOWN = 12  # gradients listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_request(parser)
    parser.add_argument(
        "-o", "--output", metavar="OUT.onnx", help="(default: FILE.grad.onnx, here)"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a .safetensors or .npz file that is written into the graph (default: parameters "
        "are inputs)",
    )
    add_level(parser)
    add_opset(parser)


def add_request(parser: argparse._ActionsContainer) -> None:
    """--wrt, --loss and --section."""
    parser.add_argument(
        "--wrt",
        metavar="NAME",
        action="append",
        help="with respect to what: a parameter's path or a block's, an input, a value by name, "
        "or a pattern ('conv*.weight'); may be repeated (default: all learnt parameters)",
    )
    parser.add_argument(
        "--loss",
        metavar="NAME",
        help="an output or a value by name (default: the train section's loss, in training mode, "
        "else the only scalar output)",
    )
    parser.add_argument(
        "--section", metavar="NAME", help="which train section (default: the first)"
    )


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.report import show

    program = program_of(args)
    from nncomp.driver.building import write_model
    from nncomp.driver.compiling import onnx_model, state_of
    from nncomp.driver.differentiating import compile_request, find_request

    path = output_of(args, f"{stem_of(args, program)}.grad.onnx")
    show(program.warnings, args.format)
    asked = find_request(program, args.wrt, loss=args.loss, section=args.section)
    weights = state_of(program, args.weights, training=False) if args.weights else None
    graph = compile_request(asked, weights, level=args.level)
    file = write_model(path, onnx_model(graph, args.opset))
    print(f"wrote {file}")
    if file.data:
        print(f"wrote {file.data}: its weights")
    for name, value in list(graph.outputs.items())[: _SHOWN + 1]:
        print(f"  {name}: {value.type}")
    if len(graph.outputs) > _SHOWN + 1:
        print(f"  … and {len(graph.outputs) - _SHOWN - 1} more")
    return 0
