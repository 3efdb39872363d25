"""Compile a model to ONNX.

Writes the inference model; with --train also the training step, NAME.train.onnx, its evaluation,
NAME.eval.onnx, and the state that it starts from, NAME.init.safetensors.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nncomp.cli.arguments import (
    add_entry,
    add_memory,
    add_model,
    add_opset,
    add_renamed,
    add_sizes,
    add_target,
    add_weights,
    positive,
)
from nncomp.cli.deployment import add_deployment, deployment_of, print_deployed
from nncomp.cli.loading import output_of, program_of, state_of, stem_of
from nncomp.cli.passes import add_passes, add_views
from nncomp.cli.training import add_objective, add_variant, objective_of, variant_of

if TYPE_CHECKING:
    from nncomp.lower.program import Program
    from nncomp.passes.selection import Plan
    from nncomp.types import Array

_OF_STEPS = (
    *("--freeze", "--trainable", "--average", "--precision", "--accumulate"),
    *("--batch-size", "--memory-budget", "--size", "--target"),
)
"""Options that only training steps follow."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument(
        "-o", "--output", metavar="OUT.onnx", help="(default: the name of FILE, here)"
    )
    parser.add_argument(
        "--external-data",
        action=argparse.BooleanOptionalAction,
        help="weights in a file beside the model, which onnxruntime loads faster"
        " (default: as an imported model has them; more than 1 GiB always are)",
    )
    parser.add_argument("--train", action="store_true", help="write the training step as well")
    add_entry(parser)
    add_weights(parser)
    add_passes(parser)
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check that no pass changes an answer, as `nncomp verify` does, before writing",
    )
    add_views(parser)
    add_opset(parser)
    add_deployment(parser)
    add_memory(parser)
    add_sizes(parser, "of a dim, for --memory-budget: N=64 for the batch")
    add_target(parser)
    add_renamed(
        parser,
        "--batch-size",
        "--batch",
        metavar="N",
        type=positive,
        help="the only batch size that the training step takes (default: any)",
    )
    add_variant(parser.add_argument_group("the training step"))
    add_objective(parser)


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.passes import Viewer
    from nncomp.cli.report import show

    if not args.train:
        _require_no_step(args)
    # a weights file may hold what only a section declares
    entry = ("entry",) if args.entry else ()
    everything = args.train or args.weights or args.calibration
    kinds = ("entry", "train") if everything else entry
    program = program_of(args, kinds, objective=objective_of(args))
    from nncomp.autodiff.rematerialize import memory_of
    from nncomp.driver.building import build

    path = output_of(args, f"{stem_of(args, program)}.onnx")
    show(program.warnings, args.format)
    viewer = Viewer(args)
    state = state_of(args, program, training=args.train)
    if args.verify:
        _verify(args, program, state, viewer.plan)
    result = build(
        program,
        state,
        path,
        train=args.train,
        entry=args.entry,
        level=viewer.plan,
        opset=args.opset,
        memory=memory_of(args.memory_budget, dict(args.sizes)),
        target=args.target,
        batch_size=args.batch_size,
        variant=variant_of(args),
        deployment=deployment_of(args),
        external_data=args.external_data,
    )
    viewer.finish()
    if result.deployed is not None:
        print_deployed(result.deployed)
    for file in (result.inference, *result.steps.values(), *result.evaluations.values()):
        if file:
            print(f"wrote {file}")
            if file.data:
                print(f"wrote {file.data}: its weights")
    for note in result.notes:
        print(f"note: {note}")
    for section, saved in result.saved.items():
        print(f"{section}: {saved}" if len(result.steps) > 1 else saved)
    if result.initial:
        print(f"wrote {result.initial}")
    return 0


def _require_no_step(args: argparse.Namespace) -> None:
    """That nothing is asked of the training step, which is not built."""
    for option in _OF_STEPS:
        name = "sizes" if option == "--size" else option[2:].replace("-", "_")
        if getattr(args, name) not in (None, [], args.parser.get_default(name)):
            args.parser.error(f"{option} is for the training step, which --train builds")
    if args.loss is not None and not (args.calibration or args.weights):
        args.parser.error("--loss is for the training step, which --train builds")


def _verify(
    args: argparse.Namespace, program: Program, state: Mapping[str, Array], plan: Plan
) -> None:
    """Raises CompileError NN0703 if a pass changes an answer of what is to be written."""
    from nncomp.cli.verify import Bar, runs_text
    from nncomp.driver.verifying import fault_error, verify_program, verify_step, write_fault

    with Bar() as bar:
        reports = []
        if args.entry or program.graph.outputs:
            trained = args.weights is not None or program.original is not None
            report = verify_program(
                program, state, entry=args.entry, level=plan, trained=trained, on_progress=bar.move
            )
            reports.append(report)
        for section in program.train if args.train else ():
            reports.append(verify_step(program, state, section=section, on_progress=bar.move))
    for report in reports:
        if report.fault is not None:
            folder = f"{stem_of(args, program)}.fault"
            raise fault_error(report.fault, write_fault(report.fault, folder))
        print(
            f"{report.name}: equal after each of {len(report.passes)} passes, {runs_text(report)}"
        )
