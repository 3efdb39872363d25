"""What may be written at a cursor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from nncomp.lower.builtins import BUILTINS
from nncomp.lower.modules import StandardPrelude, std_index
from nncomp.lower.static_types import DTYPES
from nncomp.lower.values import Builtin, Namespace
from nncomp.lsp.analysis import Analysis
from nncomp.lsp.cursor import Cursor, cursor_at
from nncomp.lsp.facts import Fact
from nncomp.lsp.places import Place, binders, callee_of, file_of, of_file
from nncomp.lsp.signatures import (
    Taken,
    attributes,
    operator_doc,
    operator_signature,
    signature,
    taken,
)
from nncomp.lsp.texts import std_declaration
from nncomp.ops import REGISTRY
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.syntax.lexer import words

Kind = Literal[
    "fn", "block", "operator", "argument", "value", "dim", "module", "keyword", "type", "parameter"
]
_PRELUDE = StandardPrelude()
_TYPES = ("float", "int", "bool", "str", "list", "sequence", "block", "fn", "dim", "dtype", "any")
_FILE_WORDS = ("from", "import", "model", "block", "fn", "optimizer")
_BODY_WORDS = tuple(
    words("input output param buffer state update metric minimize maximize train entry")
    | words("if for return yield assert")
)
_VALUE_WORDS = ("scan", "loop", "cond", "true", "false", "none", "not")


@dataclass(frozen=True)
class Item:
    """One proposal. detail: a line about it; doc: Markdown; insert: what is written, if not the
    label; home: the module of the standard library that must be imported first"""

    label: str
    kind: Kind
    detail: str = ""
    doc: str = ""
    insert: str | None = None
    home: str | None = None


def complete(analysis: Analysis | None, text: str, offset: int) -> list[Item]:
    """Proposals at a character of a text.

    analysis: of the last version that could be parsed
    """
    cursor = cursor_at(text, offset)
    if cursor is None:
        return []
    if cursor.importing is not None:
        return list(_imports(cursor))
    if cursor.owner:
        return list(_members(analysis, text, offset, cursor.owner))
    if cursor.typed and not cursor.argument:
        return [Item(name, "type") for name in (*_TYPES, *DTYPES)]
    found: dict[str, Item] = {}
    items = [
        *_arguments(analysis, text, offset, cursor),
        *([] if cursor.stage else _words(cursor)),
        *([] if cursor.stage or analysis is None else _local(analysis, text, offset)),
        *_known(analysis, cursor.stage),
    ]
    for item in items:
        found.setdefault(item.label, item)
    return list(found.values())


def in_tree(analysis: Analysis, text: str, offset: int) -> int:
    """The character of the analysed text that stands for one of a newer text."""
    old = analysis.source.text
    if old == text:
        return offset
    same = next(
        (i for i, (a, b) in enumerate(zip(old, text, strict=False)) if a != b),
        min(len(old), len(text)),
    )
    if offset <= same:
        return offset
    behind = len(old) - (len(text) - offset)
    return behind if behind >= same and old[behind:] == text[offset:] else same


def _declaration(analysis: Analysis, text: str, offset: int) -> tuple[ast.Decl | None, int]:
    assert analysis.tree is not None
    at = in_tree(analysis, text, offset)
    for declaration in analysis.tree.declarations:
        if declaration.span.start <= at <= declaration.span.end:
            return declaration, at
    return None, at


def _words(cursor: Cursor) -> list[Item]:
    if not cursor.starts:
        return [Item(word, "keyword") for word in _VALUE_WORDS]
    chosen = _BODY_WORDS if cursor.depth else _FILE_WORDS
    return [Item(word, "keyword") for word in chosen]


def _local(analysis: Analysis, text: str, offset: int) -> Iterator[Item]:
    """Names that the declaration around binds before the cursor, with their types."""
    declaration, at = _declaration(analysis, text, offset)
    if declaration is None:
        return
    facts = analysis.recorder.facts
    for binder in sorted(binders(declaration), key=lambda b: -b.start):
        if binder.sees(at):
            dim = isinstance(binder.node, ast.TypeExpr)
            named = (f for n, f in facts.items() if n.span == binder.span)
            yield Item(
                binder.name,
                "dim" if dim else "value",
                _detail(next(named, None)) or _written(binder.node),
            )


def _written(node: ast.Node) -> str:
    match node:
        case ast.Parameter() | ast.Carry() | ast.InputDecl() | ast.StateDecl() if node.type:
            return " ".join(node.type.span.text.split())
    return ""


def _detail(fact: Fact | None) -> str:
    return " | ".join(fact.types) if fact is not None else ""


def _known(analysis: Analysis | None, callable_only: bool) -> Iterator[Item]:
    """Names of the file, of the compiler and of the standard library."""
    imported: set[str] = set()
    if analysis is not None and analysis.tree is not None:
        for statement in analysis.tree.imports:
            imported |= {(n.alias or n.name).text for n in statement.names or ()}
        for declaration in analysis.tree.declarations:
            yield _of_declaration(declaration)
        for name in sorted(imported):
            found = of_file(analysis, name)
            if found is not None and isinstance(found.node, ast.Decl):
                yield _of_declaration(found.node, name)
    for name, value in BUILTINS.items():
        if isinstance(value, Builtin):
            yield Item(name, "fn", "a function of the compiler")
        elif isinstance(value, Namespace):
            yield Item(name, "module", f"operators of {name}")
        elif not callable_only:
            yield Item(name, "value", str(value))
    for name, file in std_index().items():
        needs_import = name not in _PRELUDE and name not in imported
        declared = std_declaration(name)
        assert declared is not None
        yield _of_declaration(declared, home=f"std.{file}" if needs_import else None)
    yield from (Item(name, "type", "a dtype") for name in DTYPES)


def _of_declaration(
    declaration: ast.Decl, name: str | None = None, home: str | None = None
) -> Item:
    kind: Kind = "value"
    if isinstance(declaration, ast.BlockDecl | ast.ModelDecl):
        kind = "block"
    elif isinstance(declaration, ast.FnDecl):
        kind = "fn"
    doc = (declaration.doc or "").strip()
    return Item(name or declaration.name.text, kind, signature(declaration), doc, home=home)


def _imports(cursor: Cursor) -> Iterator[Item]:
    """Modules, or the names in one."""
    files = dict.fromkeys(std_index().values())
    if not cursor.chooses:
        yield Item("std", "module", "the standard library")
        yield from (Item(f"std.{file}", "module") for file in files)
        return
    module = cursor.importing or ""
    for name, file in std_index().items():
        if module in ("std", f"std.{file}"):
            declared = std_declaration(name)
            assert declared is not None
            yield _of_declaration(declared)


def _members(analysis: Analysis | None, text: str, offset: int, owner: str) -> Iterator[Item]:
    """What stands behind a dot: operators, names of a module, parameters of an instance."""
    if owner in ("onnx", "nncomp"):
        for name, cls in REGISTRY.items():
            if (cls.domain or "onnx") == owner:
                yield Item(name, "operator", operator_signature(cls), operator_doc(cls))
        return
    if owner == "std" or owner.startswith("std."):
        yield from _imports(Cursor(importing=owner, chooses=True))
        return
    if analysis is None or analysis.tree is None:
        return
    for statement in analysis.tree.imports:
        alias = statement.alias.text if statement.alias else statement.module[-1]
        if statement.names is None and alias == owner:
            if statement.module[0] == "std":
                module = ".".join(statement.module)
                yield from _imports(Cursor(importing=module, chooses=True))
            else:
                tree = analysis.texts.tree(file_of(analysis, statement))
                yield from map(_of_declaration, tree.declarations if tree is not None else ())
            return
    declaration, at = _declaration(analysis, text, offset)
    for binder in binders(declaration) if declaration is not None else ():
        if binder.name == owner and binder.sees(at):
            facts = (f for n, f in analysis.recorder.facts.items() if n.span == binder.span)
            yield from _below(analysis, [path for fact in facts for path in fact.paths])
    yield from (Item(name, "value") for name in ("shape", "rank", "dtype", "params"))


def _below(analysis: Analysis, paths: Iterable[str]) -> Iterator[Item]:
    """The parameters and blocks of instances."""
    for path in paths:
        for other, parameter in analysis.recorder.parameters.items():
            if other.startswith(f"{path}."):
                name, _, deeper = other.removeprefix(f"{path}.").partition(".")
                detail = "" if deeper else f"{parameter.kind}: {parameter.value.type}"
                yield Item(name, "parameter", detail)


def _arguments(analysis: Analysis | None, text: str, offset: int, cursor: Cursor) -> Iterator[Item]:
    """Names of the arguments that the call around the cursor takes."""
    if not cursor.argument or not cursor.callee:
        return
    for item in _taken(analysis, text, offset, cursor):
        if item.name not in cursor.named:
            yield Item(item.name, "argument", item.text, insert=f"{item.name}=")


def _taken(analysis: Analysis | None, text: str, offset: int, cursor: Cursor) -> list[Taken]:
    domain, _, name = cursor.callee.partition(".")
    if domain in ("onnx", "nncomp") and name:
        cls = REGISTRY.get(name)
        return attributes(cls) if cls is not None and (cls.domain or "onnx") == domain else []
    declared: ast.Node | None = std_declaration(cursor.callee)
    if analysis is not None and analysis.tree is not None:
        declaration, at = _declaration(analysis, text, offset)
        span = Span(analysis.source, at, at)
        callee = ast.Ref(span, cursor.callee)
        if name:
            callee_of_module = ast.Ref(span, domain)
            made: ast.Expr = ast.Attribute(span, callee_of_module, ast.Name(span, name))
        else:
            made = callee
        around = (made,) if declaration is None else (made, declaration)
        declared = callee_of(analysis, Place(cursor.callee, span, around), made) or declared
    match declared:
        case ast.BlockDecl():
            return taken(declared.tensors if cursor.second else declared.hyperparameters)
        case ast.FnDecl():
            return taken(declared.parameters[1 if cursor.piped else 0 :])
    return []
