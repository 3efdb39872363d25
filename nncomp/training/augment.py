"""Augmentation: samples changed at random, anew in each epoch, the same for the same seed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from nncomp.errors import error
from nncomp.training.data import Batch, Part
from nncomp.training.images import shift
from nncomp.types import Array


@dataclass(frozen=True)
class Augmentation:
    """What is done to the samples of a batch; images and masks of one sample move together.

    shift: images move by up to so many pixels each way, zeros moved in
    flip: every second image is mirrored, left and right
    noise: the standard deviation of Gaussian noise on the model's floating inputs
    intensity: these are multiplied by a factor in [1 - intensity, 1 + intensity], one a sample
    """

    shift: int = 0
    flip: bool = False
    noise: float = 0.0
    intensity: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.shift or self.flip or self.noise or self.intensity)

    def require_images(self, part: Part) -> None:
        """Raises CompileError NN0501 if there is nothing to move."""
        if (self.shift or self.flip) and not any(a.ndim == 4 for a in part.values()):
            asked = "shift" if self.shift else "flip"
            raise error("NN0501", f"cannot {asked} images: the model has no input [N, C, H, W]")

    def apply(self, batch: Batch, rng: np.random.Generator, features: Collection[str]) -> Batch:
        """The changed batch.

        features: the inputs that noise and intensity are for; not the targets
        """
        count = len(next(iter(batch.values())))
        batch = dict(batch)
        moving = _maps(batch)
        if self.flip:
            chosen = rng.random(count) < 0.5
            for name in moving:
                batch[name] = _mirrored(batch[name], chosen)
        if self.shift:
            offsets = rng.integers(-self.shift, self.shift + 1, (2, count))
            for name in moving:
                batch[name] = shift(batch[name], offsets)
        for name in sorted(features):
            array = batch[name]
            if array.dtype.kind != "f":
                continue
            if self.intensity:
                factor = rng.uniform(1 - self.intensity, 1 + self.intensity, count)
                array = array * factor.astype(array.dtype).reshape(-1, *[1] * (array.ndim - 1))
            if self.noise:
                noise = rng.standard_normal(array.shape, np.float32) * np.float32(self.noise)
                array = array + noise.astype(array.dtype)
            batch[name] = array
        return batch


def _maps(batch: Batch) -> list[str]:
    """Images [N, C, H, W], and what goes with their pixels, [N, H, W]."""
    sizes = {array.shape[2:] for array in batch.values() if array.ndim == 4}
    return [
        name
        for name, array in batch.items()
        if array.ndim == 4 or (array.ndim == 3 and array.shape[1:] in sizes)
    ]


def _mirrored(array: Array, chosen: Array) -> Array:
    return np.where(chosen.reshape(-1, *[1] * (array.ndim - 1)), array[..., ::-1], array)
