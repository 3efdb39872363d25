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
    array: Array, type: TensorType, name: str, source: str = "the data"
) -> tuple[Array, list[str]]:
    """The array in the input's dtype and shape, and what was done to it, in words.

    8-bit integers become floats in [0, 1]; images are resized (bilinear), grey ones repeated over
    the channels; images or features are flattened for an input of rank 2; one number a sample
    stands for an axis of size 1.
    source: whose array it is, for the error
    Raises CompileError NN0501.
    """
    notes: list[str] = []
    if type.dtype.is_float and array.dtype == np.uint8:
        array = array.astype(np.float32) / 255
        notes.append(f"{name}: 0..255 scaled to [0, 1]")
    if type.rank == 4:
        array = _to_images(array, type, name, source, notes)
    elif array.ndim == 1 and type.rank == 2 and equal(type.shape[1], 1) is True:
        array = array[:, None]
    elif type.rank == 2 and array.ndim > 2:
        array = _flatten(array, type, name, notes)
    fits = array.ndim == type.rank and all(
        equal(size, wanted) is not False
        for size, wanted in zip(array.shape[1:], type.shape[1:], strict=True)
    )
    if not fits:
        raise _unfit(array, type, name, source)
    return _cast(array, type, name, source), notes


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


def _to_images(array: Array, type: TensorType, name: str, source: str, notes: list[str]) -> Array:
    """[N, H, W], [N, H, W, C] or [N, C, H, W] as the [N, C, H, W] that the input wants."""
    _, channels, height, width = type.shape
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4:
        raise _unfit(array, type, name, source)
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


def _cast(array: Array, type: TensorType, name: str, source: str) -> Array:
    if type.dtype.is_int and array.dtype.kind in "iu" and array.size:
        limits = np.iinfo(type.dtype.numpy)
        if array.min() < limits.min or array.max() > limits.max:
            raise _unfit(array, type, name, source)
    elif (
        array.dtype.kind not in "biufV"  # V: bfloat16
        or type.dtype.is_int
        or (type.dtype is DType.BOOL) != (array.dtype.kind == "b")
    ):
        raise _unfit(array, type, name, source)
    with np.errstate(over="ignore"):  # what becomes infinite is refused later, by its row
        return np.ascontiguousarray(array.astype(type.dtype.numpy, copy=False))


def _unfit(array: Array, type: TensorType, name: str, source: str) -> CompileError:
    message = f"{source} has {describe(array)} for the input `{name}: {type}`"
    return CompileError(Diagnostic("NN0501", message))


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
