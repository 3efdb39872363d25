"""Data made of scikit-learn's sets and networkx's graphs; nothing is downloaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from nncomp.errors import error
from nncomp.training.sources.source import Arrays, Source
from nncomp.types import Array, TensorType

SEED = 0
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = ".abcdefghijklmnopqrstuvwxyz"  # 0 ends a word, and is what a decoder starts from
SHORTEST = 4  # words of a sentence
LONGEST = 40
RARE = 2  # a word that stands in fewer sentences is as good as unknown
CROP = 60
STROKE = 0.5  # the grey from which on a pixel is of the digit


def sentences(texts: Mapping[str, str]) -> Source:
    """Sentences of the texts that describe the sets: `tokens`, numbers of words (0 fills up, 1 is
    a rare one), and `label`, the text that a sentence is of. Every tenth is for testing."""
    found: list[tuple[list[str], int]] = []
    for label, text in enumerate(texts.values()):
        for sentence in re.split(r"(?<=[.!?:])\s+|\n\s*\n", text):
            words = re.findall(r"[a-z]+|\d", sentence.lower())
            if len(words) >= SHORTEST:
                found.append((words[:LONGEST], label))
    order = np.random.default_rng(SEED).permutation(len(found))
    test = set(order[: len(found) // 10].tolist())
    seen: dict[str, int] = {}
    for number, (words, _) in enumerate(found):
        for word in set(words) if number not in test else ():
            seen[word] = seen.get(word, 0) + 1
    known = sorted(word for word, count in seen.items() if count >= RARE)
    number_of = {word: i + 2 for i, word in enumerate(known)}
    parts: dict[str, Arrays] = {}
    for part in ("train", "test"):
        chosen = [f for i, f in enumerate(found) if (i in test) == (part == "test")]
        tokens = np.zeros((len(chosen), LONGEST), np.int64)
        for row, (words, _) in enumerate(chosen):
            tokens[row, : len(words)] = [number_of.get(word, 1) for word in words]
        parts[part] = {"tokens": tokens, "label": np.array([label for _, label in chosen])}
    note = f"{len(found)} sentences of {len(texts)} texts, {len(known) + 2} words"
    return Source("sklearn:sentences", parts["train"], test=parts["test"], notes=(note,))


def words(bunch: Any) -> tuple[Arrays, str]:
    """Digits and their names, letter by letter: `target` is what a decoder has seen when it says
    the `label`."""
    longest = max(map(len, DIGITS)) + 1
    spelt = np.zeros((len(DIGITS), longest), np.int64)
    for row, word in enumerate(DIGITS):
        spelt[row, : len(word)] = [LETTERS.index(letter) for letter in word]
    label = spelt[bunch.target]
    target = np.concatenate([np.zeros_like(label[:, :1]), label[:, :-1]], axis=1)
    image = (bunch.images / 16).astype(np.float32)[:, None]
    return {
        "image": image,
        "target": target,
        "label": label,
    }, "digits and the letters of their names"


def strokes(bunch: Any, photos: Array, inputs: Mapping[str, TensorType]) -> tuple[Arrays, str]:
    """Digits pasted on crops of the sample photographs, and where their strokes are.

    bunch: of the digits
    photos: u8 [N, H, W, 3]
    inputs: their sizes, where they are fixed
    """
    from nncomp.training.images import resize

    sizes = {name: type.shape[-1] for name, type in inputs.items() if type.rank in (3, 4)}
    side = _fixed(sizes.get("image"), CROP)
    inner = _fixed(sizes.get("label"), side)
    rng = np.random.default_rng(SEED)
    grey = photos.mean(3) / 255
    height, width = grey.shape[1:]
    if not inner <= side <= min(height, width):
        raise error(
            "NN0501",
            f"sklearn:strokes has no images of {side}×{side} with maps of {inner}×{inner}",
            help=f"its photographs are {height} pixels high",
        )
    size = min(max(inner * 3 // 4, 8), side)
    edge = (side - inner) // 2
    low, high = min(edge, side - size), max(edge + inner - size, 0)
    big = resize((bunch.images / 16).astype(np.float32)[:, None], size, size)[:, 0]
    count = len(big)
    image = np.empty((count, 1, side, side), np.float32)
    mask = np.zeros((count, side, side), np.int64)
    for row in range(count):
        top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        crop = 0.6 * grey[row % len(grey), top : top + side, left : left + side]
        y, x = rng.integers(min(low, high), max(low, high) + 1, 2)
        stroke = big[row] > STROKE
        part = crop[y : y + size, x : x + size]
        crop = crop.copy()
        crop[y : y + size, x : x + size] = np.where(stroke, 0.6 + 0.4 * big[row], part)
        image[row, 0] = crop
        mask[row, y : y + size, x : x + size] = stroke
    label = np.ascontiguousarray(mask[:, edge : edge + inner, edge : edge + inner])
    return {"image": image, "label": label}, f"digits on photographs, {side}×{side}"


def _fixed(size: Any, otherwise: int) -> int:
    return size if isinstance(size, int) else otherwise


def karate() -> Source:
    """Zachary's karate club (1977): `x`, one number for each member, `adjacency`, and `label`, the
    side that a member took: to train with, those of the two leaders alone, the others being -1."""
    import networkx

    graph = networkx.karate_club_graph()
    adjacency = networkx.to_numpy_array(graph, weight=None).astype(np.float32)
    sides = np.array([int(graph.nodes[v]["club"] != "Mr. Hi") for v in graph], np.int64)
    leaders = np.full(len(sides), -1, np.int64)
    leaders[[0, -1]] = sides[[0, -1]]
    same: Arrays = {"x": np.eye(len(sides), dtype=np.float32), "adjacency": adjacency}
    known, all_sides = {**same, "label": leaders}, {**same, "label": sides}
    note = "34 members, the sides of two are known"
    return Source("networkx:karate", known, known, all_sides, notes=(note,))
