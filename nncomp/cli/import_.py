"""Write an ONNX model as a .nn file.

Its weights are written beside it, NAME.safetensors: `nncomp build NAME.nn --weights
NAME.safetensors` gives the same outputs. Neither is written over a file that is there already.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nncomp.cli.arguments import add_settings
from nncomp.cli.loading import file_of, output_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="an .onnx file; - for standard input")
    parser.add_argument(
        "-o", "--output", metavar="OUT.nn", help="(default: the name of FILE, here)"
    )
    parser.add_argument(
        "--force", action="store_true", help="write over files that are there already"
    )
    add_settings(parser, "the value of an input, which is a constant then")


def execute(args: argparse.Namespace) -> int:
    if args.output and Path(args.output).suffix != ".nn":
        args.parser.error(f"what is written is a .nn file, not {args.output!r}")
    from nncomp.cli.report import show
    from nncomp.driver.decompiling import import_file
    from nncomp.errors import error
    from nncomp.source import SourceFile

    file = file_of(args.file)
    if isinstance(file, SourceFile):
        raise error("NN0306", f"{file.name} is a .nn file: `import` takes an ONNX model")
    name = "model" if args.file == "-" else Path(args.file).stem
    path = output_of(args, f"{name}.nn")
    written = import_file(file, path, dict(args.settings), overwrite=args.force)
    show(written.warnings, args.format)
    blocks = f", {written.blocks} blocks" if written.blocks > 1 else ""
    print(f"wrote {written.path}: {written.lines} lines{blocks}")
    if written.weights:
        print(f"wrote {written.weights}: {written.bytes / 1e6:,.2f} MB of weights")
    return 0
