"""Strings, and n-grams of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np

from nncomp.ir.op import Op
from nncomp.ops import strings as s
from nncomp.types import Array


def _texts(texts: list[str], shape: tuple[int, ...]) -> Array:
    array = np.empty(len(texts), object)
    array[:] = texts
    return array.reshape(shape)


def concat(_op: s.StringConcat, x: Array, y: Array) -> Array:
    return np.asarray(np.add(x, y), object)


def split(op: s.StringSplit, x: Array) -> tuple[Array, Array]:
    most = -1 if op.maxsplit is None else op.maxsplit
    parts = [text.split(op.delimiter or None, most) for text in x.reshape(-1)]
    counts = np.array([len(p) for p in parts], np.int64)
    width = int(counts.max(initial=0))
    padded = [part for p in parts for part in [*p, *[""] * (width - len(p))]]
    return _texts(padded, (*x.shape, width)), counts.reshape(x.shape)


def normalize(op: s.StringNormalizer, x: Array) -> Array:
    changes: dict[str, Callable[[str], str]] = {
        "NONE": str,
        "LOWER": str.lower,
        "UPPER": str.upper,
    }
    change = changes[op.case_change_action]
    stops = set(op.stopwords or ())
    if not op.is_case_sensitive:
        stops = {change(word) for word in stops}
    kept = []
    for text in map(_plain, x.reshape(-1)):
        word = text if op.is_case_sensitive else change(text)
        left = " ".join(part for part in word.split(" ") if part not in stops)
        if left:
            kept.append(change(left))
    kept = kept or [""]
    return _texts(kept, (*x.shape[:-1], len(kept)))


def _plain(text: str) -> str:
    """Letters without their accents."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def full_match(op: s.RegexFullMatch, x: Array) -> Array:
    pattern = re.compile(op.pattern or "")
    found = [pattern.fullmatch(text) is not None for text in x.reshape(-1)]
    return np.array(found, np.bool_).reshape(x.shape)


def vectorize(op: s.TfIdfVectorizer, x: Array) -> Array:
    numbers = _ngrams(op)
    rows = x.reshape(-1, x.shape[-1])
    counts = np.zeros((len(rows), len(op.ngram_indexes)), np.float32)
    for row, count in zip(rows.tolist(), counts, strict=True):
        for length in {len(ngram) for ngram in numbers}:
            gaps = range(1 if length == 1 else op.max_skip_count + 1)  # skips are for several
            for step in (gap + 1 for gap in gaps):
                for start in range(len(row) - step * (length - 1)):
                    ngram = tuple(row[start : start + step * (length - 1) + 1 : step])
                    if ngram in numbers:
                        count[numbers[ngram]] += 1
    if op.mode == "IDF":
        counts = np.minimum(counts, 1)
    if op.mode != "TF" and op.weights:
        factors = np.ones(counts.shape[1], np.float32)
        factors[: len(op.weights)] = op.weights[: len(factors)]
        counts = counts * factors
    result = np.zeros((len(rows), op.size), np.float32)
    np.add.at(result.T, np.array(op.ngram_indexes), counts.T)
    return result.reshape(*x.shape[:-1], op.size)


def _ngrams(op: s.TfIdfVectorizer) -> dict[tuple[int | str, ...], int]:
    """The n-grams that are looked for, with their numbers in the pool."""
    found: dict[tuple[int | str, ...], int] = {}
    number = 0
    ends = (*op.ngram_counts[1:], len(op.pool))
    for length, (start, end) in enumerate(zip(op.ngram_counts, ends, strict=True), start=1):
        for at in range(start, end - length + 1, length):
            if op.min_gram_length <= length <= op.max_gram_length:
                found.setdefault(op.pool[at : at + length], number)
            number += 1
    return found


KERNELS: dict[type[Op], Callable[..., Any]] = {
    s.StringConcat: concat,
    s.StringSplit: split,
    s.StringNormalizer: normalize,
    s.RegexFullMatch: full_match,
    s.TfIdfVectorizer: vectorize,
}
