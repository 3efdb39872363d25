"""Layers of the library in imported models, whatever their parameters are called."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from nncomp.backends.reference.interpreter import evaluate
from nncomp.decompile.unnamed import stem_of
from nncomp.driver.decompiling import source_of
from nncomp.onnx_import.importer import import_model
from nncomp.onnx_import.reading import parse_model
from tests.decompile.support import body, source
from tests.onnx_import.support import parsed


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
