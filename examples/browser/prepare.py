"""Compiles LeNet-5 and puts what the page needs into one folder, to be served as it is.

npm ci --prefix examples/browser
python examples/browser/prepare.py
python -m http.server --directory out/browser
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx

import nncomp
from nncomp.driver.train import data_for

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "models" / "lenet5.nn"
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"
# the page, and of the runtime what runs on the processor alone
PAGE = ("index.html", "style.css", "page.js", "training.js", "chart.js")
MODULES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


def prepare(out: Path) -> None:
    if not RUNTIME.exists():
        raise SystemExit(f"{RUNTIME} is missing: npm ci --prefix {HERE}")
    out.mkdir(parents=True, exist_ok=True)
    model = nncomp.load(MODEL, seed=0)
    model.build(out / "lenet5.onnx", train=True)
    (out / "lenet5.onnx").unlink()  # the evaluation, which takes the parameters, does its work
    for kind in ("train", "eval"):
        properties = onnx.load(out / f"lenet5.{kind}.onnx").metadata_props
        manifest = {entry.key: entry.value for entry in properties}["nncomp.step"]
        (out / f"lenet5.{kind}.json").write_text(manifest)
    data = data_for(model.program, "sklearn:digits")
    parts = {}
    with (out / "digits.bin").open("wb") as file:
        for name in ("train", "test"):
            part = getattr(data, name)
            file.write((part["image"] * 255).round().astype(np.uint8).tobytes())
            parts[name] = [int(label) for label in part["label"]]
    (out / "digits.json").write_text(json.dumps(parts))
    for page_file in PAGE:
        shutil.copy(HERE / page_file, out)
    for module in MODULES:
        shutil.copy(RUNTIME / module, out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("out/browser"))
    out = parser.parse_args().output
    prepare(out)
    print(f"wrote {out}/: python -m http.server --directory {out}")


if __name__ == "__main__":
    main()
