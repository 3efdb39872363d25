"""Which argument is for which parameter of a fn or block."""

from __future__ import annotations

from collections.abc import Collection

from nncomp.errors import CompileError, Note, error
from nncomp.lower.elsewhere import argument_help
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
            raise error("NN0202", f"`{key}` of `{name}` is given twice", argument.span)
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
        help=f"a fn makes no instance: write `{name}(…)`, or `… |> {name}`"
        if isinstance(decl, ast.FnDecl) and not given
        else None,
    )


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
