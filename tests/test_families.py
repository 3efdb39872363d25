"""docs/families: quotations are those of the model files, commands run, pictures are drawn."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nncomp.cli import _parser, main

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "families").glob("*.md"))
IMAGES = ROOT / "docs" / "images" / "families"
MOST = 60_000  # bytes of a picture
NAMES = [page.stem for page in PAGES]


def commands(page: Path) -> list[str]:
    return re.findall(r"^\$ (.+)$", page.read_text("utf-8"), re.MULTILINE)


def cheap() -> Iterator[object]:
    """Reports on models as they are: no training, and nothing of GPT's size."""
    for page in PAGES:
        for command in commands(page):
            small = not re.search(r"gpt|bert|transformer|resnet", command)
            if re.match(r"nncomp (inspect|grad)", command) and "out/" not in command and small:
                yield pytest.param(command, id=f"{page.stem}-{command[:60]}")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_quotations_are_verbatim(page: Path) -> None:
    text = page.read_text("utf-8")
    quoted = re.findall(r"^<!-- from (\S+) -->\n```nn\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(quoted) == text.count("```nn")
    for path, code in quoted:
        assert code in (ROOT / path).read_text("utf-8"), (path, code)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_are_understood(page: Path) -> None:
    found = commands(page)
    assert found
    for command in found:
        program, *arguments = shlex.split(command)
        if program == "nncomp":
            _parser().parse_args(arguments)
        assert any((ROOT / argument).is_file() for argument in arguments), command


@pytest.mark.parametrize("command", cheap())
def test_reports_run(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_trainings_run(page: Path, tmp_path: Path) -> None:
    """All commands of a page in order, an epoch of each training."""
    for folder in ("models", "examples"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands(page):
        if command.startswith("nncomp train"):
            command += " --epochs 1"
        elif not command.startswith("nncomp inspect") or "out/" not in command:
            continue
        result = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"


def test_every_model_has_its_family() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    shown = set(re.findall(r"models/(\w+\.nn)", text))
    ours = {path.name for path in (ROOT / "models").glob("*.nn")}
    assert ours - shown == set()


def test_pictures_are_drawn_shown_and_small() -> None:
    programs = (ROOT / "docs" / "draw_families").glob("*.py")
    drawn = {
        node.name
        for program in programs
        for node in ast.parse(program.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
        and any(isinstance(d, ast.Name) and d.id == "picture" for d in node.decorator_list)
    }
    pages = "".join(page.read_text("utf-8") for page in PAGES)
    shown = set(re.findall(r"images/families/(\w+)\.png", pages))
    kept = {path.stem: path.stat().st_size for path in IMAGES.glob("*.png")}
    assert drawn == shown == set(kept)
    assert max(kept.values()) <= MOST
