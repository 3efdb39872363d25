"""What rows 32 to 34 are held against. Their equality with PyTorch's and Hugging Face's outputs is
in tests/models/test_text.py."""

from __future__ import annotations

import resource
import time
from math import prod

from tests.models import support
from tests.models.agreement import count
from zoo.row import Figure

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
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parameters = support.load("gpt.nn", size="gpt3").graph.parameters
    seconds = time.process_time() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    total = sum(prod(p.value.type.static_shape) for p in parameters)
    assert round(total / 1e9, 1) == 174.6, f"GPT-3: {total:,}"
    assert grown < 500, f"GPT-3's shape takes {grown:.0f} MB"
    listed = ", ".join(f"{published:,}" for published in sizes.values())
    return f"{listed}, {total / 1e9:.1f} B in {seconds:.1f} s"


TRANSFORMER = Figure("parameters", _transformer)
BERT = Figure("parameters", _bert)
GPT = Figure("parameters", _gpt)
