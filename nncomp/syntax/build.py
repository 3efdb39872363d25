"""Productions to nodes: one method per rule or alias of `nn.lark`, named like it.

A method gets its children in the order of the grammar (a node, the index of a token, or None
for an optional part left out) and the characters that they cover. The children of repetitions
stand in the same list.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from nncomp.errors import Note, error
from nncomp.syntax import ast
from nncomp.syntax.build_expressions import Children, ExpressionBuilder, nodes
from nncomp.syntax.literals import Doc, read_doc, read_int

_Documented = TypeVar("_Documented", ast.Decl, ast.Section)


@ast.node
class Broken(ast.Node):
    """Stands for a statement or declaration that could not be read, in a tree that is dropped."""


class TreeBuilder(ExpressionBuilder):
    """Makes the nodes of one text: files, declarations and statements."""

    # --- files

    def file(self, c: Children, start: int, end: int) -> ast.File:
        version: int | None = None
        imports: list[ast.Import] = []
        declarations: list[ast.Decl] = []
        file_doc: str | None = None
        doc: Doc | None = None
        for item in nodes(c):
            if isinstance(item, ast.Import):
                if declarations:
                    raise error(
                        "NN0106",
                        "an import stands at the top of the file, before the declarations",
                        item.span,
                        notes=[Note("the first declaration is here", declarations[0].name.span)],
                    )
                if doc is not None and (imports or file_doc is not None):
                    raise self.stray_doc(doc)
                if doc is not None:
                    file_doc, doc = doc.value, None
                imports.append(item)
            elif isinstance(item, Doc):
                if doc is not None:
                    if imports or declarations or file_doc is not None:
                        raise self.stray_doc(doc)
                    file_doc = doc.value
                doc = item
            elif isinstance(item, ast.Decl):
                declarations.append(self.documented(item, doc))
                doc = None
            elif isinstance(item, Broken):
                doc = None
            else:
                version = item.value
        if doc is not None:
            if imports or declarations:
                raise self.stray_doc(doc)
            file_doc = doc.value
        return ast.File(
            self.span(0, len(self.source.text)),
            version,
            tuple(imports),
            tuple(declarations),
            file_doc,
        )

    def documented(self, node: _Documented, doc: Doc | None) -> _Documented:
        return node if doc is None else replace(node, doc=doc.value)

    def stray_doc(self, doc: Doc) -> Exception:
        return error(
            "NN0106",
            "this text describes nothing",
            doc.span,
            "no declaration follows",
            help='"""…""" stands before a declaration, a `train` or an `entry`; '
            "elsewhere write a # comment",
        )

    def version(self, c: Children, start: int, end: int) -> ast.Int:
        value = read_int(self.tokens.span(c[1]))
        if value != 1:
            raise error(
                "NN0007",
                f"this compiler does not know version {value} of the language",
                self.span(start, end),
                help="write `nn 1`, or use a newer nncomp",
            )
        return ast.Int(self.span(start, end), value)

    def doc(self, c: Children, start: int, end: int) -> Doc:
        return read_doc(self.span(start, end))

    def module(self, c: Children, start: int, end: int) -> ast.Name | ast.String:
        if self.tokens.kinds[c[0]] == "STRING":
            return self.string_token(c[0])
        return ast.Name(self.span(start, end), ".".join(self.text(i) for i in c[::2]))

    def module_path(self, module: ast.Name | ast.String) -> tuple[str, ...] | str:
        if isinstance(module, ast.String):
            return module.value
        return tuple(module.text.split("."))

    def imported(self, c: Children, start: int, end: int) -> ast.ImportedName:
        alias = None if c[2] is None else self.name(c[2])
        return ast.ImportedName(self.span(start, end), self.name(c[0]), alias)

    def import_from(self, c: Children, start: int, end: int) -> ast.Import:
        module, *names = nodes(c)
        return ast.Import(self.span(start, end), self.module_path(module), tuple(names), None)

    def import_module(self, c: Children, start: int, end: int) -> ast.Import:
        alias = None if c[3] is None else self.name(c[3])
        return ast.Import(self.span(start, end), self.module_path(c[1]), None, alias)

    # --- declarations

    def parameters(self, c: Children, start: int, end: int) -> list[ast.Parameter]:
        return list(nodes(c))

    def parameter(self, c: Children, start: int, end: int) -> ast.Parameter:
        return ast.Parameter(self.span(start, end), self.name(c[0]), c[2], c[4])

    def results(self, c: Children, start: int, end: int) -> list[ast.TypeExpr]:
        return list(nodes(c))

    def model(self, c: Children, start: int, end: int) -> ast.ModelDecl:
        hyper = tuple(c[2] or ())
        return ast.ModelDecl(self.span(start, end), self.name(c[1]), None, hyper, c[3])

    def block(self, c: Children, start: int, end: int) -> ast.BlockDecl:
        kind, name = self.text(c[0]), self.name(c[1])
        if c[3] is None:
            raise error(
                "NN0101",
                f"{kind} `{name.text}` has one list of parameters, it takes two",
                name.span,
                help=f"write `{kind} {name.text}()(…)`: hyperparameters first, then tensors",
            )
        return ast.BlockDecl(
            self.span(start, end),
            name,
            None,
            kind,
            tuple(c[2]),
            tuple(c[3]),
            tuple(c[4] or ()),
            c[5],
        )

    def fn_short(self, c: Children, start: int, end: int) -> ast.FnDecl:
        return self.fn(c, start, end, (ast.Return(c[5].span, c[5]),))

    def fn_long(self, c: Children, start: int, end: int) -> ast.FnDecl:
        return self.fn(c, start, end, c[4])

    def fn(self, c: Children, start: int, end: int, body: tuple[ast.Stmt, ...]) -> ast.FnDecl:
        return ast.FnDecl(
            self.span(start, end), self.name(c[1]), None, tuple(c[2]), tuple(c[3] or ()), body
        )

    def const(self, c: Children, start: int, end: int) -> ast.ConstDecl:
        return ast.ConstDecl(self.span(start, end), self.name(c[0]), None, c[2])

    def bare_type(self, c: Children, start: int, end: int) -> ast.TypeExpr:
        return ast.TypeExpr(self.span(start, end), self.name(c[0]), None, c[1] is not None)

    def dims_type(self, c: Children, start: int, end: int) -> ast.TypeExpr:
        return ast.TypeExpr(self.span(start, end), self.name(c[0]), nodes(c), c[-1] is not None)

    # --- statements

    def body(self, c: Children, start: int, end: int) -> tuple[ast.Stmt, ...]:
        statements: list[ast.Stmt] = []
        doc: Doc | None = None
        for item in nodes(c):
            if isinstance(item, Broken):
                doc = None
                continue
            if doc is not None and not isinstance(item, ast.Section):
                raise self.stray_doc(doc)
            if isinstance(item, Doc):
                doc = item
                continue
            statements.append(self.documented(item, doc))
            doc = None
        if doc is not None:
            raise self.stray_doc(doc)
        return tuple(statements)

    def input(self, c: Children, start: int, end: int) -> ast.InputDecl:
        return ast.InputDecl(self.span(start, end), self.name(c[1]), c[3], c[5])

    def output(self, c: Children, start: int, end: int) -> ast.OutputDecl:
        *names, _, value = c[1:]
        found = tuple(self.name(name) for name in names[::2])
        return ast.OutputDecl(self.span(start, end), found, value)

    def state(self, c: Children, start: int, end: int) -> ast.StateDecl:
        return ast.StateDecl(
            self.span(start, end), self.text(c[0]), self.name(c[1]), c[3], c[5], c[7], c[9]
        )

    def update(self, c: Children, start: int, end: int) -> ast.Update:
        return ast.Update(self.span(start, end), c[1], c[3])

    def metric(self, c: Children, start: int, end: int) -> ast.Metric:
        return ast.Metric(self.span(start, end), self.name(c[1]), c[3])

    def minimize(self, c: Children, start: int, end: int) -> ast.Minimize:
        return ast.Minimize(
            self.span(start, end), self.text(c[0]) == "maximize", c[1], tuple(c[3] or ()), c[5]
        )

    def over(self, c: Children, start: int, end: int) -> list[ast.Expr]:
        return list(nodes(c))

    def section(self, c: Children, start: int, end: int) -> ast.Section:
        name = None if c[1] is None else self.name(c[1])
        return ast.Section(self.span(start, end), self.text(c[0]), name, c[2], None)

    def assign(self, c: Children, start: int, end: int) -> ast.Assign:
        return ast.Assign(self.span(start, end), c[0], c[2], c[4])

    def if_(self, c: Children, start: int, end: int) -> ast.If:
        otherwise = (c[4],) if isinstance(c[4], ast.If) else c[4] or ()
        return ast.If(self.span(start, end), c[1], c[2], otherwise)

    def for_(self, c: Children, start: int, end: int) -> ast.For:
        return ast.For(self.span(start, end), c[1], c[3], c[4])

    def return_(self, c: Children, start: int, end: int) -> ast.Return:
        return ast.Return(self.span(start, end), c[1])

    def yield_(self, c: Children, start: int, end: int) -> ast.Yield:
        return ast.Yield(self.span(start, end), nodes(c))

    def yielded(self, c: Children, start: int, end: int) -> ast.Yielded:
        return ast.Yielded(self.span(start, end), c[0], c[2], c[3] is not None)

    def assert_(self, c: Children, start: int, end: int) -> ast.Assert:
        message = None if c[3] is None else self.string_token(c[3])
        return ast.Assert(self.span(start, end), c[1], message)

    def name_target(self, c: Children, start: int, end: int) -> ast.NameTarget:
        return ast.NameTarget(self.span(start, end), self.name(c[0]), c[2])

    def item_target(self, c: Children, start: int, end: int) -> ast.ItemTarget:
        return ast.ItemTarget(self.span(start, end), self.name(c[0]), nodes(c))

    def tuple_target(self, c: Children, start: int, end: int) -> ast.Target:
        items = nodes(c)
        if len(items) == 1 and c[-2] is None:  # brackets only, no comma
            target: ast.Target = items[0]
            return target
        return ast.TupleTarget(self.span(start, end), items)

    def bare_targets(self, c: Children, start: int, end: int) -> ast.TupleTarget:
        return ast.TupleTarget(self.span(start, end), nodes(c))
