"""A TextMate grammar, made of the compiler's: words, numbers and signs of `nn.lark`, the dtypes,
and the operators.

TextMate grammars see one line at a time and know no statements, so a soft keyword is told from a
name by what stands beside it on its line. `tests/highlight` holds it against the scanner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from nncomp.highlight.words import (
    CONSTANTS,
    DECLARATIONS,
    NAMESPACES,
    PUNCTUATION,
    TYPES,
    WORD_OPERATORS,
)
from nncomp.ops import REGISTRY
from nncomp.syntax.lexer import words
from nncomp.syntax.tables import Tables, load_tables

SCOPE = "source.nn"
_NAME = r"[A-Za-z_]\w*"
_HARD = words("IMPORT AS IF ELSE FOR RETURN YIELD ASSERT")
_NAMED = ("model", "block", "optimizer")  # whose names are those of classes
_AFTER_VALUE = words("OVER BY WHEN AXIS REVERSE WHILE")
_STARTS_LINE = words("OVER BY")
_STATEMENTS = DECLARATIONS | words("UPDATE FROM")
_LOSSES = words("MINIMIZE MAXIMIZE")

Rule = dict[str, Any]


def textmate_grammar() -> dict[str, Any]:
    """The grammar as it is written to `nn.tmLanguage.json`."""
    tables = load_tables()
    return {
        "name": "nncomp",
        "scopeName": SCOPE,
        "fileTypes": ["nn"],
        "patterns": [
            *_literals(tables),
            *_keywords(tables),
            *_names(),
            _rule("keyword.operator", _one_of(_operators(tables), bounded=False)),
        ],
    }


def _operators(tables: Tables) -> list[str]:
    return [text for text, kind in tables.operators.items() if kind not in PUNCTUATION]


def _literals(tables: Tables) -> list[Rule]:
    text = [_rule("constant.character.escape", r"\\.")]
    ends = {"1": {"name": _scope("punctuation.definition.string")}}
    return [
        _rule("comment.line.number-sign", "#.*$"),
        {
            "name": _scope("string.quoted.triple"),
            "begin": '(""")',
            "end": '(""")',
            "beginCaptures": ends,
            "endCaptures": ends,
            "patterns": text,
        },
        {
            "name": _scope("string.quoted.double"),
            "begin": '(")',
            "end": '(")|$',
            "beginCaptures": ends,
            "endCaptures": ends,
            "patterns": text,
        },
        _rule("constant.numeric.float", rf"(?<!\w)(?:{tables.patterns['FLOAT']})"),
        _rule("constant.numeric.integer", rf"\b(?:{tables.patterns['INT']})"),
    ]


def _keywords(tables: Tables) -> list[Rule]:
    spelt: dict[str, str] = {kind: word for word, kind in tables.words.items()}

    def spell(kinds: Iterable[str]) -> str:
        return _one_of(spelt[kind] for kind in kinds)

    start = r"(?:^|(?<=\{))\s*"
    apart = "".join(rf"(?<!\b{spelt[kind]} )" for kind in sorted(_HARD | WORD_OPERATORS))
    target = r"\s*(?:[=:,.\[\n]|$)"
    return [
        {
            "match": rf"{start}({_one_of(_NAMED)})\s+({_NAME})",
            "captures": _captures("storage.type", "entity.name.type"),
        },
        {
            "match": rf"{start}(fn)\s+({_NAME})",
            "captures": _captures("storage.type", "entity.name.function"),
        },
        {
            "match": rf'{start}({spell(_STATEMENTS)})(?=\s+["A-Za-z_]|\s*\{{)',
            "captures": _captures("storage.type"),
        },
        {
            "match": rf"{start}({spell(_LOSSES)})(?!{target})",
            "captures": _captures("keyword.control"),
        },
        {
            "match": rf"{start}({spell(_STARTS_LINE)})(?!{target}|\()",
            "captures": _captures("keyword.control"),
        },
        {"match": r"^(nn)(?=\s+[0-9])", "captures": _captures("keyword.control")},
        _rule(
            "keyword.control",
            rf"(?<=[\w)\]}}\"?.] ){apart}(?:{spell(_AFTER_VALUE)})(?!\s*[=:,]|\()",
        ),
        _rule("keyword.control", r"\bscan(?=\s*\([^()]*[:=].*over\b|\s*\(\s*\)|\s+over\b)"),
        _rule("keyword.control", r"\bscan(?=\s*\(\s*$)"),
        _rule("keyword.control", r"\bloop(?=\s*\(.*\bwhile\b|\s*\(\s*$)"),
        _rule("keyword.control", r"(?<![.\w])cond(?=\s+[\"A-Za-z_0-9]|\s*\(.*\)\s*\{)"),
        _rule("keyword.control", rf"(?<!\.)(?:{spell(_HARD)})"),
        _rule("keyword.operator.word", rf"(?<!\.)(?:{spell(WORD_OPERATORS)})"),
        _rule("constant.language", rf"(?<!\.)(?:{spell(CONSTANTS)})"),
    ]


def _names() -> list[Rule]:
    operators = [name for name, cls in REGISTRY.items() if (cls.domain or "onnx") in NAMESPACES]
    return [
        {
            "match": rf"\b({'|'.join(sorted(NAMESPACES))})(\.)({_one_of(operators)})",
            "captures": _captures("entity.name.namespace", "punctuation", "support.function"),
        },
        _rule("storage.type", rf"(?<!\.){_one_of(TYPES)}(?=\s*[\[(])|(?<=: ){_one_of(TYPES)}"),
        {
            "match": rf"(?<=\|>)\s*({_NAME})",
            "captures": _captures("entity.name.function"),
        },
        _rule("variable.parameter", rf"(?<=[(, ]){_NAME}(?==)"),
        _rule("entity.name.function", rf"{_NAME}(?=\()"),
        _rule("variable", _NAME),
    ]


def _rule(scope: str, match: str) -> Rule:
    return {"name": _scope(scope), "match": match}


def _captures(*scopes: str) -> dict[str, dict[str, str]]:
    return {str(i): {"name": _scope(scope)} for i, scope in enumerate(scopes, 1)}


def _scope(name: str) -> str:
    return f"{name}.nn"


def _one_of(texts: Iterable[str], bounded: bool = True) -> str:
    """Any of the texts, longer ones first."""
    found = "|".join(re.escape(t) for t in sorted(texts, key=lambda t: (-len(t), t)))
    return rf"\b(?:{found})\b" if bounded else f"(?:{found})"
