"""Models as graphs: initialisers, sizes, functions, control flow, containers, what is unknown."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import nncomp
from nncomp.errors import CompileError
from nncomp.onnx_import.scope import home_of
from tests.onnx_import.support import agrees, imported, normal, parsed, refused


def test_initialisers() -> None:
    """Floating ones are parameters under their names, but for settings; statistics are buffers."""
    model = imported("""
    f (float[N,2,4,4] x) => (float[N,2,8,8] y)
    <float[2] scale = {1,2}, float[2] bias = {0,1}, float[2] mean = {0,1}, float[2] var = {1,1},
     float[4] factors = {1,1,2,2}>
    {
      a = BatchNormalization(x, scale, bias, mean, var)
      y = Resize(a, , factors)
    }""")
    kinds = {p.path: p.kind for p in model.graph.parameters}
    assert kinds == {"scale": "param", "bias": "param", "mean": "buffer", "var": "buffer"}
    np.testing.assert_array_equal(model.weights["scale"], np.array([1, 2], np.float32))


@pytest.mark.parametrize(
    ("dtype", "lowest", "learnt"),
    [
        (np.float16, -65504, False),
        (np.float16, -np.inf, False),
        (np.float16, -1000, True),
        (np.float32, -65504, True),
        (np.float32, np.finfo(np.float32).min, False),
        (np.float64, -1e30, False),
    ],
)
@pytest.mark.filterwarnings("error")
def test_masks_are_not_learnt(dtype: type, lowest: float, learnt: bool) -> None:
    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ports = [onnx.helper.make_tensor_value_info(name, element, ["N", 2]) for name in "xy"]
    mask = onnx.numpy_helper.from_array(np.array([0, lowest], dtype), "mask")
    node = onnx.helper.make_node("Add", ["x", "mask"], ["y"])
    graph = onnx.helper.make_graph([node], "f", ports[:1], ports[1:], [mask])
    opset = [onnx.helper.make_opsetid("", 17)]
    found = imported(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8))
    assert [p.path for p in found.graph.parameters] == (["mask"] if learnt else [])


@pytest.mark.parametrize(
    ("said", "weight", "readers", "block"),
    [
        ("bn1", "conv1.weight", 1, "conv1"),  # it has taken in the batch norm behind it
        ("layer.act", "layer.act.weight", 1, "layer.act"),
        ("layer.mlp.fc", "layer.mlp.weight", 1, "layer.mlp.fc"),
        ("head", "embed.weight", 2, "head"),  # tied
        ("conv1", "weight", 1, "conv1"),
        ("conv1", "onnx__Conv_7", 1, "conv1"),
        ("", "conv1.weight", 1, ""),
    ],
)
def test_the_block_of_a_node(said: str, weight: str, readers: int, block: str) -> None:
    node = onnx.helper.make_node("Conv", ["x", weight, "val_3"], ["y"])
    assert home_of(node, said, {weight: readers, "val_3": 1}) == block


def test_named_and_unnamed_sizes() -> None:
    proto = parsed("f (float[N,3] a, float[N,h] b, float[N,3] c) => (float[N,3] y) { y = Neg(a) }")
    proto.graph.input[2].type.tensor_type.shape.dim[0].Clear()
    proto.graph.input[1].type.tensor_type.shape.dim[1].dim_param = "8*h"
    a, b, c = (str(v.type) for v in imported(proto).graph.inputs)
    assert (a, b) == ("f32[N, 3]", "f32[N, 8*h]")
    assert c == "f32[c_0, 3]"


def test_shapes_computed_by_comparing_sizes() -> None:
    """What torch writes for `expand`: -1 keeps a size."""
    model = agrees(
        """
    f (float[N,1] x, float[N,5] like) => (float[N,5] y)
    <int64[2] minus = {-1,-1}, int64[2] five = {-1,5}, int64[1] first = {1}>
    {
      two = Shape(five)
      ones = ConstantOfShape<value=int64[1] {1}>(two)
      same = Equal(five, minus)
      shape = Where(same, ones, five)
      y = Expand(x, shape)
    }""",
        x=normal(3, 1),
        like=normal(3, 5),
    )
    assert str(model.graph.outputs["y"].type) == "f32[N, 5]"


def test_nodes_out_of_order() -> None:
    model = imported("f (float[N] x) => (float[N] z) { z = Neg(y)  y = Abs(x) }")
    assert [node.op.name for node in model.graph.nodes] == ["Abs", "Neg"]


FUNCTIONS = """
<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
f (float[N,4] x) => (float[N,4] y) { y = local.outer<alpha=0.5>(x) }
<opset_import: ["" : 12, "local" : 1], domain: "local">
outer<alpha>(a) => (b) {
  c = local.inner<slope: float=@alpha>(a)
  b = Softmax(c)
}
<opset_import: ["" : 17], domain: "local">
inner<slope: float=0.125>(p, q) => (r) { r = LeakyRelu<alpha: float=@slope>(p) }
"""


def test_functions_stand_where_they_are_called() -> None:
    """With their own opset, attributes that refer to the call's, and an operand left out."""
    proto = onnx.parser.parse_model(FUNCTIONS)
    model = imported(proto)
    assert [node.op.name for node in model.graph.nodes] == ["LeakyRelu", "Softmax"]
    leaky = model.graph.nodes[0].op
    assert leaky.attributes() == {"alpha": 0.5}


def test_functions_that_never_end() -> None:
    text = """
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    f (float[N] x) => (float[N] y) { y = local.a(x) }
    <opset_import: ["" : 17, "local" : 1], domain: "local"> a(x) => (y) { y = local.b(x) }
    <opset_import: ["" : 17, "local" : 1], domain: "local"> b(x) => (y) { y = local.a(x) }
    """
    assert "calls itself" in refused(onnx.parser.parse_model(text)).message


def test_if_with_what_is_outside() -> None:
    text = """
    f (bool c, float[3] x) => (float[3] y) <float[3] w = {1,2,3}> {
      z = Neg(x)
      y = If(c) <
        then_branch = t () => (float[3] a) { a = Add(z, w) },
        else_branch = e () => (float[3] b) { b = Mul(x, w) }
      >
    }"""
    for c in (True, False):
        agrees(text, c=np.array(c), x=normal(3))


def test_a_constant_condition_chooses_while_importing() -> None:
    """The branches need not even have one rank."""
    model = imported("""
    f (float[1,3] x) => (float[3] y) {
      size = Shape(x)
      two = Size(size)
      one = Constant<value_int=2>()
      flat = Equal(two, one)
      axes = Constant<value_ints=[0]>()
      y = If(flat) <
        then_branch = t () => (float[3] a) { a = Squeeze(x, axes) },
        else_branch = e () => (float[1,3] b) { b = Identity(x) }
      >
    }""")
    assert [node.op.name for node in model.graph.nodes if node.inputs] == ["Squeeze"]


LOOP = """
f (int64 n, float[2] x) => (float[2] last, float[runs,2] all, float[k] grown)
<bool yes = {1}, float[0] none = {}> {
  last, grown, all = Loop(n, yes, x, none) <
    body = b (int64 i, bool go, float[2] s, float[k] g)
      => (bool go_on, float[2] next, float[j] longer, float[2] out) {
      go_on = Identity(go)
      next = Add(s, x)
      zero = Constant<value_ints=[0]>()
      one = Constant<value_ints=[1]>()
      first = Slice(next, zero, one)
      longer = Concat<axis=0>(g, first)
      out = Neg(next)
    }
  >
}"""


def test_loop_with_a_state_that_grows() -> None:
    agrees(LOOP, n=np.array(3), x=normal(2))


def test_scan() -> None:
    agrees(
        """
    f (float[2] start, float[N,2] xs) => (float[2] last, float[N,2] all) <float[2] w = {1,2}> {
      last, all = Scan(start, xs) <
        num_scan_inputs = 1, scan_input_directions = [1],
        body = b (float[2] s, float[2] x) => (float[2] next, float[2] out) {
          scaled = Mul(x, w)
          next = Add(s, scaled)
          out = Identity(next)
        }
      >
    }""",
        start=normal(2),
        xs=normal(5, 2),
    )


def test_sequences_and_optional_values_while_importing() -> None:
    model = agrees(
        """
    f (float[2,3] x, float[2,3] y) => (float[2,6] joined, float[2,3] picked, int64 n, bool has) {
      seq = SequenceConstruct(x, y)
      joined = ConcatFromSequence<axis=1>(seq)
      last = Constant<value_int=-1>()
      picked = SequenceAt(seq, last)
      n = SequenceLength(seq)
      some = Optional(x)
      has = OptionalHasElement(some)
    }""",
        x=normal(2, 3),
        y=normal(2, 3),
    )
    assert {node.op.name for node in model.graph.nodes} <= {"Constant", "Concat"}


FOREIGN = """
<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
f (float[N,4] x) => (float[N,4] y)
<float[N,4] z>
{
  z = com.microsoft.QuickGelu<alpha=1.5>(x)
  y = Neg(z)
}"""


def test_unknown_operators_are_kept(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Inspected, optimised around, written again, run by onnxruntime; not by NumPy."""
    path = tmp_path / "foreign.onnx"
    onnx.save(onnx.parser.parse_model(FOREIGN), path)
    model = nncomp.load(path)
    model.build(tmp_path / "again.onnx")
    again = onnx.load(tmp_path / "again.onnx")
    assert [(n.domain, n.op_type) for n in again.graph.node] == [
        ("com.microsoft", "QuickGelu"),
        ("", "Neg"),
    ]
    x = normal(3, 4)
    expected = -x / (1 + np.exp(-1.5 * x))
    np.testing.assert_allclose(model(x=x)["y"], expected, rtol=1e-5)
    with pytest.raises(CompileError, match="NumPy has no kernel for QuickGelu"):
        model.run({"x": x}, backend="numpy")


BAD = {
    "NN0803 type": 'f (float[N] x) => (float[N] y) { z = local.thing(x)  y = Neg(z) }',
    "NN0803 name": "f (float[N] x) => (float[N] y) { y = Rleu(x) }",
    "NN0804 input": "f (complex64[N] x) => (complex64[N] y) { y = Identity(x) }",
    "NN0203 string": "f (string[N] x) => (string[N] y) { y = Relu(x) }",
    "NN0203 sequence": "f (seq(float[N]) x) => (seq(float[N]) y) { y = Relu(x) }",
    "NN0204 sequence": "f (seq(float[]) x, int64 i) => (float[N] y) { y = SequenceAt(x, i) }",
    "NN0805 name": "f (float[N] x) => (float[N] y) { y = Neg(z) }",
    "NN0805 twice": "f (float[N] x) => (float[N] y) { y = Neg(x)  y = Abs(x) }",
    "NN0805 attribute": 'f (float[N] x) => (float[N] y) { y = LeakyRelu<alpha="a">(x) }',
    "NN0805 lacking": "f (float[N,2] x) => (float[N,2] y) { y = Concat(x) }",
    "NN0805 outputs": "f (float[N] x) => (float[N] y) { z, y = Neg(x) }",
    "NN0804 attribute": "f (float[N] x) => (float[N] y) { y = Neg<alpha=1>(x) }",
    "NN0205 sizes": "f (float[2,3] x) => (float[5] y) <int64[1] s = {5}> { y = Reshape(x, s) }",
    "NN0702 operands": "f (float[2,3] x) => (float[2,3] y) { y = Neg(x, x) }",
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_errors_name_the_node(case: str) -> None:
    found = refused(BAD[case])
    assert found.code == case.split()[0]
    if "input" not in case and "sequence" not in case:
        assert found.span is not None
        assert found.span.source.name == "model.onnx"


def test_an_operator_that_is_misspelt() -> None:
    assert refused(BAD["NN0803 name"]).help == "did you mean `Relu`?"


def test_pads_computed_in_a_matrix() -> None:
    """As TorchScript writes them: from sizes, in pairs, turned around beside the batch's size."""
    found = agrees(
        """f (float[N,5,6,2] x) => (float[N,P,Q,2] y)
        <int64[1] two = {2}, int64 seven = {7}, int64[2] pairs = {-1, 2}, int64[1] zero = {0},
         int64[1] last = {-1}, int64[1] beginning = {-9223372036854775807}> {
            shape = Shape(x)
            one = Constant<value_int: int = 1>()
            height = Gather<axis = 0>(shape, one)
            over = Mod(height, seven)
            less = Sub(seven, over)
            below = Unsqueeze(less, zero)
            given = Concat<axis = 0>(zero, zero, zero, one_more, zero, below)
            one_more = Constant<value_ints: ints = [1]>()
            rest = ConstantOfShape<value: tensor = int64[1] {0}>(two)
            all = Concat<axis = 0>(given, rest)
            rows = Reshape(all, pairs)
            turned = Slice(rows, last, beginning, zero, last)
            columns = Transpose<perm = [1, 0]>(turned)
            pads = Reshape(columns, last)
            y = Pad(x, pads)
        }""",
        x=np.arange(120, dtype=np.float32).reshape(2, 5, 6, 2),
    )
    assert [str(d) for d in found.graph.outputs["y"].shape] == ["N", "7", "7", "2"]


def test_weights_in_constant_nodes() -> None:
    """paddle2onnx and others write every weight so, and no initialiser."""
    found = agrees(
        """f (float[N, 2] x) => (float[N, 3] y) {
            w = Constant <value = float[2, 3] {1, -2, 3, 0.5, 4, -1}> ()
            b = Constant <value = float[3] {0.1, 0.2, 0.3}> ()
            constant_6 = Constant <value = float[1] {6}> ()
            scale = Constant <value = float[1] {0.5}> ()
            axes = Constant <value = int64[1] {0}> ()
            p = MatMul (x, w)
            s = Add (p, b)
            q = Div (s, constant_6)
            t = Mul (q, scale)
            u = Unsqueeze (t, axes)
            y = Squeeze (u, axes)
        }""",
        x=np.array([[1.0, 2.0], [-3.0, 0.25]], np.float32),
    )
    assert [(p.path, p.kind) for p in found.graph.parameters] == [
        ("w", "param"),
        ("b", "param"),
        ("scale", "param"),
    ]


def test_constants_beside_initialisers_stay() -> None:
    model = parsed(
        """f (float[N, 2] x) => (float[N, 2] y) {
            c = Constant <value = float[2] {1, 2}> ()
            s = Add (x, c)
            y = Mul (s, w)
        }"""
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(2, np.float32), "w"))
    found = agrees(model, x=np.ones((3, 2), np.float32))
    assert [p.path for p in found.graph.parameters] == ["w"]
