"""Attention: rows 32 to 34."""

from __future__ import annotations

import numpy as np

from nncomp.types import Array
from zoo.figures import transformers
from zoo.row import Case, Mark, Row

DECODER = {"layers": 2, "width": 12, "heads": 3, "vocabulary": 11, "context": 32}
SMALL = {"layers": 1, "width": 8, "heads": 2, "hidden": 12, "vocabulary": 11}


def halves(shape: tuple[int, ...]) -> Array:
    """Segment 0, then segment 1."""
    return np.broadcast_to(np.arange(shape[1]) * 2 // shape[1], shape).astype(np.int64)


ROWS = (
    Row(
        32,
        "Transformer encoder-decoder",
        (
            Case("transformer.nn", SMALL, heavy=True),
            Case("transformer.nn", {**SMALL, "padding": 0}, heavy=True),
        ),
        transformers.TRANSFORMER,
        Mark(
            "strings of 10 symbols repeated and said backwards ≥ 99 %",
            ("python examples/strings.py",),
            "accuracy",
            0.99,
        ),
    ),
    Row(
        33,
        "BERT-base encoder, masked LM head",
        (
            Case("bert.nn", DECODER, heavy=True),
            Case(
                "bert.nn",
                {**DECODER, "pairs": True, "padded": True},
                special={"segments": halves},
                heavy=True,
            ),
            Case("bert.nn", DECODER, "BertForPreTraining", {"segments": halves}, heavy=True),
        ),
        transformers.BERT,
        Mark(
            "masked characters: bits, over those that their frequencies take, < 1",
            ("python examples/masked.py",),
            "ratio",
            0.99,
            most=True,
        ),
    ),
    Row(
        34,
        "GPT-2 small, XL; GPT-3's shape",
        (Case("gpt.nn", DECODER),),
        transformers.GPT,
        Mark(
            "data-set descriptions, the last tenth held out: < 2.4 bits a character",
            ("python examples/characters.py gpt",),
            "bits",
            2.4,
            most=True,
        ),
        short="3,000 steps of 640 characters end at 2.98 bits on what is trained on, and have not "
        "stopped falling; 2,220 of 1,024 at 2.81, and at 3.00 held out, of windows of 128; "
        "learning from the held-out text at rates of 5e-4 and more does not help",
    ),
)
