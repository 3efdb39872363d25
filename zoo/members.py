"""What training needs besides architectures: the second table of systems.

Each member says where it is defined, which models use it, and which test holds it against its
published formula; tests/zoo/test_members.py looks all of that up, and docs/methods.md is written
from it: `python -m zoo.members`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo.row import ROOT

PAGE = ROOT / "docs" / "methods.md"
HEAD = """# What training needs besides networks

Each member of the library with its formula, what uses it (a model, by the words that stand there,
or a command), and the test that holds it against the formula. This page is written by
`python -m zoo.members` from `zoo/methods/`; tests look up every definition, use and test.

"""


@dataclass(frozen=True)
class Member:
    """One method.

    name: as in the literature
    formula: what it computes, or does
    home: `optim.nn: optimizer SGD`, where the library defines it; `compiler: grad`, a function of
        the compiler; `train --patience`, an option of that command
    uses: the file in models/ and words of it; `std/conv.nn`: of the library, which models use
    commands: that use it, in the repository's root
    test: file and function; behind a `#` what stands in its table
    """

    name: str
    formula: str
    home: str
    test: str
    uses: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()


def render(families: dict[str, tuple[Member, ...]]) -> str:
    """The page."""
    parts = [HEAD]
    for family, members in families.items():
        parts.append(f"## {family}\n\n| member | formula | defined | used | test |\n")
        parts.append("|---|---|---|---|---|\n")
        parts += [_line(member) for member in members]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _line(member: Member) -> str:
    used = [f"[{file}]({_link(file)}): `{words}`" for file, words in member.uses]
    used += [f"`{command}`" for command in member.commands]
    file, _, name = member.home.partition(": ")
    if file == "compiler":
        home = f"`{name}`, a function of the compiler"
    elif not name:
        home = f"`nncomp {member.home}`"
    else:
        home = f"[{file}](../nncomp/std/{file}): `{name}`"
    path = member.test.split("::")[0]
    test = f"[{Path(path).stem}](../{path})"
    cells = [member.name, f"`{member.formula}`", home, "; ".join(used), test]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _link(file: str) -> str:
    return f"../nncomp/{file}" if file.startswith("std/") else f"../models/{file}"


if __name__ == "__main__":
    from zoo.methods import FAMILIES

    PAGE.write_text(render(FAMILIES), "utf-8")
