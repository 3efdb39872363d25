"""Show a model: source, graph and passes, in one page or picture.

The page (`.html`) needs nothing but a browser, and no network. Pictures are drawn without one:
blocks, their operators, and the shapes between them, as `.svg` or `.png`, or as text for Graphviz
(`.dot`) and Mermaid (`.mmd`).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nncomp.cli.arguments import (
    add_batch_size,
    add_entry,
    add_inputs,
    add_model,
    add_renamed,
    add_weights,
    natural,
)
from nncomp.cli.diff import add_other
from nncomp.cli.grad import add_request
from nncomp.cli.loading import file_of, inputs_of, state_of, stem_of
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
    add_entry(parser)
    add_batch_size(parser)
    add_passes(parser)
    gradients = parser.add_argument_group("gradients and training")
    gradients.add_argument("--train", action="store_true", help="the training step")
    gradients.add_argument(
        "--grad", action="store_true", help="a loss and its gradients, as `nncomp grad` writes them"
    )
    add_request(gradients)
    measured = parser.add_argument_group("time")
    measured.add_argument(
        "--profile",
        action="store_true",
        help="run it by onnxruntime on the CPU, and colour the page by what that spends its time "
        "on",
    )
    add_inputs(measured, "for --profile: an input (default: random numbers)")
    add_weights(measured)
    add_other(parser.add_argument_group("the other model"))
    picture = parser.add_argument_group("pictures")
    add_renamed(
        picture,
        "--graph",
        "--only",
        choices=("before", "after"),
        help="the graph before or after the passes (default: both, side by side)",
    )
    picture.add_argument(
        "--depth", metavar="N", type=natural, help="levels of blocks to open (default: what fits)"
    )


def execute(args: argparse.Namespace) -> int:
    from nncomp.driver.programs import load_program
    from nncomp.files import write_atomic
    from nncomp.source import SourceFile

    if args.output:
        _require_known(args.output)
    args.grad = args.grad or args.wrt is not None or args.loss is not None
    if args.grad and args.train:
        args.parser.error("--train has gradients already; --grad is without the optimiser")
    if args.section and not (args.grad or args.train):
        args.parser.error("--section is for --train and --grad")
    alone = args.other is None
    if alone and (args.settings_b or args.model_b or args.weights_b):
        args.parser.error("--set-b, --model-b and --weights-b are for a second model")
    if not alone and (args.grad or args.train):
        args.parser.error("two models are compared as they are written")
    picture = args.output and Path(args.output).suffix != ".html"
    if args.profile and (picture or args.other is not None):
        args.parser.error("--profile is for the page of one model")
    if args.inputs and not args.profile:
        args.parser.error("--input is for --profile")
    if args.other is not None:
        return _compare(args)
    file = file_of(args.file)
    kinds = [name for name in ("entry", "train") if args.grad or (name == "train") == args.train]
    given = [name for name, _ in args.inputs]
    program = load_program(file, args.model, dict(args.settings), kinds, args.with_inputs, given)
    shown = _shown(args, program)
    path = args.output or f"{stem_of(args, program)}.html"
    kind = Path(path).suffix[1:]
    if kind == "html":
        from nncomp.driver.viewing import page_of

        source = file if isinstance(file, SourceFile) else None
        content = page_of(shown, source, args.file, _profile(args, program, shown)).encode()
    else:
        from nncomp.driver.inspecting import picture_of

        content = picture_of(shown, kind, graph=args.graph, depth=args.depth)
    write_atomic(path, content)
    print(f"wrote {path}")
    return 0


def _shown(args: argparse.Namespace, program: Program) -> Shown:
    """The graph that is asked for, and its passes. Raises CompileError."""
    from nncomp.cli.passes import plan_of_arguments
    from nncomp.driver.showing import inference_of, training_of

    batch_size, sizes = args.batch_size, dict(args.sizes)
    if args.train:
        return training_of(program, section=args.section, batch_size=batch_size, sizes=sizes)
    plan = plan_of_arguments(args)
    if not args.grad:
        return inference_of(
            program, entry=args.entry, level=plan, batch_size=batch_size, sizes=sizes
        )
    from nncomp.driver.differentiating import gradients_of

    return gradients_of(
        program,
        args.wrt,
        loss=args.loss,
        section=args.section,
        level=plan if args.passes else args.level,
        batch_size=batch_size,
        sizes=sizes,
    )


def _profile(args: argparse.Namespace, program: Program, shown: Shown) -> Profile | None:
    """What was measured, if that is asked for. Raises CompileError."""
    if not args.profile:
        return None
    from nncomp.driver.profiling import profile_of
    from nncomp.inspect.units import duration

    graph = shown.graph if shown.result is None else shown.result.graph
    found = profile_of(
        graph,
        state_of(args, program, training=args.train),
        sizes=shown.sizes,
        given=inputs_of(args, graph),
        seed=args.seed,
    )
    share = found.known / found.seconds if found.seconds else 1.0
    print(f"onnxruntime: {duration(found.seconds)}, {share:.1%} of it told by node")
    return found


def _compare(args: argparse.Namespace) -> int:
    """Two models as they are written, side by side. Raises CompileError."""
    from nncomp.cli.diff import sides
    from nncomp.driver.viewing import compared_page
    from nncomp.errors import error
    from nncomp.files import write_atomic
    from nncomp.source import SourceFile

    path = args.output or f"{Path(args.file).stem}-{Path(args.other).stem}.html"
    if Path(path).suffix != ".html":
        raise error("NN0001", f"cannot write {path!r}: two models are shown by a page (.html)")
    a, b = file_of(args.file), file_of(args.other)
    sources = [file if isinstance(file, SourceFile) else None for file in (a, b)]
    write_atomic(path, compared_page(*sides(args, a, b), sources).encode())
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
