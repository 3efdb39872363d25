"""No input gives a traceback; each fault has a code, and the exit status says whose it is."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import nncomp
from nncomp.cli import main
from nncomp.cli.report import report
from nncomp.errors import error
from nncomp.source import SourceFile, Span

LENET = str(Path(__file__).resolve().parents[2] / "models" / "lenet5.nn")
IMAGE = ("--input", "image=x.npy")


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.zeros((2, 1, 28, 28), np.float32))
    np.save("narrow.npy", np.zeros((2, 1, 28, 27), np.float32))
    np.savez("other.npz", w=np.zeros(3, np.float32))
    Path("junk").write_bytes(bytes(range(256)))
    Path("junk.onnx").write_bytes(bytes(range(256)))
    Path("open.nn").write_text("model X {\n")
    Path("library.nn").write_text("fn f(x: float[S...]) = x\n")
    Path("infer.nn").write_text("model X { input x: f32[N, 2]\n  output y = x + 1 }\n")
    Path("train.nn").write_text("model X { param w: f32[] = zeros()\n train { minimize w } }\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["build", "nowhere.nn"], "NN0001"),
        (["build", "."], "NN0001"),
        (["build", "junk"], "NN0002"),
        (["fmt", "open.nn"], "NN0105"),
        (["check", "open.nn"], "NN0105"),
        (["build", "library.nn"], "NN0306"),
        (["build", LENET, "--model", "Nobody"], "NN0306"),
        (["build", LENET, "--entry", "sample"], "NN0306"),
        (["build", LENET, "--set", "clases=3"], "NN0202"),
        (["build", LENET, "--set", "classes=many"], "NN0201"),
        (["build", LENET, "--opset", "3"], "NN0601"),
        (["build", LENET, "--weights", "nowhere"], "NN0001"),
        (["build", LENET, "--weights", "junk"], "NN0502"),
        (["build", LENET, "--weights", "other.npz"], "NN0502"),
        (["build", LENET, "-o", "junk/x.onnx"], "NN0001"),
        (["build", LENET, "--seed", str(1 << 70)], "NN0005"),
        (["build", "infer.nn", "--train"], "NN0403"),
        (["train", "infer.nn", "--data", "sklearn:digits"], "NN0403"),
        (["train", "train.nn", "--data", "sklearn:digits"], "NN0101"),
        (["train", LENET, "--data", "sklearn:nothing"], "NN0501"),
        (["train", LENET, "--data", "other.npz"], "NN0501"),
        (["train", LENET, "--data", "sklearn:iris"], "NN0501"),
        (["train", LENET, "--data", "sklearn:digits", "--section", "x"], "NN0403"),
        (["train", LENET, "--data", "sklearn:digits", "--set", "classes=3"], None),
        (["run", LENET], "NN0503"),
        (["run", LENET, "--backend", "numpy"], "NN0503"),
        (["run", LENET, "--input", "pixels=x.npy"], "NN0503"),
        (["run", LENET, "--input", "image=narrow.npy"], "NN0503"),
        (["run", LENET, "--input", "image=narrow.npy", "--backend", "numpy"], "NN0503"),
        (["run", LENET, "--input", "image=junk"], "NN0503"),
        (
            ["run", LENET, "--input", "image=x.npy", "--backend", "numpy", "--device", "cuda"],
            "NN0602",
        ),
        (["grad", LENET, "--wrt", "conv9.weight"], "NN0406"),
        (["grad", LENET, "--wrt", "label"], "NN0401"),
        (["grad", LENET, "--loss", "lost"], "NN0406"),
        (["grad", LENET, "--loss", "logits"], "NN0402"),
        (["grad", LENET, "--section", "x"], "NN0403"),
        (["grad", LENET, "--opset", "99"], "NN0601"),
        (["grad", LENET, "--weights", "other.npz"], "NN0502"),
        (["explain", "NN9999"], "NN0103"),
        (["explain", LENET], "NN0103"),
        (["explain", LENET, "conv9"], "NN0103"),
        (["run", LENET, "--input", "image=other.npz"], "NN0503"),
        (["inspect", "junk.onnx"], "NN0801"),
        (["view", LENET, "-o", "lenet.jpg"], "NN0001"),
        (["view", LENET, LENET, "-o", "lenet.svg"], "NN0001"),
        (["train", LENET, "--data", "sklearn:digits", "--resume"], "NN0001"),
        (["inspect", "library.nn"], "NN0306"),
        (["view", "open.nn"], "NN0105"),
        (["build", "infer.nn", "-o", "infer.nn"], "NN0001"),
        (["build", "infer.nn", "-o", "other.nn"], "NN0001"),
        (["check", "other.npz"], "NN0002"),
        (["check", "x.npy"], "NN0002"),
        (["explain", "fuse-con"], "NN0103"),
    ],
    ids=lambda value: " ".join(value[:2] + value[-2:]) if isinstance(value, list) else value,
)
def test_faults_of_the_input(
    arguments: list[str], code: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(os.listdir())
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert err.startswith("error[NN") if code is None else f"error[{code}]" in err
    assert "Traceback" not in err
    assert "\033" not in err
    assert set(os.listdir()) - before <= {"out"}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bake"],
        ["build"],
        ["build", LENET, "-O7"],
        ["build", LENET, "--set", "classes"],
        ["run", LENET, "--device", "tpu"],
        ["train", LENET],
        ["train", LENET, "--data", "x", "--epochs", "0"],
        ["inspect", LENET, "--batch-size", "many"],
        ["view", LENET, "-o", "g.svg", "--depth", "-3"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    said, where = capsys.readouterr().err.splitlines()
    command = "nncomp" if not arguments or arguments == ["bake"] else f"nncomp {arguments[0]}"
    assert said.startswith(f"{command}: error: ")
    assert where == f"see `{command} --help`"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--freeze", "conv1"),
        ("--trainable", "conv1"),
        ("--average", "0.9"),
        ("--average", "0"),
        ("--precision", "mixed"),
        ("--accumulate", "2"),
        ("--batch-size", "8"),
        ("--memory-budget", "1MB"),
        ("--size", "N=8"),
        ("--target", "onnxruntime-cpu"),
        ("--loss", "mse"),
    ],
)
def test_options_of_a_training_step_that_is_not_built(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(os.listdir())
    with pytest.raises(SystemExit) as stop:
        main(["build", LENET, option, value])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines() == [
        f"nncomp build: error: {option} is for the training step, which --train builds",
        "see `nncomp build --help`",
    ]
    assert set(os.listdir()) == before


def test_what_is_as_without_an_option_is_no_misuse() -> None:
    same = ["--precision", "float32", "--target", "onnx", "--accumulate", "1"]
    assert main(["build", LENET, *same]) == 0


def test_a_model_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "infer.nn"]) == 0
    written = Path("infer.onnx").read_bytes()
    os.symlink("infer.onnx", "link.onnx")
    for output in ([], ["-o", "./infer.onnx"], ["-o", "link.onnx"]):
        capsys.readouterr()
        assert main(["build", "infer.onnx", *output]) == 1
        assert "it is the model that this is made from" in capsys.readouterr().err
    assert Path("infer.onnx").read_bytes() == written
    assert main(["build", "infer.onnx", "-o", "smaller.onnx"]) == 0


def test_weights_are_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "infer.nn", "--train"]) == 1  # nothing to train
    assert main(["build", LENET, "--train"]) == 0
    shutil.copy("lenet5.init.safetensors", "weights.safetensors")
    with zipfile.ZipFile("net.pt", "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}")
    for name, kind in (
        ("weights.safetensors", "weights"),
        ("net.pt", "a checkpoint of PyTorch's"),
        ("x.npy", "a NumPy array"),
    ):
        capsys.readouterr()
        assert main(["check", name]) == 1
        assert f"error[NN0002]: {name} is no model: it is {kind}\n" in capsys.readouterr().err
    assert main(["build", LENET, "--weights", "net.pt"]) == 1
    assert "safetensors.torch.save_file" in capsys.readouterr().err


def test_a_misspelt_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["build", LENET, "--trian"])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("nncomp build: error: unknown: --trian")
    assert "did you mean `--train`?" in err


def test_settings_behind_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["build", LENET, "--set", "classes=3", "channels=3"])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "unknown: channels=3; did you mean `--set channels=3`?" in err


def test_weights_of_another_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = str(tmp_path / "w.safetensors")
    nncomp.load(LENET, classes=7).save(saved)
    for command in ("inspect", "build"):
        assert main([command, LENET, "--weights", saved]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error[NN0502]: `classes` is 10, where the weights have 7\n")
        assert "help: --set classes=7\n" in err
    assert main(["inspect", LENET, "--weights", saved, "--set", "classes=7"]) == 0


def test_a_misspelt_command(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, near in ((["bild"], "build"), (["run", LENET, "--backend", "nunpy"], "numpy")):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert f"did you mean `{near}`?" in capsys.readouterr().err


def test_commands_of_other_tools(capsys: pytest.CaptureFixture[str]) -> None:
    for command, here in [("export", "build"), ("predict", "run"), ("fit", "train")]:
        with pytest.raises(SystemExit):
            main([command, LENET])
        assert f"did you mean `{here}`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "help"),
    [
        (["check", "infer"], "did you mean infer.nn?"),
        (["build", LENET, "--weights", "infer.safetensors"], None),
        (["build", LENET, "--weights", "run"], "such as run/best.safetensors"),
        (["train", LENET, "--data", "digits"], "did you mean `sklearn:digits`?"),
        (["run", LENET, "--input", "image=wide.npy"], '`.astype("float32")`'),
        (["run", LENET, "--backend", "numpy", "--input", "image=wide.npy"], '`.astype("float32")`'),
    ],
)
def test_what_was_meant(
    arguments: list[str], help: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run").mkdir()
    Path("run/best.safetensors").write_bytes(b"")
    np.save("wide.npy", np.zeros((2, 1, 28, 28)))
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert (help or "") in err
    assert ("help:" in err) == (help is not None)


def test_states_of_optimisers_are_no_concern_of_inference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["build", LENET, "--train", "--set", "classes=3"]) == 0
    given = ["build", LENET, "--weights", "lenet5.init.safetensors"]
    capsys.readouterr()
    assert main([*given, "-o", "other.onnx"]) == 1
    err = capsys.readouterr().err
    assert "`fc3.weight` is f32[3, 84] in the weights, the model wants f32[10, 84]" in err
    assert "adam" not in err
    assert main([*given, "-o", "other.onnx", "--train"]) == 1
    assert "`adam.fc3.weight.m` is" in capsys.readouterr().err


def test_diagnostics_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "open.nn", "--format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().err)
    assert (found["code"], found["file"], found["line"]) == ("NN0105", "open.nn", 1)


def test_an_error_of_our_own_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a mistake\nof ours")

    monkeypatch.setattr("nncomp.driver.programs.lower", broken)
    assert main(["build", LENET]) == 70
    err = capsys.readouterr().err
    assert err.startswith("internal error: ZeroDivisionError: a mistake of ours")
    assert err.count("\n") == 1
    with pytest.raises(ZeroDivisionError):
        main(["build", LENET, "--debug"])


def test_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nncomp.driver.programs.lower", interrupted)
    assert main(["build", LENET]) == 130


def test_a_reader_that_goes_away() -> None:
    script = f"{sys.executable} -m nncomp explain {LENET} Gemm | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nncomp", "check", "-"],
        input="model X { output y }",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "--> <stdin>:1:18" in done.stderr


def test_colour_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = SourceFile("x.nn", "y = x + 1\n")
    failure = error("NN0103", "`x` is not defined", Span(source, 4, 5), "here", help="define it")
    report(failure)
    plain = capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    report(failure)
    coloured = capsys.readouterr().err
    assert "\033[1;31merror[NN0103]" in coloured
    assert plain == str(failure) + "\n"
