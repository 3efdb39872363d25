"""The commands from end to end, in one process."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import nncomp
from nncomp.backends.ort.manifest import read_manifest
from nncomp.cli import _parser, main
from nncomp.weights import describe, load_weights, save_weights

MODELS = Path(__file__).resolve().parents[2] / "models"
LENET = str(MODELS / "lenet5.nn")
MLP = str(MODELS / "mlp.nn")


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", LENET]) == 0
    assert "LeNet5 is fine (61,706 parameters, train)" in capsys.readouterr().out


def test_check_goes_on_after_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.nn").write_text("model X { output y }\n")
    assert main(["check", "bad.nn", MLP]) == 1
    captured = capsys.readouterr()
    assert "MLP is fine" in captured.out
    assert "error[NN0103]" in captured.err
    assert "--> bad.nn:1:18" in captured.err


def test_what_can_only_be_trained(capsys: pytest.CaptureFixture[str]) -> None:
    """`check` says what `build` without --train will find."""
    Path("t.nn").write_text("model T { param w: f32[] = zeros()\n train { metric m = w } }\n")
    assert main(["check", "t.nn"]) == 0
    assert "T is fine (1 parameters, no output, train)" in capsys.readouterr().out
    assert main(["build", "t.nn"]) == 1
    err = capsys.readouterr().err
    assert "error[NN0306]: T has no output: all that there is of it is its training" in err
    assert "`--train` takes the training step" in err
    assert main(["build", "t.nn", "--train"]) == 0
    assert not Path("t.onnx").exists()
    assert main(["inspect", "t.nn", "--train"]) == 0


def test_check_of_a_library(capsys: pytest.CaptureFixture[str]) -> None:
    Path("lib.nn").write_text("fn f(x: float[S...]) -> float[S...] = x\n")
    assert main(["check", "lib.nn"]) == 0
    assert capsys.readouterr().out == "lib.nn: fine, declares no model\n"
    Path("lib.nn").write_text("from nowhere import g\n")
    assert main(["check", "lib.nn"]) == 1
    assert "--> lib.nn:1:1" in capsys.readouterr().err


def test_fmt_rewrites_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("x.nn")
    path.write_text("fn f(x:float[S...])=x+1   # more\n")
    assert main(["fmt", "--check", "x.nn"]) == 1
    assert "would reformat x.nn" in capsys.readouterr().out
    assert main(["fmt", "x.nn"]) == 0
    assert path.read_text() == "fn f(x: float[S...]) = x + 1  # more\n"
    assert main(["fmt", "--check", "x.nn"]) == 0


def test_build_writes_inference_training_and_state() -> None:
    assert main(["build", LENET, "--train", "-o", "net/lenet.onnx", "--set", "classes=7"]) == 0
    model = onnx.load("net/lenet.onnx")
    assert [o.name for o in model.graph.output] == ["logits"]
    assert model.graph.output[0].type.tensor_type.shape.dim[1].dim_value == 7
    step = onnx.load("net/lenet.train.onnx")
    assert "loss" in [o.name for o in step.graph.output]
    assert load_weights("net/lenet.init.safetensors")["conv1.weight"].shape == (6, 1, 5, 5)
    assert len(list(Path("net").iterdir())) == 4


def test_the_same_input_gives_the_same_bytes() -> None:
    for name in ("a", "b"):
        assert main(["build", MLP, "--train", "-o", f"{name}.onnx", "--set", "widths=[8]"]) == 0
    for suffix in (".onnx", ".train.onnx", ".eval.onnx", ".init.safetensors"):
        assert Path(f"a{suffix}").read_bytes() == Path(f"b{suffix}").read_bytes()


def test_opset_is_the_one_asked_for() -> None:
    assert main(["build", LENET, "--opset", "21"]) == 0
    assert onnx.load("lenet5.onnx").opset_import[0].version == 21


def test_run_gives_the_same_on_both_backends(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.random.default_rng(0).random((3, 1, 28, 28), np.float32))
    given = ["run", LENET, "--input", "image=x.npy", "--seed", "4"]
    for backend in ("numpy", "onnx"):
        assert main([*given, "--backend", backend, "-o", f"{backend}.npz"]) == 0
    assert "logits: f32[3, 10]" in capsys.readouterr().out
    a, b = (np.load(f"{backend}.npz")["logits"] for backend in ("numpy", "onnx"))
    np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(a).max())


def test_run_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("x.npy", np.zeros((2, 64), np.float32))
    assert main(["run", MLP, "--input", "x=x.npy", "-o", "out"]) == 0
    captured = capsys.readouterr()
    assert captured.out.endswith("wrote out.npz\n")
    assert Path("out.npz").exists()
    assert "initial values, drawn from seed 0" in captured.err
    assert main(["run", MLP, "--input", "x=x.npy", "-o", "out.npy"]) == 0
    np.testing.assert_array_equal(np.load("out.npy"), np.load("out.npz")["logits"])
    Path("two.nn").write_text("model T {\n  input x: f32[N]\n  output y = x\n  output z = -x\n}\n")
    np.save("x.npy", np.zeros(3, np.float32))
    assert main(["run", "two.nn", "--input", "x=x.npy", "-o", "two.npy"]) == 1
    message = capsys.readouterr().err
    assert "two.npy holds one array, the outputs are `y`, `z`" in message
    assert "two.npz" in message


def test_run_with_defaults_buffers_and_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    Path("m.nn").write_text("""model M {
  input x: f32[N, 2]
  input scale: f32[] = 3.0
  buffer calls: i64[] = 4
  update calls = calls + 1
  output y = x * scale + normal([N, 2])
  output slope = grad(sum(x * x * scale), x)
  output now = calls
}
""")
    np.save("x.npy", np.ones((5, 2), np.float32))
    outputs = []
    for backend in ("onnx", "numpy"):
        assert main(["run", "m.nn", "--input", "x=x.npy", "--backend", backend]) == 0
        outputs.append(capsys.readouterr().out)
    assert "slope: f32[5, 2]  min 6  mean 6  max 6" in outputs[0]
    assert "now: i64[]  min 5  mean 5  max 5" in outputs[0]
    assert outputs[0].splitlines()[1:] == outputs[1].splitlines()[1:]
    assert main(["check", "m.nn"]) == 0
    assert main(["build", "m.nn"]) == 0


def test_grad_writes_loss_and_gradients(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["grad", LENET, "--set", "classes=7", "--wrt", "image", "--wrt", "conv*.weight"]
    assert main([*asked, "--opset", "21"]) == 0
    assert "wrote lenet5.grad.onnx" in capsys.readouterr().out
    model = onnx.load("lenet5.grad.onnx")
    assert model.opset_import[0].version == 21
    outputs = ["loss", "grad/image", "grad/conv1.weight", "grad/conv2.weight"]
    assert [o.name for o in model.graph.output] == outputs
    onnx.checker.check_model(model, full_check=True)
    parameters = nncomp.load(LENET, classes=7).parameters
    assert {i.name for i in model.graph.input} == {"image", "label", *parameters}


def test_grad_with_weights_written_in() -> None:
    nncomp.load(MLP, widths=[8]).save("w.safetensors")
    asked = ["grad", MLP, "--set", "widths=[8]", "--weights", "w.safetensors", "-o", "out/m.onnx"]
    for level in ("-O0", "-O2"):
        assert main([*asked, level]) == 0
        model = onnx.load("out/m.onnx")
        assert [i.name for i in model.graph.input] == ["x", "label"]
        assert len(model.graph.output) == 5


ODD = """model Odd {
  input x: f32[T, 2]
  param w: f32[2] = ones()
  output y = scan (h = 0.0) over t = x { yield t * w + h }
  train { minimize sum(y) by SGD(lr=0.1) }
}
"""


def test_warnings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.nn").write_text("from std.optim import SGD\n" + ODD)
    np.savez("d.npz", x=np.zeros((20, 2), np.float32))
    train = ["train", "odd.nn", "--data", "d.npz", "--epochs", "1"]
    for arguments in (["check", "odd.nn"], ["build", "odd.nn"], train):
        assert main(arguments) == 0
        captured = capsys.readouterr()
        assert "warning[NN0321]" not in captured.out
        assert captured.err.count("warning[NN0321]: the carry `h` is never reassigned") == 1
        assert "--> odd.nn:5:20" in captured.err
    assert main(["check", "odd.nn", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().err)
    assert (found["code"], found["severity"]) == ("NN0321", "warning")


def test_train_writes_everything_and_can_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["train", MLP, "--set", "widths=[16]", "--data", "sklearn:digits", "-o", "run"]
    assert main([*given, "--epochs", "1"]) == 0
    assert main([*given, "--epochs", "2", "--resume", "--lr", "1e-4"]) == 0
    files = {"best.safetensors", "last.safetensors", "log.jsonl", "mlp.onnx"}
    assert {path.name for path in Path("run").iterdir()} == files | {"curve.png", "curve.svg"}
    captured = capsys.readouterr()
    assert "1258 to train, 180 to validate, 359 to test" in captured.out
    assert "x: the array `image`" in captured.out
    assert "test" in captured.out
    assert "epoch 2/2" in captured.err
    log = [json.loads(line) for line in Path("run/log.jsonl").read_text().splitlines()]
    assert [r["lr"] for r in log if "epoch" in r] == [pytest.approx(1e-3), pytest.approx(1e-4)]
    np.save("x.npy", np.zeros((2, 64), np.float32))
    trained = ["--weights", "run/best.safetensors", "--input", "x=x.npy"]
    assert main(["run", MLP, "--set", "widths=[16]", *trained]) == 0


def test_training_goes_on_from_another_optimisers_weights(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its states in the file do not matter; other tensors without a place still do."""
    given = ["train", MLP, "--set", "widths=[8]", "--data", "sklearn:digits", "--epochs", "1"]
    assert main([*given, "-o", "first"]) == 0
    state = load_weights("first/last.safetensors")
    assert any(path.endswith(".m") for path in state)
    given = [*given, "--set", "optimizer=sgd", "-o", "second"]
    assert main([*given, "--weights", "first/last.safetensors"]) == 0
    save_weights("more.safetensors", {**state, "fc9.weight": np.ones(3)})
    capsys.readouterr()
    assert main([*given, "--weights", "more.safetensors"]) == 1
    assert "the model has no `fc9.weight`" in capsys.readouterr().err


def test_inspect_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", LENET, "--format", "json"]) == 0
    one = json.loads(capsys.readouterr().out)
    assert one["parameters"] == 61_706
    assert main(["inspect", LENET, "--format", "json", "--batch-size", "5"]) == 0
    five = json.loads(capsys.readouterr().out)
    assert five["flops"] == 5 * one["flops"]
    assert one["optimized"]["nodes"] < one["nodes"]


def test_inspect_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", LENET]) == 0
    out = capsys.readouterr().out
    assert "conv1" in out
    assert "61,706" in out


def test_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    """An input is an .npz file, an output as many arrays."""
    Path("rest.nn").write_text(
        "model Rest {\n  input xs: sequence[f32[_]]\n"
        "  output ys = onnx.SequenceErase(xs, i64(0))\n}\n"
    )
    np.savez("xs.npz", *(np.full(n, n, np.float32) for n in (2, 3, 4)))
    np.save("xs.npy", np.zeros(2, np.float32))
    for backend in ("numpy", "onnx"):
        given = ["run", "rest.nn", "--backend", backend, "--input"]
        assert main([*given, "xs=xs.npz", "-o", "ys.npz"]) == 0
        with np.load("ys.npz") as found:
            assert {name: found[name].tolist() for name in found} == {
                "ys.0": [3.0] * 3,
                "ys.1": [4.0] * 4,
            }
        assert "ys.0: f32[3]  min 3" in capsys.readouterr().out
        assert main([*given, "xs=xs.npy"]) == 1
        assert "it is no .npz file" in capsys.readouterr().err
    assert main(["verify", "rest.nn"]) == 0
    assert main(["inspect", "rest.nn", "--profile", "--input", "xs=xs.npz"]) == 0
    assert main(["build", "rest.nn", "-o", "rest.onnx", "--verify"]) == 0
    assert main(["import", "rest.onnx", "-o", "again.nn"]) == 0
    assert main(["diff", "rest.nn", "again.nn"]) == 0


def test_view() -> None:
    assert main(["view", LENET, "-o", "g.svg"]) == 0
    assert Path("g.svg").read_text().startswith("<svg")


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "NN0207"]) == 0
    assert capsys.readouterr().out.startswith("NN0207: shapes do not broadcast\n\nTwo tensors")
    assert main(["explain", "fold-batch-norm"]) == 0
    assert main(["explain", LENET, "conv1"]) == 0
    out = capsys.readouterr().out
    assert "FusedConv" in out
    assert "lenet5.nn:7" in out
    assert "made by fuse-conv-activation" in out


def test_explain_which_formula_a_gradient_gets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", LENET, "conv2", "--train", "--batch-size", "64"]) == 0
    out = capsys.readouterr().out
    assert "ConvWeightGrad(f32[64, 6, 14, 14], f32[64, 16, 10, 10], i64[4])" in out
    assert "written as flat-conv\n  rather than separable-im2col, estimated at 3 times" in out
    assert "not as depthwise-taps: it is not depthwise" in out
    model = tmp_path / "words.nn"
    model.write_text(
        """from std import Embedding
        from std.optim import SGD
        model Words {
          input word: i64[N, 8]
          y = word |> Embedding(5000, 64) as table
          train { minimize mean(y * y) by SGD(lr=0.1) }
        }"""
    )
    assert main(["explain", str(model), "GatherGrad", "--train"]) == 0
    out = capsys.readouterr().out
    assert "in block table" in out
    assert "written as sorted-blocks" in out
    assert "rather than scatter-elements" in out
    assert main(["explain", str(model), "GatherND", "--train"]) == 1
    assert "NN0103" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"nncomp {nncomp.__version__}\n"


def test_the_evaluation_gives_outputs_losses_and_metrics_of_the_state(tmp_path: Path) -> None:
    assert main(["build", LENET, "--train", "-o", str(tmp_path / "net.onnx")]) == 0
    state = load_weights(tmp_path / "net.init.safetensors")
    rng = np.random.default_rng(0)
    image = rng.standard_normal((3, 1, 28, 28)).astype(np.float32)
    label = np.array([1, 0, 7])
    evaluation = onnxruntime.InferenceSession(tmp_path / "net.eval.onnx")
    manifest = read_manifest(onnx.load(tmp_path / "net.eval.onnx"))
    assert not any(slot.output for slot in manifest.state.values())
    feeds = {slot.input: state[path] for path, slot in manifest.state.items()}
    names = [o.name for o in evaluation.get_outputs()]
    results = evaluation.run(names, {**feeds, "image": image, "label": label})
    found = dict(zip(names, results, strict=True))
    inference = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (logits,) = inference.run(["logits"], {"image": image})
    np.testing.assert_allclose(found[manifest.outputs["logits"]], logits, atol=1e-5)
    right = np.mean(logits.argmax(axis=1) == label)
    assert found[manifest.metrics["accuracy"]] == pytest.approx(right)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    likely = (shifted / shifted.sum(axis=1, keepdims=True))[np.arange(3), label]
    assert found[manifest.losses["loss"]] == pytest.approx(-np.log(likely).mean(), rel=1e-5)


@pytest.mark.parametrize("backend", ["onnx", "numpy"])
@pytest.mark.parametrize("array", [np.zeros((3, 2, 28, 28), "f"), np.zeros((3, 1, 28, 28), "i4")])
def test_run_says_what_the_file_holds_that_does_not_fit(
    backend: str, array: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("x.npy", array)
    assert main(["run", LENET, "--input", "image=x.npy", "--backend", backend]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error[NN0503]: input `image`")
    assert f"note: x.npy holds {describe(array)}\n" in said


@pytest.mark.parametrize(
    ("former", "option"),
    [
        ("build m.nn --batch 8", "--batch-size"),
        ("inspect m.nn --batch 8", "--batch-size"),
        ("view m.nn --batch 8", "--batch-size"),
        ("explain m.nn Conv --train --batch 8", "--batch-size"),
        ("build m.nn --only head --only conv*", "--trainable"),
        ("train m.nn --data d.npz --only head", "--trainable"),
        ("view m.nn -o m.svg --only before", "--graph"),
    ],
)
def test_former_names_of_options(
    former: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are understood as the present ones, and not shown."""
    name = former.split(" --")[-1].split()[0]
    now = former.replace(f"--{name}", option)
    parser = _parser()
    assert parser.parse_args(former.split()) == parser.parse_args(now.split())
    with pytest.raises(SystemExit):
        main([former.split()[0], "--help"])
    shown = capsys.readouterr().out
    assert option in shown
    assert not re.search(rf"--{name}\b(?!-)", shown)
