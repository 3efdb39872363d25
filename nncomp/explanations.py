"""What a diagnostic code means at length, from `explanations.md`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def explanations() -> dict[str, str]:
    """The text below each code's heading: what it means, mostly with an example and its mend."""
    text = files("nncomp").joinpath("explanations.md").read_text("utf-8")
    parts = re.split(r"^## (NN\d+)$", text, flags=re.MULTILINE)
    return {code: body.strip() for code, body in zip(parts[1::2], parts[2::2], strict=True)}
