"""Programs as users of other frameworks would write them: errors say what it is called here."""

from __future__ import annotations

import pytest

from nncomp.errors import CompileError
from nncomp.lower.elsewhere import argument_help, name_help
from nncomp.lower.modules import std_index
from tests.lower.programs import failure, program

HEAD = "from std import Adam, BatchNorm, Conv, LSTM, Linear\n"

# statements from line 4 on; code; what is suggested
CASES = [
    ("output y = x |> Linear(4) |> ReLU()", "NN0103", "did you mean `relu`"),
    ("output y = GELU(x)", "NN0103", "did you mean `gelu`"),
    ("output y = x |> BatchNorm1d()", "NN0103", "did you mean `BatchNorm`"),
    ("output y = x |> MaxPool2d(2)", "NN0103", "did you mean `max_pool`"),
    ("output y = x |> Dense(4)", "NN0103", "it is called `Linear`"),
    ("output y = x |> nn.Linear(4)", "NN0103", "no prefix"),
    ("output y = F.relu(x)", "NN0103", "no prefix"),
    ("net = Sequential(Linear(4), Linear(2))\n  output y = net(x)", "NN0103", "x |> Linear(64)"),
    ("output y = cat([x, x], 1)", "NN0103", "`concat`"),
    ("output y = linear(x, x)", "NN0103", "`x @ transpose(w) + b`"),
    ("output y = conv2d(x, x)", "NN0103", "`onnx.Conv(x, w, b, strides"),
    ("output y = x |> Linear(4, weight=x)", "NN0202", "`onnx.Conv(x, w)`"),
    ("output y = matmul(x, x)", "NN0103", "`a @ b`"),
    ("output y = permute(x, [1, 0])", "NN0103", "`transpose`"),
    ("output y = x + randn([8])", "NN0103", "`normal([N, 8])`"),
    ("output y = x + zeros_like(x)", "NN0103", "`zeros(x.shape)`"),
    ("output y = clamp(x, 0)", "NN0103", "`clip`"),
    ("output y = x.view(N, 2, 4)", "NN0103", "`reshape(x, [N, 8])`"),
    ("output y = x @ x.T", "NN0103", "`transpose(x)`"),
    ("output y = reshape(x, [x.size(0), 2, 4])", "NN0103", "`x.shape[0]`"),
    ("output y = reshape(x, [x.shape(0), 2, 4])", "NN0201", "by brackets: `x.shape[0]`"),
    ("output y = x[x > 0]", "NN0203", "`where(mask, x, 0)`"),
    ("output y = stack([x, x[:, :4]])", "NN0209", "equal shapes, not f32[N, 8] and f32[N, 4]"),
    ("output y = stack([x, x[0]])", "NN0209", "equal shapes, not f32[N, 8] and f32[8]"),
    ("output y = expand(x, [N, 9])", "NN0207", "cannot expand f32[N, 8] to [N, 9]"),
    ('output y = x[none, none] |> Conv(8, 3, pad="same")', "NN0209", "`pad=k // 2` keeps"),
    ("param w: f32[N, 12]\n  output y = x", "NN0206", "a parameter has no batch axis: `f32[12]`"),
    (
        "input label: i64[N]\n  output y = cross_entropy(label, x)",
        "NN0203",
        "the scores come first: `cross_entropy(x, label)`",
    ),
    ("output y = x.to(1)", "NN0103", "`cast(x, f32)`"),
    ("output y = softmax(x, dim=1)", "NN0202", "it is called `axis` here"),
    ("output y = x |> Linear(4, bias=false)", "NN0202", "it is called `use_bias` here"),
    ("output y = x |> Linear(in_features=8, out=4)", "NN0202", "leave it out"),
    ("output y = x |> Linear(8, 4)", "NN0201", "what it is applied to is no argument"),
    ("output y = x |> LSTM(16, batch_first=true)", "NN0202", "a sequence is [T, N, D]"),
    ("output y = x |> Linear(N)", "NN0212", "a size in the type of the input"),
    ("output y = Linear(4)", "NN0201", "apply it to a tensor"),
    ("output y = x\n  input z: float32[N, 8]", "NN0103", "`f32[…]`"),
    ("output y = x\n  input z: Tensor[N, 8]", "NN0103", "`f32[…]`"),
    ("output y = x\n  input z: f32[None, 8]", "NN0101", "a dim of any size has a name"),
    ("output y = x\n  input z: f32[none, 8]", "NN0201", "a dim of any size has a name"),
    ("output y = x\n  input z: f32[-1, 8]", "NN0205", "a dim of any size has a name"),
    ("output y = x\n  input z: [N, 8]", "NN0101", "a type begins with a dtype"),
    ("f = lambda z: z + 1\n  output y = f(x)", "NN0101", "write `fn f(x) = …`"),
    ("self.fc = Linear(4)\n  output y = self.fc(x)", "NN0101", "there is no `self`"),
    (
        "gamma = param(zeros([8]))\n  output y = x * gamma",
        "NN0103",
        "`param gamma: f32[8] = zeros()`",
    ),
    ("ys = []\n  ys.append(x)\n  output y = ys[0]", "NN0101", "`ys = [ys..., value]`; `scan`"),
    ("x.relu()\n  output x", "NN0101", "`x |> relu`"),
    ("loss = sum(x)\n  loss.backward()\n  output x", "NN0101", "`minimize loss by Adam(lr=1e-3)`"),
    ("output x |> Linear(4)", "NN0101", "write `output name = …`"),
    ("output y = x + z\n  input z: f32[N, 8]", "NN0103", "a value from line 5 on: move that up"),
    ("output y = concat([x, x[:, 1:]])", "NN0205", "they fit along another: `axis=1`"),
    ("output y = concat(x, x)", "NN0201", "in brackets: `[a, b]`"),
    ("h = x\n  for part in x { h = h + part }\n  output h", "NN0206", "`ys = scan over part = x"),
    ("output x\n  train(epochs=10) { }", "NN0101", "`--epochs 10`"),
    ("output y = transpose(x, 0, 1)", "NN0202", "`transpose(x, perm=[0, 2, 1])`"),
    (
        "(y, (h, c)) = x[none] |> LSTM(16)\n  output y",
        "NN0202",
        "`LSTM(…, state=true)` gives `(y, h, c)`",
    ),
    ("(a, b) = x[0]\n  output a, b", "NN0202", "its items along the first axis"),
    ("output y = x\n  input z: f32(N, 8)", "NN0101", "`f32[…]`"),
    ("// the output\n  output y = x", "NN0101", "a comment begins with `#`"),
]
TRAINING = [
    ("input t: f32[N, 8]\n minimize mse_loss(x, t)", "NN0101", "`minimize … by Adam(lr=1e-3)`"),
    (
        "input t: f32[N, 8]\n minimize mse_loss(x, t) by Adam(learning_rate=0.1)",
        "NN0202",
        "it is called `lr` here",
    ),
    ("input t: f32[N, 8]\n minimize mse_loss(x, t) by Adam", "NN0201", "write `by Adam(lr=1e-3)`"),
    (
        "input label: i64[N, 1]\n minimize cross_entropy(x, label) by Adam(0.1)",
        "NN0204",
        "`squeeze(label, 1)`",
    ),
]
CASES += [(f"output x\n  train {{ {text} }}", code, help) for text, code, help in TRAINING]


@pytest.mark.parametrize(("statements", "code", "help"), CASES)
def test_what_is_written_elsewhere(statements: str, code: str, help: str) -> None:
    found = failure(f"{HEAD}model M {{\n  input x: f32[N, 8]\n  {statements}\n}}")
    assert found.code == code, found.render()
    assert found.span is not None
    assert found.span.source.name == "test.nn"
    assert help in found.render()


def test_the_statements_that_helps_recommend_compile() -> None:
    head = f"{HEAD}model M {{\n  input x: f32[N, 8]\n  param gamma: f32[8] = zeros()\n"
    program(head + "  ys = []\n  for i in range(3) { ys = [ys..., x] }\n  output y = ys[2]\n}")


def test_what_stands_elsewhere_than_here() -> None:
    found = failure("model M(x: f32[N, 8]) { output y = x }")
    assert found.help == "what a model takes is an `input`: `input x: f32[N, 8]`"
    found = failure("model M(width) { input x: f32[N, 8]\n output y = x + width }")
    assert found.help == "`--set width=…`, or a default in its list"
    block = "block B()(x) { input y: f32[2]\n return x }\n"
    found = failure(f"{block}model M {{ input x: f32[2]\n output y = x |> B() }}")
    assert found.help == "a block has its tensors in its second list"


@pytest.mark.parametrize("made", ["x |> GRU(16)", "rnn(x)", "x |> GRU(16) as g"])
@pytest.mark.parametrize("time", ["T", "7"])
def test_the_states_of_a_recurrent_layer_are_asked_for(made: str, time: str) -> None:
    text = f"from std import GRU\nmodel M {{\n  input x: f32[{time}, N, 8]\n"
    found = failure(f"{text}  rnn = GRU(16)\n  (y, h) = {made}\n  output y, h\n}}")
    assert found.code == "NN0202"
    assert found.help == "`GRU(…, state=true)` gives `(y, h)`; without it, `y` alone"
    program(f"{text}  (y, h) = x |> GRU(16, state=true)\n  output y, h\n}}")


def test_what_expand_is_given_is_no_operand_that_changed() -> None:
    found = failure("model M {\n  input x: f32[N, 8]\n  output y = expand(x, [N, 9])\n}")
    assert (found.label, found.notes) == ("axis 1 has size 8, neither 1 nor 9", ())


def test_a_size_that_a_layer_of_the_library_needs_is_the_fault_of_the_line_that_uses_it() -> None:
    text = "model M {\n  input x: f32[N, 3, h]\n  output y = x |> Linear(4)\n}"
    found = failure(HEAD + text)
    assert (found.code, found.span and found.span.text) == ("NN0206", "Linear(4)")
    assert found.notes[0].span.source.name == "std/linear.nn"


def test_an_import_of_a_package_of_python() -> None:
    found = failure("import torch\nmodel M { input x: f32[2]\n output x }")
    help = found.help or ""
    assert "leave it out" in help
    assert "from std import Linear" in help


def test_names_of_the_program_come_before_those_from_elsewhere() -> None:
    with pytest.raises(CompileError) as caught:
        program("model M { input x: f32[N, 8]\n kernel = 3\n output y = x * kernl }")
    assert caught.value.diagnostics[0].help == "did you mean `kernel`?"
    assert argument_help("dim", ["dims"]) == "did you mean `dims`?"
    assert argument_help("dim", ["axis", "dims"]) == "it is called `axis` here"


def test_what_must_be_imported_is_suggested_with_its_import() -> None:
    found = failure("model M {\n  input x: f32[N, 8]\n  output y = x |> Linaer(4)\n}")
    assert found.help == "did you mean `Linear`? Add `from std.linear import Linear`"
    text = "model M {\n  param w: f32[] = 1.0\n  train { minimize w * w by adam(lr=1e-3) }\n}"
    assert failure(text).help == "did you mean `Adam`? Add `from std.optim import Adam`"


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("CrossEntropyLoss", "cross_entropy"),
        ("MSELoss", "mse_loss"),
        ("SmoothL1Loss", "smooth_l1_loss"),
        ("LogSoftmax", "log_softmax"),
        ("LeakyReLU", "leaky_relu"),
        ("Conv2D", "Conv"),
        ("conv_transpose_2d", "ConvTranspose"),
    ],
)
def test_classes_of_elsewhere(name: str, here: str) -> None:
    assert name_help(name, std_index()) == f"did you mean `{here}`?"


# what other frameworks call it; what it is here, on f32[N, 8]
FORMS = [
    ("pad", "onnx.Pad(x, [0, 2, 0, 3])"),
    ("sort", "top_k(x, 8)[0]"),
    ("sort", "-top_k(-x, 8)[0]"),
    ("argsort", "top_k(x, 8)[1]"),
    ("round", "onnx.Round(x)"),
    ("cumsum", "onnx.CumSum(x, i64(1))"),
    ("normalize", "x / norm(x, axis=-1, keepdims=true)"),
    ("rsqrt", "1 / sqrt(x)"),
    ("log1p", "log(1 + x)"),
    ("expm1", "exp(x) - 1"),
    ("log2", "log(x) / log(2)"),
    ("log10", "log(x) / log(10)"),
    ("tan", "onnx.Tan(x)"),
    ("acosh", "onnx.Acosh(x)"),
    ("bincount", "sum(one_hot(index, 10), axis=0)"),
    ("chunk", "split(x, 2, axis=1)"),
    ("std", "sqrt(variance(x, axis=-1))"),
    ("var", "variance(x, axis=-1)"),
    ("tril", "onnx.Trilu(x, upper=0)"),
    ("triu", "onnx.Trilu(x)"),
    ("logical_not", "not mask"),
    ("size", "x.shape[0]"),
    ("numel", "prod(x.shape)"),
    ("numel", "onnx.Size(x)"),
    ("linspace", "cast(arange(5), f32) / 4"),
    ("scatter", "onnx.ScatterElements(x, index, values, axis=1)"),
    ("scatter", "put(x, 0, row)"),
    ("flip", "x[:, ::-1]"),
    ("tile", "onnx.Tile(x, [2, 1])"),
    ("interpolate", "onnx.Resize(x, scales=[1, 1, 2, 2])"),
    ("StepLR", "Adam(lr=1e-3 * step_decay(step, 1000))"),
    ("ExponentialLR", "Adam(lr=1e-3 * exponential_decay(step, 1000))"),
    ("CosineAnnealingLR", "Adam(lr=1e-3 * cosine_decay(step, 10_000))"),
    ("OneCycleLR", "Adam(lr=1e-3 * one_cycle(step, 10_000))"),
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_what_a_help_recommends_compiles(name: str, form: str) -> None:
    assert f"`{form}`" in (name_help(name, std_index()) or "")
    rank = "N, 3, 8, 8" if "Resize" in form else "N, 8"
    index = "N" if "one_hot" in form else "N, 2"
    head = f"{HEAD}model M {{\n  input x: f32[{rank}]\n  input index: i64[{index}]\n"
    names = "  input row: f32[8]\n  input values: f32[N, 2]\n  mask = x > 0\n"
    last = f"  y = {form}\n  output x"
    if form.startswith("Adam"):
        last = f"  output x\n  param w: f32[] = 1.0\n  train {{ minimize w * w by {form} }}"
    program(f"{head}{names}{last}\n}}")


def test_an_import_of_what_is_called_otherwise_here() -> None:
    found = failure("from std import Sequential\nmodel M { input x: f32[2]\n output x }")
    assert found.help == "a chain is a pipe: `x |> Linear(64) |> relu |> Linear(10)`"
