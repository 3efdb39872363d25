"""All levels of all rows, one after another: `python -m zoo`, or `python -m zoo 4 10` for some.

Writes what it finds into zoo/results.json, and models/README.md from it. Exit status 1 if a row
lacks a level that it has in the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import levels, marks
from zoo.readme import README, RESULTS, render, results
from zoo.row import ROOT, Row
from zoo.table import ROWS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m zoo", description=__doc__)
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="(default: all)")
    parser.add_argument("--level", type=int, choices=range(1, 6), help="one level only")
    args = parser.parse_args()
    chosen = [row for row in ROWS if not args.rows or row.number in args.rows]
    found, failed = results(), 0
    for row in chosen:
        known: dict[str, Any] = found.setdefault(str(row.number), {})
        for level, check in checks(row).items():
            if args.level in (None, level):
                known[str(level)] = outcome = tried(check)
                failed += not outcome["done"]
                print(line(row, level, outcome), flush=True)
        RESULTS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    README.write_text(render(ROWS, found), "utf-8")
    print(f"{len(chosen)} rows, {failed} levels not reached; wrote {README.relative_to(ROOT)}")
    return 1 if failed else 0


def checks(row: Row) -> dict[int, Callable[[], str]]:
    """By level, what gives the figure that it found."""
    found: dict[int, Callable[[], str]] = {
        1: lambda: written(row),
        2: lambda: compiled(row),
        3: lambda: agrees(row),
    }
    if row.figure:
        found[4] = row.figure.check
    if row.mark:
        found[5] = lambda: marked(row)
    return found


def written(row: Row) -> str:
    levels.written(row.file)
    return f"{levels.code_lines(row.file)} lines"


def compiled(row: Row) -> str:
    for case in row.cases:
        with tempfile.TemporaryDirectory() as folder:
            levels.builds(case, Path(folder))
    return "onnxruntime loads it"


def agrees(row: Row) -> str:
    for case in row.cases:
        levels.agrees(case)
        levels.steps_agree(case)
    return "NumPy = onnxruntime"


def marked(row: Row) -> str:
    assert row.mark
    value = marks.measured(row.mark, ROOT)
    wanted = f"{'at most' if row.mark.most else 'of'} {row.mark.bound:g}"
    assert row.mark.reached(value), f"{row.mark.reads} {value:g} {wanted}"
    return f"{value:g}"


def tried(check: Callable[[], str]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        done, text = True, check()
    except Exception as failure:  # whatever a runtime or a checker raises: the other rows go on
        text = f"{type(failure).__name__}: {failure}"
        done, text = False, " ".join(text.removeprefix("AssertionError: ").split())[:160]
    return {"done": done, "found": text, "seconds": round(time.perf_counter() - began, 1)}


def line(row: Row, level: int, outcome: dict[str, Any]) -> str:
    state = "done" if outcome["done"] else "FAILED"
    text = (
        f"{row.number:2} {row.system[:40]:40} level {level} {state:6} {outcome['seconds']:6.1f} s"
    )
    return f"{text}  {outcome['found']}"


if __name__ == "__main__":
    sys.exit(main())
