"""Writes editors/vscode/syntaxes/nn.tmLanguage.json from the compiler's own grammar.

python editors/make.py
"""

from __future__ import annotations

import json
from pathlib import Path

from nncomp.highlight.textmate import textmate_grammar

PAGE = Path(__file__).resolve().parent / "vscode" / "syntaxes" / "nn.tmLanguage.json"


def grammar_text() -> str:
    """The grammar as it is kept in the repository."""
    return json.dumps(textmate_grammar(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(grammar_text(), encoding="utf-8")
    print(f"wrote {PAGE}")
