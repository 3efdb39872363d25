"""Which argument is for which parameter of a fn or block."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from nncomp.errors import CompileError, Note, error
from nncomp.ir.graph import Value
from nncomp.lower.declared_types import is_tensor_type
from nncomp.lower.elsewhere import argument_help, surplus_help
from nncomp.lower.values import Argument, Arguments
from nncomp.source import Span
from nncomp.syntax import ast


def matched(
    formals: tuple[ast.Parameter, ...], arguments: Arguments, decl: ast.Decl, span: Span
) -> dict[str, Argument]:
    """The argument that is given for each parameter. Raises NN0202 for one that has none."""
    name = decl.name.text
    names = [formal.name.text for formal in formals]
    if len(arguments.positional) > len(formals):
        extra = arguments.positional[len(formals)]
        raise error(
            "NN0202",
            f"`{name}` takes {_count(len(formals), 'argument')}, "
            f"{len(arguments.positional)} are given",
            extra.span,
            "one too many",
            notes=[Note(f"`{name}` is declared here", decl.name.span)],
            help=surplus_help(name),
        )
    given = dict(zip(names, arguments.positional, strict=False))
    for key, argument in arguments.named.items():
        if key not in names:
            raise error(
                "NN0202",
                f"`{name}` has no argument `{key}`",
                argument.span,
                notes=[Note(f"`{name}` is declared here", decl.name.span)],
                help=argument_help(key, names) or f"it takes {', '.join(names) or 'none'}",
            )
        if key in given:
            raise error(
                "NN0202",
                f"`{key}` of `{name}` is given twice",
                argument.span,
                help=surplus_help(name),
            )
        given[key] = argument
    return given


def lacking(
    formals: tuple[ast.Parameter, ...], given: Collection[str], decl: ast.Decl, span: Span
) -> CompileError:
    """NN0202 for parameters that are given nothing and have no default."""
    name = decl.name.text
    missing = [f.name.text for f in formals if not f.default and f.name.text not in given]
    return error(
        "NN0202",
        f"`{name}` lacks its argument{'s' if len(missing) > 1 else ''} "
        f"{', '.join(f'`{m}`' for m in missing)}",
        span,
        notes=[Note(f"`{name}` is declared here", decl.name.span)],
        help=_instead(formals, decl, missing) if not given else None,
    )


def swapped_help(
    formals: tuple[ast.Parameter, ...], given: Sequence[Argument], decl: ast.Decl
) -> str | None:
    """For a fn of floats and of ints, like a loss of scores and labels, that is given the ints
    first."""
    if not isinstance(decl, ast.FnDecl) or min(len(formals), len(given)) < 2:
        return None
    scores, labels = (formal.type.name.text if formal.type else "" for formal in formals[:2])
    first, second = given[:2]
    if not isinstance(first.value, Value) or not isinstance(second.value, Value):
        return None
    ints, floats = first.value.type.dtype.is_int, second.value.type.dtype.is_float
    if scores != "float" or labels not in ("int", "i64") or not (ints and floats):
        return None
    name, texts = decl.name.text, f"{second.span.text}, {first.span.text}"
    what = "the scores come first" if "logit" in formals[0].name.text else "the other way round"
    return f"{what}: `{name}({texts})`" if "\n" not in texts else f"{what}: `{name}(…, …)`"


def _instead(formals: tuple[ast.Parameter, ...], decl: ast.Decl, missing: list[str]) -> str | None:
    """What to write where nothing is given."""
    name = decl.name.text
    if isinstance(decl, ast.FnDecl):
        return f"a fn makes no instance: write `{name}(…)`, or `… |> {name}`"
    if not isinstance(decl, ast.ModelDecl):
        return None
    first = next(f for f in formals if f.name.text == missing[0])
    if first.type is not None and is_tensor_type(first.type):
        return f"what a model takes is an `input`: `input {first.span.text}`"
    return f"`--set {missing[0]}=…`, or a default in its list"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
