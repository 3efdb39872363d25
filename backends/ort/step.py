"""Running step graphs: parameters stay in the runtime's memory from step to step.

Two sets of buffers take turns: a step reads its state from one and writes the next state to the
other. (Writing onto the buffers that are read would train wrongly: an operator may read an old
value after its new one is written.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from nncomp.backends.ort.blocked.processor import require_processor
from nncomp.backends.ort.checks import InputType, check_arrays
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
            recomputes=self.manifest.recomputes,
        )
        self._batch_types = {
            name: InputType(slot.dtype, slot.shape) for name, slot in self.manifest.batch.items()
        }
        self._results = {**self.manifest.losses, **self.manifest.metrics}
        self._scalars: dict[str, tuple[Slot | None, str, np.dtype[Any]]] = self._scalar_inputs()
        self._hyper = {name: slot.default for name, slot in self.manifest.hyperparameters.items()}
        self._state: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self._bindings: tuple[Any, Any] = (
            self._session.io_binding(),
            self._session.io_binding(),
        )
        self._bound: tuple[dict[str, Any], dict[str, Any]] = ({}, {})  # scalars, for each binding
        self._turn = 0
        self.load(initial)

    def _scalar_inputs(self) -> dict[str, tuple[Slot | None, str, np.dtype[Any]]]:
        found: dict[str, tuple[Slot | None, str, np.dtype[Any]]] = {
            name: (slot, slot.input, slot.dtype.numpy)
            for name, slot in self.manifest.hyperparameters.items()
        }
        for name in ("step", "seed"):
            written = getattr(self.manifest, name)
            if written is not None:
                found[name] = (None, written, np.dtype(np.int64))
        return found

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
        self._bound[turn].clear()
        for path, slot in self.manifest.state.items():
            binding.bind_ortvalue_input(slot.input, self._state[turn][path])
        for written in self._results.values():
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

    def _checked(self, batch: Mapping[str, Any]) -> dict[str, Array]:
        arrays = check_arrays(batch, self._batch_types)
        for name, array in arrays.items():
            if not array.size:  # onnxruntime never comes back from some gradients of nothing
                raise error("NN0503", f"input `{name}` is empty: a step needs a sample or more")
        self._obligations.check(
            {self.manifest.batch[name].input: array.shape for name, array in arrays.items()}
        )
        return arrays

    def _run(self, batch: Mapping[str, Array]) -> dict[str, Any]:
        binding, bound = self._bindings[self._turn], self._bound[self._turn]
        make = onnxruntime().OrtValue.ortvalue_from_numpy
        for name, array in batch.items():
            value = make(array, self.device, _DEVICE_INDEX)
            binding.bind_ortvalue_input(self.manifest.batch[name].input, value)
        for name, (slot, written, dtype) in self._scalars.items():
            number = self._hyper[name] if slot else getattr(self, _COUNTERS[name])
            if bound.get(name) != number:
                value = make(np.array(number, dtype), self.device, _DEVICE_INDEX)
                binding.bind_ortvalue_input(written, value)
                bound[name] = number
        for written in self._results.values():  # a run leaves them bound to results of its shapes
            binding.bind_output(written, "cpu")
        with runtime_errors():
            self._session.run_with_iobinding(binding)
            outputs = binding.get_outputs()
        return {
            name: _plain(output.numpy())
            for name, output in zip(self._results, outputs, strict=False)
        }

    def state(self, *, before: bool = False) -> dict[str, Array]:
        """Copies of all parameters, buffers and optimiser states, by path.

        before: those that the last step was taken from; the present ones if none was since `load`
        """
        turn = 1 - self._turn if before and self._stepped else self._turn
        return {path: np.array(v.numpy()) for path, v in self._state[turn].items()}

    def fallbacks(self) -> list[str]:
        """On CUDA, the nodes that run on the CPU nevertheless."""
        return fallbacks(self._session) if self.device == "cuda" else []


_COUNTERS = {"step": "step_number", "seed": "seed"}


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
