"""Numbers for the inputs of a graph, in several styles."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from nncomp.dims import DimLike, substitute
from nncomp.equivalence.ranges import SEVERAL, TENSORS, Bounds
from nncomp.equivalence.running import Feed
from nncomp.equivalence.sizes import Sizes
from nncomp.ir.graph import Graph, Value
from nncomp.types import NARROW_FLOATS, STRINGS, Array, DType, SequenceType

_NARROW = (None, 2, 1)  # the widest that integers without known bounds range, from try to try


@dataclass(frozen=True)
class Style:
    """How numbers are drawn.

    scale, shift: of normal numbers; heads: the share of `true`
    place: where in its bounds an integer is, None for anywhere; runs: of loops
    moved: brings real numbers into a range
    """

    name: str
    scale: float
    shift: float
    heads: float
    place: float | None
    runs: int
    moved: Callable[[Array], Array] = np.asarray


STYLES = (
    Style("normal", 1.0, 0.0, 0.5, None, SEVERAL),
    Style("wide", 8.0, 0.0, 0.5, None, 1),
    Style("positive", 1.0, 3.0, 1.0, 1.0, SEVERAL),
    Style("negative", 1.0, -3.0, 0.0, 0.0, 0),
    Style("near zero", 0.05, 0.0, 0.5, None, 1),
    Style("far out", 40.0, 0.0, 0.5, None, SEVERAL),
)


@dataclass(frozen=True)
class Range:
    """Where the numbers of one input are kept, for functions that give NaN outside.

    moved: the numbers of a style, brought there; heads: the share of `true` of bools
    """

    moved: Callable[[Array], Array]
    heads: float

    def of(self, style: Style) -> Style:
        return replace(style, moved=self.moved, heads=self.heads)


RANGES = (
    Range(lambda x: np.abs(x) + 0.1, 1.0),  # logarithms, roots, powers
    Range(lambda x: 0.05 + 0.9 * np.abs(x) / (1 + np.abs(x)), 0.9),  # log(1 - x), acos, atanh
    Range(lambda x: -np.abs(x) - 0.1, 0.0),
    Range(lambda x: np.abs(x) + 1.1, 0.9),  # acosh
)


def draw(
    graph: Graph,
    sizes: Sizes,
    style: Style,
    bounds: Mapping[str, Bounds],
    parameters: Mapping[str, Array],
    seed: int = 0,
    narrow: int = 0,
    kept: Mapping[str, Range] = MappingProxyType({}),
) -> Feed:
    """Numbers for all inputs; those with defaults have them.

    narrow: 1 and 2 keep integers closer to zero, where a graph refuses others
    kept: where the numbers of inputs are kept, by name; the others are anywhere
    """
    rng = np.random.default_rng([seed, *style.name.encode(), *sizes.values()])
    inputs: dict[str, Any] = {}
    for value in graph.inputs:
        if value.name in graph.defaults:
            default = graph.defaults[value.name]
            inputs[value.name] = np.array(default, value.type.dtype.numpy)
            continue
        own = kept[value.name].of(style) if value.name in kept else style
        given = own, bounds, sizes, rng, _NARROW[narrow]
        if isinstance(value.type, SequenceType):
            inputs[value.name] = _tensors(value, value.type, *given)
        else:
            inputs[value.name] = _array(value, _shape(value.shape, sizes), *given)
    name = f"{style.name} tame" if kept else style.name
    return Feed(inputs, parameters, sizes, name)


def _shape(dims: Iterable[DimLike], sizes: Sizes) -> tuple[int, ...]:
    return tuple(int(str(substitute(d, sizes))) for d in dims)


def _tensors(
    value: Value,
    type_: SequenceType,
    style: Style,
    bounds: Mapping[str, Bounds],
    sizes: Sizes,
    rng: np.random.Generator,
    widest: int | None,
) -> Any:
    """As many for every sequence, since what walks along several wants them equally long; where
    each tensor has its own size, the n-th of all sequences have the same."""
    known = (None,) if type_.sizes is None else type_.sizes
    shapes = ([n + 2 if d is None else d for d in known] for n in range(TENSORS))
    return [
        _array(value, _shape(shape, sizes), style, bounds, sizes, rng, widest) for shape in shapes
    ]


_WORDS = ("", "a", "the cat", "Straße", "7")
NARROWEST = len(_NARROW) - 1


def _array(
    value: Value,
    shape: tuple[int, ...],
    style: Style,
    bounds: Mapping[str, Bounds],
    sizes: Sizes,
    rng: np.random.Generator,
    widest: int | None,
) -> Array:
    dtype = value.type.dtype
    if dtype in STRINGS:
        return rng.choice(np.array(_WORDS, object), shape)
    if dtype.is_float or dtype in NARROW_FLOATS:
        numbers = np.asarray(rng.standard_normal(shape) * style.scale + style.shift)
        return np.asarray(style.moved(numbers)).astype(dtype.numpy)
    if dtype is DType.BOOL:
        return np.asarray(rng.random(shape) < style.heads)
    wanted = bounds.get(value.name, Bounds(0, 1))
    low, top = wanted.low, substitute(wanted.high, sizes)
    high = min(top, int(dtype.limits[1])) if isinstance(top, int) else low + 1
    if widest is not None:
        low, high = max(low, 0), min(high, widest)
    high = max(high, low)
    if wanted.counts:
        whole = np.full(shape, min(max(style.runs, low), high))
    elif style.place is not None:
        whole = np.full(shape, low + round(style.place * (high - low)))
    else:
        whole = rng.integers(low, high + 1, size=shape)
    return np.asarray(whole).astype(dtype.numpy)


def lively(
    state: Mapping[str, Array], seed: int = 0, optimizer: Container[str] = ()
) -> dict[str, Array]:
    """Parameters that differ from each other: where all numbers of a float tensor are one, as in a
    new batch norm, each is moved by up to a half. Scales of 1 would hide what is forgotten.

    optimizer: the paths of its states, which are moved up, by a quarter at least: a mean of squares
        is never negative, nor less than the square of the mean, and its root would be NaN
    """
    rng = np.random.default_rng([seed, 1])
    return {
        path: _moved(array, rng, 0.25 if path in optimizer else -0.5) if _is_even(array) else array
        for path, array in state.items()
    }


def _is_even(array: Array) -> bool:
    return bool(array.size and array.dtype.kind == "f" and (array == array.flat[0]).all())


def _moved(array: Array, rng: np.random.Generator, least: float) -> Array:
    return np.asarray(array + rng.uniform(least, 0.5, array.shape)).astype(array.dtype)
