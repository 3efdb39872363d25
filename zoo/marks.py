"""Level 5: the commands of a mark are run, and the number is read that they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

from zoo.row import Mark


def measured(mark: Mark, folder: Path) -> float:
    """What the commands of a mark reach, run in a folder that has the repository's models and
    examples. Raises AssertionError if one fails, or does not print the number."""
    output = "".join(_printed(command, folder) for command in mark.commands)
    return mark.measure(output, folder) if mark.measure else read(output, mark.reads)


@cache
def _printed(command: str, folder: Path) -> str:
    """Runs a command, which several marks may start with, once."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    result = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def read(output: str, name: str) -> float:
    """The last number that stands behind a name: 0.97 in `test loss 0.1 accuracy 0.97`."""
    found = re.findall(rf"\b{re.escape(name)} (-?\d[\d.,]*(?:e-?\d+)?)", output)
    assert found, f"no `{name}` in\n{output}"
    return float(found[-1].replace(",", ""))


def train(number: int, arguments: str, keep: str = "") -> str:
    """The command that trains for the mark of a row, into a folder of its own.

    keep: the name of that folder, where it is not the row's number
    """
    return f"nncomp train {arguments} -o out/zoo/{keep or number}"
