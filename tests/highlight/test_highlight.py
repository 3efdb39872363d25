"""Colours: the Pygments lexer and the TextMate grammar against the scanner, on each `.nn` file."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from pygments.token import Error

from editors.make import PAGE, grammar_text
from nncomp.highlight.pygments_lexer import NnLexer
from nncomp.highlight.words import words_of
from nncomp.ops import REGISTRY
from nncomp.syntax.tables import load_tables
from tests.highlight.textmate_engine import scopes_of

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = sorted(
    path
    for folder in ("models", "nncomp/std", "examples", "tests/programs", "benchmarks")
    for path in (ROOT / folder).rglob("*.nn")
)
GRAMMAR = json.loads(PAGE.read_text("utf-8"))

# What the grammar for editors calls each kind of word; it tells fewer kinds of names apart.
SCOPES = {
    "comment": ("comment",),
    "doc": ("string", "constant.character", "punctuation"),
    "string": ("string", "constant.character", "punctuation"),
    "number": ("constant.numeric",),
    "keyword": ("keyword.control", "storage"),
    "declaration": ("storage",),
    "word operator": ("keyword.operator",),
    "constant": ("constant.language",),
    "operator": ("keyword.operator",),
    "type": ("storage.type",),
}
NAMES = ("entity", "variable", "support", "storage.type")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_errors_in_pygments(path: Path) -> None:
    text = path.read_text("utf-8")
    pieces = list(NnLexer(stripnl=False, ensurenl=False).get_tokens(text))
    assert "".join(piece for _, piece in pieces) == text
    assert not [piece for kind, piece in pieces if kind is Error]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_grammar_for_editors_agrees_with_the_scanner(path: Path) -> None:
    text = path.read_text("utf-8")
    scopes = scopes_of(GRAMMAR, text)
    for word in words_of(text):
        shown = f"{path.name}:{text.count(chr(10), 0, word.start) + 1}: {word.kind} "
        shown += repr(text[word.start : word.end])
        scope = scopes.get(word.start, "")
        if word.kind == "punctuation":
            assert not scope.startswith(("keyword", "string", "comment")), shown
        elif word.kind in ("comment", "doc", "string"):
            for at in range(word.start, word.end):
                if text[at] != "\n":
                    assert scopes[at].startswith(SCOPES[word.kind]), shown
        else:
            assert scope.startswith(SCOPES.get(word.kind, NAMES)), f"{shown} is {scope}"


def test_the_grammar_is_the_one_that_is_made() -> None:
    assert PAGE.read_text("utf-8") == grammar_text(), "run: python editors/make.py"


def test_the_grammar_knows_every_word_and_operator() -> None:
    for word in load_tables().words:
        assert word in PAGE.read_text("utf-8")
    lines = [
        f"y = {cls.domain or 'onnx'}.{name}(x)"
        for name, cls in REGISTRY.items()
        if cls.domain in ("", "nncomp")  # others have no name in the language
    ]
    text = "\n".join(lines)
    scopes = scopes_of(GRAMMAR, text)
    for line in lines:
        name = line[line.index(".") + 1 : -3]
        assert scopes[text.index(f".{name}(") + 1] == "support.function", name


@pytest.mark.parametrize("text", ["x = 'a'", "model M {\n  y = x $ 2\n}\n"])
def test_what_is_wrong_is_an_error(text: str) -> None:
    assert any(kind is Error for kind, _ in NnLexer().get_tokens(text))


def test_a_text_beyond_the_limits_has_no_colours() -> None:
    text = "x = " + "(" * 100
    assert "".join(piece for _, piece in NnLexer().get_tokens(text)).strip() == text


def test_pygments_is_told_of_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (entry,) = project["entry-points"]["pygments.lexers"].values()
    module, _, name = entry.partition(":")
    assert getattr(import_module(module), name) is NnLexer
    file = import_module(module).__file__
    done = subprocess.run(
        [sys.executable, "-m", "pygments", "-x", "-l", f"{file}:{name}", "-f", "html"],
        input="model M {\n}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert '<span class="nc">M</span>' in done.stdout


def test_the_extension_starts_the_server() -> None:
    folder = PAGE.parent.parent
    package = json.loads((folder / "package.json").read_text("utf-8"))
    assert package["contributes"]["configuration"]["properties"]["nncomp.command"]["default"] == [
        "nncomp",
        "lsp",
    ]
    for part in ("languages", "grammars"):
        (entry,) = package["contributes"][part]
        named = entry.get("path") or entry["configuration"]
        assert json.loads((folder / named).read_text("utf-8"))
    assert (folder / package["main"]).is_file()
