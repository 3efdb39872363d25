"""The LALR tables of `nn.lark`: made by Lark once, then kept as JSON in the user's cache.

Lark needs about half a second to be imported and to build the tables, more than it takes to
compile a small network; reading them back takes a few milliseconds. The cache is JSON rather
than pickle, because a cache file can be written by others; a damaged one is rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import defaultdict
from dataclasses import field
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nncomp.records import record

STARTS = ("file", "expr")
_FORMAT = 2  # raise it when the JSON below changes its meaning


@record
class Rule:
    """One production.

    head:   the nonterminal on its left
    size:   how many symbols stand on its right
    action: the method of `TreeBuilder` that makes the node; None hands the only child on
    splice: the children belong to the parent's list (a repetition, or a rule `_name`)
    gathers: some child is such a list
    layout: for each argument of the action the index of its symbol, -1 for what is left out;
            None if the arguments are the symbols as they stand
    """

    head: str
    size: int
    action: str | None
    splice: bool
    gathers: bool
    layout: tuple[int, ...] | None


@record
class Tables:
    """What the parser and the token scan need to know of the grammar.

    actions:   per state, token -> the state to go to, or ~rule to reduce by
    gotos:     per state, nonterminal -> the state to go to
    starts:    start symbol -> its first state and the state in which it is complete
    words:     keyword -> its terminal
    operators: punctuation -> its terminal
    patterns:  the regular expressions of the other terminals, in the order to try them
    shortcuts: per token, (state below, state) -> the state after all rules that only hand their
               child on; filled by the parser. Between `x` and `x + 1` lie a dozen levels.
    """

    actions: list[dict[str, int]]
    gotos: list[dict[str, int]]
    rules: list[Rule]
    starts: dict[str, tuple[int, int]]
    words: dict[str, str]
    operators: dict[str, str]
    patterns: dict[str, str]
    shortcuts: dict[str, dict[tuple[int, int], int]] = field(
        default_factory=lambda: defaultdict(dict), compare=False
    )


@cache
def load_tables() -> Tables:
    """The tables, from the cache if it has them for this grammar and this version of Lark."""
    grammar = grammar_text()
    path = _cache_path(grammar)
    if path is not None:
        try:
            return _decode(json.loads(path.read_bytes()))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass  # not there, or damaged
    data = build_tables(grammar)
    if path is not None:
        _write(path, json.dumps(data, separators=(",", ":")))
    return _decode(data)


def grammar_text() -> str:
    return files("nncomp.grammar").joinpath("nn.lark").read_text(encoding="utf-8")


def build_tables(grammar: str) -> dict[str, Any]:
    """The tables of a Lark grammar as plain JSON."""
    from lark import Lark
    from lark.lexer import Lexer, PatternStr
    from lark.parsers.lalr_analysis import Shift

    class NoLexer(Lexer):
        """Ours runs first; Lark need not prepare one."""

        def __init__(self, conf: Any) -> None: ...

        def lex(self, lexer_state: Any, parser_state: Any) -> Any:
            raise NotImplementedError

    lark = Lark(
        grammar,
        parser="lalr",
        lexer=NoLexer,
        start=list(STARTS),
        keep_all_tokens=True,
        maybe_placeholders=True,
    )
    table = lark.parser.parser._parse_table
    numbers = {rule: i for i, rule in enumerate(lark.rules)}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    terminals = {terminal.name for terminal in lark.terminals} | {"$END"}
    for state in range(len(table.states)):
        row = table.states[state]
        actions.append(
            {
                name: target if action is Shift else ~numbers[target]
                for name, (action, target) in row.items()
                if name in terminals or name == "NL"
            }
        )
        gotos.append({name: target for name, (_, target) in row.items() if name not in actions[-1]})
    strings = {t.pattern.value: t.name for t in lark.terminals if isinstance(t.pattern, PatternStr)}
    others = [t for t in lark.terminals if not isinstance(t.pattern, PatternStr)]
    return {
        "format": _FORMAT,
        "actions": actions,
        "gotos": gotos,
        "rules": [_rule(rule) for rule in lark.rules],
        "starts": {name: [table.start_states[name], table.end_states[name]] for name in STARTS},
        "words": {text: name for text, name in strings.items() if text.isalpha()},
        "operators": {text: name for text, name in strings.items() if not text.isalpha()},
        "patterns": {
            t.name: t.pattern.to_regexp() for t in sorted(others, key=lambda t: -t.priority)
        },
    }


def _rule(rule: Any) -> list[Any]:
    size = len(rule.expansion)
    head = rule.origin.name
    empty = rule.options.empty_indices
    gathers = any(symbol.name.startswith("_") for symbol in rule.expansion)
    layout = None
    if any(empty):
        given = iter(range(size))
        layout = [-1 if missing else next(given) for missing in empty]
    hands_on = rule.options.expand1 and rule.alias is None and size == 1
    action = None if hands_on else rule.alias or head
    return [head, size, action, head.startswith("_"), gathers, layout]


def _decode(data: dict[str, Any]) -> Tables:
    if data["format"] != _FORMAT:
        raise ValueError("another format")
    return Tables(
        data["actions"],
        data["gotos"],
        [
            Rule(head, size, action, splice, gathers, None if layout is None else tuple(layout))
            for head, size, action, splice, gathers, layout in data["rules"]
        ],
        {name: (first, last) for name, (first, last) in data["starts"].items()},
        data["words"],
        data["operators"],
        data["patterns"],
    )


def _cache_path(grammar: str) -> Path | None:
    lark = find_spec("lark")
    if lark is None or lark.origin is None:
        return None
    # its version stands in there; `importlib.metadata` would take as long as parsing a file
    text = Path(lark.origin).read_text("utf-8")
    key = hashlib.sha256(f"{_FORMAT} {text}\n{grammar}".encode()).hexdigest()[:20]
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(root) / "nncomp" / f"grammar-{key}.json" if os.path.isabs(root) else None


def _write(path: Path, text: str) -> None:
    """Write beside the target and move into place; a cache that cannot be written is no fault."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            temporary = file.name
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
