"""The table of conformance: `python -m tests.conformance`. Exit 1 unless all of it holds."""

from __future__ import annotations

import sys

import onnx
from rich.console import Console
from rich.table import Table

from tests.conformance.cases import SETS, bundled_cases, node_cases
from tests.conformance.exceptions import EXCEPTIONS
from tests.conformance.inference import MOST_COARSER, compare
from tests.conformance.running import Outcome, outcome


def main() -> int:
    sets = {"node": [outcome(case) for case in node_cases()]}
    sets |= {kind: [outcome(case) for case in bundled_cases(kind)] for kind in SETS}
    everything = [found for outcomes in sets.values() for found in outcomes]
    console = Console()
    console.print(_table(sets))
    failed = [found for found in everything if found.failure]
    for found in failed:
        reason = EXCEPTIONS.get(found.case.name, f"NOT EXPECTED: {found.failure}")
        console.print(f"{found.case.name}: {reason}", markup=False)
    passed_now = EXCEPTIONS.keys() - {found.case.name for found in failed}
    for name in sorted(passed_now):
        console.print(f"{name} passes, and is listed as an exception", markup=False)
    types = compare(everything)
    untyped = sum(bool(found.untyped) for found in everything)
    console.print(
        f"\ncases whose results are of the inferred types: {len(everything) - untyped} of "
        f"{len(everything)}\n"
        f"values whose types onnx.shape_inference tells too: {types.values}; contradicted "
        f"{len(types.contradictions)}, less precise here {len(types.coarser)}",
        highlight=False,
    )
    for told in (*types.contradictions, *types.coarser):
        console.print(f"  {told}", markup=False, highlight=False)
    expected = {found.case.name for found in failed} == EXCEPTIONS.keys()
    precise = len(types.coarser) <= MOST_COARSER * types.values
    return 0 if expected and not untyped and not types.contradictions and precise else 1


def _table(sets: dict[str, list[Outcome]]) -> Table:
    table = Table(title=f"ONNX {onnx.__version__}, NumPy backend")
    table.add_column("set")
    for column in ("cases", "pass", "small inputs given as constants"):
        table.add_column(column, justify="right")
    for name, outcomes in sets.items():
        passed = sum(not found.failure for found in outcomes)
        given = sum(found.given for found in outcomes)
        table.add_row(name, *map(str, (len(outcomes), passed, given)))
    return table


if __name__ == "__main__":
    sys.exit(main())
