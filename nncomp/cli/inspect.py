"""Show what a model consists of, and what it does on data.

A table by block or by operator: shapes, parameters, FLOPs, bytes, what a machine would take at
best; and what each pass changed. Or reports: memory over time, what onnxruntime spends its time on,
receptive fields; with --data the size of gradients layer by layer, what operators give; learnt
filters as an image.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nncomp.cli.arguments import (
    add_batch_size,
    add_entry,
    add_inputs,
    add_model,
    add_weights,
    positive,
)
from nncomp.cli.loading import inputs_of, program_of, state_of
from nncomp.cli.passes import add_passes, add_views
from nncomp.cli.training import add_source

if TYPE_CHECKING:
    from nncomp.driver.reporting import Report
    from nncomp.lower.program import Program

_ON_DATA = ("gradients", "activations")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    add_entry(parser)
    parser.add_argument(
        "--train", action="store_true", help="the training step, rather than inference"
    )
    parser.add_argument(
        "--section", metavar="NAME", help="which train section (default: the first)"
    )
    add_batch_size(parser)
    parser.add_argument(
        "--depth",
        metavar="N",
        type=positive,
        default=2,
        help="how many levels of blocks to show (default: 2)",
    )
    parser.add_argument(
        "--by", choices=("block", "operator"), default="block", help="(default: block)"
    )
    parser.add_argument(
        "--machine",
        metavar="NAME",
        help="estimate the time on a machine by its peaks: v100, t4, a100, l4, h100, h200, "
        "rtx4090, m1; or flops=19.5T,bandwidth=2039G",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "csv"), default="text", help="(default: text)"
    )
    group = parser.add_argument_group("reports, instead of the table")
    group.add_argument(
        "--memory", action="store_true", help="what is alive while the graph runs, and the peak"
    )
    group.add_argument(
        "--profile",
        action="store_true",
        help="run it by onnxruntime on the CPU: what that spends its time on, by block or operator",
    )
    add_inputs(group, "for --profile: an input (default: random numbers)")
    group.add_argument(
        "--receptive-field",
        action="store_true",
        help="how much of the input convolutions and pooling see",
    )
    group.add_argument(
        "--gradients",
        action="store_true",
        help="with --data: the norm of the gradient of each layer, and at each step of a scan",
    )
    group.add_argument(
        "--activations",
        action="store_true",
        help="with --data: mean, spread, zeros, dead units, saturation of what operators give",
    )
    group.add_argument(
        "--filters", metavar="OUT.png", help="draw the filters of the first convolution"
    )
    group.add_argument(
        "--layer", metavar="PATH", help="for --filters: of this parameter or block instead"
    )
    data = parser.add_argument_group("data and weights")
    add_source(data, required=False)
    data.add_argument(
        "--samples",
        metavar="N",
        type=positive,
        default=64,
        help="of the training data, from the first on (default: 64)",
    )
    add_weights(parser)
    add_passes(parser)
    add_views(parser)


def execute(args: argparse.Namespace) -> int:
    wants_data = args.gradients or args.activations
    asked = [args.memory, args.profile, args.receptive_field, args.gradients, args.activations]
    if args.format == "csv" and sum(asked) > 1:
        args.parser.error("--format csv writes one table: ask for one report")
    if wants_data and not args.data:
        args.parser.error(f"--{'gradients' if args.gradients else 'activations'} needs --data")
    if args.data and not wants_data:
        args.parser.error("--data is for --gradients and --activations")
    if args.inputs and not args.profile:
        args.parser.error("--input is for --profile")
    if args.layer and not args.filters:
        args.parser.error("--layer is for --filters")
    kinds = (*(["entry"] if args.entry else []), *(["train"] if wants_data or args.train else []))
    program = program_of(args, kinds)
    if args.weights and not (args.profile or wants_data or args.filters):
        state_of(args, program, training=args.train)  # nothing reads them, but they have to fit
    if args.filters:
        _draw_filters(args, program)
        if not any(asked):
            return 0
    reports = _reports(args, program)
    if args.format == "json":
        import json

        found = {name: report.to_json() for name, report in reports.items()}
        print(json.dumps(found if any(asked) else found["costs"], indent=2))
    elif args.format == "csv":
        print(next(iter(reports.values())).csv.to_csv(), end="")
    else:
        from nncomp.inspect.tables import print_table

        for report in reports.values():
            for table in report.shown:
                print_table(table)
    return 0


def _reports(args: argparse.Namespace, program: Program) -> dict[str, Report]:
    """Those that are asked for, else the costs."""
    found: dict[str, Report] = {}
    structure = args.memory or args.receptive_field or args.profile
    if structure or not (args.gradients or args.activations):
        from nncomp.cli.passes import Viewer
        from nncomp.driver.reporting import inspected
        from nncomp.inspect.machines import machine_of

        machine = machine_of(args.machine) if args.machine else None
        viewer = Viewer(args)
        graph = inspected(
            program,
            entry=args.entry,
            training=args.train,
            section=args.section,
            level=viewer.plan,
            batch_size=args.batch_size,
            sizes=dict(args.sizes),
        )
        viewer.finish()
        if args.memory:
            found["memory"] = graph.memory()
        if args.profile:
            from nncomp.driver.profiling import latency_report

            found["latency"] = latency_report(
                graph,
                state_of(args, program, training=args.train),
                args.by,
                args.depth,
                given=inputs_of(args, graph.final),
                seed=args.seed,
            )
        if args.receptive_field:
            found["receptive_field"] = graph.receptive_field()
        if not structure:
            found["costs"] = graph.costs(args.by, machine, args.depth)
    if args.gradients or args.activations:
        from nncomp.cli.training import reading_of
        from nncomp.driver.probing import activation_report, gradient_report

        reading = reading_of(args)
        state = state_of(args, program, training=False)
        if args.gradients:
            found["gradients"] = gradient_report(
                program,
                state,
                args.data,
                section=args.section,
                samples=args.samples,
                reading=reading,
            )
        if args.activations:
            found["activations"] = activation_report(
                program,
                state,
                args.data,
                entry=args.entry,
                samples=args.samples,
                depth=args.depth,
                reading=reading,
            )
    return found


def _draw_filters(args: argparse.Namespace, program: Program) -> None:
    import sys

    from nncomp.driver.compiling import entry_of
    from nncomp.files import write_atomic
    from nncomp.inspect.filters import filters_of, png, sheet

    state = state_of(args, program, training=False)
    weight = filters_of(entry_of(program, args.entry), state, args.layer)
    write_atomic(args.filters, png(sheet(weight)))
    filters, channels, height, width = weight.shape
    file = sys.stdout if args.format == "text" else sys.stderr
    shape = f"{filters} filters of {channels}×{height}×{width}"
    print(f"wrote {args.filters}: {shape}", file=file)
