"""The table of systems: complete, its figures and quick marks hold, its page is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo import marks
from zoo.readme import README, render, results
from zoo.row import MODELS, ROOT, Mark, Row
from zoo.table import ROWS

NUMBERS = range(1, 68)
HEAVY = {14, 16, 34}  # figures that take long: large models are lowered


def rows(level: int) -> list[object]:
    """Rows that have the level; the slow ones for `make test-slow`."""
    found: list[object] = []
    for row in ROWS:
        slow = row.number in HEAVY if level == 4 else row.mark is None or not row.mark.quick
        if row.figure if level == 4 else row.mark:
            marked = pytest.mark.slow if slow else ()
            found.append(pytest.param(row, marks=marked, id=f"{row.number}-{row.file}"))
    return found


def test_every_system_has_one_row() -> None:
    assert [row.number for row in ROWS] == list(NUMBERS)
    assert all((MODELS / row.file).exists() for row in ROWS)


@pytest.mark.parametrize("row", rows(4))
def test_figure(row: Row) -> None:
    assert row.figure
    assert row.figure.check()


@pytest.mark.parametrize("row", rows(5))
def test_mark(row: Row, tmp_path: Path) -> None:
    assert row.mark
    for folder in ("models", "examples"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    value = marks.measured(row.mark, tmp_path)
    assert row.mark.reached(value), f"{row.mark.reads} {value:g}, not {row.mark.bound:g}"


def test_the_page_is_what_the_table_says() -> None:
    assert README.read_text("utf-8") == render(ROWS, results())


def test_the_number_behind_a_name() -> None:
    assert marks.read("test loss 0.5 accuracy 0.9611 (best epoch: 3)", "accuracy") == 0.9611
    assert marks.read("loss 2e-05 loss 1.5e-03", "loss") == 1.5e-3
    with pytest.raises(AssertionError, match="no `bits`"):
        marks.read("loss 1", "bits")


def test_a_command_that_marks_share_runs_once(tmp_path: Path) -> None:
    lenet = "echo trained >> log; echo accuracy 0.5"
    for name in ("a", "b"):
        mark = Mark(name, (lenet, f"echo {name} 2"), name, 2)
        assert marks.measured(mark, tmp_path) == 2
    assert (tmp_path / "log").read_text("utf-8") == "trained\n"
