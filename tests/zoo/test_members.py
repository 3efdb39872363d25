"""The second table: every member is defined, used and tested where the table says so."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from pathlib import Path

import pytest

from nncomp.cli import _parser
from nncomp.lower.builtins import BUILTINS
from nncomp.lower.modules import read_source
from nncomp.syntax.lexer import scan
from zoo.members import PAGE, Member, render
from zoo.methods import FAMILIES
from zoo.row import MODELS, ROOT

STD = ROOT / "nncomp" / "std"
MEMBERS = [pytest.param(m, id=f"{f}-{m.name}") for f, ms in FAMILIES.items() for m in ms]
# The second table of systems, family by family.
WANTED = {
    "Optimisers": "gradient descent; mini-batch SGD; momentum; Nesterov; R-prop; AdaGrad; "
    "AdaDelta; RMSprop; Adam",
    "Initial values": "uniform(−a, a); Gaussian; Xavier/Glorot uniform; Xavier/Glorot normal; "
    "He uniform; He normal; orthogonal; identity; LSUV; zeros; constants",
    "Regularisers": "L1; L2, weight decay; max-norm; sign constraints; sparse initialisation; "
    "negative-bias initialisation; batch-norm statistics over the whole training set; "
    "batch norm, at training and at test time; layer norm; dropout; DropConnect; stochastic depth; "
    "early stopping; augmentation: shift; augmentation: flip; augmentation: noise; "
    "augmentation: intensity; gradient clipping",
    "Activations": "sigmoid; tanh; ReLU; leaky ReLU; PReLU; ELU; GELU; softplus; softmax; max-out",
    "Losses": "squared; logistic; cross-entropy; hinge; Huber; KL; contrastive (CD); GAN, minimax; "
    "GAN, non-saturating",
    "Differentiation": "finite differences (the checker); reverse mode; forward mode; "
    "higher order; with respect to inputs",
    "Search": "grid; random; Bayesian (Gaussian process)",
    "Scale": "mini-batches; data-parallel workers; local updates with rare synchronisation",
}


def words(path: Path) -> list[str]:
    """The tokens of a `.nn` file, or of a text in it, without comments and documentation."""
    tokens = scan(read_source(path))
    rows = zip(tokens.kinds, tokens.starts, tokens.ends, strict=True)
    return [tokens.source.text[a:b] for kind, a, b in rows if kind not in ("DOC", "NL", "$END")]


def has(path: Path, text: str, folder: Path) -> bool:
    """Whether the tokens of the text stand behind each other in the file."""
    part = folder / "part.nn"
    part.write_text(text, "utf-8")
    wanted, found = words(part), words(path)
    return any(found[i : i + len(wanted)] == wanted for i in range(len(found)))


def test_every_member_is_there() -> None:
    found = {family: "; ".join(m.name for m in members) for family, members in FAMILIES.items()}
    assert found == WANTED


@pytest.mark.parametrize("member", MEMBERS)
def test_it_is_defined(member: Member, tmp_path: Path) -> None:
    place, _, name = member.home.partition(": ")
    if place == "compiler":
        assert name in BUILTINS
    elif name:
        assert has(STD / place, name, tmp_path)
    else:
        command, option = member.home.split()
        (commands,) = (a for a in _parser()._actions if isinstance(a, argparse._SubParsersAction))
        assert option in commands.choices[command]._option_string_actions


@pytest.mark.parametrize("member", MEMBERS)
def test_it_is_used(member: Member, tmp_path: Path) -> None:
    assert member.uses or member.commands
    for file, text in member.uses:
        path = STD.parent / file if file.startswith("std/") else MODELS / file
        assert has(path, text, tmp_path), (file, text)
    for command in member.commands:
        program, *arguments = shlex.split(command)
        assert program == "nncomp"
        args = _parser().parse_args(arguments)
        assert (ROOT / args.file).exists()


@pytest.mark.parametrize("member", MEMBERS)
def test_it_has_a_test(member: Member) -> None:
    test, _, row = member.test.partition("#")
    path, name = test.split("::")
    text = (ROOT / path).read_text("utf-8")
    tree = ast.parse(text)
    found = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    found += [
        t.id
        for n in tree.body
        if isinstance(n, ast.Assign | ast.AnnAssign)
        for t in ast.walk(n)
        if isinstance(t, ast.Name)
    ]
    assert name in found
    assert row in re.sub(r"\s+", " ", text)


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text("utf-8") == render(FAMILIES)
