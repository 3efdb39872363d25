"""What compiles and is most likely a mistake gives a warning, what may well be meant does not."""

from __future__ import annotations

import pytest

from nncomp.errors import Diagnostic
from nncomp.lower.modules import read_source
from nncomp.lower.program import lower, models
from tests.lower.programs import failure, program
from zoo.row import MODELS

HEAD = (
    "from std import BatchNorm, Conv, ConvTranspose, GroupNorm, GRU, LayerNorm, Linear, LSTM\n"
    "from std import TransformerEncoderLayer\n"
    "from std.optim import Adam\n"
)
INPUTS = {
    "image": "f32[N, 1, 28, 28]",
    "rgb": "f32[N, 3, 32, 32]",
    "nhwc": "f32[N, 32, 32, 3]",
    "steps": "f32[T, N, 8]",
}


def model(statements: str, loss: str = "", label: str = "i64[N]", lr: str = "1e-3") -> str:
    """x is what the statements make of their input."""
    name = next(name for name in INPUTS if name in statements)
    train = f"  train {{\n    input label: {label}\n    minimize {loss} by Adam(lr={lr})\n  }}\n"
    return (
        f"{HEAD}model M {{\n  input {name}: {INPUTS[name]}\n  x = {statements}\n  output x\n"
        + (train if loss else "")
        + "}\n"
    )


def doubts(text: str) -> list[Diagnostic]:
    found = list(program(text).warnings)
    assert all(d.severity == "warning" and d.help and d.span for d in found)
    return found


ROW = "image |> flatten |> Linear(10)"
ONE = "image |> flatten |> Linear(1)"

# a program, its code, what the rendered warning must hold
DOUBTED = [
    (model("image |> Conv(1, 8, 3)"), "NN0213", ["kernel of 8 and stride 3", "write `Conv(8, 3)`"]),
    (model("nhwc |> Conv(8, 3)"), "NN0213", ["f32[N, 32, 32, 3] has 32", "[N, 3, H, W]"]),
    (
        model("rgb |> ConvTranspose(8, 3, 2, 1, 1)"),
        "NN0213",
        ["fifth argument", "`output_pad=1`"],
    ),
    (
        model("steps |> TransformerEncoderLayer(8, 4)"),
        "NN0213",
        ["8 heads, for each number of", "write `TransformerEncoderLayer(4)`"],
    ),
    (model("steps |> LSTM(8, 32)"), "NN0213", ["32 layers of 8 units", "write `LSTM(32)`"]),
    (model("steps |> GRU(8, 64)"), "NN0213", ["64 layers of 8 units", "write `GRU(64)`"]),
    (model("rgb |> BatchNorm(3)"), "NN0213", ["`momentum` of", "is 3", "write `BatchNorm()`"]),
    (model("steps |> LayerNorm(8)"), "NN0213", ["`eps` of", "is 8", "write `LayerNorm()`"]),
    (model("rgb |> GroupNorm(3, 3)"), "NN0213", ["`eps` of", "write `GroupNorm(3)`"]),
    (
        model(f"{ROW} |> softmax", "cross_entropy(x, label)"),
        "NN0409",
        ["takes the softmax itself", "`softmax` is here", "give it what `softmax`"],
    ),
    (
        model(f"reshape({ROW} |> sigmoid, [N, 10])", "cross_entropy(x, label)"),
        "NN0409",
        ["given probabilities", "`sigmoid` is here"],
    ),
    (
        model(f"{ROW} |> relu", "cross_entropy(x, label)"),
        "NN0409",
        ["scores without those below 0", "`relu` is here"],
    ),
    (
        model(
            "image |> flatten |> Linear(1) |> sigmoid",
            "binary_cross_entropy(x, label)",
            "f32[N, 1]",
        ),
        "NN0409",
        ["takes the sigmoid itself", "give it what `sigmoid`"],
    ),
    (
        model(f"{ROW} |> softmax", "nll_loss(x, label)"),
        "NN0409",
        ["not their logarithms", "use `log_softmax` in place of `softmax`"],
    ),
    (
        model("image |> flatten |> Linear(1)", "cross_entropy(x, label)"),
        "NN0409",
        ["single class is always 0", "`binary_cross_entropy`"],
    ),
    (
        model("image |> flatten |> Linear(1) |> softmax"),
        "NN0409",
        ["single number is always 1", "`sigmoid`"],
    ),
    (
        model(ROW, "cross_entropy(x, label)", lr="-1e-3"),
        "NN0409",
        ["a learning rate of -0.001", "`maximize`"],
    ),
]


@pytest.mark.parametrize(("text", "code", "holds"), DOUBTED)
def test_what_is_most_likely_a_mistake_is_a_warning(text: str, code: str, holds: list[str]) -> None:
    (warning,) = doubts(text)
    assert warning.code == code
    for part in holds:
        assert part in warning.render()


@pytest.mark.parametrize(
    "text",
    [
        model("image |> Conv(1, 8, stride=3)"),  # says what it means
        model("rgb |> Conv(3, 3, 2)"),
        model("rgb |> Conv(8, 3, 1) |> Conv(8, 4, 2)"),
        model("nhwc |> transpose(perm=[0, 3, 1, 2]) |> Conv(8, 3)"),
        model("steps |> LSTM(8, 2) "),
        model("rgb |> BatchNorm(0.01)"),
        model(ROW, "cross_entropy(x, label)"),
        model(f"{ROW} |> log_softmax", "nll_loss(x, label)"),
        model(f"{ROW} |> relu |> Linear(10)", "cross_entropy(x, label)"),
    ],
)
def test_what_may_well_be_meant_is_none(text: str) -> None:
    assert doubts(text) == []


def test_the_models_here_are_not_doubted() -> None:
    for path in sorted(MODELS.glob("*.nn")):
        source = read_source(path)
        for name in models(source):
            found = lower(source, name).warnings
            assert [d.code for d in found if d.code in ("NN0213", "NN0409")] == [], (path, name)


def test_errors_of_labels_and_rates_say_what_to_do() -> None:
    one_hot = failure(model(ROW, "cross_entropy(x, label)", "f32[N, 10]"))
    assert one_hot.help is not None
    assert "`argmax(…, axis=1)` of one-hot rows" in one_hot.help
    maps = failure(model("image |> Conv(8, 3) |> Linear(10)", "cross_entropy(x, label)"))
    assert maps.help is not None
    assert "`… |> flatten |> Linear(classes)`" in maps.help
    swapped = failure(model("rgb |> Conv(3, 64, 3)"))
    assert (swapped.code, swapped.label) == ("NN0205", "f32[N, 3, 32, 32]")
    assert swapped.help is not None
    assert "write `Conv(64, 3)`" in swapped.help
    quoted = failure(model(ROW, "cross_entropy(x, label)", lr='"1e-3"'))
    assert quoted.help == "write it without quotes: 1e-3"
    named = failure(model(ROW, "mse(x, x)"))
    assert named.help == "it is called `mse_loss` here"


@pytest.mark.parametrize(
    ("loss", "doubted"),
    [
        ("mean((x - label) ** 2)", True),
        ("mean(abs(label - x))", True),
        ("mean((squeeze(x, -1) - label) ** 2)", False),
        ("mean((x - label[:, none]) ** 2)", False),
        ("mean((squeeze(x, -1)[:, none] - label) ** 2)", False),
    ],
)
def test_a_difference_of_each_with_all(loss: str, doubted: bool) -> None:
    found = doubts(model(ONE, loss, label="f32[N]"))
    assert [d.code for d in found] == ["NN0409"] * doubted
    if doubted:
        assert "each number with all: f32[N, N]" in found[0].message


ATTENTION = """from std import MultiHeadAttention
model M {{
  input x: f32[{n}, T, 64]
  input m: f32[{n}, S, 64]
  input mask: f32[{n}, S, 64]
  output y = MultiHeadAttention(4)({given})
}}
"""


@pytest.mark.parametrize(
    ("given", "form"),
    [("x, x, x", "x"), ("x, m, m", "x, memory"), ("x, memory=m, mask=mask", "x, memory")],
)
def test_query_key_and_value(given: str, form: str) -> None:
    found = failure(ATTENTION.format(n="N", given=given))
    assert found.code == "NN0206"
    assert found.message == (
        f"the mask of this attention, f32[N, {'T' if form == 'x' else 'S'}, 64], is of the "
        "memory's shape"
    )
    assert found.help is not None
    assert found.help.endswith(f"write `MultiHeadAttention(4)({form})`")


def test_width_and_heads() -> None:
    text = "from std import MultiHeadAttention\nmodel M {\n  input x: f32[N, T, 32]\n"
    found = failure(text + "  output y = x |> MultiHeadAttention(32, 4)\n}\n")
    assert found.code == "NN0209"
    assert found.help is not None
    assert found.help.endswith("for 4 heads write `MultiHeadAttention(4)`")


def test_a_mask_for_each_head() -> None:
    text = ATTENTION.format(n=4, given="x, x, mask").replace("T,", "64,").replace("S,", "64,")
    assert program(text).graph.outputs["y"].shape == (4, 64, 64)
