"""The text of imported models: blocks with hyperparameters, loops, names."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.decompile.source import Source
from nncomp.decompile.unnamed import stem_of
from nncomp.driver.decompiling import source_of
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import parse_model
from tests.onnx_import.support import parsed


def source(text: str, **weights: tuple[int, ...]) -> Source:
    """The model of ONNX's text form as `.nn`; weights of these shapes, `__` in names for a dot."""
    proto = parsed(text)
    rng = np.random.default_rng(0)
    for name, shape in weights.items():
        array = rng.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name.replace("__", ".")))
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = name.replace("__", ".")
    file = parse_model(proto.SerializeToString(), "net.onnx")
    found = source_of(import_model(file, evaluate), file)
    assert found.structured
    return found


def body(found: Source) -> str:
    """The text without the title."""
    return "".join(line for line in found.text.splitlines(True) if not line.startswith('"""'))


def test_equal_blocks_become_a_loop() -> None:
    text = "f (float[N, 4] x) => (float[N, 4] y) {\n"
    value = "x"
    weights = {}
    for n in range(3):
        text += f"a{n} = MatMul ({value}, layers__{n}__fc__weight)\n"
        text += f"b{n} = Add (a{n}, layers__{n}__fc__bias)\nc{n} = Relu (b{n})\n"
        text += f"{'y' if n == 2 else f'd{n}'} = Add (c{n}, {value})\n"
        weights |= {f"layers__{n}__fc__weight": (4, 4), f"layers__{n}__fc__bias": (4,)}
        value = f"d{n}"
    found = source(text + "}", **weights)
    assert sorted(found.weights) == sorted(name.replace("__", ".") for name in weights)
    assert (
        body(found)
        == """\
from std import Linear

block Layer()(x: f32[N, 4]) {
  fc = x |> Linear(4, transposed=true) as fc |> relu
  return fc + x
}

model f {
  input x: f32[N, 4]
  y = x
  for i in range(3) {
    y = y |> Layer() as layers
  }
  output y
}
"""
    )


def test_numbers_that_differ_are_hyperparameters() -> None:
    """Of two blocks of other sizes: what follows from the input does, the rest is given."""
    found = source(
        """f (float[N, 3, 16, 16] x) => (float[N, 32, 4, 4] y) {
          a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>
            (x, a__conv__weight, a__conv__bias)
          b = Relu (a)
          c = Conv <kernel_shape = [1, 1]> (b, a__mix__weight, a__mix__bias)
          d = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]>
            (c, b__conv__weight, b__conv__bias)
          e = Relu (d)
          y = Conv <kernel_shape = [1, 1]> (e, b__mix__weight, b__mix__bias)
        }""",
        a__conv__weight=(8, 3, 3, 3),
        a__conv__bias=(8,),
        a__mix__weight=(16, 8, 1, 1),
        a__mix__bias=(16,),
        b__conv__weight=(16, 16, 3, 3),
        b__conv__bias=(16,),
        b__mix__weight=(32, 16, 1, 1),
        b__mix__bias=(32,),
    )
    assert (
        body(found)
        == """\
from std import Conv

block A(channels: int)(x: f32[N, C, H, H]) {
  return x |> Conv(channels, 3, stride=2, pad=1) as conv |> relu |> Conv(2 * channels, 1) as mix
}

model f {
  input x: f32[N, 3, 16, 16]
  output y = x |> A(8) as a |> A(16) as b
}
"""
    )


def test_a_shared_matrix_stands_around_its_readers() -> None:
    found = source(
        """f (int64[N, T] x) => (float[N, T, 5] y) {
          a = Gather (embedding__weight, x)
          b = MatMul (a, mix__weight)
          c = Relu (b)
          d = Transpose <perm = [1, 0]> (embedding__weight)
          y = MatMul (c, d)
        }""",
        embedding__weight=(5, 4),
        mix__weight=(4, 4),
    )
    assert (
        body(found)
        == """\
from std import Linear

model f {
  input x: i64[N, T]
  param weight: f32[5, 4] as "embedding.weight"
  mix = onnx.Gather(weight, x) |> Linear(4, use_bias=false, transposed=true) as mix |> relu
  output y = mix @ transpose(weight)
}
"""
    )


def test_what_a_layer_computes_for_others_is_computed_around_them() -> None:
    """Exporters compute a mask once, in the first layer."""
    proto = parsed(
        """f (float[N, 4] x, bool[N, 4] m) => (float[N, 4] y) {
          k = Where (m, zero, low)
          a = Add (x, k)
          b = Softmax (a)
          c = Add (b, k)
          y = Softmax (c)
        }"""
    )
    for name, number in (("zero", 0.0), ("low", -1e9)):
        proto.graph.initializer.append(
            onnx.numpy_helper.from_array(np.array(number, np.float32), name)
        )
    for node, scope in zip(proto.graph.node, (0, 0, 0, 1, 1), strict=True):
        node.name = f"/layers.{scope}/{node.op_type}"
    file = parse_model(proto.SerializeToString(), "net.onnx")
    found = source_of(import_model(file, evaluate), file)
    assert (
        body(found)
        == """\
block Layer()(x: f32[N, 4], y: f32[N, 4]) {
  return softmax(x + y)
}

block Layers()(x: f32[N, 4], mask: bool[N, 4]) {
  chosen = where(mask, f32(0.0), f32(-1e+09))
  for i in range(2) {
    x = x |> Layer()(chosen) as "{i}"
  }
  return x
}

model f {
  input x: f32[N, 4]
  input m: bool[N, 4]
  output y = x |> Layers()(m) as layers
}
"""
    )


def test_parameters_named_by_an_older_exporter() -> None:
    """Nodes say nothing, parameters do: the sum behind the last layer belongs to it."""
    text, value, weights = "f (float[N, 4] x) => (float[N, 2] y) {\n", "x", {}
    for n in range(3):
        text += f"a{n} = MatMul ({value}, block__{n}__fc__weight)\n"
        text += f"b{n} = Add ({value}, a{n})\nc{n} = Relu (b{n})\n"
        weights[f"block__{n}__fc__weight"] = (4, 4)
        value = f"c{n}"
    found = source(
        text + "d = Tanh (c2)\ny = MatMul (d, head__weight)\n}", **weights, head__weight=(4, 2)
    )
    assert "for i in range(3) {" in found.text
    assert "tanh |> Linear(2" in found.text


def test_a_gate_by_its_own_sigmoid_is_silu() -> None:
    """Either side first, in a pipe and alone; not where the sigmoid is read by others, or gates
    something else."""
    found = source(
        """f (float[N, 4] x, float[N, 4] z) => (float[N, 4] y, float[N, 4] s, float[N, 4] t) {
        a = MatMul (x, fc__weight)
        b = Add (a, fc__bias)
        c = Sigmoid (b)
        d = Mul (c, b)
        e = Sigmoid (d)
        y = Mul (d, e)
        s = Sigmoid (z)
        u = Mul (z, s)
        v = Sigmoid (x)
        w = Mul (z, v)
        t = Add (u, w)
        }""",
        fc__weight=(4, 4),
        fc__bias=(4,),
    )
    assert (
        body(found)
        == """\
from std import Linear

model f {
  input x: f32[N, 4]
  input z: f32[N, 4]
  y = x |> Linear(4, transposed=true) as fc |> silu |> silu
  s = sigmoid(z)
  t = z * s + z * sigmoid(x)
  output y
  output s
  output t
}
"""
    )


def test_reductions_and_logarithms_by_name() -> None:
    found = source(
        """f (float[N, 4, 5] x) =>
            (float[N, 5] a, float[N, 4] b, float[N, 4, 5] c, float[N, 4, 5] d) {
        first = Constant <value_ints = [1]> ()
        last = Constant <value_ints = [-1]> ()
        a = ReduceL2 <keepdims = 0> (x, first)
        b = ReduceLogSumExp <keepdims = 0> (x, last)
        c = LogSoftmax (x)
        d = LogSoftmax <axis = 1> (x)
        }"""
    )
    lines = [line.strip() for line in body(found).splitlines()]
    for line in (
        "a = norm(x, axis=[1])",
        "b = logsumexp(x, axis=[-1])",
        "c = log_softmax(x)",
        "d = log_softmax(x, axis=1)",
    ):
        assert line in lines


def test_operators_that_the_language_has_a_name_for() -> None:
    """A computed shape is none for `expand`; `maximum` is of two; without axes `max` is of all."""
    found = source(
        """f (float[N, 4] x, float[N, 4] z, int64[2] sizes) => (
            float[N, 4] a, float[N, 4] b, float[N, 4] c, float[N, 4] d, float[N, 4] e,
            float[3, N, 4] g, float[2, 4] h, float[N, 4] i, float[N, 4] l, int64[2] m) {
        n = Neg (x)
        a = Relu (n)
        b = Max (x, z)
        limit = Constant <value = float {0.5}> ()
        c = Min (x, limit)
        d = PRelu (z, slope)
        s = Sub (x, z)
        t = Mul (s, s)
        e = Sqrt (t)
        three = Constant <value_ints = [3, 1, 1]> ()
        g = Expand (x, three)
        row = ReduceMax <keepdims = 0> (z)
        h = Expand (row, sizes)
        i = Max (x, z, limit)
        j = Sub (z, x)
        k = Neg (j)
        l = Add (k, x)
        m = Mul (sizes, sizes)
        }""",
        slope=(4,),
    )
    lines = [line.strip() for line in body(found).splitlines()]
    for line in (
        "a = relu(-x)",
        "b = maximum(x, z)",
        "c = minimum(x, f32(0.5))",
        "d = prelu(z, slope)",
        "e = (x - z) |> square |> sqrt",
        "g = expand(x, [3, 1, 1])",
        "h = z |> max |> onnx.Expand(sizes)",
        "i = onnx.Max(x, z, f32(0.5))",
        "l = -difference + x",
        "m = square(sizes)",
    ):
        assert line in lines


def test_layers_whose_parameters_have_other_names() -> None:
    """paddle2onnx writes `conv2d_0.w_0`; the library's block says more than a raw operator."""
    shapes = dict.fromkeys(("norm__w_0", "norm__b_0", "norm__w_1", "norm__w_2"), (4,))
    found = source(
        """f (float[N, 3, 8, 8] x) => (float[N, 4, 4, 4] y) {
            a = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, conv__w_0)
            b = BatchNormalization (a, norm__w_0, norm__b_0, norm__w_1, norm__w_2)
            y = Relu (b)
        }""",
        conv__w_0=(4, 3, 3, 3),
        **shapes,
    )
    assert (
        body(found)
        == """\
from std import BatchNorm, Conv

# Names that were others in the model:
#   *.weight: *.w_0
#   *.bias: *.b_0
#   *.running_mean: *.w_1
#   *.running_var: *.w_2

model f {
  input x: f32[N, 3, 8, 8]
  output y = x |> Conv(4, 3, stride=2, pad=1, use_bias=false) as conv |> BatchNorm() as norm |> relu
}
"""
    )
    names = {"norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"}
    assert set(found.weights) == {"conv.weight", *names}


def test_a_name_of_the_library_that_is_taken() -> None:
    """`fc.weight` is read elsewhere: the layer keeps its own name."""
    found = source(
        """f (float[N, 4] x) => (float[N, 5] y, float[5] z) {
            y = MatMul (x, fc__w_0)
            z = Relu (fc__weight)
        }""",
        fc__w_0=(4, 5),
        fc__weight=(5,),
    )
    assert set(found.weights) == {"fc.w_0", "fc.weight"}


def test_layers_of_which_no_name_tells_the_block() -> None:
    """`odd_weights` are of no layer of the library; `share` is read twice."""
    found = source(
        """f (float[N, 3, 8, 8] x) => (float[N, 5] y) {
            a = Conv (x, c1_w, n135)
            b = BatchNormalization (a, norm_scale, norm_offset, norm_mean, norm_variance)
            c = Relu (b)
            d = Conv <auto_pad = "SAME_UPPER"> (c, odd_weights)
            e = GlobalAveragePool (d)
            f = Flatten (e)
            g = MatMul (f, dense)
            h = Add (dense_bias, g)
            i = MatMul (h, share)
            j = MatMul (i, share)
            y = MatMul (j, n12)
        }""",
        c1_w=(4, 3, 3, 3),
        n135=(4,),
        norm_scale=(4,),
        norm_offset=(4,),
        norm_mean=(4,),
        norm_variance=(4,),
        odd_weights=(6, 4, 3, 3),
        dense=(6, 7),
        dense_bias=(7,),
        share=(7, 7),
        n12=(7, 5),
    )
    lines = [line.strip() for line in body(found).splitlines()]
    for line in (
        "|> Conv(4, 3) as c1",
        "|> BatchNorm() as norm",
        '|> onnx.Conv(odd_weights, auto_pad="SAME_UPPER")',
        "|> Linear(7, transposed=true) as dense",
        "output y = (dense @ share @ share)"
        " |> Linear(5, use_bias=false, transposed=true) as linear",
    ):
        assert line in lines
    assert set(found.weights) == {
        *("c1.weight", "c1.bias", "odd_weights", "share", "dense.weight", "dense.bias"),
        *("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "linear.weight"),
    }


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("conv1_weights", "conv1"),
        ("fc1_b", "fc1"),
        ("conv2_bn_moving_variance", "conv2_bn"),
        ("mos/dense_2/BiasAdd/ReadVariableOp/resource:0", "dense_2"),
        ("conv2d_9/kernel:0", "conv2d_9"),
        ("net/conv2d_5/Conv2D;net/conv2d_5/Conv2D", "conv2d_5"),
        ("block2_branch2c/BiasAdd_weights_fused_bn", "block2_branch2c"),
        ("weight", ""),
        ("427", ""),
        ("_v_680", ""),
        ("v37", ""),
        ("onnx::MatMul_12", ""),
    ],
)
def test_what_a_layer_is_called(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_layers_without_names_in_blocks_of_the_exporter() -> None:
    """Two products in each block are layers in it; the product of `head` is that layer."""
    text = "f (float[N, 4] x) => (float[N, 5] y) {\n"
    value = "x"
    for n in range(2):
        text += f"a{n} = MatMul ({value}, v{n}0)\nb{n} = Tanh (a{n})\n"
        text += f"c{n} = MatMul (b{n}, v{n}1)\n"
        value = f"c{n}"
    proto = parsed(f"{text}y = MatMul ({value}, v2)\n}}")
    rng = np.random.default_rng(0)
    for name, shape in {f"v{n}{k}": (4, 4) for n in range(2) for k in range(2)}.items():
        array = rng.normal(size=shape).astype(np.float32)
        proto.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    last = rng.normal(size=(4, 5)).astype(np.float32)
    proto.graph.initializer.append(onnx.numpy_helper.from_array(last, "v2"))
    for number, node in enumerate(proto.graph.node):
        scope = "head" if number == 6 else f"layers.{number // 3}"
        node.name = f"/{scope}/{node.op_type}_{number}"
    file = parse_model(proto.SerializeToString(), "net.onnx")
    found = source_of(import_model(file, evaluate), file)
    assert (
        body(found)
        == """\
from std import Linear

block Layer()(x: f32[N, 4]) {
  return x
    |> Linear(4, use_bias=false, transposed=true) as linear
    |> tanh
    |> Linear(4, use_bias=false, transposed=true) as linear_2
}

model f {
  input x: f32[N, 4]
  h = x
  for i in range(2) {
    h = h |> Layer() as layers
  }
  output y = h |> Linear(5, use_bias=false, transposed=true) as head
}
"""
    )
