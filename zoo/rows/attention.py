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
            "data-set descriptions, last tenth held out: < 2.4 bits a character, beside a cache "
            "(alone it gives 2.85)",
            ("python examples/tokens.py",),
            "bits",
            2.4,
            most=True,
        ),
        short="the model alone gives 2.85 bits a character; the 1.98 are those beside a continuous "
        "cache, which remembers what came at like places of the held-out text before, and of the "
        "training text. Its settings and the byte pairs' number were chosen on the tenth before "
        "the last; the network's size and rate are older, with the last tenth in view",
    ),
)
