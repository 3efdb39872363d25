"""Byte pairs and the cache of examples/tokens.py."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nncomp.types import Array
from zoo.row import ROOT

sys.path.insert(0, str(ROOT / "examples"))
import tokens

TEXT = "the cat and the dog\n\n  the then 1,234 of them\tthe"


@pytest.fixture
def places() -> tuple[Array, Array, Array, Array]:
    """What the model gives at the last 5 of 12 places, keys, tokens, and weights."""
    rng = np.random.default_rng(0)
    alone = rng.dirichlet(np.ones(3), size=5)
    return alone, rng.standard_normal((12, 4)), rng.integers(3, size=12), rng.uniform(size=12)


@pytest.mark.parametrize("merges", [0, 1, 5, 1000])
@pytest.mark.parametrize("text", [TEXT, "", "é§ unknown\r\n letters _x_ "])
def test_tokens_joined_are_the_text(text: str, merges: int) -> None:
    assert "".join(tokens.split(text, tokens.byte_pairs(TEXT, merges))) == text


def test_pairs_that_follow_each_other_most_often_come_first() -> None:
    assert tokens.byte_pairs(TEXT, 3) == [("t", "h"), ("th", "e"), (" ", "the")]
    assert tokens.split("the hat thaw", [("t", "h"), ("th", "e")]) == [
        *("the", " ", "h", "a", "t", " ", "th", "a", "w")
    ]


def test_a_pair_is_joined_from_the_left() -> None:
    assert tokens.joined(["a", "a", "a", "b"], ("a", "a")) == ["aa", "a", "b"]


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_the_cache_is_what_a_loop_over_the_places_before_gives(
    places: tuple[Array, Array, Array, Array], at_once: int
) -> None:
    alone, keys, came, weights = places
    found = tokens.recalled(alone, keys, came, weights, at_once)
    for i, row in enumerate(found):
        counts = alone[i].copy()
        for j in range(7 + i):
            apart = sum((keys[7 + i] - keys[j]) ** 2)
            counts[came[j]] += weights[j] * np.exp(-apart)
        np.testing.assert_allclose(row, counts / counts.sum(), rtol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_place_knows_no_token_from_it_on(places: tuple[Array, Array, Array, Array]) -> None:
    alone, keys, came, weights = places
    before = tokens.recalled(alone, keys, came, weights)
    came[9:] = (came[9:] + 1) % 3
    after = tokens.recalled(alone, keys, came, weights)
    np.testing.assert_array_equal(before[:3], after[:3])
    assert not np.allclose(before[3:], after[3:])


def test_keys_are_of_a_place_and_of_those_before() -> None:
    logits = np.random.default_rng(0).standard_normal((6, 3))
    keys = tokens.trail(logits)
    wanted = sum(
        share * ((logits[5 - k] - logits[4 - k]) ** 2).sum() for k, share in enumerate(tokens.TRAIL)
    )
    assert ((keys[5] - keys[4]) ** 2).sum() == pytest.approx(wanted)
    apart = ((keys[:, None] - keys) ** 2).sum(axis=2).mean()
    assert tokens.distance(keys) == pytest.approx(apart)


def test_logits_are_read_from_those_before_alone() -> None:
    """With a model that says which token it has seen last."""

    class Last:
        def __call__(self, tokens: Array) -> dict[str, Array]:
            return {"logits": np.eye(50)[tokens]}

    came = np.random.default_rng(0).integers(50, size=600)
    logits, kept, cut = tokens.read(Last(), came, 500)  # type: ignore[arg-type]
    first = len(came) - len(kept)
    assert tokens.SEEN <= first < tokens.SEEN + tokens.SAID
    assert cut == 500 - first
    np.testing.assert_array_equal(logits.argmax(axis=1), came[first - 1 : -1])
    np.testing.assert_array_equal(kept, came[first:])
