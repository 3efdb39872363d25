"""Show what differs between two models.

Structure, attributes, shapes and weights, by path; .nn files, ONNX models, or one of each. Nodes
are recognised by what they compute, what they are called and what stands around them, so that one
layer more is one difference. A .nn file beside an ONNX model is compiled first: it is equal to what
`build -O0` made of it, and beside what `build` made of it the difference is the compiler's work.

Exit status: 0 if the models are equal, 1 if they differ, 2 if they cannot be compared.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_choice, add_entry, add_level, add_list, add_weights, pair
from nncomp.cli.loading import file_of, state_of

if TYPE_CHECKING:
    from nncomp.driver.diffing import Given
    from nncomp.onnx_import.reading import OnnxFile
    from nncomp.source import SourceFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="a .nn or .onnx file; - for standard input")
    parser.add_argument(
        "b",
        metavar="B",
        nargs="?",
        help="the other one (default: A itself, otherwise set by --set-b, --model-b, --weights-b)",
    )
    add_choice(parser, "the file's first")
    add_entry(parser)
    add_weights(parser)
    add_other(parser)
    parser.add_argument(
        "--no-weights", action="store_true", help="do not compare the numbers in weights"
    )
    tolerances = (
        ("--atol", "numbers that are no further apart than this are the same (default: 0)"),
        ("--rtol", "and by this share of B's number more (default: 0)"),
        ("--tolerance", "both --atol and --rtol"),
    )
    for option, text in tolerances:
        parser.add_argument(option, metavar="X", type=float, help=text)
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )
    add_level(parser, 0)


def add_other(parser: argparse._ActionsContainer) -> None:
    """--set-b, --model-b and --weights-b."""
    about = "the value of a hyperparameter in B only"
    add_list(parser, "--set-b", "NAME=VALUE", about, type=pair, dest="settings_b")
    parser.add_argument("--model-b", metavar="NAME", help="which model in B (default: --model)")
    parser.add_argument("--weights-b", metavar="FILE", help="those of B (default: --weights)")


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.report import report
    from nncomp.errors import CompileError

    try:
        return _execute(args)
    except CompileError as failure:
        report(failure, args.format)
        return 2


def _execute(args: argparse.Namespace) -> int:
    a = file_of(args.a)
    if args.b is None and not (args.settings_b or args.model_b or args.weights_b):
        args.parser.error("needs B: another file, or what is otherwise in the same one (--set-b)")
    files = a, a if args.b is None else file_of(args.b)
    from nncomp.driver.diffing import compare
    from nncomp.inspect.diff.tensors import Tolerance

    both = 0.0 if args.tolerance is None else args.tolerance
    atol, rtol = (both if x is None else x for x in (args.atol, args.rtol))
    found = compare(
        *sides(args, *files),
        level=args.level,
        tolerance=None if args.no_weights else Tolerance(atol, rtol),
    )
    if args.format == "json":
        import json

        print(json.dumps(found.to_json(), indent=2))
    else:
        from nncomp.cli.report import has_colour
        from nncomp.inspect.diff.text import print_diff
        from nncomp.inspect.tables import report_console

        colour = has_colour(sys.stdout)
        print_diff(found, report_console(no_color=not colour, force_terminal=colour))
    return int(not found.equal)


def sides(
    args: argparse.Namespace, a: SourceFile | OnnxFile, b: SourceFile | OnnxFile
) -> tuple[Given, Given]:
    """The two models as the arguments name them. Raises CompileError."""
    from nncomp.driver.diffing import from_file, from_program
    from nncomp.driver.importing import require_plain
    from nncomp.driver.programs import load_program
    from nncomp.source import SourceFile

    imported = [not isinstance(file, SourceFile) for file in (a, b)]
    settings = dict(args.settings)
    found = []
    for file, is_b in ((a, False), (b, True)):
        model = (args.model_b or args.model) if is_b else args.model
        own = dict(args.settings_b) if is_b else {}
        chosen = {**settings, **own}
        if not isinstance(file, SourceFile):
            given = from_file(file, chosen if all(imported) else own)
            if all(imported) or (is_b and (args.model_b or args.settings_b)):
                require_plain(file, given.graph.name, model, args.with_inputs)
            found.append(given)
            continue
        program = load_program(file, model, chosen, ("entry",), args.with_inputs)
        weights = (args.weights_b or args.weights) if is_b else args.weights
        with_weights = argparse.Namespace(**{**vars(args), "weights": weights})
        state = state_of(with_weights, program, training=False)
        name = file.name
        if a.name == b.name:  # one model compared with itself, otherwise set
            name = " ".join([name, *(f"{key}={value}" for key, value in chosen.items())])
        found.append(from_program(name, program, state, args.entry))
    return found[0], found[1]
