"""The declarations of a text with what they hold, for an editor's outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nncomp.lsp.signatures import signature
from nncomp.source import Span
from nncomp.syntax import ast

Kind = Literal["model", "block", "fn", "constant", "section", "input", "output", "state", "value"]


@dataclass(frozen=True)
class Entry:
    """detail: its type or signature; whole: all its characters; name_span: those of its name"""

    name: str
    kind: Kind
    detail: str
    whole: Span
    name_span: Span
    children: tuple[Entry, ...] = ()


def outline(tree: ast.File) -> list[Entry]:
    """An entry for each declaration of a file."""
    return [_declaration(d) for d in tree.declarations]


def _declaration(declaration: ast.Decl) -> Entry:
    kind: Kind = "constant"
    body: tuple[ast.Stmt, ...] = ()
    match declaration:
        case ast.ModelDecl():
            kind, body = "model", declaration.body
        case ast.BlockDecl():
            kind, body = "block", declaration.body
        case ast.FnDecl():
            kind = "fn"
    name = declaration.name
    return Entry(
        name.text, kind, signature(declaration), declaration.span, name.span, _entries(body)
    )


def _entries(body: Sequence[ast.Stmt]) -> tuple[Entry, ...]:
    found: list[Entry] = []
    for statement in body:
        match statement:
            case ast.InputDecl(name=name, type=type_):
                found.append(_entry(name, "input", type_.span.text, statement))
            case ast.StateDecl(name=name, type=type_):
                detail = f"{statement.kind} {type_.span.text}"
                found.append(_entry(name, "state", detail, statement))
            case ast.OutputDecl(names=names):
                found += [_entry(name, "output", "", statement) for name in names]
            case ast.Metric(name=name):
                found.append(_entry(name, "output", "metric", statement))
            case ast.Assign(target=ast.NameTarget(name=name), value=ast.Call() as call) if (
                _is_block(call)
            ):
                found.append(_entry(name, "value", call.callee.span.text, statement))
            case ast.Section(name=section, kind=kind):
                span = section.span if section else statement.span
                title = section.text if section else kind
                children = _entries(statement.body)
                found.append(Entry(title, "section", kind, statement.span, span, children))
    return tuple(found)


def _is_block(call: ast.Call) -> bool:
    """Whether it makes an instance, as capital letters say."""
    return call.callee.span.text.rpartition(".")[2][:1].isupper()


def _entry(name: ast.Name, kind: Kind, detail: str, statement: ast.Stmt) -> Entry:
    return Entry(name.text, kind, detail, statement.span, name.span)
