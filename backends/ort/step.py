"""Running step graphs: parameters stay in the runtime's memory from step to step.

Two sets of buffers take turns: a step reads its state from one and writes the next state to the
other. (Writing onto the buffers that are read would train wrongly: an operator may read an old
value after its new one is written.) What has one shape in every step is bound once: between two
runs only the batch is bound, and the numbers that changed are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from nncomp.backends.ort.blocked.processor import require_processor
from nncomp.backends.ort.checks import InputType, check_arrays, tensor_type
from nncomp.backends.ort.manifest import Slot, read_manifest
from nncomp.backends.ort.obligations import read_obligations
from nncomp.backends.ort.runtime import (
    Device,
    fallbacks,
    model_bytes,
    onnxruntime,
    open_session,
    runtime_errors,
)
from nncomp.errors import did_you_mean, error
from nncomp.types import Array

_DEVICE_INDEX = 0


class StepSession:
    """A step graph with its state.

    model: as written by `emit` for a graph with parameters, with its manifest
    initial: the first value of every parameter, buffer and optimiser state, by path (copied)
    seed: of the random streams; step: the number of the first step
    """

    def __init__(
        self,
        model: onnx.ModelProto | bytes,
        initial: Mapping[str, Array],
        device: Device = "cpu",
        *,
        seed: int = 0,
        step: int = 0,
        optimize: bool = True,
        threads: int | None = None,
        tf32: bool = False,
    ) -> None:
        proto = model if isinstance(model, onnx.ModelProto) else onnx.load_from_string(model)
        self.manifest = read_manifest(proto)
        self._obligations = read_obligations(proto)
        require_processor(proto, device)
        self.device = device
        self.seed = seed
        self.step_number = step
        self._session = open_session(
            model_bytes(model),
            device=device,
            optimize=optimize,
            threads=threads,
            tf32=tf32,
            # the only constant filters are those that cut out columns; reordering costs 4 % there
            blocked_layout=False,
            # half the memory; with it, a step of ResNet-20 is 3 % faster
            memory_pattern=False,
            recomputes=self.manifest.recomputes,
        )
        self._batch_types = {
            name: InputType(slot.dtype, slot.shape) for name, slot in self.manifest.batch.items()
        }
        self._accepted: dict[str, Any] | None = None  # forms of the last batch that was good
        self._results = {**self.manifest.losses, **self.manifest.metrics}
        self._fixed = self._fixed_results(proto)
        self._open = [w for w in self._results.values() if w not in self._fixed]
        self._scalars = self._scalar_inputs()
        self._hyper = {name: slot.default for name, slot in self.manifest.hyperparameters.items()}
        self._state: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self._bindings: tuple[Any, Any] = (
            self._session.io_binding(),
            self._session.io_binding(),
        )
        self._turn = 0
        self.load(initial)

    def _fixed_results(self, proto: onnx.ModelProto) -> dict[str, Array]:
        """Arrays that take the results whose shapes the model states, by output."""
        types = {value.name: tensor_type(value) for value in proto.graph.output}
        found = {}
        for written in self._results.values():
            shape = [size for size in types[written].shape if isinstance(size, int)]
            if len(shape) == len(types[written].shape):
                found[written] = np.zeros(shape, types[written].dtype.numpy)
        return found

    def _scalar_inputs(self) -> dict[str, _Scalar]:
        found = {
            name: (slot.input, slot.dtype.numpy)
            for name, slot in self.manifest.hyperparameters.items()
        }
        counters = {name: getattr(self.manifest, name) for name in _COUNTERS}
        found |= {name: (w, np.dtype(np.int64)) for name, w in counters.items() if w is not None}
        return {
            name: _Scalar(written, dtype, self._empty(np.zeros((), dtype)))
            for name, (written, dtype) in found.items()
        }

    def load(self, values: Mapping[str, Array]) -> None:
        """Replaces the whole state. CompileError NN0502 if a value is missing or does not fit."""
        for path in values:
            if path not in self.manifest.state:
                near = did_you_mean(path, self.manifest.state)
                raise error("NN0502", f"the model has no parameter `{path}`", help=near)
        self._turn, self._stepped = 0, False
        for path, slot in self.manifest.state.items():
            array = _fitting_value(path, values.get(path), slot)
            first = self._own(array)
            self._state[0][path] = first
            if slot.output is None:  # never changes: both sets share it
                self._state[1][path] = first
            else:
                self._state[1][path] = self._empty(array)
        for turn in (0, 1):
            self._bind(turn)

    def _own(self, array: Array) -> Any:
        """The array's copy in memory of the runtime's (`ortvalue_from_numpy` would alias it)."""
        value = self._empty(array)
        value.update_inplace(np.ascontiguousarray(array).reshape(array.shape))
        return value

    def _empty(self, array: Array) -> Any:
        return onnxruntime().OrtValue.ortvalue_from_shape_and_type(
            array.shape, array.dtype, self.device, _DEVICE_INDEX
        )

    def _bind(self, turn: int) -> None:
        binding = self._bindings[turn]
        binding.clear_binding_inputs()
        binding.clear_binding_outputs()
        for path, slot in self.manifest.state.items():
            binding.bind_ortvalue_input(slot.input, self._state[turn][path])
        for scalar in self._scalars.values():
            binding.bind_ortvalue_input(scalar.input, scalar.value)
        for written in self._results.values():
            if written in self._fixed:
                place = onnxruntime().OrtValue.ortvalue_from_numpy(self._fixed[written])
                binding.bind_ortvalue_output(written, place)
            else:
                binding.bind_output(written, "cpu")
        for path, slot in self.manifest.state.items():
            if slot.output is not None:
                binding.bind_ortvalue_output(slot.output, self._state[1 - turn][path])

    def step(self, batch: Mapping[str, Any], **hyper: float) -> dict[str, Any]:
        """Runs one step and moves on to the next state.

        batch: the inputs by name; hyper: values for hyperparameters, kept until given again
        Gives losses and metrics by name: a float where it is a scalar.
        CompileError NN0503 if an input does not fit, NN0209 if an obligation does not hold,
        NN0604 if onnxruntime fails.
        """
        for name in hyper:
            if name not in self._hyper:
                near = did_you_mean(name, self._hyper)
                raise error("NN0503", f"the step has no hyperparameter `{name}`", help=near)
        self._hyper.update(hyper)
        results = self._run(self._checked(batch))
        self._turn, self._stepped = 1 - self._turn, True
        self.step_number += 1
        return results

    def evaluate(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """The losses and metrics of a step that is not taken: state and step number stay."""
        return self._run(self._checked(batch))

    def _checked(self, batch: Mapping[str, Any]) -> Mapping[str, Array]:
        forms = {
            name: (array.dtype, array.shape)
            for name, array in batch.items()
            if type(array) is np.ndarray and array.flags.c_contiguous
        }
        if forms == self._accepted and len(forms) == len(batch):
            return batch
        arrays = check_arrays(batch, self._batch_types)
        for name, array in arrays.items():
            if not array.size:  # onnxruntime never comes back from some gradients of nothing
                raise error("NN0503", f"input `{name}` is empty: a step needs a sample or more")
        self._obligations.check(
            {self.manifest.batch[name].input: array.shape for name, array in arrays.items()}
        )
        self._accepted = {name: (array.dtype, array.shape) for name, array in arrays.items()}
        return arrays

    def _run(self, batch: Mapping[str, Array]) -> dict[str, Any]:
        binding = self._bindings[self._turn]
        for name, array in batch.items():
            self._bind_input(binding, self.manifest.batch[name].input, array)
        numbers: dict[str, Any] = {**self._hyper, "step": self.step_number, "seed": self.seed}
        for name, scalar in self._scalars.items():
            scalar.set(numbers[name])
        for written in self._open:  # a run leaves them bound to results of its shapes
            binding.bind_output(written, "cpu")
        with runtime_errors():
            self._session.run_with_iobinding(binding)
        return {name: _plain(array) for name, array in self._found(binding).items()}

    def _found(self, binding: Any) -> dict[str, Array]:
        """The results of the last run by name; those of fixed shape change with the next one."""
        if not self._open:
            return {name: self._fixed[written] for name, written in self._results.items()}
        outputs = dict(zip(self._results.values(), binding.get_outputs(), strict=False))
        return {
            name: self._fixed[written] if written in self._fixed else outputs[written].numpy()
            for name, written in self._results.items()
        }

    def _bind_input(self, binding: Any, written: str, array: Array) -> None:
        if self.device == "cpu":
            binding.bind_cpu_input(written, array)
            return
        value = onnxruntime().OrtValue.ortvalue_from_numpy(array, self.device, _DEVICE_INDEX)
        binding.bind_ortvalue_input(written, value)

    def state(self, *, before: bool = False) -> dict[str, Array]:
        """Copies of all parameters, buffers and optimiser states, by path.

        before: those that the last step was taken from; the present ones if none was since `load`
        """
        turn = 1 - self._turn if before and self._stepped else self._turn
        return {path: np.array(v.numpy()) for path, v in self._state[turn].items()}

    def fallbacks(self) -> list[str]:
        """On CUDA, the nodes that run on the CPU nevertheless."""
        return fallbacks(self._session) if self.device == "cuda" else []


_COUNTERS = ("step", "seed")


class _Scalar:
    """An input of rank 0, in memory that is bound once.

    input: its name in the model; value: the memory, an OrtValue
    """

    def __init__(self, input: str, dtype: np.dtype[Any], value: Any) -> None:
        self.input = input
        self.dtype = dtype
        self.value = value
        self._number: float | None = None

    def set(self, number: float) -> None:
        if number != self._number:
            self.value.update_inplace(np.array(number, self.dtype))
            self._number = number


def _plain(array: Array) -> Any:
    return array.item() if array.ndim == 0 else np.array(array)


def _fitting_value(path: str, array: Array | None, slot: Slot) -> Array:
    if array is None:
        raise error("NN0502", f"the initial value of `{path}` is missing")
    array = np.asarray(array)
    if array.dtype != slot.dtype.numpy or array.shape != slot.shape:
        expected = InputType(slot.dtype, slot.shape)
        shape = ", ".join(map(str, array.shape))
        raise error("NN0502", f"`{path}` must be {expected}, not {array.dtype}[{shape}]")
    return array
