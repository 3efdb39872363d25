"""Sessions: what is checked, what is raised, and steps whose state stays in the runtime."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest

from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.manifest import read_manifest
from nncomp.backends.ort.session import Session, StepSession
from nncomp.dims import new_dim
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Parameter, Value
from nncomp.ops.activation import Relu
from nncomp.ops.conversion import Cast
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.reduction import ReduceSum
from nncomp.types import Array, DType, TensorType

N, H = new_dim("N"), new_dim("h")


def tensor(name: str, *shape: object, dtype: DType = DType.F32) -> Value:
    return Value(TensorType(dtype, shape), name)  # type: ignore[arg-type]


def adder() -> onnx.ModelProto:
    x, y, z = tensor("x", N, 3), tensor("y", N, 3), tensor("z", 8 * H)
    b = Builder()
    total = b(Add(), x, y)
    tail = b(Relu(), z)
    return emit(Graph("g", (x, y, z), (), tuple(b.nodes), {"total": total, "tail": tail}))


def feeds(**changes: object) -> dict[str, object]:
    ones = np.ones((2, 3), np.float32)
    return {"x": ones, "y": ones, "z": -np.ones(16, np.float32)} | changes


@pytest.mark.parametrize("optimize", [False, True])
def test_it_runs_from_a_model_bytes_or_a_file(tmp_path, optimize):
    model = adder()
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    for source in (model, model.SerializeToString(), path, str(path)):
        results = Session(source, optimize=optimize).run(feeds())
        np.testing.assert_array_equal(results["total"], np.full((2, 3), 2, np.float32))
        np.testing.assert_array_equal(results["tail"], np.zeros(16, np.float32))


def test_python_lists_and_views_are_taken():
    x = np.ones((3, 2), np.float32).T
    results = Session(adder()).run(feeds(x=x, y=[[1, 2, 3], [4, 5, 6]]))
    np.testing.assert_array_equal(results["total"], [[2, 3, 4], [5, 6, 7]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": np.ones((2, 4), np.float32)}, "axis 1 must be 3, not 4"),
        ({"x": np.ones((2, 3))}, "`x` must be f32[N, 3], not f64[2, 3]"),
        ({"x": np.ones(3, np.float32)}, "`x` must be f32[N, 3], not f32[3]"),
        ({"y": np.ones((4, 3), np.float32)}, "N is 2 in `x` and 4 here"),
        ({"z": np.ones(12, np.float32)}, "12 is not a multiple of 8"),
        ({"total": np.ones(3)}, "has no input `total`; it has `x`, `y`, `z`"),
        ({"x": "text"}, "`x` must be f32[N, 3], not 'text'"),
    ],
)
def test_inputs_that_do_not_fit(given, message):
    with pytest.raises(CompileError) as failure:
        Session(adder()).run(feeds(**given))
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "NN0503"
    assert message in diagnostic.message


def test_a_missing_input():
    given = feeds()
    del given["y"]
    with pytest.raises(CompileError, match=r"NN0503.*`y` is missing"):
        Session(adder()).run(given)


def test_no_model_at_all(tmp_path):
    with pytest.raises(CompileError, match=r"NN0604.*not an ONNX model"):
        Session(b"not a model")
    with pytest.raises(CompileError, match="NN0001"):
        Session(tmp_path / "absent.onnx")


def test_a_model_that_the_runtime_refuses():
    model = adder()
    model.graph.node[0].op_type = "Nonsense"
    with pytest.raises(CompileError, match=r"NN0604.*Nonsense") as failure:
        Session(model)
    assert ".cc:" not in str(failure.value)


def test_cuda_fails_loudly_where_there_is_none():
    import torch

    if torch.cuda.is_available():
        assert Session(adder(), device="cuda").fallbacks() == []
        return
    with pytest.raises(CompileError, match="NN0602"):
        Session(adder(), device="cuda")


def test_nothing_is_printed():
    program = (
        "from nncomp.backends.ort.session import Session\n"
        "try: Session(b'x', device='cuda')\n"
        "except Exception as e: assert 'NN0604' in str(e)\n"
        "from nncomp.backends.ort.runtime import onnxruntime\n"
        "onnxruntime()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_onnxruntime_is_imported_late():
    program = "import sys, nncomp.backends.ort.session; assert 'onnxruntime' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


# --- steps -----------------------------------------------------------------------------------


def step_model() -> onnx.ModelProto:
    """p' = p - lr · (Σ x + step), m' = p + m (which must see the old p), c stays."""
    p, m, c = tensor("p", 2), tensor("m", 2), tensor("c", 2)
    x, lr = tensor("x", N), tensor("lr")
    step, seed = tensor("step", dtype=DType.I64), tensor("seed", dtype=DType.I64)
    b = Builder()
    total = b(ReduceSum(keepdims=0), x)
    moved = b(Add(), total, b(Cast(DType.F32), step))
    next_p = b(Sub(), p, b(Mul(), lr, moved))
    next_m = b(Add(), b(Add(), p, m), b(Mul(), c, 0.0))
    noise = b(Add(), seed, step)
    graph = Graph(
        "g",
        (x, lr, step, seed),
        tuple(Parameter(v.name, v, "param") for v in (p, m, c)),
        tuple(b.nodes),
        {"loss": total, "noise": noise, "vector": b(Mul(), x, 2.0)},
        {"p": next_p, "m": next_m},
        {"lr": 0.5},
    )
    return emit(graph.replace(b.nodes))


def initial() -> dict[str, Array]:
    return {name: np.full(2, i, np.float32) for i, name in enumerate("pmc")}


def test_steps_follow_the_recurrence():
    start = initial()
    session = StepSession(step_model(), start, seed=40)
    p, m, lr = np.full(2, 0.0), np.full(2, 1.0), 0.5
    for step in range(6):
        x = np.full(3 + step, step, np.float32)
        if step == 3:
            lr = 0.25
            results = session.step({"x": x}, lr=lr)
        else:
            results = session.step({"x": x})
        p, m = p - lr * (x.sum() + step), p + m
        assert results["loss"] == x.sum()
        assert results["noise"] == 40 + step
        np.testing.assert_array_equal(results["vector"], 2 * x)
        state = session.state()
        np.testing.assert_array_equal(state["p"], p)
        np.testing.assert_array_equal(state["m"], m)
        np.testing.assert_array_equal(state["c"], [2, 2])
    assert session.step_number == 6
    np.testing.assert_array_equal(start["p"], [0, 0])  # the caller's arrays are not touched


def test_what_state_gave_does_not_change_later():
    session = StepSession(step_model(), initial())
    before = session.state()["p"].copy()
    kept = session.state()["p"]
    session.step({"x": np.ones(3, np.float32)})
    session.step({"x": np.ones(3, np.float32)})
    np.testing.assert_array_equal(kept, before)


def test_evaluating_takes_no_step():
    session = StepSession(step_model(), initial())
    assert session.evaluate({"x": np.ones(3, np.float32)})["loss"] == 3
    assert session.step_number == 0
    np.testing.assert_array_equal(session.state()["p"], [0, 0])


def test_resuming_from_a_state():
    batch = {"x": np.ones(3, np.float32)}
    whole = StepSession(step_model(), initial())
    for _ in range(5):
        whole.step(batch)
    first = StepSession(step_model(), initial())
    for _ in range(3):
        first.step(batch)
    second = StepSession(step_model(), first.state(), step=first.step_number)
    second.step(batch)
    second.step(batch)
    for path, value in whole.state().items():
        np.testing.assert_array_equal(second.state()[path], value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"p": None}, "initial value of `p` is missing"),
        ({"p": np.ones(3, np.float32)}, "`p` must be f32[2]"),
        ({"p": np.ones(2)}, "`p` must be f32[2]"),
        ({"q": np.ones(2)}, "no parameter `q`"),
    ],
)
def test_states_that_do_not_fit(change, message):
    values = {k: v for k, v in (initial() | change).items() if v is not None}
    with pytest.raises(CompileError) as failure:
        StepSession(step_model(), values)
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.code == "NN0502"
    assert message in diagnostic.message


def test_unknown_hyperparameters_and_batches():
    session = StepSession(step_model(), initial())
    with pytest.raises(CompileError, match=r"NN0503.*no hyperparameter `l`"):
        session.step({"x": np.ones(3, np.float32)}, l=1.0)
    with pytest.raises(CompileError, match=r"NN0503.*`x` is missing"):
        session.step({})


def test_a_model_without_manifest_is_no_step_graph():
    with pytest.raises(CompileError, match="NN0306"):
        read_manifest(adder())
    broken = step_model()
    broken.metadata_props[0].value = '{"version": 1}'
    with pytest.raises(CompileError, match=r"NN0306.*broken"):
        read_manifest(broken)
