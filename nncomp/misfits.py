"""Weights that do not fit a model: what would make them fit.

Three things are told from the names and shapes alone: another beginning of the names, another value
of a hyperparameter, tensors that the model has no use for.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from nncomp.errors import Diagnostic
from nncomp.types import Array, TensorType

Wanted = Mapping[str, TensorType]
Given = Mapping[str, Array]


def remedies(wanted: Wanted, given: Given, settings: Mapping[str, Any]) -> list[Diagnostic]:
    """What to try, each as an error with a suggestion.

    wanted: the types of the parameters and buffers, by path
    given: the weights, by name
    settings: the values of the model's hyperparameters
    """
    return (
        _other_beginning(wanted, given)  # nothing else can be told until names agree
        or [*_other_settings(wanted, given, settings)]
        or [*_of_no_use(wanted, given)]
    )


def _other_beginning(wanted: Wanted, given: Given) -> list[Diagnostic]:
    """Whether most of what is missing is there behind, or without, a prefix: `transformer.`."""
    missing, extra = wanted.keys() - given.keys(), given.keys() - wanted.keys()
    prefixes = Counter[tuple[str, str]]()
    for path in missing:
        for at in (i + 1 for i, c in enumerate(path) if c == "."):
            if path[at:] in extra:
                prefixes["", path[:at]] += 1
    for path in extra:
        for at in (i + 1 for i, c in enumerate(path) if c == "."):
            if path[at:] in missing:
                prefixes[path[:at], ""] += 1
    for (theirs, ours), count in prefixes.most_common(1):
        if 2 * count >= len(missing):
            there = f"they begin with `{theirs}`" if theirs else f"they lack the beginning `{ours}`"
            message = f"{count} of the {len(missing)} missing tensors are there, but {there}"
            return [_diagnostic(message, f"--rename '^{re.escape(theirs)}={ours}'")]
    return []


def _other_settings(
    wanted: Wanted, given: Given, settings: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """Hyperparameters whose value is a size, or a number of layers, that the weights have
    differently wherever the model has it."""
    found = _sizes(wanted, given)
    for size, other in _counts(wanted, given):
        found[size].add(other)
    integers = {name: value for name, value in settings.items() if type(value) is int}
    for size in dict.fromkeys(integers.values()):
        if len(found[size]) == 1 and size not in found[size]:
            (other,) = found[size]
            names = [name for name, value in integers.items() if value == size]
            said = " or ".join(f"`{name}`" for name in names)
            message = f"{said} is {size}, where the weights have {other}"
            yield _diagnostic(message, " or ".join(f"--set {name}={other}" for name in names))


def _sizes(wanted: Wanted, given: Given) -> defaultdict[int, set[int]]:
    """Sizes that the weights have where the model has one, along corresponding axes."""
    found = defaultdict[int, set[int]](set)
    for path in wanted.keys() & given.keys():
        ours, theirs = wanted[path].shape, given[path].shape
        if len(ours) == len(theirs):
            for size, other in zip(ours, theirs, strict=True):
                if isinstance(size, int):
                    found[size].add(other)
    return found


def _counts(wanted: Wanted, given: Given) -> Iterator[tuple[int, int]]:
    """How many there are of a layer in the model and in the weights, where these differ."""
    ours, theirs = _numbers(wanted), _numbers(given)
    for layer in ours.keys() & theirs.keys():
        if len(ours[layer]) != len(theirs[layer]):
            yield len(ours[layer]), len(theirs[layer])


def _numbers(paths: Wanted | Given) -> dict[str, set[str]]:
    """The numbers of the layers of a name: of `encoder.layer.0.bias` it is `encoder.layer`."""
    found = defaultdict[str, set[str]](set)
    for path in paths:
        for number in re.finditer(r"\.([0-9]+)\.", f".{path}"):
            found[path[: number.start()]].add(number[1])
    return found


def _of_no_use(wanted: Wanted, given: Given) -> Iterator[Diagnostic]:
    """If everything is there that the model wants, and more."""
    extra = sorted(given.keys() - wanted.keys())
    fits = all(p in given and t.shape == given[p].shape for p, t in wanted.items())
    if extra and fits:
        first, place = extra[0], extra[0].partition(".")[0] + "."
        all_there = len(extra) > 1 and all(name.startswith(place) for name in extra)
        if all_there and not any(path.startswith(place) for path in wanted):
            rule = f"^{re.escape(place)}.*="
        else:
            rule = f"^{re.escape(first)}$="
        message = f"the weights hold {len(extra)} more than the model has"
        yield _diagnostic(message, f"to leave out what a name matches: --rename '{rule}'")


def _diagnostic(message: str, help: str) -> Diagnostic:
    return Diagnostic("NN0502", message, help=help)
