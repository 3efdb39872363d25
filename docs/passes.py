"""Writes docs/passes.md: what each pass does, with a graph before and after it.

    python docs/passes.py

The passes and their rules are those of the registry. The example of a pass is the smallest graph
that it changes, of the models in docs/passes.nn and their training steps, else of those in models/,
on their way through the passes of `-O2` or of training.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.compiling import initial_values
from nncomp.driver.programs import load_program
from nncomp.files import read_source
from nncomp.ir.bind import bind
from nncomp.ir.graph import Graph
from nncomp.ir.text import to_text
from nncomp.lower.program import models
from nncomp.passes.base import Pass
from nncomp.passes.manager import LEVELS, TRAINING, PassRecord, run_passes
from nncomp.passes.rewrite import Rule, RulePass
from nncomp.passes.selection import pass_names

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "passes.md"
EXAMPLES = DOCS / "passes.nn"
ELSEWHERE = ("mlp", "lenet5", "rnn", "lstm", "transformer", "bert")
_LONGEST = 40  # lines of a graph that are shown
_WIDEST = 100  # characters of a line

HEAD = """# The passes

<!-- Written by `python docs/passes.py`; do not edit. -->

What each pass does, in the order in which they first run, with a graph before and after it.
Graphs are printed as flat `.nn`, as `nncomp build --print-after PASS` prints them. `-O1` changes no
bit of a result, `-O2` rounding; training steps have passes of their own. `nncomp explain PASS` says
the same in a terminal, `nncomp inspect FILE` which rule did what to a model, `nncomp explain FILE
NODE` why one did not fire.
"""


def page() -> str:
    """The text of docs/passes.md."""
    found = _smallest()
    sections = [_section(name, found.get(name)) for name in pass_names()]
    return "\n".join([HEAD, *sections])


def _smallest() -> dict[str, tuple[str, PassRecord]]:
    """For each pass the model, and the record of the smallest graph that it changes."""
    found: dict[str, tuple[str, PassRecord]] = {}
    for title, graph, is_last_resort in _graphs():
        if is_last_resort and found.keys() >= {*pass_names()}:
            break
        for passes in (LEVELS[2], LEVELS[3], TRAINING):
            for record in run_passes(graph, passes, evaluate).log:
                if record.changed and (
                    record.name not in found or _size(record) < _size(found[record.name][1])
                ):
                    found[record.name] = title, record
    return found


def _size(record: PassRecord) -> int:
    return len(to_text(record.before).text)


def _graphs() -> Iterator[tuple[str, Graph, bool]]:
    """Titles and graphs: those of docs/passes.nn, inference and training steps, then, in need,
    those of models."""
    for name in models(read_source(EXAMPLES)):
        program = load_program(EXAMPLES, name)
        title = f"`{name}` of [passes.nn](passes.nn)"
        yield title, program.graph, False
        if program.graph.parameters:  # some passes want to know the numbers
            yield title, bind(program.graph, initial_values(program)), False
        for section in program.train.values():
            yield f"the training step of {title}", expand_gradients(section.step), False
    for stem in ELSEWHERE:
        yield (
            f"[models/{stem}.nn](../models/{stem}.nn)",
            load_program(DOCS.parent / "models" / f"{stem}.nn", kinds=()).graph,
            True,
        )


def _section(name: str, example: tuple[str, PassRecord] | None) -> str:
    passes = [p for level in (*LEVELS.values(), TRAINING) for p in level if p.name == name]
    lines = [f"## {name}", "", f"Runs {_when(name)}.", "", _doc(type(passes[0])), ""]
    rules = _rules(passes[-1])
    if rules:
        lines += ["| rule | |", "|---|---|"]
        lines += [f"| `{rule.name}` | {_cell(_doc(type(rule)))} |" for rule in rules]
        lines.append("")
    if example is not None:
        title, record = example
        counts = ", ".join(f"`{rule}` ×{n}" for rule, n in record.result.counts.items())
        lines += [f"In {title}, {counts}. Before:", "", *_code(record.before)]
        lines += ["After:", "", *_code(record.result.graph)]
    return "\n".join(lines)


def _when(name: str) -> str:
    levels = [
        f"`-O{level}`" for level, passes in LEVELS.items() if name in {p.name for p in passes}
    ]
    places = [f"at {', '.join(levels)}"] if levels else []
    places += ["in training steps"] if name in {p.name for p in TRAINING} else []
    return " and ".join(places)


def _doc(kind: type) -> str:
    return inspect.getdoc(kind) or ""


def _cell(doc: str) -> str:
    """The first paragraph, as a cell of a table."""
    return " ".join(doc.split("\n\n")[0].split()).replace("|", "\\|")


def _rules(pass_: Pass) -> tuple[Rule, ...]:
    return pass_.rules if isinstance(pass_, RulePass) else ()


def _code(graph: Graph) -> list[str]:
    lines = to_text(graph).text.rstrip().splitlines()
    if len(lines) > _LONGEST:
        lines = [*lines[:_LONGEST], f"… {len(lines) - _LONGEST} lines more"]
    short = [line if len(line) <= _WIDEST else f"{line[: _WIDEST - 2]} …" for line in lines]
    return ["```text", *short, "```", ""]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
