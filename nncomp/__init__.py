"""nncomp: a declarative graph compiler for neural networks.

    import nncomp

    model = nncomp.load("models/lenet5.nn", classes=10)
    model.build("lenet5.onnx")
    logits = model(image=x)["logits"]

Names are imported when they are first used: `import nncomp` alone costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nncomp.driver.differentiating import GradientFunction, grad
    from nncomp.driver.diffing import diff
    from nncomp.driver.model import Model, load
    from nncomp.driver.stepping import TrainingStep
    from nncomp.errors import CompileError, Diagnostic
    from nncomp.inspect.diff.result import Diff
    from nncomp.lower.objective import Objective
    from nncomp.weights import load_weights

__all__ = [
    "CompileError",
    "Diagnostic",
    "Diff",
    "GradientFunction",
    "Model",
    "Objective",
    "TrainingStep",
    "__version__",
    "diff",
    "grad",
    "load",
    "load_weights",
]

_HOMES = {
    "CompileError": "nncomp.errors",
    "Diagnostic": "nncomp.errors",
    "Diff": "nncomp.inspect.diff.result",
    "GradientFunction": "nncomp.driver.differentiating",
    "Model": "nncomp.driver.model",
    "Objective": "nncomp.driver.model",
    "TrainingStep": "nncomp.driver.stepping",
    "diff": "nncomp.driver.diffing",
    "grad": "nncomp.driver.differentiating",
    "load": "nncomp.driver.model",
    "load_weights": "nncomp.weights",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("nncomp")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
