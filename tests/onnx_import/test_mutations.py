"""Damaged models are refused with a code, or are fine: never a traceback."""

from __future__ import annotations

import random
import resource
import warnings
from functools import cache
from pathlib import Path

import onnx
import pytest
from onnx.backend.test.case.node import collect_testcases

from nncomp.driver.checking import check
from nncomp.errors import CompileError
from nncomp.onnx_import.reading import parse_model
from tests.onnx_import.mutants import mutant
from tests.onnx_import.test_importer import FOREIGN, FUNCTIONS

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
KINDS = ("loop", "scan", "if", "sequence", "optional", "resize", "slice", "conv", "gather", "split")


@cache
def models() -> list[bytes]:
    """Small models of many kinds."""
    found = [onnx.parser.parse_model(text).SerializeToString() for text in (FOREIGN, FUNCTIONS)]
    for kind in ("simple", "pytorch-operator"):
        found += [path.read_bytes() for path in sorted((DATA / kind).glob("*/model.onnx"))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    found += [
        case.model.SerializeToString()
        for case in cases
        if any(case.name.startswith(f"test_{kind}") for kind in KINDS)
    ]
    return [data for data in found if len(data) < 20_000]


def campaign(seed: int, count: int) -> None:
    rng = random.Random(seed)
    fine = 0
    for _ in range(count):
        data = mutant(rng.choice(models()), rng)
        try:
            list(check(parse_model(data)))
            fine += 1
        except CompileError as failure:
            str(failure)  # that it can be shown
    assert 0 < fine < count / 2


def test_damaged_models() -> None:
    campaign(1, 500)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_many_damaged_models(seed: int) -> None:
    campaign(100 + seed, 1_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3 << 20  # KiB; with PyTorch around
