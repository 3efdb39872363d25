"""The optimisers of ONNX models that are compared: a file in, a file out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx


def _nncomp(source: Path, target: Path, opset: int | None) -> None:
    import nncomp

    nncomp.load(source).build(target, opset=opset)


def _onnxsim(source: Path, target: Path, opset: int | None) -> None:
    import onnxsim

    model, right = onnxsim.simplify(str(source))
    if not right:
        raise SystemExit("onnxsim's own check failed")
    onnx.save(model, target)


def _onnxslim(source: Path, target: Path, opset: int | None) -> None:
    import onnxslim

    onnx.save(onnxslim.slim(str(source)), target)


def _onnxoptimizer(source: Path, target: Path, opset: int | None) -> None:
    import onnxoptimizer

    model = onnx.load(source)
    passes = onnxoptimizer.get_fuse_and_elimination_passes()
    onnx.save(onnxoptimizer.optimize(model, passes, fixed_point=True), target)


def _onnxscript(source: Path, target: Path, opset: int | None) -> None:
    from onnxscript import optimizer, rewriter

    onnx.save(rewriter.rewrite(optimizer.optimize(onnx.load(source))), target)


OURS = "nncomp"
OPTIMIZERS: dict[str, Callable[[Path, Path, int | None], None]] = {
    OURS: _nncomp,
    "onnxsim": _onnxsim,
    "onnxslim": _onnxslim,
    "onnxoptimizer": _onnxoptimizer,
    "onnxscript": _onnxscript,
}
"""Each with its own defaults; only ours takes an opset."""
