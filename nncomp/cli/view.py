"""Draw a model's graph as SVG.

Blocks, their operators, and the shapes between them: as written, and as optimised beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nncomp.cli.arguments import add_level, add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "-o", "--output", metavar="OUT.svg", help="(default: the name of FILE, here)"
    )
    parser.add_argument("--entry", metavar="NAME", help="which entry (default: the model itself)")
    parser.add_argument(
        "--only",
        choices=("before", "after"),
        help="draw the graph before or after the passes (default: both, side by side)",
    )
    parser.add_argument(
        "--depth", metavar="N", type=int, help="levels of blocks to open (default: what fits)"
    )
    add_level(parser)


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.arguments import program_of, stem_of
    from nncomp.errors import error
    from nncomp.files import write_atomic

    if args.output and Path(args.output).suffix in (".png", ".pdf", ".jpg", ".jpeg"):
        raise error(
            "NN0001",
            f"cannot write {args.output!r}: pictures are SVG",
            help=f"-o {Path(args.output).with_suffix('.svg')}; a browser shows and converts it",
        )
    program = program_of(args)
    from nncomp.driver.inspecting import picture_of

    path = args.output or f"{stem_of(args, program)}.svg"
    picture = picture_of(
        program, entry=args.entry, level=args.level, only=args.only, depth=args.depth
    )
    write_atomic(path, picture.encode())
    print(f"wrote {path}")
    return 0
