"""Show a model: source, graph and passes, in one page or picture.

The page (`.html`) needs nothing but a browser, and no network. Pictures are drawn without one:
blocks, their operators, and the shapes between them, as `.svg` or `.png`, or as text for Graphviz
(`.dot`) and Mermaid (`.mmd`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_model, add_weights, input_pair, positive, size
from nncomp.cli.passes import add_passes

if TYPE_CHECKING:
    from nncomp.driver.profiling import Profile
    from nncomp.driver.showing import Shown
    from nncomp.lower.program import Program

FORMATS = (".html", ".svg", ".png", ".dot", ".mmd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "other", metavar="B", nargs="?", help="another model: a page of both, and what differs"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a page (.html) or a picture (.svg, .png, .dot, .mmd) (default: the name of FILE, "
        "here, as .html)",
    )
    parser.add_argument("--entry", metavar="NAME", help="which entry (default: the model itself)")
    parser.add_argument("--train", action="store_true", help="the training step")
    parser.add_argument(
        "--batch",
        metavar="N",
        type=positive,
        default=1,
        help="the batch size, for what things cost (default: 1)",
    )
    parser.add_argument(
        "--size",
        dest="sizes",
        action="append",
        default=[],
        metavar="NAME=INT",
        type=size,
        help="of another open dim: T=128 for the length of sequences; again for more",
    )
    add_passes(parser)
    measured = parser.add_argument_group("time")
    measured.add_argument(
        "--profile",
        action="store_true",
        help="run it by onnxruntime on the CPU, and colour the page by what that spends its time "
        "on",
    )
    measured.add_argument(
        "--input",
        metavar="NAME=FILE.npy",
        action="append",
        default=[],
        type=input_pair,
        dest="inputs",
        help="for --profile: an input; may be repeated (default: random numbers)",
    )
    add_weights(measured)
    picture = parser.add_argument_group("pictures")
    picture.add_argument(
        "--only",
        choices=("before", "after"),
        help="draw the graph before or after the passes (default: both, side by side)",
    )
    picture.add_argument(
        "--depth", metavar="N", type=int, help="levels of blocks to open (default: what fits)"
    )


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.arguments import file_of, stem_of
    from nncomp.cli.passes import plan_of_arguments
    from nncomp.driver.compiling import load_program
    from nncomp.files import write_atomic
    from nncomp.source import SourceFile

    if args.output:
        _require_known(args.output)
    picture = args.output and Path(args.output).suffix != ".html"
    if args.profile and (picture or args.other is not None):
        args.parser.error("--profile is for the page of one model")
    if args.inputs and not args.profile:
        args.parser.error("--input is for --profile")
    if args.other is not None:
        return _compare(args)
    file = file_of(args.file)
    kinds = ("train",) if args.train else ("entry",)
    given = [name for name, _ in args.inputs]
    program = load_program(file, args.model, dict(args.settings), kinds, args.with_inputs, given)
    from nncomp.driver.showing import inference_of, training_of

    sizes = dict(args.sizes)
    if args.train:
        shown = training_of(program, batch=args.batch, sizes=sizes)
    else:
        plan = plan_of_arguments(args)
        shown = inference_of(program, entry=args.entry, level=plan, batch=args.batch, sizes=sizes)
    path = args.output or f"{stem_of(args, program)}.html"
    kind = Path(path).suffix[1:]
    if kind == "html":
        from nncomp.driver.viewing import page_of

        source = file if isinstance(file, SourceFile) else None
        content = page_of(shown, source, args.file, _profile(args, program, shown)).encode()
    else:
        from nncomp.driver.inspecting import picture_of

        content = picture_of(shown, kind, only=args.only, depth=args.depth)
    write_atomic(path, content)
    print(f"wrote {path}")
    return 0


def _profile(args: argparse.Namespace, program: Program, shown: Shown) -> Profile | None:
    """What was measured, if that is asked for. Raises CompileError."""
    if not args.profile:
        return None
    from nncomp.cli.arguments import state_of
    from nncomp.driver.profiling import profile_of
    from nncomp.inspect.units import duration
    from nncomp.weights import load_array

    found = profile_of(
        shown.graph if shown.result is None else shown.result.graph,
        state_of(args, program, training=args.train),
        sizes=shown.sizes,
        given={name: load_array(path) for name, path in args.inputs},
        seed=args.seed,
    )
    share = found.known / found.seconds if found.seconds else 1.0
    print(f"onnxruntime: {duration(found.seconds)}, {share:.1%} of it told by node")
    return found


def _compare(args: argparse.Namespace) -> int:
    """Two models as they are written, side by side. Raises CompileError."""
    from nncomp.cli.arguments import file_of
    from nncomp.driver.compiling import load_program, state_of
    from nncomp.driver.diffing import Given, from_file, from_program
    from nncomp.driver.viewing import compared_page
    from nncomp.errors import error
    from nncomp.files import write_atomic
    from nncomp.source import SourceFile

    given: list[Given] = []
    sources: list[SourceFile | None] = []
    for name in (args.file, args.other):
        file = file_of(name)
        if not isinstance(file, SourceFile):
            given.append(from_file(file))
            sources.append(None)
            continue
        settings = dict(args.settings)
        program = load_program(file, args.model, settings, ("entry",), args.with_inputs)
        given.append(from_program(name, program, state_of(program, None), args.entry))
        sources.append(file)
    path = args.output or f"{Path(args.file).stem}-{Path(args.other).stem}.html"
    if Path(path).suffix != ".html":
        raise error("NN0001", f"cannot write {path!r}: two models are shown by a page (.html)")
    write_atomic(path, compared_page(given[0], given[1], sources).encode())
    print(f"wrote {path}")
    return 0


def _require_known(output: str) -> None:
    """Raises CompileError NN0001 if no picture has this suffix."""
    from nncomp.errors import error

    path = Path(output)
    if path.suffix not in FORMATS:
        raise error(
            "NN0001",
            f"cannot write {output!r}: it is no page and no picture",
            help=f"-o {path.with_suffix('.html')}; formats are {', '.join(FORMATS)}",
        )
