"""What only compiling to the end finds: a gradient that does not exist, an operator that no opset
has."""

from __future__ import annotations

from nncomp.driver.checking import require_onnx
from nncomp.errors import CompileError, Diagnostic
from nncomp.lsp.analysis import Analysis


def compile_errors(found: Analysis) -> tuple[Diagnostic, ...]:
    """Of the models of a text without errors, compiled as far as ONNX."""
    errors: dict[Diagnostic, None] = {}
    for program in found.programs:
        try:
            require_onnx(program)
        except CompileError as failure:
            errors |= dict.fromkeys(failure.diagnostics)
    return tuple(errors)
