"""Which passes run, and what is shown of them: arguments that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nncomp.cli.arguments import add_level

if TYPE_CHECKING:
    from nncomp.passes.manager import PassRecord
    from nncomp.passes.selection import Plan

ALL = "all"


def names(text: str) -> list[str]:
    """`a,b,c`, for argparse."""
    return [name.strip() for name in text.split(",") if name.strip()]


def add_passes(parser: argparse.ArgumentParser) -> None:
    """-O0 to -O3 and --passes."""
    add_level(parser)
    parser.add_argument(
        "--passes",
        metavar="PASS,…",
        type=names,
        help="these passes, in this order, instead of the level's; `nncomp explain PASS` says what "
        "one does",
    )


def add_views(parser: argparse.ArgumentParser) -> None:
    """--print-after, --print-to and --passes-table."""
    group = parser.add_argument_group("what the passes do")
    group.add_argument(
        "--print-after",
        metavar="PASS,…|all",
        type=names,
        default=[],
        help="print the graph after these passes, or after each that changes it, as text to "
        "standard error",
    )
    group.add_argument(
        "--print-to", metavar="DIR", help="with --print-after: into files there, one for each"
    )
    group.add_argument(
        "--passes-table",
        action="store_true",
        help="print what each pass took and how often each of its rules fired, to standard error",
    )


def plan_of_arguments(args: argparse.Namespace) -> Plan:
    """The passes that the arguments name. Raises CompileError NN0103 for a name that none has."""
    from nncomp.passes.selection import Plan, named_passes, plan_of

    if args.passes is None:
        return plan_of(args.level, getattr(args, "opset", None))
    return Plan(named_passes(args.passes, args.level))


class Viewer:
    """Shows what passes do, as --print-after, --print-to and --passes-table ask; `plan` is what
    they run by. Raises CompileError NN0103 for a name that no pass has."""

    def __init__(self, args: argparse.Namespace) -> None:
        from nncomp.errors import error
        from nncomp.passes.selection import require_pass

        plan = plan_of_arguments(args)
        self.shown: list[str] = args.print_after
        self.folder: str | None = args.print_to
        self.records: list[PassRecord] = []
        self._table: bool = args.passes_table
        for name in self.shown:
            if name != ALL:
                require_pass(name)
            if name not in (ALL, *(p.name for p in plan.passes)):
                raise error("NN0103", f"`{name}` is not among the passes that run")
        if self.folder is not None and not self.shown:
            raise error("NN0103", "--print-to is for --print-after, which names the passes")
        self.plan = replace(plan, on_pass=self._see)

    def finish(self) -> None:
        """Prints the table, once all passes have run."""
        if self._table:
            print_table(self.records)

    def _see(self, record: PassRecord) -> None:
        from nncomp.ir.text import to_text

        self.records.append(record)
        if record.name not in self.shown and not (ALL in self.shown and record.changed):
            return
        rules = ", ".join(f"{rule} ×{n}" for rule, n in record.result.counts.items())
        text = to_text(record.result.graph, comments=True).text
        head = f"# {len(self.records)}. {record.name}: {rules or 'nothing changed'}\n"
        if self.folder is None:
            sys.stderr.write(f"{head}{text}\n")
            return
        from pathlib import Path

        from nncomp.files import write_atomic

        file = Path(self.folder) / f"{len(self.records):02}-{record.name}.nn"
        write_atomic(file, (head + text).encode())


def print_table(records: Sequence[PassRecord]) -> None:
    """What each pass took and did, on standard error."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    table.add_column("pass")
    table.add_column("nodes", justify="right")
    table.add_column("ms", justify="right")
    table.add_column("rewrites")
    for record in records:
        before, after = len(record.before.nodes), len(record.result.graph.nodes)
        rules = ", ".join(f"{rule} ×{n}" for rule, n in record.result.counts.items())
        nodes = f"{before} → {after}" if record.changed else str(before)
        table.add_row(record.name, nodes, f"{1e3 * record.seconds:.1f}", rules)
    table.add_section()
    table.add_row("all", "", f"{1e3 * sum(r.seconds for r in records):.1f}", "")
    Console(stderr=True).print(table)
