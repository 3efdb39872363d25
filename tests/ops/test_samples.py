"""Every operator, sample by sample; what is checked stands in `checks`."""

from __future__ import annotations

import pytest

from nncomp.autodiff.control import CONTROL as GRADIENTS
from nncomp.backends.reference.control import CONTROL
from nncomp.backends.reference.kernels import KERNELS
from nncomp.ir.op import InferError
from nncomp.ops import REGISTRY, containers
from tests.ops.checks import (
    all_failures,
    all_samples,
    check_decomposition,
    check_forward,
    check_gradients,
    check_runtime,
    check_types,
)
from tests.ops.sample import Failure, Sample

SAMPLES = all_samples()
# made by the compiler from what a program says; tested where that is
WITHOUT_SAMPLE = {"Constant", "Dims", "Grad", "Jvp"}
IN_CONTAINERS = {op.__name__ for op in containers.OPS}  # tests/ops/test_containers.py


def rows(samples: list[Sample]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sample", samples, ids=str)


@rows(SAMPLES)
def test_inferred_types_are_those_of_the_result(sample: Sample) -> None:
    check_types(sample)


@rows([s for s in SAMPLES if s.wrt])
def test_gradients_are_finite_differences(sample: Sample) -> None:
    check_gradients(sample)


@rows([s for s in SAMPLES if s.wrt])
def test_forward_mode_is_the_transpose(sample: Sample) -> None:
    check_forward(sample)


@rows([s for s in SAMPLES if s.op.has_decomposition() and type(s.op) in KERNELS])
def test_decomposition_is_the_kernel(sample: Sample) -> None:
    check_decomposition(sample)


@rows([s for s in SAMPLES if s.ort])
def test_onnxruntime_agrees(sample: Sample) -> None:
    check_runtime(sample)


@pytest.mark.parametrize("row", all_failures(), ids=str)
def test_refusals(row: Failure) -> None:
    with pytest.raises(InferError) as caught:
        row.op.infer(*row.types)
    assert caught.value.code == row.code
    said = f"{caught.value.message} {caught.value.label} {caught.value.help}"
    for word in row.words:
        assert word in said


def test_every_operator_has_a_sample() -> None:
    sampled = {s.op.name for s in SAMPLES}
    assert sorted(set(REGISTRY) - sampled - WITHOUT_SAMPLE - IN_CONTAINERS) == []


def test_every_operator_has_an_implementation_and_a_gradient() -> None:
    for name, op in REGISTRY.items():
        if name not in WITHOUT_SAMPLE:
            runs = op in KERNELS or op in CONTROL or op.has_decomposition()
            assert runs, f"{name} has no kernel"
            has_gradient = op.has_vjp() or op in GRADIENTS or op.has_decomposition()
            assert has_gradient, f"{name} has no gradient"
