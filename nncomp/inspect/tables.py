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
_LEAST_WIDTH = 4  # of a column


@dataclass(frozen=True)
class Column:
    """name: what CSV and JSON call it; heading: what people read, the name by default
    show: a value as people read it; numbers stand to the right
    machine: whether CSV and JSON have it; wrap: whether its cells are the first to be broken where
    there is little room
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
    for column, width in zip(table.columns, _widths(table, console.width), strict=True):
        page.add_column(
            escape(column.heading or column.name),
            justify="right" if column.number else "left",
            overflow="fold",
            width=width,
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
        cells = map(escape, _cells(table.columns, row))
        page.add_row(*cells, style="bold" if last else None)
    console.print(Text(table.title, style="italic"), soft_wrap=True)
    console.print(page)
    for note in table.notes:
        console.print(note, highlight=False, markup=False)


def _cells(columns: Sequence[Column], row: Sequence[Any]) -> list[str]:
    return [
        "" if value is None else column.show(value)
        for column, value in zip(columns, row, strict=True)
    ]


def _widths(table: Table, room: int) -> list[int]:
    """The columns' widths. Where there is too little room, texts are broken that may be, then the
    headings of numbers, then all texts; numbers only where nothing else is left."""
    from rich.cells import cell_len

    cells = [_cells(table.columns, row) for row in table.rows]
    contents = [max(map(cell_len, column), default=0) for column in zip(*cells, strict=True)]
    contents = contents or [0] * len(table.columns)
    least, widths = [], []
    for column, content in zip(table.columns, contents, strict=True):
        widths.append(max(content, cell_len(column.heading or column.name)))
        least.append(min(widths[-1], max(_LEAST_WIDTH, content if column.number else 0)))
    spare = [width - low for width, low in zip(widths, least, strict=True)]
    excess = sum(widths) + 3 * len(widths) + 1 - room  # a line and two blanks for each

    def readiness(i: int) -> tuple[bool, bool, bool, int]:
        return spare[i] > 0, table.columns[i].wrap, table.columns[i].number, spare[i]

    for _ in range(min(excess, sum(spare))):
        spare[max(range(len(spare)), key=readiness)] -= 1
    return [low + more for low, more in zip(least, spare, strict=True)]


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
