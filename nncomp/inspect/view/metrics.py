"""How wide text is, by table: pictures are laid out without asking a font.

The widths are those of DejaVu Sans, the widest of the fonts that a picture asks for, so that text
never runs out of its box.
"""

from __future__ import annotations

NAME = 12.0  # the font sizes of pictures
LABEL = 10.5

_WIDTHS = {
    0.30: "iljI|'!.,:;",
    0.34: " ·",
    0.40: 'ftJ()[]/-r"',
    0.50: "sxyzvck_",
    0.84: "×+=<>~→−%",
    0.92: "mwMW@…",
    0.70: "ABCDEFGHKLNOPQRSTUVXYZ",
}
_OF_CHARACTER = {c: width for width, characters in _WIDTHS.items() for c in characters}
_OTHER = 0.63
_BOLD = 1.1


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Pixels, at a font size in pixels."""
    width = sum(_OF_CHARACTER.get(c, _OTHER) for c in text) * size
    return width * _BOLD if bold else width


def shorten(text: str, size: float, room: float, bold: bool = False) -> str:
    """The text, cut with `…` where it is wider than `room`."""
    if text_width(text, size, bold) <= room:
        return text
    while text and text_width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"
