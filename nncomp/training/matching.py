"""Which array of a data set goes to which input of a model, and in what form."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from nncomp.dims import equal
from nncomp.errors import CompileError, Diagnostic, Note
from nncomp.training.images import resize
from nncomp.training.lazy import Samples
from nncomp.types import Array, DType, TensorType
from nncomp.weights import describe


def match(
    inputs: Mapping[str, TensorType], arrays: Mapping[str, Samples], source: str
) -> dict[str, str]:
    """For each input the array that feeds it: the one of its name, else the only one that fits.

    Raises CompileError NN0501 that lists what there is on both sides.
    """
    chosen = {name: name for name in inputs if name in arrays}
    while len(chosen) < len(inputs):
        open_inputs = [name for name in inputs if name not in chosen]
        free = [name for name in arrays if name not in chosen.values()]
        candidates = {
            name: [a for a in free if _suits(arrays[a], inputs[name])]
            or [a for a in free if _suits(arrays[a], inputs[name], whole=True)]
            for name in open_inputs
        }
        sure = next((name for name in open_inputs if len(candidates[name]) == 1), None)
        if sure is None:
            raise _no_match(open_inputs[0], candidates[open_inputs[0]], inputs, arrays, source)
        chosen[sure] = candidates[sure][0]
    return {name: chosen[name] for name in inputs}


def adapt(
    array: Array, type: TensorType, name: str, origin: str = "the data", samples: int | None = None
) -> tuple[Array, list[str]]:
    """The array in the input's dtype and shape, and what was done to it, in words.

    8-bit integers become floats in [0, 1]; images are resized (bilinear), grey ones repeated over
    the channels; images or features are flattened for an input of rank 2; one number a sample
    stands for an axis of size 1.
    origin: where the array is from, and samples: how many it has there, if these are not all; for
        the error
    Raises CompileError NN0501.
    """
    whole = (len(array) if samples is None else samples, *array.shape[1:])
    given = describe(np.broadcast_to(array[:1], whole))
    notes: list[str] = []
    if type.dtype.is_float and array.dtype == np.uint8:
        array = array.astype(np.float32) / 255
        notes.append(f"{name}: 0..255 scaled to [0, 1]")
    if type.rank == 4 and array.ndim in (3, 4):
        array = _to_images(array, type, name, notes)
    elif array.ndim == 1 and type.rank == 2 and equal(type.shape[1], 1) is True:
        array = array[:, None]
    elif type.rank == 2 and array.ndim > 2:
        array = _flatten(array, type, name, notes)
    why = _misshapen(array, type) or _not_castable(array, type.dtype)
    if why is not None:
        message = f"{origin}: {given} does not fit the input `{name}: {type}`: {why}"
        done = tuple(Note(note) for note in notes)
        raise CompileError(Diagnostic("NN0501", message, notes=done))
    with np.errstate(over="ignore"):  # what becomes infinite is refused later, by its row
        return np.ascontiguousarray(array.astype(type.dtype.numpy, copy=False)), notes


def _misshapen(array: Array, type: TensorType) -> str | None:
    """Which sizes of the samples are not those that the input takes."""
    if array.ndim != type.rank:
        return f"{array.ndim} {'axis' if array.ndim == 1 else 'axes'}, not {type.rank}"
    for axis in range(1, type.rank):
        size, wanted = array.shape[axis], type.shape[axis]
        if equal(size, wanted) is False:
            return f"axis {axis} is {size}, not {wanted}"
    return None


def _not_castable(array: Array, dtype: DType) -> str | None:
    """Why the numbers cannot be of the dtype; floats may become less precise."""
    kind = array.dtype.kind
    if dtype.is_int and kind in "iu":
        low, high = (array.min(), array.max()) if array.size else (0, 0)
        limits = np.iinfo(dtype.numpy)
        outside = low < limits.min or high > limits.max
        return f"its numbers reach from {low} to {high}" if outside else None
    number = kind in "biufV"  # V: bfloat16
    if number and not dtype.is_int and (dtype is DType.BOOL) == (kind == "b"):
        return None
    return f"{describe(array).partition('[')[0]} does not become {dtype}"


def _suits(array: Samples, type: TensorType, whole: bool = False) -> bool:
    """Whether a nameless match makes sense: the kind of numbers, and the rank.

    whole: whether integers do for a floating input
    """
    if type.dtype.is_float:
        kind = array.dtype == np.uint8 or array.dtype.kind in ("fiu" if whole else "f")
    else:
        kind = array.dtype.kind in ("iu" if type.dtype.is_int else "b")
    images = type.rank == 4 and array.ndim in (3, 4)
    flattened = type.rank == 2 and array.ndim > 2
    column = type.rank == 2 and array.ndim == 1 and equal(type.shape[1], 1) is True
    return kind and (array.ndim == type.rank or images or flattened or column)


def _to_images(array: Array, type: TensorType, name: str, notes: list[str]) -> Array:
    """[N, H, W], [N, H, W, C] or [N, C, H, W] as the [N, C, H, W] that the input wants."""
    _, channels, height, width = type.shape
    if array.ndim == 3:
        array = array[:, None]
    if array.shape[1] not in (1, channels) and array.shape[3] in (1, channels):
        array = np.moveaxis(array, 3, 1)
        notes.append(f"{name}: channels moved to the front")
    h, w = array.shape[2:]
    to_h = height if isinstance(height, int) else h
    to_w = width if isinstance(width, int) else w
    if (h, w) != (to_h, to_w) and type.dtype.is_float:
        array = resize(array.astype(np.float32), to_h, to_w)
        notes.append(f"{name}: resized from {h}×{w} to {to_h}×{to_w}")
    if array.shape[1] == 1 and isinstance(channels, int) and channels > 1:
        array = np.repeat(array, channels, axis=1)
        notes.append(f"{name}: grey repeated over {channels} channels")
    return array


def _flatten(array: Array, type: TensorType, name: str, notes: list[str]) -> Array:
    """[N, ...] as [N, D]; images are first resized to the square of D values if that fits."""
    width, size = type.shape[1], math.prod(array.shape[1:])
    if isinstance(width, int) and width != size and type.dtype.is_float:
        images = array[:, None] if array.ndim == 3 else array
        channels = images.shape[1]
        side = math.isqrt(width // channels)
        if images.ndim == 4 and channels * side * side == width:
            h, w = images.shape[2:]
            array = resize(images.astype(np.float32), side, side)
            notes.append(f"{name}: resized from {h}×{w} to {side}×{side}")
    notes.append(f"{name}: flattened")
    return array.reshape(len(array), -1)


def _described(array: Samples) -> str:
    return describe(np.broadcast_to(array[:1], array.shape))


def _no_match(
    name: str,
    candidates: list[str],
    inputs: Mapping[str, TensorType],
    arrays: Mapping[str, Samples],
    source: str,
) -> CompileError:
    why = f"{len(candidates)} arrays fit" if candidates else "no array is left that fits"
    there = ", ".join(f"`{a}: {_described(array)}`" for a, array in arrays.items())
    wanted = ", ".join(f"`{i}: {type}`" for i, type in inputs.items())
    return CompileError(
        Diagnostic(
            "NN0501",
            f"cannot tell what of {source} feeds the input `{name}`: {why}",
            notes=(Note(f"the data holds {there}"), Note(f"the model takes {wanted}")),
            help="name the arrays as the model's inputs are named",
        )
    )
