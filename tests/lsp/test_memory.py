"""A text that is looked at with the memory of others tells the same as one looked at afresh."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from nncomp.lower.remembering import Memory
from nncomp.lsp.analysis import Analysis, analyse
from nncomp.lsp.texts import Texts
from nncomp.source import SourceFile

MODELS = Path(__file__).parents[2] / "models"
FILES = ("mc_dropout", "captioning", "unet", "transformer", "dcgan", "rnn", "senet", "vae")
WORDS = re.compile(r"\d+(?:\.\d+)?|[A-Za-z_]\w*|[^\sA-Za-z_0-9]")


def told(found: Analysis) -> tuple[object, ...]:
    """All that an editor may show of it."""
    facts = {
        (type(node).__name__, node.span.start, node.span.end): (*fact.types, *fact.paths, fact.more)
        for node, fact in found.recorder.facts.items()
    }
    parameters = {p: (q.kind, str(q.value.type)) for p, q in found.recorder.parameters.items()}
    return [d.render() for d in found.diagnostics], facts, parameters, found.whole


def edited(text: str, rng: random.Random) -> str:
    """The text with one word, sign, number or line changed, as by a hand at work."""
    words = list(WORDS.finditer(text))
    chosen, other = rng.choice(words), rng.choice(words)
    start, end = chosen.span()
    match rng.choice(("number", "swap", "drop", "line", "twice")):
        case "number":
            numbers = [w for w in words if w[0].isdigit()] or [chosen]
            start, end = rng.choice(numbers).span()
            return f"{text[:start]}{rng.choice((0, 1, 2, 3, 7, 16, 1.5))}{text[end:]}"
        case "swap":
            return text[:start] + other[0] + text[end:]
        case "drop":
            return text[:start] + text[end:]
        case "line":
            lines = text.splitlines(keepends=True)
            del lines[rng.randrange(len(lines))]
            return "".join(lines)
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines))
    return "".join([*lines[: at + 1], *lines[at:]])


@pytest.mark.parametrize("name", FILES)
def test_edits(name: str) -> None:
    path = MODELS / f"{name}.nn"
    rng, text, memory = random.Random(name), path.read_text("utf-8"), Memory()
    texts = [text, text, *(edited(text, rng) for _ in range(4))]
    for one in texts:
        source = SourceFile(str(path), one)
        fresh = told(analyse(source, Texts()))
        assert told(analyse(source, Texts(), memory=memory)) == fresh, one


@pytest.mark.parametrize("name", FILES[:4])
def test_edits_that_pile_up_and_are_undone(name: str) -> None:
    path = MODELS / f"{name}.nn"
    rng, memory = random.Random(f"{name}s"), Memory()
    texts = [path.read_text("utf-8")]
    for _ in range(6):
        if len(texts) > 1 and rng.random() < 0.35:
            texts.pop()
        else:
            texts.append(edited(texts[-1], rng))
        source = SourceFile(str(path), texts[-1])
        fresh = told(analyse(source, Texts()))
        assert told(analyse(source, Texts(), memory=memory)) == fresh, texts[-1]


def test_messages_name_the_operator_that_changed_a_size() -> None:
    text = """from std import BatchNorm, Conv

block Twice(channels: int)(x: float[N, C, H, W]) {
  y = x |> Conv(channels, 3) |> BatchNorm()
  return x + y
}

model M {
  input x: f32[N, 8, 16, 16]
  output y = x |> Twice(8)
}
"""
    memory = Memory()
    source = SourceFile("m.nn", text)
    fresh = told(analyse(source, Texts()))
    for _ in range(2):
        assert told(analyse(source, Texts(), memory=memory)) == fresh
    (message,) = analyse(source, Texts(), memory=memory).diagnostics
    assert message.help == "did you mean `pad=1`? It keeps the size"
    assert [note.label for note in message.notes] == ["Conv"]
