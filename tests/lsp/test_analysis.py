"""What an editor is told of a text: names, types, definitions, completions, the outline."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncomp.lsp.analysis import Analysis, analyse
from nncomp.lsp.complete import Item, complete
from nncomp.lsp.cursor import cursor_at
from nncomp.lsp.facts import Outdated
from nncomp.lsp.hover import hover
from nncomp.lsp.outline import outline
from nncomp.lsp.places import definition, place_at
from nncomp.lsp.texts import Texts, std_path
from nncomp.source import SourceFile

TEXT = '''from std import BatchNorm, Conv, Linear
from std.optim import Adam

"""Halves what it is given."""
fn half(x: float[S...]) -> float[S...] = x / 2

"""A convolution and what belongs to it."""
block Layer(channels: int, stride: int = 1)(x: float[N, C, H, W]) {
  param scale: float[channels, 1, 1] = ones()
  y = x |> Conv(channels, 3, stride, pad=1) as inner |> BatchNorm() |> relu
  return y * scale
}

model Net(classes: int = 10) {
  input image: f32[N, 3, 32, 32]
  x = image
  for i in range(3) {
    x = x |> Layer(8 * 2 ** i, 2) as "layers.{i}"
  }
  head = Linear(classes)
  output logits = x |> global_avg_pool |> flatten |> half |> head
  output best = onnx.ArgMax(logits, axis=1)

  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by Adam(lr=1e-3)
  }
}
'''


def analysis_of(text: str, name: str = "net.nn", texts: Texts | None = None) -> Analysis:
    return analyse(SourceFile(name, text), texts or Texts())


@pytest.fixture(scope="module")
def net() -> Analysis:
    found = analysis_of(TEXT)
    assert not found.diagnostics, found.diagnostics[0].render()
    return found


def offset(text: str, before: str, after: str = "") -> int:
    """The character behind `before`, which `after` follows."""
    return text.index(before + after) + len(before)


def shown(analysis: Analysis, before: str, after: str) -> str:
    found = hover(analysis, offset(analysis.source.text, before, after))
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        ("input ", "image", ["image: f32[N, 3, 32, 32]"]),
        ("  x = ", "image\n", ["image: f32[N, 3, 32, 32]"]),
        ("x = ", "x |> Layer", ["f32[N, 3, 32, 32]", "f32[N, 8, 16, 16]", "f32[N, 16, 8, 8]"]),
        ("x |> ", "Layer(8", ["→ f32[N, 32, 4, 4]", "block Layer(channels: int", "A convolution"]),
        ("x |> ", "Conv(ch", ["block Conv(", "`layers.0.inner`: 224 parameters"]),
        ("as ", "inner", ["`layers.2.inner`: 4,640 parameters"]),
        ("param ", "scale", ["scale: f32[8, 1, 1]", "param `layers.0.scale`: `f32[8, 1, 1]`, 8 "]),
        ("stride, ", "pad", ["pad=0"]),
        ("  return ", "y * ", ["y: f32[N, 8, 16, 16]"]),
        ("  ", "head =", ["`head`: 330 parameters"]),
        ("|> ", "head\n", ["→ f32[N, 10]", "`head`: 330 parameters"]),
        ("|> ", "half |>", ["→ f32[N, 32]", "fn half(x: float[S...]) -> float[S...]", "Halves"]),
        ("|> ", "relu\n", ["→ f32[N, 8, 16, 16]", "fn relu("]),
        ("model Net(", "classes", ["classes: 10", "classes: int = 10"]),
        ("for ", "i in", ["i: 0", "i: 1", "i: 2"]),
        ("float[", "N, C, H", ["N: N"]),
        ("float[N, ", "C, H", ["C: 3"]),
        ("minimize ", "cross_entropy", ["fn cross_entropy(", "→ f32[]"]),
        ("onnx.", "ArgMax", ["onnx.ArgMax(data, axis=0", "→ i64[N, 1]"]),
        ("by ", "Adam", ["optimizer Adam("]),
        ("for i in ", "range", ["a function of the compiler"]),
    ],
)
def test_hover(net: Analysis, before: str, after: str, parts: list[str]) -> None:
    text = shown(net, before, after)
    for part in parts:
        assert part in text, text


def test_hover_on_nothing(net: Analysis) -> None:
    assert hover(net, offset(TEXT, "x / ")) is None
    assert hover(analysis_of("model {"), 0) is None


def goes_to(analysis: Analysis, before: str, after: str) -> tuple[str, str]:
    """The file, and the line of the definition."""
    assert analysis.tree is not None
    place = place_at(analysis.tree, offset(analysis.source.text, before, after))
    assert place is not None
    found = definition(analysis, place)
    assert found is not None
    return found.span.source.name, found.span.source.line(found.span.line)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("x |> ", "Layer(8", "block Layer("),
        ("|> ", "half", "fn half("),
        ("return ", "y * scale", "  y = x |> Conv"),
        ("return y * ", "scale", "  param scale"),
        ("x = ", "x |> Layer", "  x = image"),
        ("output logits = ", "x |>", "    x = x |> Layer"),
        ("|> ", "head\n", "  head = Linear"),
        ("ArgMax(", "logits", "  output logits"),
        ("x |> Conv(", "channels", "block Layer("),
        ("8 * 2 ** ", "i", "  for i in range(3) {"),
        ("-> float[", "S...]", "fn half("),
        ("model ", "Net", "model Net("),
    ],
)
def test_definition_here(net: Analysis, before: str, after: str, line: str) -> None:
    assert goes_to(net, before, after)[0] == "net.nn"
    assert goes_to(net, before, after)[1].startswith(line)


@pytest.mark.parametrize(
    ("before", "after", "file", "line"),
    [
        ("x |> ", "Conv(", "conv", "block Conv("),
        ("import BatchNorm, ", "Conv", "conv", "block Conv("),
        ("stride, ", "pad=1", "conv", "  pad=0,"),
        ("|> ", "relu\n", "activations", "fn relu("),
        ("from ", "std.optim", "optim", ""),
        ("by ", "Adam", "optim", "optimizer Adam("),
    ],
)
def test_definition_in_the_library(
    net: Analysis, before: str, after: str, file: str, line: str
) -> None:
    name, found = goes_to(net, before, after)
    assert name == str(std_path(file))
    assert found.startswith(line)


def test_definition_in_a_file_of_ones_own(tmp_path: Path) -> None:
    """Its unsaved text counts, not what lies on disk."""
    (tmp_path / "parts.nn").write_text("fn twice(x: float[S...]) = 3 * x\n")
    unsaved = "# a line more\nfn twice(x: float[S..., D]) -> float[S..., D] = 2 * x\n"
    text = (
        "from parts import twice\nimport parts as p\n\nmodel M {\n  input x: f32[N, 3]\n"
        "  output y = twice(x)\n  output z = p.twice(x)\n}\n"
    )
    for texts, line in (
        (Texts(), "fn twice(x: float[S...]) = 3 * x"),
        (Texts({str(tmp_path / "parts.nn"): unsaved}), "fn twice(x: float[S..., D]) -> float"),
    ):
        found = analysis_of(text, str(tmp_path / "main.nn"), texts)
        assert not found.diagnostics
        for before in ("y = ", "p.", "import "):
            name, shown_line = goes_to(found, before, "twice")
            assert name == str(tmp_path / "parts.nn")
            assert shown_line.startswith(line)


def test_every_error_is_found() -> None:
    found = analysis_of(
        "model A {\n  input x: f32[N, 3]\n  y = rellu(x)\n  z = x + zeros([4])\n  output x\n}\n"
        "model B {\n  input x: f32[N]\n  output y = tanhh(x)\n}\n"
    )
    assert [d.code for d in found.diagnostics] == ["NN0103", "NN0207", "NN0103"]
    assert found.diagnostics[0].help == "did you mean `relu`?"
    assert "x: f32[N, 3]" in shown(found, "y = rellu(", "x")


def test_a_file_of_blocks_alone_is_fine() -> None:
    assert analysis_of("fn half(x: float[S...]) = x / 2\n").diagnostics == ()
    (found,) = analysis_of("fn half(x: float[S...]) = y / 2\n").diagnostics
    assert found.code == "NN0103"


def test_optional_inputs_are_had_too() -> None:
    found = analysis_of(
        "model M {\n  input x: f32[N, 3]\n  input mask: f32[N, 3]? = none\n"
        "  output y = x if mask == none else x * mask\n}\n"
    )
    assert "mask: f32[N, 3]" in shown(found, "x * ", "mask")


def test_an_analysis_that_nobody_waits_for_ends() -> None:
    with pytest.raises(Outdated):
        analyse(SourceFile("net.nn", TEXT), Texts(), lambda: True)


# --- completion ----------------------------------------------------------------------------------


def proposed(text: str, good: str = TEXT) -> dict[str, Item]:
    """At the `|` of a text, whose last version that could be parsed was `good`."""
    at = text.index("¦")
    items = complete(analysis_of(good), text.replace("¦", ""), at)
    return {item.label: item for item in items}


def replaced(line: str, by: str) -> str:
    assert line in TEXT
    return TEXT.replace(line, by)


def test_operators_and_their_attributes() -> None:
    found = proposed(replaced("onnx.ArgMax(logits, axis=1)", "onnx.Arg¦"))
    assert {"ArgMax", "ArgMin", "Conv"} <= set(found)
    assert "FusedConv" not in found
    assert found["ArgMax"].detail.startswith("onnx.ArgMax(data, axis=0")
    found = proposed(replaced("onnx.ArgMax(logits, axis=1)", "onnx.ArgMax(logits, axis=1, ¦)"))
    assert "keepdims" in found
    assert "axis" not in found
    assert found["keepdims"].insert == "keepdims="


def test_arguments_of_blocks_and_fns() -> None:
    found = proposed(replaced("Conv(channels, 3, stride, pad=1)", "Conv(channels, 3, ¦"))
    assert found["dilation"].detail == "dilation=1"
    assert proposed(replaced("|> head", "|> half(¦"))["pi"]  # what is piped is no argument
    assert "x" in {n for n, i in proposed(replaced("|> head", "|> half(¦")).items()}
    found = proposed(replaced("Layer(8 * 2 ** i, 2)", "Layer(8 * 2 ** i, st¦)"))
    assert found["stride"].detail == "stride: int = 1"


def test_names_and_dims() -> None:
    found = proposed(replaced("return y * scale", "return ¦"))
    assert found["y"].detail == "f32[N, 8, 16, 16] | f32[N, 16, 8, 8] | f32[N, 32, 4, 4]"
    assert found["N"].kind == "dim"
    assert found["stride"].detail
    assert "logits" not in found
    assert found["relu"].kind == "fn"
    assert found["Layer"].kind == "block"


def test_blocks_that_are_not_imported_yet() -> None:
    found = proposed(replaced("|> BatchNorm()", "|> ¦"))
    assert found["Dropout"].home == "std.dropout"
    assert found["Conv"].home is None
    assert found["relu"].home is None
    assert "y" not in found


def test_imports_statements_types() -> None:
    assert {"std", "std.optim"} <= set(proposed("from ¦"))
    assert {"Adam", "SGD"} <= set(proposed("from std.optim import ¦"))
    assert {"model", "block"} <= set(proposed(TEXT + "\n¦"))
    found = proposed(replaced("  head = Linear", "  ¦\n  head = Linear"))
    assert {"output", "param", "for"} <= set(found)
    assert {"f32", "float"} <= set(proposed(replaced("label: i64[N]", "label: ¦")))
    assert {"weight", "bias"} <= set(proposed(replaced("|> head\n", "|> head\n  w = head.¦\n")))


@pytest.mark.parametrize("text", ["# a ¦", '"a¦', "x = 12¦", '"""a¦"""'])
def test_nothing_in_comments_strings_and_numbers(text: str) -> None:
    assert cursor_at(text.replace("¦", ""), text.index("¦")) is None


def test_the_outline(net: Analysis) -> None:
    assert net.tree is not None
    half, layer, model = outline(net.tree)
    assert (half.kind, layer.kind, model.kind) == ("fn", "block", "model")
    assert [(c.name, c.kind) for c in layer.children] == [("scale", "state")]
    assert [(c.name, c.kind) for c in model.children] == [
        ("image", "input"),
        ("head", "value"),
        ("logits", "output"),
        ("best", "output"),
        ("train", "section"),
    ]
    assert [c.name for c in model.children[-1].children] == ["label"]
