"""What a place in a text means: the name there, and where that is defined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nncomp.lower.modules import StandardPrelude, std_index
from nncomp.lower.sites import children_of, nodes
from nncomp.lsp.analysis import Analysis
from nncomp.lsp.facts import bound_names, target_names
from nncomp.lsp.texts import std_declaration, std_path
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast

_PRELUDE = StandardPrelude()


@dataclass(frozen=True)
class Place:
    """A name in a text, and the nodes around it, innermost first.

    name: the text of the name; span: its characters
    """

    name: str
    span: Span
    around: tuple[ast.Node, ...]

    @property
    def node(self) -> ast.Node:
        return self.around[0]

    @property
    def parent(self) -> ast.Node | None:
        return self.around[1] if len(self.around) > 1 else None

    @property
    def declaration(self) -> ast.Decl | None:
        return next((n for n in self.around if isinstance(n, ast.Decl)), None)

    @property
    def is_called(self) -> bool:
        """Whether it stands in call position, or is a stage of a pipe."""
        match self.parent:
            case ast.Call(callee=callee):
                return callee is self.node
            case ast.Pipe(stage=stage):
                return stage is self.node
        return False


@dataclass(frozen=True)
class Definition:
    """Where a name is defined. node: a declaration, or what binds it; None for a whole file."""

    span: Span
    node: ast.Node | None


def place_at(tree: ast.File, offset: int) -> Place | None:
    """The name at a character, or one that ends there."""
    around: list[ast.Node] = [tree]
    while True:
        inner = next((n for n in _parts(around[0]) if n.span.start <= offset <= n.span.end), None)
        if inner is None:
            break
        around.insert(0, inner)
    match around[0]:
        case ast.Ref() | ast.Name() as node:
            return Place(node.span.text, node.span, tuple(around))
        case ast.Import(module=module) as node:
            return Place(str(module), node.span, tuple(around))
    return None


def _parts(node: ast.Node) -> list[ast.Node]:
    """Its children; of two that touch, the name comes first."""
    found: list[ast.Node] = []
    pending: list[Any] = [*children_of(node)]
    while pending:
        child = pending.pop()
        if isinstance(child, tuple):
            pending += child
        elif isinstance(child, ast.Node):
            found.append(child)
    return sorted(found, key=lambda n: not isinstance(n, (ast.Name, ast.Ref)))


def definition(analysis: Analysis, place: Place) -> Definition | None:
    """Where the name at a place is defined."""
    match place.around:
        case (ast.Import() as statement, *_):
            return _module(analysis, statement)
        case (ast.Name(), ast.ImportedName() as item, ast.Import() as statement, *_):
            return _imported(analysis, statement, item.name.text)
        case (ast.Name() as name, ast.Argument() as argument, ast.Call() as call, *_):
            return _formal(analysis, place, call, name.text) or Definition(argument.span, None)
        case (ast.Name() as name, ast.Attribute() as attribute, *_):
            return _attribute(analysis, place, attribute, name)
        case (ast.Name(), ast.TypeExpr(), *_):
            return None
        case (ast.Name() as name, parent, *_):
            return Definition(name.span, parent)
        case (ast.Ref() as ref, *_):
            return named(analysis, place.declaration, ref.name, ref.span.start)
    return None


def named(
    analysis: Analysis, declaration: ast.Decl | None, name: str, offset: int
) -> Definition | None:
    """What a name means at a character of a declaration's body, or of the file."""
    if declaration is not None:
        seen = [b for b in binders(declaration) if b.name == name and b.sees(offset)]
        if seen:
            last = max(seen, key=lambda b: b.start)
            return Definition(last.span, last.node)
    return of_file(analysis, name)


def of_file(analysis: Analysis, name: str) -> Definition | None:
    """What a name of the file, or one that needs no import, means."""
    assert analysis.tree is not None
    for item in analysis.tree.declarations:
        if item.name.text == name:
            return Definition(item.name.span, item)
    for statement in analysis.tree.imports:
        if statement.names is None:
            alias = statement.alias.text if statement.alias else statement.module[-1]
            if alias == name:
                return _module(analysis, statement)
            continue
        for imported in statement.names:
            if (imported.alias or imported.name).text == name:
                return _imported(analysis, statement, imported.name.text)
    found = std_declaration(name) if name in _PRELUDE else None
    return Definition(found.name.span, found) if found is not None else None


def _module(analysis: Analysis, statement: ast.Import) -> Definition | None:
    if not isinstance(statement.module, str) and statement.module[0] == "std":
        files = set(std_index().values())
        if len(statement.module) != 2 or statement.module[1] not in files:
            return None
        source = SourceFile(str(std_path(statement.module[1])), "")
        return Definition(Span(source, 0, 0), None)
    tree = analysis.texts.tree(file_of(analysis, statement))
    return None if tree is None else Definition(Span(tree.span.source, 0, 0), None)


def file_of(analysis: Analysis, statement: ast.Import) -> Path:
    """The file that an import of one's own names."""
    folder = Path(analysis.source.name).parent
    if isinstance(statement.module, str):
        return folder / statement.module
    return folder.joinpath(*statement.module).with_suffix(".nn")


def _imported(analysis: Analysis, statement: ast.Import, name: str) -> Definition | None:
    if not isinstance(statement.module, str) and statement.module[0] == "std":
        found = std_declaration(name)
        return Definition(found.name.span, found) if found is not None else None
    tree = analysis.texts.tree(file_of(analysis, statement))
    for declaration in tree.declarations if tree is not None else ():
        if declaration.name.text == name:
            return Definition(declaration.name.span, declaration)
    return None


def callee_of(analysis: Analysis, place: Place, callee: ast.Expr) -> ast.Node | None:
    """The declaration that is called, if its text tells."""
    if isinstance(callee, ast.Call):
        return callee_of(analysis, place, callee.callee)
    found: Definition | None = None
    if isinstance(callee, ast.Ref):
        found = named(analysis, place.declaration, callee.name, callee.span.start)
        if found is not None and not isinstance(found.node, ast.Decl):
            found = of_file(analysis, callee.name)
    elif isinstance(callee, ast.Attribute):
        found = _attribute(analysis, place, callee, callee.name)
    return found.node if found is not None else None


def _formal(analysis: Analysis, place: Place, call: ast.Call, name: str) -> Definition | None:
    """The parameter that an argument is named for."""
    for parameter in formals(callee_of(analysis, place, call.callee)):
        if parameter.name.text == name:
            return Definition(parameter.name.span, parameter)
    return None


def formals(declaration: ast.Node | None) -> tuple[ast.Parameter, ...]:
    """All parameters of a declaration."""
    match declaration:
        case ast.BlockDecl():
            return (*declaration.hyperparameters, *declaration.tensors)
        case ast.FnDecl():
            return declaration.parameters
        case ast.ModelDecl():
            return declaration.hyperparameters
    return ()


def _attribute(
    analysis: Analysis, place: Place, attribute: ast.Attribute, name: ast.Name
) -> Definition | None:
    """`module.name`, and a parameter of an instance: `cell.weight`."""
    if not isinstance(attribute.value, ast.Ref):
        return None
    assert analysis.tree is not None
    for statement in analysis.tree.imports:
        if statement.names is None:
            alias = statement.alias.text if statement.alias else statement.module[-1]
            if alias == attribute.value.name:
                return _imported(analysis, statement, name.text)
    value = attribute.value
    found = named(analysis, place.declaration, value.name, value.span.start)
    if found is None or not isinstance(found.node, ast.Assign):
        return None
    made = found.node.value
    block = callee_of(analysis, place, made.callee) if isinstance(made, ast.Call) else None
    for node in nodes(block) if isinstance(block, ast.BlockDecl) else ():
        if isinstance(node, ast.StateDecl) and node.name.text == name.text:
            return Definition(node.name.span, node)
    return None


# --- what binds names ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Binder:
    """A name from the character `start` on, up to `end`. node: the statement, parameter or carry
    that binds it; span: the name there"""

    name: str
    span: Span
    node: ast.Node
    start: int
    end: int

    def sees(self, offset: int) -> bool:
        return self.start <= offset <= self.end


def binders(declaration: ast.Decl) -> Iterator[Binder]:
    """All names that a declaration binds, with the characters where they have that meaning."""
    whole = declaration.span
    known: set[str] = set()  # names that a dim in a type does not bind anew
    for node in nodes(declaration):
        match node:
            case ast.Parameter(name=name):
                known.add(name.text)
                yield Binder(name.text, name.span, node, whole.start, whole.end)
            case ast.Assign() | ast.InputDecl() | ast.OutputDecl() | ast.StateDecl() | ast.Metric():
                for name in bound_names(node):
                    known.add(name.text)
                    yield Binder(name.text, name.span, node, node.span.end, whole.end)
            case ast.For(target=target, iterable=iterable):
                for name in target_names(target):
                    yield Binder(name.text, name.span, node, iterable.span.end, node.span.end)
            case ast.Comprehension(clauses=clauses):
                for clause in clauses:
                    for name in target_names(clause.target):
                        yield Binder(name.text, name.span, clause, node.span.start, node.span.end)
            case ast.Scan(carries=carries, inputs=inputs):
                for carry in carries:
                    yield _carry(carry, whole.end)
                for item in inputs:
                    for name in target_names(item.target):
                        end = node.span.end
                        yield Binder(name.text, name.span, item, item.span.end, end)
            case ast.Loop(carries=carries):
                for carry in carries:
                    yield _carry(carry, whole.end)
            case ast.TypeExpr(dims=dims) if dims and node.name.text not in ("list", "sequence"):
                for ref in (inner for dim in dims for inner in nodes(dim)):
                    if isinstance(ref, ast.Ref) and ref.name not in known:
                        known.add(ref.name)
                        yield Binder(ref.name, ref.span, node, ref.span.start, whole.end)


def _carry(carry: ast.Carry, end: int) -> Binder:
    return Binder(carry.name.text, carry.name.span, carry, carry.span.end, end)
