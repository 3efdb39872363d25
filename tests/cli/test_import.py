"""`nncomp import`: files, what it says, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lenet(tmp_path: Path) -> Path:
    path = tmp_path / "lenet5.onnx"
    assert main(["build", str(ROOT / "models" / "lenet5.nn"), "-o", str(path), "-O0"]) == 0
    return path


CHOICE = """
<ir_version: 8, opset_import: ["" : 17]>
f (float[N,2] x, int64 which, float[3] more) => (float[N,2] y)
<int64 one = {1}>
{
  first = Equal(which, one)
  y = If (first) <
    then_branch = g1 () => (float[N,2] a) { a = Neg(x) },
    else_branch = g2 () => (float[N,2] b) { b = Abs(x) }
  >
}
"""


@pytest.mark.parametrize("value", [1, 2])
def test_an_input_that_is_a_constant(tmp_path: Path, value: int) -> None:
    path, out, text = (str(tmp_path / name) for name in ("m.onnx", "n.onnx", "m.nn"))
    onnx.save(onnx.parser.parse_model(CHOICE), path)
    assert main(["build", path, "--set", f"which={value}", "-o", out]) == 0
    (node,) = onnx.load(out).graph.node
    assert node.op_type == ("Neg" if value == 1 else "Abs")
    assert main(["import", path, "--set", f"which={value}", "-o", text]) == 0
    assert "cond" not in Path(text).read_text()
    x = np.float32([[-1, 2]])
    model = nncomp.load(path, which=np.int64(value))
    np.testing.assert_array_equal(
        model(x=x, more=np.zeros(3, np.float32))["y"], -x if value == 1 else abs(x)
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("which=1.5", "`which` of {path} is i64[], and cannot be 1.5"),
        ("which=[1]", "`which` of {path} is i64[], and cannot be [1]"),
        ("which=one", "`which` of {path} is i64[], and cannot be one"),
        ("more=[1, 2]", "`more` of {path} is f32[3], and cannot be [1, 2]"),
        ("more=[1, [2], 3]", "`more` of {path} is f32[3], and cannot be [1, [2], 3]"),
        ("more=[1, 2, 1e400]", "`more` of {path} is f32[3], and cannot be [1, 2, 1e400]"),
        ("more=[none, 2, 3]", "`more` of {path} is f32[3], and cannot be [none, 2, 3]"),
        ("whihc=1", "did you mean `which`?"),
    ],
)
def test_an_input_that_cannot_be_that_constant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, words: str
) -> None:
    path = str(tmp_path / "m.onnx")
    onnx.save(onnx.parser.parse_model(CHOICE), path)
    assert main(["check", path, "--set", setting]) == 1
    err = capsys.readouterr().err
    assert "NN0202" in err
    assert words.format(path=path) in err


def test_import_and_build_again(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    target = lenet.with_name("again.nn")
    assert main(["import", str(lenet), "-o", str(target)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"wrote {target}: ")
    assert second == f"wrote {target.with_suffix('.safetensors')}: 0.25 MB of weights"
    before = target.read_bytes(), target.with_suffix(".safetensors").read_bytes()
    assert main(["import", str(lenet), "-o", str(target), "--force"]) == 0
    assert (target.read_bytes(), target.with_suffix(".safetensors").read_bytes()) == before
    assert main(["fmt", "--check", str(target)]) == 0
    x = np.random.default_rng(0).normal(size=(2, 1, 28, 28)).astype(np.float32)
    one = nncomp.load(lenet)
    other = nncomp.load(target, weights=target.with_suffix(".safetensors"))
    assert {p.path for p in one.graph.parameters} == {p.path for p in other.graph.parameters}
    expected = one.run({"image": x}, backend="numpy", level=0)["logits"]
    np.testing.assert_array_equal(
        other.run({"image": x}, backend="numpy", level=0)["logits"], expected
    )


def test_what_is_there_already(
    lenet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text that somebody wrote, and weights that somebody trained, are not lost."""
    monkeypatch.chdir(lenet.parent)
    weights, text = Path("lenet5.safetensors"), Path("lenet5.nn")
    for mine in (weights, text):
        mine.write_text("mine")
        assert main(["import", lenet.name]) == 1
        err = capsys.readouterr().err
        assert f"error[NN0001]: cannot write '{mine}': there is such a file already" in err
        assert "--force" in err
        assert mine.read_text() == "mine"
        assert [f.name for f in Path().iterdir() if f != mine] == [lenet.name]
        mine.unlink()
    text.write_text("mine")
    assert main(["import", lenet.name, "--force"]) == 0
    assert text.read_text() != "mine"


def test_the_model_itself_is_not_written_over(lenet: Path) -> None:
    odd = lenet.rename(lenet.with_suffix(".nn"))
    before = odd.read_bytes()
    assert main(["import", str(odd), "-o", str(odd), "--force"]) == 1
    assert odd.read_bytes() == before


def test_hostile_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names that are no identifiers are renamed; both stand in the file."""
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]>\n'
        "f (float[N, 3] x) => (float[N, 3] y) { t = Add (x, w) \n y = Relu (t) }"
    )
    weight = onnx.numpy_helper.from_array(np.ones((4, 3), np.float32)[:1].repeat(1, 0), 'a..{"\n')
    model.graph.initializer.append(weight)
    model.graph.node[0].input[:] = ["1 input", weight.name]
    model.graph.input[0].name = "1 input"
    model.graph.node[1].output[0] = model.graph.output[0].name = 'for"""'
    onnx.save(model, tmp_path / "odd.onnx")
    target = tmp_path / "odd.nn"
    assert main(["import", str(tmp_path / "odd.onnx"), "-o", str(target)]) == 0
    text = target.read_text()
    assert "#   v1_input: 1 input\n" in text
    loaded = nncomp.load(target, weights=target.with_suffix(".safetensors"))
    (output,) = loaded.run({"v1_input": np.zeros((1, 3), np.float32)}).values()
    np.testing.assert_array_equal(output, np.ones((1, 3), np.float32))


def test_refusals(lenet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(ROOT / "models" / "lenet5.nn")]) == 1
    assert "error[NN0306]" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["import", str(lenet), "-o", "x.onnx"])
    assert stop.value.code == 2
    lenet.write_bytes(lenet.read_bytes()[:1000])
    assert main(["import", str(lenet), "-o", str(lenet.with_name("broken.nn"))]) == 1
    assert "error[NN08" in capsys.readouterr().err
    assert not lenet.with_name("broken.nn").exists()


FOREIGN = """\
<ir_version: 8, opset_import: ["" : 17, "com.example" : 2]>
f (float[N, 4] x) => (float[M, 4] y) <float[M, 4] a> {
  a = com.example.Drop <rate = 0.5, names = ["one", "two"]> (x)
  y = Relu (a)
}
"""


def test_unknown_operators_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An operator of another domain, and a size that only it knows."""
    onnx.save(onnx.parser.parse_model(FOREIGN), tmp_path / "foreign.onnx")
    assert main(["import", str(tmp_path / "foreign.onnx"), "-o", str(tmp_path / "a.nn")]) == 0
    assert 'nncomp.Opaque(x, operator="Drop", home="com.example"' in " ".join(
        (tmp_path / "a.nn").read_text().split()
    ).replace("( x", "(x")
    assert main(["build", str(tmp_path / "a.nn"), "-o", str(tmp_path / "b.onnx")]) == 0
    again = onnx.load(tmp_path / "b.onnx")
    drop, _ = again.graph.node
    assert (drop.op_type, drop.domain) == ("Drop", "com.example")
    assert [a.name for a in drop.attribute] == ["names", "rate"]
    assert {o.domain: o.version for o in again.opset_import}["com.example"] == 2
