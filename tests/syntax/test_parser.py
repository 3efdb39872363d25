"""Text to tree: structure, precedence, soft keywords, line ends, spans."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from nncomp.source import SourceFile, Span
from nncomp.syntax import ast, ast_equal, dump, parse, parse_expression, tables
from nncomp.syntax.parser import MAX_HEIGHT

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.nn"))


def body_of(text: str) -> tuple[ast.Stmt, ...]:
    [decl] = parse(SourceFile("t.nn", f"fn f(x) {{\n{text}\n}}")).declarations
    assert isinstance(decl, ast.FnDecl)
    return decl.body


def shape(node: object) -> str:
    """An expression in prefix form."""
    match node:
        case ast.Ref(name=name):
            return name
        case ast.Int(value=value) | ast.Float(value=value):
            return str(value)
        case ast.Unary(op=op, operand=operand):
            return f"({op} {shape(operand)})"
        case ast.Binary(op=op, left=left, right=right):
            return f"({op} {shape(left)} {shape(right)})"
        case ast.IfExpr(then=then, condition=condition, otherwise=otherwise):
            return f"(if {shape(condition)} {shape(then)} {shape(otherwise)})"
        case ast.Pipe(value=value, stage=stage, name=name):
            label = f" as {name.text if isinstance(name, ast.Name) else name.value}" if name else ""
            return f"(|> {shape(value)} {shape(stage)}{label})"
        case ast.Call(callee=callee, arguments=arguments):
            inner = [(f"{a.name.text}=" if a.name else "") + shape(a.value) for a in arguments]
            return f"{shape(callee)}({' '.join(inner)})"
        case ast.Index(value=value, items=items):
            return f"{shape(value)}[{' '.join(map(shape, items))}]"
        case ast.Slice(start=start, stop=stop, step=step):
            return ":".join("" if s is None else shape(s) for s in (start, stop, step))
        case ast.Attribute(value=value, name=name):
            return f"{shape(value)}.{name.text}"
        case ast.Splice(value=value):
            return "..." if value is None else f"{shape(value)}..."
        case ast.ListExpr(items=items):
            return f"[{' '.join(map(shape, items))}]"
        case ast.TupleExpr(items=items):
            return f"<{' '.join(map(shape, items))}>"
        case ast.NoneLiteral():
            return "none"
        case ast.Bool(value=value):
            return str(value).lower()
        case ast.String(parts=parts):
            return repr([p if isinstance(p, str) else shape(p) for p in parts])
    return type(node).__name__


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_programs_parse(path: Path) -> None:
    assert parse(SourceFile(path.name, path.read_text())).declarations


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b * c", "(+ a (* b c))"),
        ("a - b - c", "(- (- a b) c)"),
        ("-a ** b", "(- (** a b))"),
        ("a ** -b ** c", "(** a (- (** b c)))"),
        ("(a + b) * c", "(* (+ a b) c)"),
        ("not a == b and c or d", "(or (and (not (== a b)) c) d)"),
        ("a in b + c", "(in a (+ b c))"),
        ("x @ w // 2 % 3", "(% (// (@ x w) 2) 3)"),
        ("a if b else c if d else e", "(if b a (if d c e))"),
        ("x |> f if b else y |> g", "(if b (|> x f) (|> y g))"),
        ("x |> f |> g(2) as h", "(|> (|> x f) g(2) as h)"),
        ('x |> g.h[0](A) as "l{i+1}"', "(|> x g.h[0](A) as l{i+1})"),
        ("(x + x) |> f", "(|> (+ x x) f)"),
        ("x + (y |> f)", "(+ x (|> y f))"),
        ("f(-x, k=1, S...)", "f((- x) k=1 S...)"),
        ("x[1:, ..., none, ::-1, :]", "x[1:: ... none ::(- 1) ::]"),
        ("[S..., 2 * C]", "[S... (* 2 C)]"),
        ("()", "<>"),
        ("(a,)", "<a>"),
        ("(a, b,)", "<a b>"),
        ("1e-3 + .5 + 1. + 1_000", "(+ (+ (+ 0.001 0.5) 1.0) 1000)"),
        ("f(true, false, none)", "f(true false none)"),
        ('"a{b + 1}c{{d}}\\n\\u00e9"', "['a', '(+ b 1)', 'c{d}\\né']"),
        ("(a\n\n  # comment\n + b)", "(+ a b)"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert shape(parse_expression(SourceFile("t.nn", text))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "input = x\noutput = input\nstate = f(x)\nparam, train = state, x",
        "update = 1\nmetric = update\nminimize = 2\nminimize[0] = 3\nmaximize: int = 4",
        "model = block\nblock = fn\nfn = optimizer\noptimizer = entry\nentry = nn\nnn = 1",
        "over = by\nby = when\nwhen = axis\naxis = reverse\nreverse = while_\nwhile = over",
        "y = f(axis=1, train=2, by=3, input=4, scan=5, loop=6, cond=7, from=8)",
        "y = a.input.output.if.else.state",
        "scan = loop\nloop = cond\ncond = scan\ny = scan(x)\nz = loop(x) + scan\nw = cond[0]",
        "y = where(cond, a, b) if cond else cond\nif cond { y = 1 }",
        "for axis in over { by = axis }",
    ],
)
def test_soft_keywords_are_names_elsewhere(text: str) -> None:
    for statement in body_of(text):
        assert isinstance(statement, ast.Assign | ast.If | ast.For)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("input when: f32[N]", ast.InputDecl),
        ("input reverse: f32[N]", ast.InputDecl),
        ("output input", ast.OutputDecl),
        ("param by: float[N] = zeros() when over", ast.StateDecl),
        ("update state = 1", ast.Update),
        ("metric metric = 1", ast.Metric),
        ("minimize (a + b) * c by f", ast.Minimize),
        ("minimize -scan(x) over D by f", ast.Minimize),
        ("minimize loss over over by by", ast.Minimize),
        ("train { }", ast.Section),
        ("train train { }", ast.Section),
        ("entry entry { }", ast.Section),
        ("yield cond (a) > 1 { yield a } else { yield b }", ast.Yield),
        ("return scan (h = 0) over xt = x { yield h }", ast.Return),
        ("return loop (h = 0) while h < 1 { h = 1 }", ast.Return),
    ],
)
def test_soft_keywords_at_work(text: str, kind: type[ast.Stmt]) -> None:
    [statement] = body_of(text)
    assert isinstance(statement, kind)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a = b\n- c", 1),
        ("a = b\n\n  # why\n  |> f\n\n  |> g", 1),
        ("a = b if c\nelse d", 1),
        ("a = b\nor c\nand d\nin e", 1),
        ("a = f(\nb\n,\nc)\nd = e", 2),
        ("if a { b = 1 }\nelse { c = 2 }\nd = 3", 2),
        ("a = b\r\nc = d\r\n", 2),
        ("a = f(scan over t = x {\n  b = 1\n  yield b\n}\n, 2)", 1),
        ("(a, b) = c\n(d, e) = f", 2),
    ],
)
def test_line_ends(text: str, count: int) -> None:
    assert len(body_of(text)) == count


def test_declarations_keep_all_that_was_written() -> None:
    path = Path(__file__).parent / "programs" / "everything.nn"
    file = parse(SourceFile("everything.nn", path.read_text()))
    assert (file.version, file.doc) == (1, "About the whole file.")
    assert [i.module for i in file.imports] == [
        ("std",), ("std", "optim"), "other/file.nn", ("std", "optim"), ("std",),
    ]  # fmt: skip
    by_name = {decl.name.text: decl for decl in file.declarations}
    pair = by_name["Pair"]
    assert isinstance(pair, ast.BlockDecl)
    assert (pair.doc, len(pair.results)) == ("A block of two results.", 2)
    weight = pair.body[0]
    assert isinstance(weight, ast.StateDecl)
    assert isinstance(weight.path, ast.String)
    assert weight.path.value == "w{size + 1}"
    assert weight.when is not None
    model = by_name["M"]
    assert isinstance(model, ast.ModelDecl)
    sections = [s for s in model.body if isinstance(s, ast.Section)]
    assert [(s.kind, s.name and s.name.text, s.doc) for s in sections] == [
        ("train", None, "Training."), ("train", "second", None), ("entry", "step", "One step."),
    ]  # fmt: skip
    assert isinstance(by_name["pick"], ast.FnDecl)
    mask = by_name["pick"].parameters[2]
    assert mask.type is not None
    assert mask.type.optional


def children(node: ast.Node) -> list[ast.Node]:
    found: list[ast.Node] = []
    for field in fields(node):
        value = getattr(node, field.name)
        found += [v for v in (value if isinstance(value, tuple) else (value,))
                  if isinstance(v, ast.Node)]  # fmt: skip
    return found


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_spans_nest_and_hold_their_text(path: Path) -> None:
    stack: list[ast.Node] = [parse(SourceFile(path.name, path.read_text()))]
    while stack:
        node = stack.pop()
        for child in children(node):
            assert node.span.start <= child.span.start <= child.span.end <= node.span.end
            stack.append(child)
        if isinstance(node, ast.Name) and "." not in node.text:
            assert node.span.text == node.text
        if isinstance(node, ast.Ref):
            assert node.span.text == node.name
        if isinstance(node, ast.Binary):
            assert node.op_span.text == node.op


def test_span_of_a_bracketed_operand() -> None:
    tree = parse_expression(SourceFile("t.nn", "(a + b) * (c)"))
    assert isinstance(tree, ast.Binary)
    assert isinstance(tree.left, ast.Binary)
    assert (tree.span.text, tree.left.span.text) == ("(a + b) * (c)", "a + b")


def test_spans_inside_a_string_point_into_the_file() -> None:
    tree = parse_expression(SourceFile("t.nn", '"width {D + 1}"'))
    assert isinstance(tree, ast.String)
    part = tree.parts[1]
    assert isinstance(part, ast.Binary)
    assert part.span == Span(tree.span.source, 8, 13)


def test_ast_equal_ignores_spans_only() -> None:
    def tree(text: str) -> ast.Expr:
        return parse_expression(SourceFile("t.nn", text))

    assert ast_equal(tree("a+(b)"), tree(" a  + b"))
    assert not ast_equal(tree("a + b"), tree("a - b"))
    assert not ast_equal(tree("(a + b) + c"), tree("a + (b + c)"))


def test_everything_nests_as_deep_as_the_limit_says() -> None:
    for opener, closer in (("(", ")"), ("[", "]"), ("f(", ")"), ("x[", "]")):
        parse_expression(SourceFile("t.nn", opener * 64 + "1" + closer * 64))
    parse(SourceFile("t.nn", "fn f(x) {" + "if x {" * 63 + "}" * 63 + "}"))
    parse_expression(SourceFile("t.nn", "x" + " |> f" * (MAX_HEIGHT - 10)))


def test_tables_survive_a_damaged_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tables.load_tables.cache_clear()
    source = SourceFile("t.nn", "fn f(x) = x + 1")
    fresh = dump(parse(source))
    [file] = (tmp_path / "nncomp").iterdir()
    for text in ("", "{}", "[1]", '{"format": 2}', json.dumps({"format": 0}), "[" * 10**5):
        file.write_text(text)
        tables.load_tables.cache_clear()
        assert dump(parse(source)) == fresh
    tables.load_tables.cache_clear()
    assert dump(parse(source)) == fresh  # as written anew
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))  # cannot be written
    tables.load_tables.cache_clear()
    assert dump(parse(source)) == fresh
