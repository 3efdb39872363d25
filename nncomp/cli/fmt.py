"""Format files in the canonical layout.

Rewrites the files in place; `-` formats standard input to standard output.
"""

from __future__ import annotations

import argparse

from nncomp.cli.loading import source_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help=".nn files; - for standard input")
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; list what would change, and exit with 1 if anything would",
    )


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.report import report
    from nncomp.errors import CompileError
    from nncomp.files import write_atomic
    from nncomp.syntax import format_source

    status = 0
    for name in args.files:
        try:
            source = source_of(name)
            formatted = format_source(source)
            if args.check:
                if formatted != source.text:
                    print(f"would reformat {source.name}")
                    status = 1
            elif name == "-":
                print(formatted, end="")
            elif formatted != source.text:
                write_atomic(name, formatted.encode())
                print(f"reformatted {name}")
        except CompileError as failure:
            report(failure, args.format)
            status = 1
    return status
