"""What only compiling to the end finds: a gradient that does not exist, an operator that no opset
has."""

from __future__ import annotations

from nncomp.driver.checking import require_onnx
from nncomp.driver.compiling import KINDS
from nncomp.errors import CompileError, Diagnostic
from nncomp.lower.program import lower
from nncomp.lsp.analysis import Analysis
from nncomp.syntax import ast


def compile_errors(found: Analysis) -> tuple[Diagnostic, ...]:
    """Of the models of a text without errors, compiled as far as ONNX."""
    errors: dict[Diagnostic, None] = {}
    for declaration in found.tree.declarations if found.tree is not None else ():
        if isinstance(declaration, ast.ModelDecl):
            try:
                name = declaration.name.text
                require_onnx(lower(found.source, name, kinds=KINDS, read=found.texts.read))
            except CompileError as failure:
                errors |= dict.fromkeys(failure.diagnostics)
    return tuple(errors)
