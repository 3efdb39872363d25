"""What `make demo` promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_demo_reaches_its_mark_and_leaves_its_pictures(tmp_path: Path) -> None:
    """LeNet-5 at ≥ 98 % on digits, both backends in agreement: else its exit status is 1."""
    command = [sys.executable, str(ROOT / "examples/demo.py")]
    result = subprocess.run(
        command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    left = {path.suffix for path in (tmp_path / "out/demo").iterdir()}
    assert {".png", ".svg", ".onnx"} <= left
