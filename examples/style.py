"""Style transfer between scikit-learn's two sample photographs.

    python examples/style.py

The image that is learnt is left in out/zoo/43/style.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import nncomp

SIZE, STEPS = 64, 200
OUT = Path("out/zoo/43")


def photo(pixels: np.ndarray) -> np.ndarray:
    """f32 [1, 3, SIZE, SIZE] of the middle of a photograph."""
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    square = Image.fromarray(pixels[top : top + side, left : left + side]).resize((SIZE, SIZE))
    return np.moveaxis(np.asarray(square, np.float32)[None] / 255, 3, 1)


def main() -> None:
    content, style = (photo(pixels) for pixels in load_sample_images().images)
    model = nncomp.load("models/style.nn", size=SIZE)
    step = model.training_step()
    losses = [step(content=content, style=style)["loss"] for _ in range(STEPS)]
    OUT.mkdir(parents=True, exist_ok=True)
    image = np.clip(model.parameters["image"][0], 0, 1)
    Image.fromarray((255 * np.moveaxis(image, 0, 2)).astype(np.uint8)).save(OUT / "style.png")
    print(f"loss {losses[0]:.5f} to {losses[-1]:.5f}")
    print(f"fall {1 - losses[-1] / losses[0]:.4f}")


if __name__ == "__main__":
    main()
