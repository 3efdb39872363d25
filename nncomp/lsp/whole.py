"""What only compiling to the end finds: a gradient that does not exist, an operator that no opset
has."""

from __future__ import annotations

from nncomp.driver.checking import require_onnx
from nncomp.driver.programs import KINDS
from nncomp.errors import CompileError, Diagnostic
from nncomp.lower.loading import Loaded, models_in
from nncomp.lower.program import lower
from nncomp.lsp.analysis import Analysis


def compile_errors(found: Analysis) -> tuple[Diagnostic, ...]:
    """Of the models of a text without errors, compiled as far as ONNX."""
    errors: dict[Diagnostic, None] = {}
    if found.tree is None:
        return ()
    loaded = Loaded(found.source, read=found.texts.read)
    for name in models_in(found.tree):
        try:
            require_onnx(lower(loaded, name, kinds=KINDS))
        except CompileError as failure:
            errors |= dict.fromkeys(failure.diagnostics)
    return tuple(errors)
