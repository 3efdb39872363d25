"""The text of imported models: blocks with hyperparameters, loops, names."""

from __future__ import annotations

import numpy as np
import onnx

from nncomp.backends.reference.interpreter import evaluate
from nncomp.driver.decompiling import source_of
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import parse_model
from tests.decompile.support import body, source
from tests.onnx_import.support import parsed


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


def test_not_binds_less_than_comparisons() -> None:
    found = source(
        """f (bool[N] a, bool[N] b, float[N] x) => (bool[N] y, float[N] z) {
            c = Not (a)
            y = Equal (c, b)
            d = Neg (x)
            z = Mul (d, x)
        }"""
    )
    lines = [line.strip() for line in body(found).splitlines()]
    assert "y = (not a) == b" in lines
    assert "z = -x * x" in lines
