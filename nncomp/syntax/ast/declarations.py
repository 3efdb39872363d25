"""Declarations and files."""

from __future__ import annotations

from nncomp.syntax.ast.base import Name, Node, node
from nncomp.syntax.ast.expressions import Expr, TypeExpr
from nncomp.syntax.ast.statements import Stmt


@node
class Parameter(Node):
    """`name: type = default` in a signature."""

    name: Name
    type: TypeExpr | None
    default: Expr | None


@node
class Decl(Node):
    """A declaration of a file; `doc` is the `\"\"\"` text before it."""

    name: Name
    doc: str | None


@node
class FnDecl(Decl):
    """`fn name(parameters) -> result = expr` (body is one Return) or `{ body }`.

    A tuple result type is written `-> (A, B)`; `results` then has several.
    """

    parameters: tuple[Parameter, ...]
    results: tuple[TypeExpr, ...]
    body: tuple[Stmt, ...]


@node
class BlockDecl(Decl):
    """`block name(hyperparameters)(tensors) -> result { body }`; kind `block` or `optimizer`.

    A tuple result type is written `-> (A, B)`; `results` then has several.
    """

    kind: str
    hyperparameters: tuple[Parameter, ...]
    tensors: tuple[Parameter, ...]
    results: tuple[TypeExpr, ...]
    body: tuple[Stmt, ...]


@node
class ModelDecl(Decl):
    hyperparameters: tuple[Parameter, ...]
    body: tuple[Stmt, ...]


@node
class ConstDecl(Decl):
    """`name = value` at the top of a file."""

    value: Expr


@node
class ImportedName(Node):
    """`name` or `name as alias`."""

    name: Name
    alias: Name | None


@node
class Import(Node):
    """`from a.b import x, y as z` (module is ("a", "b")), or `from "file.nn" import x`;
    `import a.b` and `import a.b as c` have no `names`."""

    module: tuple[str, ...] | str
    names: tuple[ImportedName, ...] | None
    alias: Name | None


@node
class File(Node):
    """A whole `.nn` file. `version` is what `nn 1` says, None without that line.

    doc: the `\"\"\"` text before the imports, about the file as a whole.
    """

    version: int | None
    imports: tuple[Import, ...]
    declarations: tuple[Decl, ...]
    doc: str | None = None
