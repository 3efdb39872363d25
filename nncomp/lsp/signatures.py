"""Declarations, operators and builtins as a line of text, and what their authors say of them."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass

from nncomp.ir.op import Op
from nncomp.lower.values import Builtin
from nncomp.syntax import ast


@dataclass(frozen=True)
class Taken:
    """A parameter, operand or attribute that a call takes. text: as its declaration writes it"""

    name: str
    text: str


def signature(declaration: ast.Decl) -> str:
    """`block Linear(out: int, use_bias: bool = true)(x: float[S..., D]) -> float[S..., out]`."""
    name = declaration.name.text
    match declaration:
        case ast.BlockDecl():
            hyper, tensors = _listed(declaration.hyperparameters), _listed(declaration.tensors)
            return f"{declaration.kind} {name}({hyper})({tensors}){_results(declaration.results)}"
        case ast.FnDecl():
            return f"fn {name}({_listed(declaration.parameters)}){_results(declaration.results)}"
        case ast.ModelDecl():
            hyper = _listed(declaration.hyperparameters)
            return f"model {name}({hyper})" if hyper else f"model {name}"
        case ast.ConstDecl():
            return f"{name} = {declaration.value.span.text}"
    return name


def _listed(parameters: tuple[ast.Parameter, ...]) -> str:
    return ", ".join(" ".join(p.span.text.split()) for p in parameters)


def _results(types: tuple[ast.TypeExpr, ...]) -> str:
    texts = [t.span.text for t in types]
    if not texts:
        return ""
    return f" -> {texts[0]}" if len(texts) == 1 else f" -> ({', '.join(texts)})"


def taken(parameters: tuple[ast.Parameter, ...]) -> list[Taken]:
    """What a call of a declaration takes."""
    return [Taken(p.name.text, " ".join(p.span.text.split())) for p in parameters]


def operator_signature(cls: type[Op]) -> str:
    """`onnx.MaxPool(X, kernel_shape, auto_pad="NOTSET", …) -> Y, Indices?`."""
    domain = cls.domain or "onnx"
    operands = [_operand(o.name, o.optional, o.variadic) for o in cls.operands()]
    results = [_operand(o.name, o.optional, o.variadic) for o in cls.results()]
    inside = ", ".join([*operands, *(a.text for a in attributes(cls))])
    return f"{domain}.{cls.__name__}({inside}) -> {', '.join(results)}"


def _operand(name: str, optional: bool, variadic: bool) -> str:
    return name + ("?" if optional else "...") if optional or variadic else name


def attributes(cls: type[Op]) -> list[Taken]:
    """The attributes of an operator with their defaults."""
    return [Taken(f.name, _field(f)) for f in dataclasses.fields(cls)]


def _field(field: dataclasses.Field[object]) -> str:
    if field.default is dataclasses.MISSING:
        return field.name
    return f"{field.name}={_default(field.default)}"


def _default(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case tuple():
            return f"[{', '.join(map(_default, value))}]"
    return str(value)


def operator_doc(cls: type[Op]) -> str:
    """What the operator computes."""
    return inspect.cleandoc(cls.__doc__ or "")


def builtin_doc(value: object) -> str:
    """What a function of the compiler does, where it says so."""
    return inspect.getdoc(value.call) or "" if isinstance(value, Builtin) else ""
