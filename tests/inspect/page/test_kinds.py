"""Which graph a page is of: gradients, the training step, two models with settings of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nncomp.cli import main
from nncomp.driver.differentiating import gradients_of
from nncomp.driver.programs import load_program
from nncomp.driver.viewing import page_of
from nncomp.errors import CompileError
from nncomp.weights import npz_bytes
from tests.inspect.page.test_page import data_of, drawn

ROOT = Path(__file__).resolve().parents[3]
CLASSIFIER = ROOT / "examples" / "classifier.nn"
TOWER = """from std import Linear

model Tower(depth: int = 2, width: int = 4) {
  input x: float[N, 4]
  for i in range(depth) { x = x |> Linear(width) as "l{i}" |> relu }
  output y = x
}
"""


def page_from(path: Path) -> dict[str, Any]:
    return data_of(path.read_text("utf-8"))


def outputs(model: dict[str, Any]) -> list[str]:
    return [name for name, _ in model["snapshots"][-1]["outputs"]]


def test_gradients_and_their_passes() -> None:
    program = load_program(CLASSIFIER, kinds=("entry", "train"))
    shown = gradients_of(program, ["head", "image"], batch_size=4)
    assert list(shown.graph.outputs) == ["loss", "grad/head.weight", "grad/head.bias", "grad/image"]
    assert not shown.graph.updates
    assert "N = 4" in page_of(shown, None, "classifier.nn")
    model = data_of(page_of(shown, None, "classifier.nn"))["models"][0]
    assert {"Conv", "ConvInputGrad", "CrossEntropyGrad"} & set(drawn(model, 0))
    assert all(model["spanLists"][spans] for spans in model["nodes"]["spans"])
    with pytest.raises(CompileError, match="NN0406"):
        gradients_of(program, ["nothing"])


def test_gradients_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.html"
    file = str(CLASSIFIER)
    assert main(["view", file, "--wrt", "image", "-O0", "-o", str(path)]) == 0
    model = page_from(path)["models"][0]
    assert outputs(model) == ["loss", "grad/image"]
    assert len(model["snapshots"]) == 1
    assert main(["view", file, "--grad", "-o", str(tmp_path / "c.svg")]) == 0
    assert main(["view", file, "--train", "--section", "nope", "-o", str(path)]) == 1
    assert "error[" in capsys.readouterr().err
    for wrong in (["--grad", "--train"], ["--section", "x"], ["--set-b", "a=1"]):
        with pytest.raises(SystemExit):
            main(["view", file, *wrong, "-o", str(path)])


def test_two_models_with_settings_and_weights_of_their_own(tmp_path: Path) -> None:
    file, path = tmp_path / "tower.nn", tmp_path / "both.html"
    file.write_text(TOWER, "utf-8")
    both = ["view", str(file), str(file), "-o", str(path)]
    assert main([*both, "--set", "width=6", "--set-b", "depth=3"]) == 0
    page = page_from(path)
    counts = [drawn(model, 0).count("Relu") for model in page["models"]]
    assert counts == [2, 3]
    types = {type_ for model in page["models"] for type_, _ in model["types"]}
    assert "f32[N, 6]" in types
    assert page["diff"]["changes"]

    def weights(name: str, number: float) -> str:
        rng = np.random.default_rng(0)
        arrays = {}
        for i in range(2):
            arrays[f"l{i}.weight"] = rng.normal(size=(4, 4)).astype(np.float32)
            arrays[f"l{i}.bias"] = np.full(4, number if i else 0, np.float32)
        (tmp_path / name).write_bytes(npz_bytes(arrays))
        return str(tmp_path / name)

    given = ["--weights", weights("a.npz", 1), "--weights-b", weights("b.npz", 2)]
    assert main([*both, *given]) == 0
    changes = page_from(path)["diff"]["changes"]
    assert [change["kind"] for change in changes] == ["changed"]
    assert "l1.bias" in changes[0]["text"]
