"""Foreign names of weights: patterns, and what stands in a name instead of what they match.

    {"^transformer\\.": "", "\\.gamma$": ".weight", "^lm_head\\..*": ""}

A pattern is a regular expression that is looked for anywhere in a name; `\\1` in its replacement
is the first group. Patterns are applied in order, each to what the ones before it made of the
name. A name of which nothing is left drops its tensor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from nncomp.errors import CompileError, Diagnostic, error
from nncomp.files import PathLike, read_bytes
from nncomp.types import Array

Rename = Mapping[str, str] | PathLike
"""Replacements by pattern, or the path of a JSON file with one object of them."""


def rules_of(rename: Rename) -> Mapping[str, str]:
    """The rules themselves. Raises CompileError NN0001, NN0502."""
    return rename if isinstance(rename, Mapping) else _read(rename)


def _read(path: PathLike) -> dict[str, str]:
    try:
        rules = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as failure:
        raise error("NN0502", f"{path} is no rename map: {failure}", help=_FORM) from None
    if not isinstance(rules, dict) or not all(isinstance(v, str) for v in rules.values()):
        raise error("NN0502", f"{path} is no rename map", help=_FORM)
    return rules


_FORM = 'a rename map is JSON: {"pattern": "replacement", …}'


def renamed(weights: Mapping[str, Array], rules: Mapping[str, str]) -> dict[str, Array]:
    """The weights under their new names.

    Raises CompileError NN0502: a pattern is no regular expression, or two tensors get one name.
    """
    found: dict[str, Array] = {}
    before: dict[str, str] = {}
    clashes = []
    for old, array in weights.items():
        new = _new_name(old, rules)
        if new in before:
            both = f"`{before[new]}` and `{old}`"
            clashes.append(Diagnostic("NN0502", f"{both} are both renamed to `{new}`"))
        if new:
            before[new], found[new] = old, array
    if clashes:
        raise CompileError(*clashes)
    return found


def idle(names: Iterable[str], rules: Mapping[str, str]) -> list[Diagnostic]:
    """The rules that change no name: where weights do not fit, they are likely misspelt."""
    names = list(names)
    found = []
    for number, pattern in enumerate(rules):
        above = dict(list(rules.items())[:number])
        if not any(re.search(pattern, _new_name(name, above)) for name in names):
            found.append(Diagnostic("NN0502", f"the pattern `{pattern}` matches no name of them"))
    return found


def _new_name(name: str, rules: Mapping[str, str]) -> str:
    for pattern, replacement in rules.items():
        try:
            name = re.sub(pattern, replacement, name)
        except (re.error, IndexError, RecursionError) as failure:
            raise error(
                "NN0502",
                f"cannot rename by `{pattern}={replacement}`: {failure}",
                help="a dot and a bracket of a name are written with a backslash before them",
            ) from None
        if not name:
            break
    return name
