"""Emission: opsets, names, outputs, provenance, determinism."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest

from nncomp.backends.ort.emit import emit, ir_version, to_bytes
from nncomp.backends.ort.naming import DimNames, Names
from nncomp.backends.ort.schemas import ONNX_DTYPES, schema
from nncomp.backends.ort.session import Session
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Origin, Parameter, Rewrite, Value
from nncomp.ir.op import Op
from nncomp.ops.activation import Gelu, Mish, Relu
from nncomp.ops.conv_grad import ConvInputGrad
from nncomp.ops.elementwise import Add, Mul
from nncomp.ops.reduction import ReduceMean, ReduceSum
from nncomp.ops.shape_joining import Split
from nncomp.ops.shape_slicing import Pad
from nncomp.source import SourceFile, Span
from nncomp.types import DType, TensorType

N = new_dim("N")


def tensor(name: str, *shape: object, dtype: DType = DType.F32) -> Value:
    return Value(TensorType(dtype, shape), name)  # type: ignore[arg-type]


def graph_of(b: Builder, inputs: tuple[Value, ...], **outputs: Value) -> Graph:
    return Graph("g", inputs, (), tuple(b.nodes), outputs)


def single(op: Op, *operands: Value | np.ndarray | None) -> Graph:
    """A graph of one node; arrays become constants."""
    b = Builder()
    values = [b.constant(v) if isinstance(v, np.ndarray) else v for v in operands]
    results = b.multi(op, *values)
    inputs = tuple(v for v in operands if isinstance(v, Value))
    return graph_of(b, inputs, **{f"y{i}": value for i, value in enumerate(results)})


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X = tensor("x", N, 6, 5)


@pytest.mark.parametrize(
    ("op", "operands", "lowest"),
    [
        (Relu(), (X,), 17),
        (ReduceMean(), (X, ints(1)), 17),
        (ReduceMean(noop_with_empty_axes=1), (X,), 17),
        (ReduceSum(keepdims=0), (X, ints(1, 2)), 17),
        (Split(axis=1, num_outputs=3), (X,), 17),
        (Split(axis=2, num_outputs=3), (X,), 17),
        (Pad(), (X, ints(1, 2), None, ints(2)), 17),
        (Pad(mode="wrap"), (X, ints(0, 1, 0, 0, 1, 2)), 19),
        (Mish(), (X,), 18),
        (Gelu(), (X,), 20),
    ],
    ids=lambda value: value.name if isinstance(value, Op) else None,
)
def test_lowest_opset_and_older_forms_mean_the_same(op, operands, lowest):
    graph = single(op, *operands)
    x = np.random.default_rng(0).standard_normal((3, 6, 5)).astype(np.float32)
    results = []
    for opset in (None, 26):
        model = emit(graph, opset=opset)
        onnx.checker.check_model(model, full_check=True)
        assert model.opset_import[0].version == (opset or lowest)
        results.append(Session(model, optimize=False).run({"x": x}))
    for name in results[0]:
        np.testing.assert_array_equal(results[0][name], results[1][name])


@pytest.mark.parametrize(
    ("opset", "expected"), [(17, 8), (18, 8), (19, 9), (20, 9), (21, 10), (23, 11), (26, 13)]
)
def test_ir_version_goes_with_the_opset(opset, expected):
    assert ir_version(opset) == expected
    assert emit(single(Relu(), X), opset=opset).ir_version == expected


def test_an_opset_that_cannot_express_a_node_is_refused_at_its_source():
    source = SourceFile("m.nn", "y = gelu(x)\n")
    b = Builder(Origin((Span(source, 4, 11),)))
    graph = graph_of(b, (X,), y=b(Gelu(), X))
    with pytest.raises(CompileError) as failure:
        emit(graph, opset=17)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "NN0601"
    assert "Gelu does not exist at opset 17" in diagnostic.message
    assert diagnostic.span.text == "gelu(x)"
    assert "20" in diagnostic.help


@pytest.mark.parametrize("opset", [16, 27])
def test_opsets_that_are_not_written(opset):
    with pytest.raises(CompileError, match="NN0601"):
        emit(single(Relu(), X), opset=opset)


def test_operators_of_our_own_are_refused():
    w = np.ones((4, 6, 3), np.float32)
    graph = single(ConvInputGrad(), tensor("dy", 2, 4, 3), w, ints(2, 6, 5))
    with pytest.raises(CompileError, match=r"NN0603.*ConvInputGrad"):
        emit(graph)


def test_outputs_that_are_inputs_constants_or_twice_the_same():
    b = Builder()
    doubled = b(Mul(), X, 2.0)
    graph = graph_of(b, (X,), x=X, a=doubled, c=b.constant(1.5, DType.F32), d=doubled)
    graph = graph.replace(b.nodes)
    model = emit(graph)
    onnx.checker.check_model(model, full_check=True)
    x = np.ones((2, 6, 5), np.float32)
    results = Session(model).run({"x": x})
    assert list(results) == ["x", "a", "c", "d"]
    np.testing.assert_array_equal(results["x"], x)
    np.testing.assert_array_equal(results["d"], 2 * x)
    assert results["c"] == 1.5


def test_names_follow_scopes_and_paths():
    b = Builder(Origin(scope="layer1.conv1"))
    weight = b.constant(np.ones(5, np.float32), name="layer1.conv1.weight")
    total = b(Add(), X, weight)
    graph = graph_of(b, (X,), y=b(Relu(), b(Relu(), total)))
    model = emit(graph)
    assert [i.name for i in model.graph.initializer] == ["layer1.conv1.weight"]
    assert [n.name for n in model.graph.node] == [
        "layer1.conv1/Add",
        "layer1.conv1/Relu",
        "layer1.conv1/Relu_2",
    ]
    assert model.graph.node[0].output[0] == "layer1.conv1/Add"


def test_provenance_stands_in_the_doc_string():
    source = SourceFile("m.nn", "y = x |> relu\n")
    b = Builder(Origin((Span(source, 9, 13),), "", (Rewrite("fuse", "rule"),)))
    model = emit(graph_of(b, (X,), y=b(Relu(), X)))
    assert model.graph.node[0].doc_string == "source: m.nn:1:10\nhistory: fuse/rule"


def test_the_same_graph_gives_the_same_bytes_without_dead_nodes():
    b = Builder()
    y = b(Add(), X, 3.0)
    b(Mul(), X, 7.0)
    graph = graph_of(b, (X,), y=y)
    assert to_bytes(emit(graph)) == to_bytes(emit(graph))
    assert len(emit(graph).graph.node) == 1
    assert len(emit(graph).graph.initializer) == 1


def test_two_dims_of_one_name_stay_two():
    other = new_dim("N")
    y = tensor("y", other, 5)
    b = Builder()
    graph = graph_of(b, (X, y), a=b(Relu(), X), c=b(Relu(), y))
    dims = [v.type.tensor_type.shape.dim[0].dim_param for v in emit(graph).graph.output]
    assert dims == ["N", "N_2"]


def test_dims_are_written_as_expressions():
    names = DimNames()
    assert names.shape((2 * N + 1, 3)) == ["2*N + 1", 3]


def test_names_are_unique():
    names = Names()
    assert [names.take("a"), names.take("a"), names.take("a_2"), names.take("a")] == [
        "a",
        "a_2",
        "a_2_2",
        "a_3",
    ]


def test_every_dtype_has_a_name_in_onnx_schemas():
    types = schema("Identity", 26).inputs[0].types
    for number in ONNX_DTYPES.values():
        assert f"tensor({onnx.TensorProto.DataType.Name(number).lower()})" in types


def test_the_manifest_says_what_feeds_what():
    w = tensor("w", 3)
    m = tensor("m", 3)
    lr = tensor("lr")
    step = tensor("step", dtype=DType.I64)
    x = tensor("x", N, 3)
    b = Builder()
    total = b(ReduceSum(keepdims=0), b(Mul(), x, w))
    graph = Graph(
        "g",
        (x, lr, step),
        (Parameter("net.w", w, "param"), Parameter("opt.m", m, "state")),
        tuple(b.nodes),
        {"loss": total, "count": step},
        {"net.w": w},
        {"lr": 0.5},
    )
    props = {p.key: p.value for p in emit(graph, metadata={"author": "me"}).metadata_props}
    manifest = json.loads(props["nncomp.step"])
    assert props["author"] == "me"
    assert manifest["state"] == [
        {
            "path": "net.w",
            "kind": "param",
            "input": "net.w",
            "dtype": "f32",
            "shape": [3],
            "output": "next.net.w",
        },
        {"path": "opt.m", "kind": "state", "input": "opt.m", "dtype": "f32", "shape": [3]},
    ]
    assert manifest["batch"] == {"x": {"input": "x", "dtype": "f32", "shape": ["N", 3]}}
    assert manifest["hyperparameters"]["lr"]["default"] == 0.5
    assert manifest["step"] == "step"
    assert "seed" not in manifest
    assert manifest["losses"] == {"loss": "loss"}
    assert manifest["metrics"] == {"count": "count"}
