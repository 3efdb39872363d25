"""Tables for people and for machines; filters as an image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from nncomp.driver.compiling import state_of
from nncomp.driver.programs import load_program
from nncomp.errors import CompileError
from nncomp.inspect.filters import filters_of, png, sheet
from nncomp.inspect.tables import Column, Table, print_table, sparkline
from tests.inspect.test_reports import LENET, printed, program_of, run

# --- filters -------------------------------------------------------------------------------------


def test_filters(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "filters.png"
    assert "6 filters of 1×5×5" in run(capsys, LENET, "--filters", str(path))
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert image.size == (3 * (25 + 2) + 2, 2 * (25 + 2) + 2)
    assert "120 filters of 1×20×20" in run(capsys, LENET, "--filters", str(path), "--layer", "fc1")


def test_a_sheet_shows_signs_and_channels() -> None:
    weight = np.zeros((2, 1, 24, 24), np.float32)
    weight[0, 0, 0, 0], weight[0, 0, 0, 1] = -2, 1
    page = sheet(weight)
    assert [int(page[2, x, 0]) for x in (2, 3, 4)] == [1, 191, 128]
    assert (page[2:26, 28:52] == 128).all()
    assert sheet(np.ones((4, 2, 30, 30))).shape == (4 * 32 + 2, 2 * 32 + 2, 3)
    colour = np.zeros((1, 3, 24, 24), np.float32)
    colour[0, 0] = 1
    assert list(sheet(colour)[2, 2]) == [255, 128, 128]
    assert list(sheet(np.full((1, 1, 24, 24), np.nan))[2, 2]) == [128, 128, 128]
    with Image.open(io.BytesIO(png(page))) as image:
        assert (np.asarray(image) == page).all()


@pytest.mark.parametrize(
    ("layer", "code"), [("conv9", "NN0103"), ("conv1.bias", "NN0204"), (None, "NN0204")]
)
def test_no_filters(layer: str | None, code: str) -> None:
    text = "model M {\n  input x: f32[N, 3]\n  param w: f32[3] = ones()\n  output y = x * w\n}\n"
    program = load_program(LENET) if layer else program_of(text)
    state = state_of(program, None)
    with pytest.raises(CompileError) as caught:
        filters_of(program.graph, state, layer)
    assert caught.value.diagnostics[0].code == code


# --- tables --------------------------------------------------------------------------------------


def test_tables_are_for_people_and_machines() -> None:
    columns = (
        Column("name", number=False),
        Column("n", "how many", lambda n: f"{n:,}"),
        Column("bar", machine=False),
    )
    table = Table("[bold]t", columns, (("a,b", 1000, "█"), ("[red]", None, "")), ("a [note]",))
    assert table.to_csv() == 'name,n\n"a,b",1000\n[red],\n'
    assert table.to_json()[0] == {"name": "a,b", "n": 1000}
    text = printed(table)
    for part in ("[bold]t", "1,000", "how many", "[red]", "a [note]"):
        assert part in text


def test_numbers_are_whole_in_little_room() -> None:
    """A part of `238 k` would be another number; what is cut elsewhere goes on in the next line."""
    columns = (
        Column("block", number=False),
        Column("parameters"),
        Column("remark", number=False, wrap=True),
    )
    rows = (("batch_norm_2", "1,234,567", "folded into the previous one"), ("b", "238 k", ""))
    for width in (80, 50, 38, 30):
        console = Console(file=io.StringIO(), width=width)
        print_table(Table("t", columns, rows), console)
        lines = console.file.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        cells = [line.strip("│").split("│") for line in lines if line.startswith("│")]
        assert [cell[1].strip() for cell in cells if cell[1].strip()] == ["1,234,567", "238 k"]
        assert "".join(cell[0].strip() for cell in cells) == "batch_norm_2b"
        assert "…" not in "".join(lines)


def test_sparklines() -> None:
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([1, 2, 8, 4]) == "▂▃█▅"
    assert sparkline(list(range(100)), 10)[-1] == "█"
    assert len(sparkline(list(range(100)), 10)) == 10
