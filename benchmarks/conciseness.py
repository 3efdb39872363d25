"""How much one writes for a network: code lines and tokens in nncomp, PyTorch and Keras 3.

    python benchmarks/conciseness.py [--markdown] [--brackets]

Ours are the files of models/ as they are; `forms/` has networks that do the same in idiomatic,
compact PyTorch and Keras 3: as deep and wide by the same hyperparameters, with the initial values
that the model states, formatted by ruff at 100 columns. On every side the model counts and what it
imports, but not its training: of ours neither `train` sections, nor what is imported for them, nor
further models of the file. One row has a training step too, since two adversaries are their
training: the peers' is `dcgan_step.py`.

* A line counts if it has a word, a number or a text on it: a bracket alone does not, on any side
  (`--brackets`: it does).
* Tokens are those of Python's `tokenize`, without line ends and indentation, and those of our own
  lexer, whose braces count: `{` and `}` are two tokens where Python has an indentation.
* Comments, blank lines and documentation count on no side, nor do `assert`s, which the peers lack,
  and the line `nn 1`.
"""

from __future__ import annotations

import argparse
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from nncomp.lower.modules import read_source
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.syntax.lexer import scan
from nncomp.syntax.parser import parse

FORMS = Path(__file__).resolve().parent / "forms"
MODELS = FORMS.parent.parent / "models"
PEERS = {"PyTorch": "pytorch", "Keras 3": "keras3"}
SYSTEMS = {
    "alexnet": "AlexNet",
    "resnet": "ResNet-18 to 152, plain nets",
    "lstm": "LSTM",
    "gpt": "GPT-2 with its cache",
    "unet": "U-Net",
    "dcgan": "DCGAN",
    "dcgan_step": "DCGAN, trained",
}
LAYOUT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Code lines and tokens of one form."""

    lines: int
    tokens: int
    all_lines: int = 0  # with those that have brackets alone

    def __add__(self, other: Size) -> Size:
        return Size(
            self.lines + other.lines,
            self.tokens + other.tokens,
            self.all_lines + other.all_lines,
        )


def size(tokens: Iterable[tuple[int, str]]) -> Size:
    """Of tokens, each with its line."""
    found = list(tokens)
    lines = {line for line, text in found if text[0].isalnum() or text[0] in "_\"'"}
    return Size(len(lines), len(found), len({line for line, _ in found}))


def of_python(path: Path) -> Size:
    """A module, without its docstrings."""
    return size(_python_tokens(path.read_text("utf-8")))


def _python_tokens(text: str) -> Iterator[tuple[int, str]]:
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            statement.append(token)
        elif token.type == tokenize.NEWLINE:
            if [t.type for t in statement] != [tokenize.STRING] and statement[0].string != "assert":
                yield from ((t.start[0], t.string) for t in statement)
            statement = []


def of_model(path: Path, train: bool = False) -> Size:
    """The first model of a `.nn` file with its blocks and fns; without its training, unless
    `train`."""
    return size(_model_tokens(path, train))


def _model_tokens(path: Path, train: bool) -> Iterator[tuple[int, str]]:
    source = read_source(path)
    tree, tokens = parse(source), scan(source)
    model, *others = (d for d in tree.declarations if isinstance(d, ast.ModelDecl))
    dropped = [d.span for d in others]
    for statement in model.body:
        if isinstance(statement, ast.Section) and statement.kind == "train" and not train:
            dropped.append(statement.span)
    dropped += [node.span for node in _asserts(tree)]

    def kept(spans: list[Span]) -> list[tuple[int, str]]:
        found = zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
        return [
            (first, source.text[first:last])
            for kind, first, last in found
            if kind not in ("DOC", "NL", "$END") and not any(_within(first, s) for s in spans)
        ]

    words = {text for _, text in kept([*dropped, *(line.span for line in tree.imports)])}
    dropped += _unused_imports(tree, words)
    version = 2 if tree.version else 0  # `nn 1`
    for first, text in kept(dropped)[version:]:
        yield source.text.count("\n", 0, first), text


def _asserts(node: object) -> Iterator[ast.Assert]:
    if isinstance(node, ast.Assert):
        yield node
    elif isinstance(node, tuple):
        for part in node:
            yield from _asserts(part)
    elif is_dataclass(node):
        for part in fields(node):
            yield from _asserts(getattr(node, part.name))


def _unused_imports(tree: ast.File, words: set[str]) -> Iterator[Span]:
    """Names that nothing but training needs, each with a comma beside it."""
    for line in tree.imports:
        names = line.names or ()
        unused = [n for n in names if (n.alias or n.name).text not in words]
        if names and len(unused) == len(names):
            yield line.span
            continue
        source = line.span.source
        for name in unused:
            start, end = name.span.start, name.span.end
            before = source.text.rfind(",", line.span.start, start)
            after = source.text.find(",", end, line.span.end)
            yield Span(source, *((before, end) if before >= 0 else (start, after + 1)))


def _within(place: int, span: Span) -> bool:
    return span.start <= place < span.end


def measured(system: str) -> dict[str, Size]:
    """Of each way of writing a system, by its name."""
    network, _, step = system.partition("_")
    sizes = {"nncomp": of_model(MODELS / f"{network}.nn", train=bool(step))}
    for name, folder in PEERS.items():
        sizes[name] = of_python(FORMS / folder / f"{network}.py")
        if step:
            sizes[name] += of_python(FORMS / folder / f"{system}.py")
    return sizes


def rows(brackets: bool = False) -> list[list[str]]:
    """The table, its head first."""
    names = ["nncomp", *PEERS]
    table = [["", *(f"{name}, {what}" for what in ("lines", "tokens") for name in names)]]
    for system, title in SYSTEMS.items():
        sizes = measured(system).values()
        lines = (str(s.all_lines if brackets else s.lines) for s in sizes)
        tokens = (str(s.tokens) for s in sizes)
        table.append([title, *lines, *tokens])
    return table


def markdown(brackets: bool = False) -> str:
    """The table as README.md here has it."""
    head, *body = rows(brackets)
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *body])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--brackets", action="store_true")
    args = parser.parse_args()
    if args.markdown:
        print(markdown(args.brackets), end="")
        return
    head, *body = rows(args.brackets)
    table = Table(*head)
    for row in body:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
