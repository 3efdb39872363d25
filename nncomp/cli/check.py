"""Check files for errors.

Lowers each model with its default hyperparameters (or those of --set), its training too, as far
as the ONNX graphs; nothing is written.
"""

from __future__ import annotations

import argparse

from nncomp.cli.arguments import add_choice
from nncomp.cli.loading import file_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help=".nn or .onnx files; - for standard input"
    )
    add_choice(parser, "all")


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.report import report, show
    from nncomp.errors import CompileError, Diagnostic

    status = 0
    for name in args.files:
        try:
            source = file_of(name)
            from nncomp.driver.checking import check

            for found in check(source, args.model, dict(args.settings), args.with_inputs):
                if isinstance(found, Diagnostic):
                    show([found], args.format)
                else:
                    print(found)
        except CompileError as failure:
            report(failure, args.format)
            status = 1
    return status
