"""Colours of pictures: for a light page, and for a dark one where the viewer asks for it.

Everything is a class with plain colours, so that renderers without CSS variables draw it too.
"""

from __future__ import annotations

# Of each family: fill, line and text on a light page; fill, line and text on a dark one.
FAMILY_COLOURS: dict[str, tuple[str, str, str, str, str, str]] = {
    "convolution": ("#dbeafe", "#60a5fa", "#1e3a8a", "#1e3a5f", "#3b82f6", "#dbeafe"),
    "linear": ("#e0e7ff", "#818cf8", "#312e81", "#2e2f5e", "#6366f1", "#e0e7ff"),
    "normalization": ("#ede9fe", "#a78bfa", "#4c1d95", "#3b2a63", "#8b5cf6", "#ede9fe"),
    "activation": ("#fef3c7", "#f2b53a", "#78350f", "#53401a", "#d99a1c", "#fef3c7"),
    "pooling": ("#d1fae5", "#4cc394", "#064e3b", "#174536", "#2fa878", "#d1fae5"),
    "reduction": ("#ccfbf1", "#3dbfb0", "#134e4a", "#154642", "#28a597", "#ccfbf1"),
    "elementwise": ("#ffe4e6", "#f58a9b", "#881337", "#552633", "#e0556f", "#ffe4e6"),
    "data movement": ("#eceff3", "#a9b4c2", "#334155", "#2b3440", "#64748b", "#e2e8f0"),
    "loss": ("#fce7f3", "#f07fb8", "#831843", "#532541", "#db5a9d", "#fce7f3"),
    "random": ("#ecfccb", "#9ccc3c", "#365314", "#37451d", "#84b32a", "#ecfccb"),
    "control": ("#ffedd5", "#f59e5b", "#7c2d12", "#563218", "#e5823a", "#ffedd5"),
    "signal": ("#cffafe", "#22c3dd", "#164e63", "#154650", "#1ba5bf", "#cffafe"),
    "text and tables": ("#f5ebe0", "#c8a27c", "#5c3d1e", "#47372a", "#a97f55", "#f5ebe0"),
    "other": ("#f1f1f1", "#b5b5b5", "#3f3f3f", "#3a3a3a", "#7a7a7a", "#ececec"),
}

FONT = "font-family:'Helvetica Neue',Helvetica,Arial,'DejaVu Sans',sans-serif"

_LIGHT = {
    "page": "fill:#ffffff",
    "panel": "fill:#fafbfc;stroke:#e4e8ee",
    "even": "fill:#f4f6f9;stroke:#cdd5df",
    "odd": "fill:#ffffff;stroke:#cdd5df",
    "card": "fill:#ffffff;stroke:#b4bfcd",
    "terminal": "fill:#334155;stroke:#334155",
    "line": "stroke:#8a97a8",
    "tip": "fill:#8a97a8",
    "title": "fill:#0f172a",
    "strong": "fill:#1e293b",
    "muted": "fill:#64748b",
    "label": "fill:#475569",
    "halo": "stroke:#fafbfc",
    "onterminal": "fill:#ffffff",
    "badge": "fill:#334155",
}
_DARK = {
    "page": "fill:#0d1117",
    "panel": "fill:#12181f;stroke:#252d38",
    "even": "fill:#1a222c;stroke:#394553",
    "odd": "fill:#12181f;stroke:#394553",
    "card": "fill:#1d2630;stroke:#4a5868",
    "terminal": "fill:#cbd5e1;stroke:#cbd5e1",
    "line": "stroke:#71808f",
    "tip": "fill:#71808f",
    "title": "fill:#f1f5f9",
    "strong": "fill:#e2e8f0",
    "muted": "fill:#94a3b8",
    "label": "fill:#a8b5c4",
    "halo": "stroke:#12181f",
    "onterminal": "fill:#0d1117",
    "badge": "fill:#cbd5e1",
}


def family_class(family: str) -> str:
    """The CSS class of a family."""
    return "f-" + family.replace(" ", "-")


def style_sheet() -> str:
    """The text of the picture's <style>."""
    rules = [
        f"text{{{FONT};font-size:12px}}",
        ".small{font-size:10.5px}.name{font-weight:600}.big{font-size:16px;font-weight:600}",
        ".line{fill:none;stroke-width:1.4}.halo{stroke-width:4;stroke-linejoin:round}",
        ".box{stroke-width:1.1}",
        *_rules(_LIGHT, 0),
    ]
    dark = "".join(_rules(_DARK, 3))
    return "".join(rules) + f"@media (prefers-color-scheme:dark){{{dark}}}"


def _rules(plain: dict[str, str], first: int) -> list[str]:
    rules = [f".{name}{{{colours}}}" for name, colours in plain.items()]
    for family, colours in FAMILY_COLOURS.items():
        fill, line, text = colours[first : first + 3]
        name = family_class(family)
        rules.append(f".{name}{{fill:{fill};stroke:{line}}}.{name}-t{{fill:{text}}}")
        rules.append(f".{name}-s{{fill:{line}}}")
    return rules
