"""What rows 32 to 34 are held against. Their equality with PyTorch's and Hugging Face's outputs is
in tests/models/test_text.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from tests.models import support
from tests.models.agreement import count
from zoo.row import ROOT, Figure

BASE, SHARED = 44_140_544, 37_000 * 512


def _transformer() -> str:
    program = support.load("transformer.nn")
    found = count(program) - SHARED
    assert found == BASE, f"{found:,}"
    return f"{found:,} and {(found + SHARED) / 1e6:.1f} M with embeddings"


def _bert() -> str:
    found = count(support.load("bert.nn"))
    assert found == 109_482_240, f"{found:,}"
    return f"{found:,}"


def _gpt() -> str:
    """Without a weight: a program's parameters have shapes, no numbers."""
    sizes = {"gpt2": 124_439_808, "gpt2-xl": 1_557_611_200}
    for size, published in sizes.items():
        found = count(support.load("gpt.nn", size=size))
        assert found == published, f"{size}: {found:,}"
    command = [sys.executable, "-m", "nncomp", "inspect", "models/gpt.nn", "--set", "size=gpt3"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--format", "json"], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    total = json.load(process.stdout)["parameters"]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds, held = time.perf_counter() - began, usage.ru_maxrss / 1024
    assert round(total / 1e9, 1) == 174.6, f"GPT-3: {total:,}"
    assert held < 500, f"GPT-3's shape takes {held:.0f} MB"
    listed = ", ".join(f"{published:,}" for published in sizes.values())
    return f"{listed}, {total / 1e9:.1f} B in {seconds:.1f} s"


TRANSFORMER = Figure("parameters", _transformer)
BERT = Figure("parameters", _bert)
GPT = Figure("parameters", _gpt)
