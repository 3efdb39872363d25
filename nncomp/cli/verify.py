"""Check that no pass changes an answer.

Runs the model before and after each pass, by NumPy and by onnxruntime with its own optimiser off,
on random numbers: two sizes of each symbolic dim, both sides of its branches. The first pass and
rule that change an answer are named, and the smallest graph that shows it is written.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_entry, add_model, add_weights
from nncomp.cli.loading import program_of, state_of, stem_of
from nncomp.cli.passes import add_passes

if TYPE_CHECKING:
    from nncomp.equivalence.report import Report

_MOST = 5  # sides of branches listed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    which = parser.add_mutually_exclusive_group()
    add_entry(which)
    which.add_argument(
        "--train", action="store_true", help="the training step and its passes instead"
    )
    add_weights(parser)
    add_passes(parser)
    parser.add_argument(
        "--numpy-only", action="store_true", help="do not ask onnxruntime, which takes longer"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="where a fault's smallest graph is written (default: the name of FILE, .fault)",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )


def execute(args: argparse.Namespace) -> int:
    from nncomp.cli.passes import plan_of_arguments
    from nncomp.cli.report import show

    program = program_of(args, ("train",) if args.train else ("entry",) if args.entry else ())
    plan = plan_of_arguments(args)
    from nncomp.driver.verifying import fault_error, verify_program, verify_step, write_fault

    state = state_of(args, program, training=args.train)
    with Bar() as bar:
        if args.train:
            report = verify_step(
                program,
                state,
                passes=None if args.passes is None else plan.passes,
                runtime=not args.numpy_only,
                seed=args.seed,
                on_progress=bar.move,
            )
        else:
            report = verify_program(
                program,
                state,
                entry=args.entry,
                level=plan,
                trained=args.weights is not None or program.original is not None,
                runtime=not args.numpy_only,
                seed=args.seed,
                on_progress=bar.move,
            )
    if args.format == "json":
        import json

        print(json.dumps(report.to_json(), indent=2))
    else:
        print_report(report)
    if report.fault is None:
        return 0
    folder = args.output or f"{stem_of(args, program)}.fault"
    show(fault_error(report.fault, write_fault(report.fault, folder)).diagnostics, args.format)
    return 1


class Bar:
    """A progress bar on standard error, where that is a terminal."""

    def __enter__(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:32}"),
            MofNCompleteColumn(),
            BarColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,  # it would end with an empty line
        )
        self._task = self._progress.add_task("the graph as it is written", total=None)
        self._progress.start()
        return self

    def move(self, done: int, total: int, name: str) -> None:
        self._progress.update(self._task, completed=done, total=total, description=name)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def print_report(report: Report) -> None:
    """The report as a table: how far each pass moved the answers, at most, as a part of an
    output's largest number."""
    from nncomp.equivalence.report import FLOAT64, NUMPY, RUNTIME, side_text
    from nncomp.inspect.tables import Column, Table, print_table

    columns = [Column("pass", number=False), Column("rewrites")]
    columns += [Column(judge) for judge in ("NumPy", "float64", "onnxruntime")]
    rows: list[tuple[str | int | None, ...]] = []
    rounded: list[str] = []
    for check in report.passes:
        if check.changed:
            cells = [
                _size(check.moved[judge].size) if judge in check.moved else None
                for judge in (NUMPY, FLOAT64, RUNTIME)
            ]
            if check.rounding:
                rounded.append(check.name)
            rows.append((check.name, sum(check.rewrites.values()), *cells))
    if rounded:
        listed = ", ".join(dict.fromkeys(rounded))
        report.notes.append(f"{listed}: rounding of float32; in float64 the formulas agree")
    if rows:
        print_table(Table(report.name, tuple(columns), tuple(rows)))
        print("differences are parts of an answer's largest number")
    for note in report.notes:
        print(f"note: {note}")
    print(runs_text(report))
    if report.unseen:
        listed = "; ".join(side_text(side) for side in report.unseen[:_MOST])
        more = f"; and {len(report.unseen) - _MOST} more" if len(report.unseen) > _MOST else ""
        print(f"sides of branches that no run was on: {listed}{more}")
    if report.equal:
        idle = sum(not check.changed for check in report.passes)
        print(f"equal after each of {len(report.passes)} passes, {idle} of which change nothing")


def runs_text(report: Report) -> str:
    """How often the graph was run, with which sizes and numbers, and where it has been."""
    by_sizes: dict[str, list[str]] = {}
    for sizes, style in report.runs:
        named = " ".join(f"{symbol.name}={size}" for symbol, size in sizes.items())
        by_sizes.setdefault(named, []).append(style)
    told = [
        f"{named + ': ' if named else ''}{', '.join(styles)} numbers"
        for named, styles in by_sizes.items()
    ]
    sides = ""
    if report.sides:
        sides = f" · {report.sides - len(report.unseen)} of {report.sides} sides of branches"
    return f"{len(report.runs)} runs · {' · '.join(told)}{sides}"


def _size(size: float) -> str:
    return "0" if not size else "other" if size == float("inf") else f"{size:.1g}"
