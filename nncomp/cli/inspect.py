"""Show what a model consists of.

A table by block: shape, parameters, FLOPs, bytes; and what each pass changed.
"""

from __future__ import annotations

import argparse

from nncomp.cli.arguments import add_model, positive
from nncomp.cli.passes import add_passes, add_views


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--entry", metavar="NAME", help="which entry (default: the model itself)")
    parser.add_argument(
        "--batch", metavar="N", type=positive, default=1, help="the batch size (default: 1)"
    )
    parser.add_argument(
        "--depth",
        metavar="N",
        type=positive,
        default=2,
        help="how many levels of blocks to show (default: 2)",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )
    add_passes(parser)
    add_views(parser)


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.arguments import program_of

    program = program_of(args, ("entry",) if args.entry else ())
    from nncomp.cli.passes import Viewer
    from nncomp.driver.inspecting import summary_of

    viewer = Viewer(args)
    summary = summary_of(program, entry=args.entry, level=viewer.plan, batch=args.batch)
    viewer.finish()
    if args.format == "json":
        import json

        print(json.dumps(summary.to_json(), indent=2))
    else:
        from nncomp.inspect.summary import print_summary

        print_summary(summary, depth=args.depth)
    return 0
