"""Data made by a rule: tasks by which networks are shown to remember, to count, to find.

    generated:adding              generated:adding,length=200,samples=20000

The numbers are the same in each run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from nncomp.errors import error, nearest
from nncomp.training.sources.source import Arrays, Source
from nncomp.types import Array

SEED = 0
MOST = 100_000_000  # numbers of one array

Rng = np.random.Generator


@dataclass(frozen=True)
class Task:
    """How samples are made, from their number and sizes.

    make: of a generator, the number of samples, and the sizes in order
    samples: if not told
    sizes: by name, if not told
    note: in words
    whole: whether the samples are all that there are: nothing new is left to validate or test
    """

    make: Callable[..., Arrays]
    samples: int
    sizes: Mapping[str, int]
    note: str
    whole: bool = field(default=False)


def read_generated(spec: str) -> Source:
    """The task `NAME[,size=number…]`. Raises CompileError NN0501."""
    name, *given = spec.split(",")
    if name not in TASKS:
        known = ", ".join(f"generated:{task}" for task in TASKS)
        near = nearest(name, TASKS)
        hint = f"did you mean `generated:{near}`?" if near else f"known: {known}"
        raise error("NN0501", f"there is no data set `generated:{name}`", help=hint)
    task = TASKS[name]
    sizes = {"samples": task.samples, **task.sizes}
    for option in given:
        key, _, text = option.partition("=")
        if key not in sizes or not text.isdecimal() or not 0 < int(text) <= MOST:
            known = ", ".join(f"{key}={size}" for key, size in sizes.items())
            raise error(
                "NN0501", f"`{option}` is no size of generated:{name}", help=f"it has {known}"
            )
        sizes[key] = int(text)
    if np.prod([float(size) for size in sizes.values()]) > MOST:
        raise error("NN0501", f"generated:{spec} would have more than {MOST:,} numbers")
    samples = sizes.pop("samples")
    arrays = task.make(np.random.default_rng(SEED), samples, *sizes.values())
    again = arrays if task.whole else {}
    return Source(f"generated:{spec}", arrays, again, again, notes=(task.note,))


def _adding(rng: Rng, samples: int, length: int) -> Arrays:
    """Hochreiter, Schmidhuber (1997): one mark in the first half, one in the second."""
    values = rng.uniform(size=(samples, length))
    marks = np.zeros_like(values)
    half = length // 2
    rows = np.arange(samples)
    marks[rows, rng.integers(0, max(half, 1), samples)] = 1
    marks[rows, rng.integers(half, length, samples)] = 1
    target = (values * marks).sum(1, keepdims=True)
    x = np.stack([values, marks], 2)
    return {"x": x.astype(np.float32), "target": target.astype(np.float32)}


def _parity(rng: Rng, samples: int, bits: int) -> Arrays:
    strings = (np.arange(samples)[:, None] >> np.arange(bits)) & 1
    label = strings.sum(1) % 2
    return {"x": strings[:, :, None].astype(np.float32), "label": label.astype(np.int64)}


def _symbols(rng: Rng, samples: int, length: int, symbols: int) -> Array:
    """Strings of the symbols 1 and on; 0 is what a decoder starts from."""
    return np.asarray(rng.integers(1, symbols, (samples, length)))


def _strings(source: Array, label: Array) -> Arrays:
    """target: what a decoder has seen when it says the label: a 0, and the label before."""
    target = np.concatenate([np.zeros_like(label[:, :1]), label[:, :-1]], axis=1)
    return {"source": source, "target": target, "label": label}


def _copy(rng: Rng, samples: int, length: int, symbols: int) -> Arrays:
    source = _symbols(rng, samples, length, symbols)
    return _strings(source, source.copy())


def _reverse(rng: Rng, samples: int, length: int, symbols: int) -> Arrays:
    source = _symbols(rng, samples, length, symbols)
    return _strings(source, np.ascontiguousarray(source[:, ::-1]))


def _sort(rng: Rng, samples: int, length: int, symbols: int) -> Arrays:
    source = _symbols(rng, samples, length, symbols)
    return _strings(source, np.sort(source, axis=1))


def _bits(rng: Rng, samples: int, length: int, width: int) -> Arrays:
    return {"x": rng.integers(0, 2, (samples, length, width)).astype(np.float32)}


MOTIF = "TATAAT"  # Pribnow's box, where bacteria begin to read a gene
BASES = "ACGT"


def _motif(rng: Rng, samples: int, length: int) -> Arrays:
    """Every second string has the motif somewhere, the others nowhere."""
    motif = np.array([BASES.index(base) for base in MOTIF])
    if length < len(motif):
        raise error("NN0501", f"a motif of {len(motif)} bases does not fit into {length}")
    strings = rng.integers(0, len(BASES), (samples, length))
    label = np.arange(samples) % 2
    windows = np.lib.stride_tricks.sliding_window_view(strings, len(motif), axis=1)
    while (found := (windows == motif).all(2).any(1)).any():
        strings[found] = rng.integers(0, len(BASES), (int(found.sum()), length))
    starts = rng.integers(0, length - len(motif) + 1, samples)
    for row in np.flatnonzero(label):
        strings[row, starts[row] : starts[row] + len(motif)] = motif
    x = (strings[:, None] == np.arange(len(BASES))[:, None]).astype(np.float32)
    return {"x": x, "label": label.astype(np.int64)}


def _music(rng: Rng, samples: int, bins: int, frames: int, factors: int) -> Arrays:
    """Mel frames of songs, each of which has latent factors: half of them say how strong the parts
    of its spectrum are, half how fast and how hard it beats."""
    target = rng.standard_normal((samples, factors))
    timbre, beat = np.split(target, [factors - factors // 2], axis=1)
    parts = rng.standard_normal((timbre.shape[1], bins)) / np.sqrt(timbre.shape[1])
    spectrum = np.log1p(np.exp(timbre @ parts))[:, :, None]
    time = np.arange(frames)
    phase = rng.uniform(0, 2 * np.pi, (samples, 1, 1))
    x = np.repeat(spectrum, frames, axis=2)
    for number, strength in enumerate(beat.T):
        place = bins * (number + 0.5) / max(beat.shape[1], 1)
        band = np.exp(-(((np.arange(bins) - place) / 2) ** 2))[:, None]
        wave = np.cos(2 * np.pi * time / (4 + 2 * number) + phase)
        x = x + np.exp(0.5 * strength)[:, None, None] * band * (1 + wave)
    x = x + 0.1 * rng.standard_normal(x.shape)
    return {"x": x.astype(np.float32), "target": target.astype(np.float32)}


def _ring(rng: Rng, samples: int, modes: int) -> Arrays:
    """Normal distributions around a circle of radius 1."""
    angle = 2 * np.pi * rng.integers(0, modes, samples) / modes
    centre = np.stack([np.cos(angle), np.sin(angle)], 1)
    return {"real": (centre + 0.05 * rng.standard_normal((samples, 2))).astype(np.float32)}


PEOPLE, VERBS, PLACES = 4, 4, 6


def _facts(rng: Rng, samples: int, sentences: int) -> Arrays:
    """Who went where, and where is one of them now (Weston et al., 2015, task 1). Symbols: 0 fills
    up, 1 is `where`, then people, verbs, places. A story ends anywhere."""
    people, verbs, places = 2, 2 + PEOPLE, 2 + PEOPLE + VERBS
    story = np.zeros((samples, sentences, 3), np.int64)
    who = rng.integers(0, PEOPLE, (samples, sentences))
    where = rng.integers(0, PLACES, (samples, sentences))
    story[:, :, 0] = people + who
    story[:, :, 1] = verbs + rng.integers(0, VERBS, (samples, sentences))
    story[:, :, 2] = places + where
    length = rng.integers(min(2, sentences), sentences + 1, samples)
    story[np.arange(sentences) >= length[:, None]] = 0
    asked = rng.integers(0, length)  # a person of whom something is told
    person = who[np.arange(samples), asked]
    told = (who == person[:, None]) & (np.arange(sentences) < length[:, None])
    last = sentences - 1 - told[:, ::-1].argmax(1)
    question = np.zeros((samples, 3), np.int64)
    question[:, 0], question[:, 1] = 1, people + person
    return {"story": story, "question": question, "label": places + where[np.arange(samples), last]}


_STRING = {"length": 10, "symbols": 10}
TASKS: Mapping[str, Task] = {
    "adding": Task(_adding, 10_000, {"length": 100}, "two marked numbers are to be added"),
    "parity": Task(_parity, 256, {"bits": 8}, "all strings of bits", whole=True),
    "copy": Task(_copy, 10_000, _STRING, "strings are to be repeated"),
    "reverse": Task(_reverse, 10_000, _STRING, "strings are to be said backwards"),
    "sort": Task(_sort, 10_000, {"length": 12, "symbols": 10}, "strings are to be sorted"),
    "bits": Task(_bits, 10_000, {"length": 10, "width": 8}, "rows of random bits"),
    "motif": Task(_motif, 4_000, {"length": 60}, f"{MOTIF} is in every second string"),
    "music": Task(
        _music, 2_000, {"bins": 24, "frames": 64, "factors": 6}, "frames made of latent factors"
    ),
    "ring": Task(_ring, 8_000, {"modes": 8}, "normal distributions around a circle"),
    "facts": Task(_facts, 8_000, {"sentences": 10}, "who went where, and where somebody is"),
}
