"""What `--set` gives a model's hyperparameters."""

from __future__ import annotations

from typing import Any

from nncomp.errors import CompileError, did_you_mean, error
from nncomp.ir.graph import Value
from nncomp.lower.context import Context, Frame, Module
from nncomp.lower.expressions import evaluate
from nncomp.lower.modules import StandardPrelude
from nncomp.lower.statements import execute
from nncomp.lower.store import Store
from nncomp.source import SourceFile
from nncomp.syntax import ast
from nncomp.syntax.parser import parse


def setting(model: ast.ModelDecl, key: str, value: Any) -> Any:
    """A setting, which may be text, as the type that the hyperparameter declares. Raises
    CompileError NN0202 if the model has none of that name."""
    formals = {f.name.text: f for f in model.hyperparameters}
    if key not in formals:
        raise error(
            "NN0202",
            f"`{model.name.text}` has no hyperparameter `{key}`",
            model.name.span,
            help=did_you_mean(key, formals)
            or f"it has {', '.join(formals) if formals else 'none'}",
        )
    type_ = formals[key].type
    default = formals[key].default
    text = type_.name.text == "str" if type_ else isinstance(default, ast.String)
    if isinstance(value, str) and not text:
        return literal(key, value)
    return list(value) if isinstance(value, tuple) else value


def literal(key: str, text: str) -> Any:
    """A `--set` value: a literal of the language (`10`, `1e-3`, `true`, `[1, 2]`), else text."""
    try:
        tree = parse(SourceFile(f"--set {key}", f"value = {text}\n"))
    except CompileError:
        return text
    declaration = tree.declarations[0] if len(tree.declarations) == 1 else None
    if not isinstance(declaration, ast.ConstDecl) or isinstance(declaration.value, ast.Ref):
        return text
    context = Context(
        Store(),
        StandardPrelude(),
        training=False,
        section=None,
        learning=False,
        evaluate=evaluate,
        execute=execute,
    )
    context.frames.append(Frame(declaration, Module(f"--set {key}"), {}))
    value = evaluate(context, declaration.value)
    return text if isinstance(value, Value) else value
