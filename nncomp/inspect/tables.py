"""Reports as tables: for people in a terminal, and as CSV or JSON for machines."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


_FILE_WIDTH = 160  # columns, where there is no terminal


@dataclass(frozen=True)
class Column:
    """name: what CSV and JSON call it; heading: what people read, the name by default
    show: a value as people read it; numbers stand to the right
    machine: whether CSV and JSON have it; wrap: whether its cells may be broken
    """

    name: str
    heading: str = ""
    show: Callable[[Any], str] = str
    number: bool = True
    machine: bool = True
    wrap: bool = False


@dataclass(frozen=True)
class Table:
    """A report. rows: a value for each column; None is an empty cell
    notes: lines below it; total: whether the last row is a sum of the others
    most: rows that people are shown; of more, the first and the last ones
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    notes: tuple[str, ...] = ()
    total: bool = False
    most: int | None = None

    def to_json(self) -> list[dict[str, Any]]:
        """One object for each row."""
        return [
            {c.name: value for c, value in zip(self.columns, row, strict=True) if c.machine}
            for row in self.rows
        ]

    def to_csv(self) -> str:
        """A line of names, and one for each row."""
        page = io.StringIO()
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow([column.name for column in self.columns if column.machine])
        writer.writerows(row.values() for row in self.to_json())
        return page.getvalue()


def report_console(**options: Any) -> Console:
    """Standard output for a report: as wide as the terminal; in a file or pipe nothing is cut. A
    reader that has gone is a BrokenPipeError."""
    from rich.console import Console

    class Standard(Console):
        def on_broken_pipe(self) -> None:  # called where it is handled; Rich would exit with 1
            raise

    width = None if sys.stdout.isatty() else _FILE_WIDTH
    return Standard(width=width, highlight=False, **options)


def print_table(table: Table, console: Console | None = None) -> None:
    """Prints a table with its notes."""
    from rich.markup import escape
    from rich.table import Table as Rich
    from rich.text import Text

    console = console or report_console()
    page = Rich()
    for column in table.columns:
        page.add_column(
            escape(column.heading or column.name),
            justify="right" if column.number else "left",
            no_wrap=not column.wrap,
        )
    left_out = 0 if table.most is None else max(0, len(table.rows) - table.most)
    first = (len(table.rows) - left_out) // 2
    for number, row in enumerate(table.rows):
        if left_out and first <= number < first + left_out:
            if number == first:
                page.add_row("…")
            continue
        last = table.total and number == len(table.rows) - 1
        if last:
            page.add_section()
        page.add_row(*_cells(table.columns, row), style="bold" if last else None)
    console.print(Text(table.title, style="italic"), soft_wrap=True)
    console.print(page)
    for note in table.notes:
        console.print(note, highlight=False, markup=False)


def _cells(columns: Sequence[Column], row: Sequence[Any]) -> list[str]:
    from rich.markup import escape

    return [
        "" if value is None else escape(column.show(value))
        for column, value in zip(columns, row, strict=True)
    ]


def counted(value: int) -> str:
    """`61,706`, and nothing for 0."""
    return f"{value:,}" if value else ""


def measured(value: float) -> str:
    """Three digits: `0.0123`, `1.2e-05`, `4.56e+08`."""
    return f"{value:.3g}"


def share(value: float) -> str:
    """`12.3 %`."""
    return f"{100 * value:.1f} %"


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 80) -> str:
    """A row of bars from 0 to the largest value; of several in one place the largest."""
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    parts = [max(values[a:b]) for a, b in pairwise(edges)]
    top = max(parts) or 1
    return "".join(_BARS[min(7, int(8 * part / top))] for part in parts)
