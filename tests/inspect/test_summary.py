"""Summaries: totals, blocks, the log of passes, and how they print."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from nncomp.inspect import units
from nncomp.inspect.printing import print_summary
from nncomp.inspect.summary import Summary, summarize
from nncomp.passes.fuse_conv_activation import FuseConvActivation
from nncomp.passes.manager import run_passes
from nncomp.types import DType, TensorType
from tests.ir.graphs import lenet, resnet


def printed(summary: Summary, depth: int | None = 2) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_summary(summary, console, depth)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_lenet() -> None:
    summary = summarize(lenet())
    assert (summary.parameters, summary.nodes) == (61_706, 12)
    assert [(b.path, b.parameters, str(b.output)) for b in summary.blocks] == [
        ("", 61_706, "f32[N, 10]"),
        ("conv1", 156, "f32[N, 6, 28, 28]"),
        ("conv2", 2_416, "f32[N, 16, 10, 10]"),
        ("fc1", 48_120, "f32[N, 120]"),
        ("fc2", 10_164, "f32[N, 84]"),
        ("fc3", 850, "f32[N, 10]"),
    ]
    assert summary.blocks[1].activations == 4 * 6 * 28 * 28
    assert summary.blocks[0].flops == summary.flops


def test_nested_blocks_and_buffers() -> None:
    summary = summarize(resnet((1, 2), 8, 32))
    paths = [b.path for b in summary.blocks]
    assert paths[:5] == ["", "conv1", "bn1", "layer1", "layer1.0"]
    assert paths.index("layer2") < paths.index("layer2.0") < paths.index("layer2.1")
    blocks = {b.path: b for b in summary.blocks}
    assert blocks["bn1"].parameters == blocks["bn1"].buffers == 16
    layer = blocks["layer2"]
    parts = [blocks["layer2.0"], blocks["layer2.1"]]
    for name in ("parameters", "buffers", "flops", "nodes", "activations"):
        assert getattr(layer, name) == sum(getattr(part, name) for part in parts)
    assert str(layer.output) == "f32[N, 64, 4, 4]"
    assert layer.operators["Conv"] == 7
    assert blocks[""].parameters == summary.parameters


def test_json_has_what_scripts_need() -> None:
    result = json.loads(json.dumps(summarize(resnet()).to_json()))
    assert result["parameters"] == 25_557_032
    assert result["buffers"] == 53_120
    assert result["nodes"] == 175
    assert result["flops"] > 8e9
    assert result["optimized"] is None
    assert result["blocks"][1]["path"] == "conv1"


def test_the_log_of_passes() -> None:
    graph = lenet()
    summary = summarize(graph, run_passes(graph, [FuseConvActivation(), FuseConvActivation()]))
    assert [p.to_json() for p in summary.passes] == [
        {
            "pass": "fuse-conv-activation",
            "nodes_before": 12,
            "nodes_after": 10,
            "rules": {"fuse-activation": 2},
        }
    ]
    assert summary.optimized is not None
    assert summary.optimized.nodes == 10
    assert summary.optimized.flops == summary.flops
    assert summary.optimized.read < summary.totals.read
    text = printed(summary)
    assert "fuse-activation ×2" in text
    assert "12 → 10" in text


def test_printed() -> None:
    text = printed(summarize(resnet((1, 2), 8, 32)))
    assert "  layer2.1" in text
    assert "conv2" not in text
    assert "N×64×4×4" in text
    assert "trainable parameters" in text
    assert "buffers" in text
    assert "conv2" in printed(summarize(resnet((1, 2), 8, 32)), None)
    assert "buffers" not in printed(summarize(lenet()))


@pytest.mark.parametrize(
    ("number", "count", "size"),
    [
        (0, "0", "0 B"),
        (940, "940", "940 B"),
        (999, "999", "999 B"),
        (1000, "1.00 k", "1000 B"),
        (61_706, "61.7 k", "60.3 KiB"),
        (999_600, "1.00 M", "976 KiB"),
        (25_557_032, "25.6 M", "24.4 MiB"),
        (10**30, "1000000000000 E", "867361737988 EiB"),
    ],
)
def test_units(number: int, count: str, size: str) -> None:
    assert units.short_count(number) == count
    assert units.size(number) == size


def test_shapes() -> None:
    assert units.shape(TensorType(DType.F32, (2, 3))) == "2×3"
    assert units.shape(TensorType(DType.I64, (2,))) == "i64 2"
    assert units.shape(TensorType(DType.F32, ())) == "scalar"
    assert units.shape(TensorType(DType.BOOL, ())) == "bool"
