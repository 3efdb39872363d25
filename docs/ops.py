"""Writes docs/ops.md, the table of operators; `--probe` asks onnxruntime for its kernels again.

    python docs/ops.py            # docs/ops.md from the declarations and backends/ort/kernels.json
    python docs/ops.py --probe    # first kernels.json, from the onnxruntime that is installed

For each operator, dtype and opset a model of one node is made of a sample of the operator's tests,
and opened with onnxruntime's optimiser off.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nncomp.autodiff.control import CONTROL as GRADIENTS
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.kernels import FILE, kernels, variables
from nncomp.backends.ort.opsets import FIRST_OPSET, IR_OPSET, VERSIONS
from nncomp.backends.ort.schemas import ONNX_DTYPES, Schema, schema
from nncomp.backends.reference.control import CONTROL
from nncomp.backends.reference.kernels import KERNELS
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Graph, Value
from nncomp.ir.op import Data, NoGradientError, Op, Vjp
from nncomp.ops import REGISTRY
from nncomp.types import Array, DType, TensorType
from tests.ops.checks import all_samples
from tests.ops.sample import Sample

PAGE = Path(__file__).resolve().parent / "ops.md"
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


# --- probing ------------------------------------------------------------------------------------


def probe() -> dict[str, Any]:
    """Which kernels there are: by provider, operator, version of its schema and type variable."""
    available = onnxruntime.get_available_providers()
    found: dict[str, Any] = {}
    for short, provider in PROVIDERS.items():
        if provider in available and _opens(_identity(), provider):
            found[short] = dict(_probed(provider))
    return {"onnxruntime": onnxruntime.__version__, "providers": found}


def _identity() -> bytes:
    x = Value(TensorType(DType.F32, (2,)), "x")
    b = Builder()
    y = b(REGISTRY["Identity"](), x)
    return bytes(emit(Graph("g", (x,), (), tuple(b.nodes), {"y": y})).SerializeToString())


def _probed(provider: str) -> Iterator[tuple[str, dict[str, dict[str, list[str]]]]]:
    samples: dict[str, list[Sample]] = {}
    for sample in all_samples():
        if not sample.op.domain and not sample.op.bodies:
            samples.setdefault(sample.op.name, []).append(sample)
    for name in sorted(samples):
        found = {}
        for version, opset in versions(name):
            found[str(version)] = {
                variable: sorted_out(samples[name], variable, opset, provider)
                for variable in variables(name, opset)
            }
        if found:
            yield name, found


def sorted_out(samples: Sequence[Sample], variable: str, opset: int, provider: str) -> list[str]:
    """The dtypes with a kernel, and those without one."""
    has, lacks = [], []
    for dtype in DType:
        found: set[bool] = set()
        for sample in samples:
            for alone in (True, False):
                if True not in found:
                    answer = _has_kernel(sample, variable, dtype, opset, provider, alone)
                    found |= set() if answer is None else {answer}
        if found:
            (has if True in found else lacks).append(str(dtype))
    return [" ".join(has), " ".join(lacks)]


def versions(name: str) -> Iterator[tuple[int, int]]:
    """The versions of an operator's schema that are written, each with an opset that has it."""
    seen = set()
    for opset in range(FIRST_OPSET, IR_OPSET + 1):
        known = schema(name, opset)
        if known is not None and known.since_version not in seen:
            seen.add(known.since_version)
            yield known.since_version, opset


def _has_kernel(
    sample: Sample, variable: str, dtype: DType, opset: int, provider: str, alone: bool
) -> bool | None:
    """Whether the sample runs with a type variable in that dtype; None if it cannot be so written.

    alone: whether other variables keep their dtypes, or those that have the same one follow
    """
    known = schema(sample.op.name, opset)
    assert known is not None
    op, arrays = _retyped(sample, known, variable, dtype, alone)
    b = Builder()
    values: list[Value | None] = []
    inputs = []
    for place, array in enumerate(arrays):
        if array is None:
            values.append(None)
        elif place in sample.known:
            values.append(b.constant(array))
        else:
            value = Value(TensorType(DType.of(array), array.shape), f"x{place}")
            values.append(value)
            inputs.append(value)
    try:
        node = b.add(op, values)
        dtypes = [DType.of(array) if array is not None else None for array in arrays]
        results = [value.type.dtype for value in node.outputs]
        if variables(op.name, opset, dtypes, results).get(variable) is not dtype:
            return None
        outputs = {f"y{i}": value for i, value in enumerate(node.outputs)}
        model = emit(Graph("probe", tuple(inputs), (), tuple(b.nodes), outputs), opset=opset)
    except CompileError:
        return None
    if all(written.op_type != op.name for written in model.graph.node):
        return None  # at this opset the sample is spelt with another operator
    return _opens(bytes(model.SerializeToString()), provider)


def _retyped(
    sample: Sample, known: Schema, variable: str, dtype: DType, alone: bool
) -> tuple[Op, list[Array | None]]:
    """The sample with what is of a type variable in another dtype."""
    formals = [
        known.inputs[min(place, len(known.inputs) - 1)].variable
        for place in range(len(sample.inputs))
    ]
    before = {
        DType.of(array)
        for array, formal in zip(sample.inputs, formals, strict=True)
        if array is not None and formal == variable
    }
    arrays: list[Array | None] = []
    for array, formal in zip(sample.inputs, formals, strict=True):
        follows = not alone and array is not None and {DType.of(array)} == before
        if array is not None and (formal == variable or follows):
            array = _as(array, dtype)
        arrays.append(array)
    op = sample.op
    if variable in {formal.variable for formal in known.outputs}:
        for field in dataclasses.fields(op):
            if isinstance(getattr(op, field.name), DType):
                op = dataclasses.replace(op, **{field.name: dtype})
            elif field.name in ("dtype", "output_dtype", "output_datatype"):
                op = dataclasses.replace(op, **{field.name: ONNX_DTYPES[dtype]})
            elif isinstance(getattr(op, field.name), Data):
                array = _as(getattr(op, field.name).array, dtype)
                op = dataclasses.replace(op, **{field.name: Data(array)})
    return op, arrays


def _as(array: Array, dtype: DType) -> Array:
    if dtype is DType.STRING:
        return np.array([str(e) for e in array.reshape(-1)], object).reshape(array.shape)
    if DType.of(array) is DType.STRING:
        return np.ones(array.shape, np.float32).astype(dtype.numpy)
    if DType.of(array).is_special or dtype.is_special:
        array = array.astype(np.float32)
    with np.errstate(all="ignore"):
        return array.astype(dtype.numpy)


def _opens(model: bytes, provider: str) -> bool:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if provider != PROVIDERS["cpu"]:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        onnxruntime.InferenceSession(model, options, providers=[provider])
    except Exception as failure:  # of many kinds
        text = str(failure)
        if "NOT_IMPLEMENTED" not in text and "cpu_ep_fallback" not in text:
            print(onnx.load_from_string(model).graph.node[0].op_type, text[:300], file=sys.stderr)
        return False
    return True


# --- the page -----------------------------------------------------------------------------------

HEAD = """# Operators

Written by `python docs/ops.py` from the declarations in `nncomp/ops` and from
`backends/ort/kernels.json`, which holds what onnxruntime {version} has kernels for; its CPU
provider was asked with a model of one node for each operator, dtype and opset.

* **types**: the shape rule. Every operator has one.
* **NumPy**: how the reference backend runs it: a kernel, or the operator's meaning in others.
* **ONNX**: how it is written: as itself from that opset on, or as its meaning in others.
* **gradient**: a rule, through its meaning, zero (nothing flows back), or none.
* **onnxruntime**: the dtypes of its main operand (of its result, if it has none) with a kernel on
  the CPU, at the newest opset that is written, {newest}. What has none is written in a wider dtype
  between two casts, as its meaning, or refused with NN0603. Empty: nobody has asked.

Read while importing, as other operators: Scatter, Upsample (older names), SequenceMap (a Loop), and
of the preview domains Adagrad, Adam, Gradient, Momentum and FlexAttention.
"""


def page() -> str:
    """The text of docs/ops.md."""
    data = kernels()
    lines = [HEAD.format(version=data.version, newest=IR_OPSET)]
    groups = {
        "ONNX's default domain": "",
        **{f"The domain `{domain}`": domain for domain in VERSIONS},
        "Our own (`nncomp`)": "nncomp",
    }
    for title, domain in groups.items():
        ops = sorted((op for op in REGISTRY.values() if op.domain == domain), key=_name)
        lines += [f"## {title}", "", f"{len(ops)} operators.", ""]
        lines += ["| operator | types | NumPy | ONNX | gradient | onnxruntime |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(_row(op))} |" for op in ops]
        lines.append("")
    return "\n".join(lines)


def _name(op: type[Op]) -> str:
    return op.__name__


def _row(op: type[Op]) -> Iterable[str]:
    runs = op in KERNELS or op in CONTROL or op.__name__ == "Dims"
    yield f"`{op.__name__}`"
    yield "yes" if op.infer is not Op.infer else "no"
    yield "kernel" if runs else "meaning" if op.has_decomposition() else "–"
    yield _written(op)
    yield _gradient(op)
    yield _dtypes(op)


def _written(op: type[Op]) -> str:
    if op.domain in VERSIONS:
        return f"itself, version {VERSIONS[op.domain]}"
    if not op.domain:
        for opset in range(FIRST_OPSET, IR_OPSET + 1):
            if schema(op.__name__, opset) is not None:
                return f"from {opset}"
    return "meaning"


def _gradient(op: type[Op]) -> str:
    if op in GRADIENTS:
        return "rule"
    if op.has_vjp():
        return _of_rule(op)
    return "meaning" if op.has_decomposition() else "–"


def _of_rule(op: type[Op]) -> str:
    """What a rule gives that looks at nothing: zeros, or a refusal."""
    at = Vjp(Builder(), (None,) * 9, (), (None,))
    try:
        found = op.vjp(object.__new__(op), at)
    except NoGradientError:
        return "none"
    except Exception:  # it looks at operands, as rules that give something do
        return "rule"
    return "zero" if all(g is None for g in found) else "rule"


def _dtypes(op: type[Op]) -> str:
    if op.domain:
        return ""
    known = schema(op.__name__, IR_OPSET)
    if known is None:
        return "–"
    found = kernels().of("cpu", op.__name__, known.since_version)
    if found is None:
        return ""
    main = next(iter(found), None)
    return (found[main][0] if main else "yes") or "–"


def write() -> None:
    PAGE.write_text(page(), encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    if "--probe" in arguments:
        FILE.write_text(json.dumps(probe(), indent=1) + "\n", encoding="utf-8")
        kernels.cache_clear()
    write()


if __name__ == "__main__":
    main(sys.argv[1:])
