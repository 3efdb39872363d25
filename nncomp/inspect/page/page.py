"""Puts a page together: one HTML file with everything in it, which asks nothing of any network.

What comes from a model is data: JSON in a `<script>` that is not run, escaped so that no text in
it can end it, and shown as text. The page's policy allows only the scripts that it was written
with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from nncomp.inspect.page.sources import KINDS
from nncomp.inspect.view.style import FAMILY_COLOURS, family_class

SCRIPTS = (
    *("util", "model", "tree", "level", "layouter", "minimap", "boxes", "input"),
    *("camera", "figures", "graph"),
    *("source", "story", "diff", "details", "search", "memory", "page"),
)
_DARK = """
  color-scheme: dark;
  --page: #0d1117; --panel: #131a22; --ink: #e6edf3; --strong: #e2e8f0; --muted: #9aa8b7;
  --line: #71808f; --rule: #2a3441; --accent: #58a6ff; --accent-soft: #12305a; --on-accent: #06121f;
  --even: #1a222c; --odd: #12181f; --card: #1d2630; --card-line: #4a5868; --terminal: #cbd5e1;
  --on-terminal: #0d1117; --shade: #2b3643; --cold: #f5ead0; --hot: #f0642c;
  --lit: #6b5200; --marked-ink: #fff3cf; --removed: #ff8a80; --made: #58d68d; --changed: #f0b24a;
  --keyword: #c9a2ff; --string: #7ee0a3; --number: #ffb27a; --comment: #8b98a7; --call: #7db8ff;
  --type: #6fd6dd;
"""


def page(
    models: Sequence[Mapping[str, Any]],
    *,
    files_shown: Sequence[str],
    name: str,
    summary: str,
    documents: Mapping[str, Any],
    diff: Mapping[str, Any] | None = None,
) -> str:
    """The page, as the text of an HTML file.

    models: of one or two, the columns and sources; files_shown: what each came from
    name, summary: what stands at the top; documents: what each pass and rule does
    diff: of two models, what differs
    """
    data = {
        "models": models,
        "files": list(files_shown),
        "kinds": KINDS,
        "documents": documents,
        "diff": diff,
    }
    script = "\n".join(['"use strict";', *(asset(f"{part}.js") for part in SCRIPTS)])
    style = _with_placeholders(asset("page.css"), dark=_DARK, families=_families())
    policy = (
        "default-src 'none'; worker-src blob:; img-src data:; "
        f"script-src {_hash(script)} blob:; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return _with_placeholders(
        asset("page.html"),
        policy=policy,
        title=escape(f"{_short(name)} · nncomp"),
        name=escape(_short(name)),
        summary=escape(summary),
        style=style,
        data=embedded(data),
        vendor=_vendored(),
        worker=asset("worker.js"),
        script=script,
    )


def asset(name: str) -> str:
    """The text of one of the page's own files."""
    return files("nncomp.inspect.page").joinpath("assets", name).read_text("utf-8")


def embedded(data: Any) -> str:
    """JSON that may stand in a `<script>`: no character of it means anything to HTML."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _vendored() -> str:
    """dagre with its licence, as the licence asks."""
    folder = files("nncomp.inspect.page").joinpath("vendor")
    licence = folder.joinpath("dagre.LICENSE.txt").read_text("utf-8")
    return f"/* dagre\n\n{licence}*/\n{folder.joinpath('dagre.min.js').read_text('utf-8')}"


def _with_placeholders(text: str, **values: str) -> str:
    return _Template(text).substitute(values)


class _Template(Template):
    """`$name` alone is a placeholder, so that `${…}` in scripts is none."""

    pattern = r"""
        \$(?:
          (?P<named>policy|title|name|summary|style|data|vendor|worker|script|dark|families)\b
          | (?P<escaped>(?!)) | (?P<braced>(?!)) | (?P<invalid>(?!))
        )
    """  # type: ignore[assignment]


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _short(name: str) -> str:
    plain = "".join(c if c.isprintable() else "\ufffd" for c in name)
    return plain if len(plain) <= 120 else f"{plain[:119]}…"


def _families() -> str:
    """The colours of operators, on a light page and on a dark one."""
    light, dark = [], []
    for family, colours in FAMILY_COLOURS.items():
        name = family_class(family)
        light.append(_rules(name, *colours[:3], ""))
        dark.append(_rules(name, *colours[3:], ':root[data-theme="dark"] '))
        dark.append(
            "@media (prefers-color-scheme:dark){"
            + _rules(name, *colours[3:], ':root:not([data-theme="light"]) ')
            + "}"
        )
    return "\n".join([*light, *dark])


def _rules(name: str, fill: str, line: str, text: str, where: str) -> str:
    return (
        f"{where}.{name}{{fill:{fill};stroke:{line}}}{where}.graph .{name}-t{{fill:{text}}}"
        f"{where}.{name}-s{{fill:{line}}}"
    )
