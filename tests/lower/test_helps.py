"""What does not fit, and what its writer most likely meant: the help of the error."""

from __future__ import annotations

import pytest

from tests.lower.programs import failure, program

HALVED = "image |> max_pool(2) |> ConvTranspose(3, 2, stride=2)"
HEAD = """from std import ConvTranspose, Embedding, Linear
from std import MultiHeadAttention, TransformerDecoderLayer
from std.optim import Adam
block Decoder(out: int)(x: float[N, D]) { return x |> Linear(out) }
model M {
  input x: f32[N, 4]
  input image: f32[N, 3, H, W]
  input q: f32[N, T, 4]
  input heads: f32[N, 2, T, 4]
  input index: i64[N, T]
  input mask: bool[N, T]
  input pairs: bool[N, T, T]
  net = Linear(4)
  dec = Decoder(4)
"""


def help_of(statements: str) -> str:
    return failure(f"{HEAD}{statements}\n}}\n").help or ""


def trained(minimized: str) -> str:
    return (
        "  y = dec(net(x))\n  one = y |> Linear(1)\n  scores = q |> Linear(9)\n"
        "  train {\n    input label: i64[N, T]\n    input target: f32[N]\n"
        f"    minimize {minimized} by Adam(1e-3)\n  }}"
    )


@pytest.mark.parametrize(
    ("statements", "help"),
    [
        ("  output y = x / sum(x, 1)", "`keepdims=true`"),
        ("  output y = q - mean(q, axis=[1, 2])", "`keepdims=true`"),
        ("  total = sum(exp(q), axis=-1)\n  output y = exp(q) / total", "`keepdims=true`"),
        ("  output y = x / sum(q, axis=1)[:, :2]", "keepdims"),
        ("  param p: float[64, 4]\n  output y = q + p[:T]", "`assert T <= 64`"),
        ("  output y = Embedding(64, 4)(range(T))", "`arange`"),
        (f"  y = {HALVED}\n  output z = image + y", "says `2 * h` for it"),
        (f"  y = {HALVED}\n  output z = concat([image, y], axis=1)", "says `2 * h` for it"),
        ("  output y = image |> flatten |> Linear(3)", "`global_avg_pool`"),
        ("  (v, i) = max(x, axis=1)", "`argmax(x, axis=1)`"),
        ("  y = net(x)\n  output z = l2_penalty(net)", "`.params`"),
        ("  output y = x * tensor([1.0])", "`f32([0.5, 2.0])`"),
        ("  output y = leaky_relu(x, negative_slope=0.2)", "`slope`"),
        (trained("mean(y), mean(one)"), "`minimize a + b by …`"),
        ("  y = Adam(1e-3, clip_norm=1.0)", "`clipped(Adam(lr=1e-3), norm=1.0)`"),
        ("  output y = reshape(x, N, 2, 2)", "`reshape(x, [N, 8])`"),
        ("  output y = zeros(4, 2)", "`zeros([N, 8])`"),
        ("  output y = concat(x, x, axis=1)", "`concat([a, b], axis=1)`"),
        ("  f = [Linear(3), Linear(4)]\n  output y = f(x)", "`for layer in f { x = layer(x) }`"),
        ("  input z", "`input z: f32[N, 8]`"),
        ("  param scale = 1.0", "`param scale: f32[8] = zeros()`"),
        ("  input z: f32[?, 8]", "a dim of any size has a name"),
        ("  input z: f32[:, 8]", "a dim of any size has a name"),
        ("  output y = x > 0 ? x : 0", "`where(condition, a, b)`"),
        ('  assert 1 == 1, f"one"', "without `f`"),
        ("  output y = attention(q, q, q, mask)", "`mask[:, none]`"),
        ("  output y = attention(heads, heads, heads, mask)", "`mask[:, none, none]`"),
        ("  output y = MultiHeadAttention(2)(q, mask=mask)", "`mask[:, none, none]`"),
        ("  output y = MultiHeadAttention(2)(q, mask=pairs)", "`mask[:, none]`"),
        (
            "  output y = q |> TransformerDecoderLayer(2)(q, memory_mask=mask)",
            "`mask[:, none, none]`",
        ),
        ("  y = net(x)\n  buffer w: f32[4, 4] = net.weight", "`copy(net)`"),
        ("  y = x |> Linear(3) as head\n  output z = head(x)", "make it before, `head = …`"),
        (trained("cross_entropy(scores, label)"), "`cross_entropy(logits, label, axis=-1)`"),
        (trained('cross_entropy(scores, label, reduction="none")'), "`onnx.Softmax"),
        (trained("mse_loss(one, target)"), "`squeeze(…, -1)`"),
        (trained("mse_loss(target, one)"), "`squeeze(…, -1)`"),
        (trained("mean(y) over Decoder"), "did you mean `dec`?"),
        (trained("mean(y) over Linear"), "did you mean `net`?"),
        (trained("mean(y) over deck"), "did you mean `dec`?"),
        (trained('mean(y) over "dec"'), "without quotes: dec"),
        (trained("mean(y) over [net, dec]"), "`over a, b`"),
        (trained("mean(y) over net, Decoder(4)"), "`net = Decoder(…)`"),
        (trained("mean(y) over dec.parameters()"), "`.params`"),
    ],
)
def test_what_was_meant(statements: str, help: str) -> None:
    found = help_of(statements)
    assert (help in found) == (help != "keepdims"), found


@pytest.mark.parametrize(
    ("size", "shape"),
    [("1", "1, T"), ("N", "T, T"), ("N", "1, T"), ("2", "2, T, T"), ("T", "T, T")],
)
def test_a_mask_that_broadcasts(size: str, shape: str) -> None:
    """Of one sample, of each place, of as many samples as there are heads or places."""
    text = (
        "from std import MultiHeadAttention\nmodel M {\n"
        f"  input q: f32[{size}, T, 4]\n  input mask: bool[{shape}]\n"
        "  output y = MultiHeadAttention(2)(q, mask=mask)\n}\n"
    )
    assert program(text).graph.outputs["y"].rank == 3


def test_an_earlier_value_of_a_parameter_is_meant_by_its_name() -> None:
    """`before` is the weight of before the first `minimize`, and the second one changes it, too."""
    text = (
        "from std import Linear\nfrom std.optim import SGD\nmodel M {\n  input x: f32[N, 4]\n"
        "  net = Linear(1)\n  y = net(x)\n  before = net.weight\n  train {\n"
        "    minimize mean(net(x)) over net.weight by SGD(1e-3)\n"
        "    minimize mean(y) over before by SGD(1e-3)\n  }\n}\n"
    )
    assert list(program(text).train["train"].step.updates) == ["net.weight"]


def test_a_list_of_sizes_beside_a_tensor() -> None:
    """It is the work of no node, and has no axes that were reduced."""
    found = failure(f"{HEAD}  output y = reshape(image / [N, 3 * H])\n}}\n")
    assert "W and 2 are not known to be equal" in found.message
