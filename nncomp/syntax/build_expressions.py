"""Productions to nodes, for expressions (see `build.py` for the rest)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nncomp.errors import CompileError, error
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast
from nncomp.syntax.lexer import Tokens
from nncomp.syntax.literals import read_float, read_int, string_parts

Children = list[Any]


def nodes(children: Children) -> tuple[Any, ...]:
    """The children that are nodes: without brackets, commas and what was left out."""
    return tuple([c for c in children if c is not None and c.__class__ is not int])


class ExpressionBuilder:
    """Makes the nodes of expressions.

    A method gets its children in the order of the grammar (a node, the index of a token, or None
    for an optional part left out) and the characters that they cover. The children of
    repetitions stand in the same list.

    parse_part: parses the expression between two offsets (in the braces of a string).
    """

    def __init__(
        self, tokens: Tokens, parse_part: Callable[[SourceFile, int, int], ast.Expr]
    ) -> None:
        self.tokens = tokens
        self.source = tokens.source
        self.parse_part = parse_part

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def text(self, token: int) -> str:
        return self.tokens.text(token)

    def name(self, token: int) -> ast.Name:
        return ast.Name(self.tokens.span(token), self.text(token))

    def bare_tuple(self, c: Children, start: int, end: int) -> ast.TupleExpr:
        return ast.TupleExpr(self.span(start, end), nodes(c))

    def ternary(self, c: Children, start: int, end: int) -> ast.IfExpr:
        return ast.IfExpr(self.span(start, end), c[0], c[2], c[4])

    def pipe_(self, c: Children, start: int, end: int) -> ast.Pipe:
        value, stage = c[0], c[2]
        # A node in brackets starts after the bracket.
        if isinstance(value, ast.Unary | ast.Binary) and value.span.start == start:
            raise operator_in_pipe(value.span)
        bracketed = stage.span.start > self.tokens.starts[c[1] + 1]
        if not bracketed and not isinstance(stage, ast.Ref | ast.Attribute | ast.Call | ast.Index):
            raise error(
                "NN0101",
                "a value is passed to a function or a layer",
                stage.span,
                "this is neither",
                help="write `x |> f` or `x |> f(2)`, which is `f(x, 2)`",
            )
        return ast.Pipe(self.span(start, end), value, stage, c[4])

    def instance(self, c: Children, start: int, end: int) -> ast.Name | ast.String:
        if self.tokens.kinds[c[0]] == "STRING":
            return self.string_token(c[0])
        return self.name(c[0])

    def binary(self, c: Children, start: int, end: int) -> ast.Binary:
        operator = self.tokens.span(c[1])
        return ast.Binary(self.span(start, end), operator.text, c[0], c[2], operator)

    def unary(self, c: Children, start: int, end: int) -> ast.Unary:
        return ast.Unary(self.span(start, end), self.text(c[0]), c[1])

    def paren(self, c: Children, start: int, end: int) -> ast.Expr:
        inner: ast.Expr = c[1]
        return inner

    def call(self, c: Children, start: int, end: int) -> ast.Call:
        callee, *arguments = nodes(c)
        return ast.Call(self.span(start, end), callee, tuple(arguments))

    def argument(self, c: Children, start: int, end: int) -> ast.Argument:
        return ast.Argument(self.span(start, end), None, c[0])

    def named_argument(self, c: Children, start: int, end: int) -> ast.Argument:
        return ast.Argument(self.span(start, end), self.name(c[0]), c[2])

    def index(self, c: Children, start: int, end: int) -> ast.Index:
        value, *items = nodes(c)
        return ast.Index(self.span(start, end), value, tuple(items))

    def attribute(self, c: Children, start: int, end: int) -> ast.Attribute:
        return ast.Attribute(self.span(start, end), c[0], self.name(c[2]))

    def ref(self, c: Children, start: int, end: int) -> ast.Ref:
        name = self.text(c[0])
        if name in ("True", "False", "None"):
            raise error(
                "NN0101",
                f"`{name}` is written `{name.lower()}`",
                self.span(start, end),
                help=f"write `{name.lower()}`"
                + ("; a dim of any size has a name: `f32[N, 8]`" if name == "None" else ""),
            )
        return ast.Ref(self.span(start, end), name)

    def integer(self, c: Children, start: int, end: int) -> ast.Int:
        span = self.span(start, end)
        return ast.Int(span, read_int(span))

    def number(self, c: Children, start: int, end: int) -> ast.Float:
        span = self.span(start, end)
        return ast.Float(span, read_float(span))

    def boolean(self, c: Children, start: int, end: int) -> ast.Bool:
        return ast.Bool(self.span(start, end), self.text(c[0]) == "true")

    def none(self, c: Children, start: int, end: int) -> ast.NoneLiteral:
        return ast.NoneLiteral(self.span(start, end))

    def string(self, c: Children, start: int, end: int) -> ast.String:
        return self.string_token(c[0])

    def string_token(self, token: int) -> ast.String:
        span = self.tokens.span(token)
        value, parts = string_parts(span, self.parse_part)
        return ast.String(span, value, parts)

    def tuple_(self, c: Children, start: int, end: int) -> ast.TupleExpr:
        return ast.TupleExpr(self.span(start, end), nodes(c))

    def list_(self, c: Children, start: int, end: int) -> ast.ListExpr:
        return ast.ListExpr(self.span(start, end), nodes(c))

    def comprehension(self, c: Children, start: int, end: int) -> ast.Comprehension:
        value, *clauses = nodes(c)
        return ast.Comprehension(self.span(start, end), value, tuple(clauses))

    def for_clause(self, c: Children, start: int, end: int) -> ast.ForClause:
        return ast.ForClause(self.span(start, end), c[1], c[3], c[5])

    def splice(self, c: Children, start: int, end: int) -> ast.Splice:
        return ast.Splice(self.span(start, end), next(iter(nodes(c)), None))

    def slice(self, c: Children, start: int, end: int) -> ast.Slice:
        return ast.Slice(self.span(start, end), c[0], c[2], c[4])

    def carries(self, c: Children, start: int, end: int) -> list[ast.Carry]:
        return list(nodes(c))

    def carry(self, c: Children, start: int, end: int) -> ast.Carry:
        return ast.Carry(self.span(start, end), self.name(c[0]), c[2], c[4])

    def scan_input(self, c: Children, start: int, end: int) -> ast.ScanInput:
        return ast.ScanInput(self.span(start, end), c[0], c[2], c[4], c[5] is not None)

    def scan(self, c: Children, start: int, end: int) -> ast.Scan:
        inputs = tuple(item for item in nodes(c[3:-1]))
        return ast.Scan(self.span(start, end), tuple(c[1] or ()), inputs, c[-1])

    def loop(self, c: Children, start: int, end: int) -> ast.Loop:
        return ast.Loop(self.span(start, end), tuple(c[1]), c[3], c[4])

    def cond(self, c: Children, start: int, end: int) -> ast.Cond:
        return ast.Cond(self.span(start, end), c[1], c[2], c[4])


def operator_in_pipe(span: Span) -> CompileError:
    """`x + x |> f`: either reading would mislead someone."""
    text = span.text if len(span.text) <= 40 and "\n" not in span.text else "…"
    return error(
        "NN0102",
        "what stands to the left of `|>` needs brackets",
        span,
        "an operator without brackets",
        help=f"write `({text}) |> …` to pass all of it on; "
        "to pass on only the last operand, put brackets around it and its `|>`",
    )
