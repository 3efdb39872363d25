"""Loading onnxruntime, and making its sessions: options, providers, errors in plain words."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

import onnx

from nncomp.errors import CompileError, Note, error

Device = Literal["cpu", "cuda"]
CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
PROFILED = "ran.onnx"
"""In the folder of a profile: the graph that onnxruntime runs."""


@cache
def onnxruntime() -> Any:
    """The onnxruntime module, imported when first needed, with its logging quiet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import onnxruntime as module
    except ImportError as failure:
        raise error(
            "NN0602",
            f"onnxruntime cannot be imported: {_short(failure)}",
            help="install onnxruntime, or onnxruntime-gpu",
        ) from None
    module.set_default_logger_severity(4)
    return module


@cache
def _load_cuda_libraries() -> None:
    """Loads the CUDA and cuDNN libraries of pip's `nvidia-*` wheels, where they are installed.

    onnxruntime prints what it does not find; what matters is said when the provider is missing.
    """
    with open(os.devnull, "w") as silence:
        stdout, stderr = os.dup(1), os.dup(2)
        try:
            os.dup2(silence.fileno(), 1)
            os.dup2(silence.fileno(), 2)
            onnxruntime().preload_dlls()
        finally:
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            os.close(stdout)
            os.close(stderr)


def open_session(
    model: bytes | Path,
    *,
    device: Device = "cpu",
    optimize: bool = True,
    threads: int | None = None,
    tf32: bool = False,
    memory_pattern: bool = True,
    blocked_layout: bool = True,
    recomputes: bool = False,
    profile: Path | None = None,
) -> Any:
    """An onnxruntime InferenceSession.

    optimize: onnxruntime's own graph optimiser, at its default level or off
    threads: for one operator; None for one a core
    tf32: on CUDA, matrix products of float32 with 10 bits of mantissa
    blocked_layout: let convolutions of constant weights run in onnxruntime's own layout
    memory_pattern: plan one block of memory for a run; off, a run takes about half the memory
    recomputes: the model computes values again to save memory: keep equal nodes apart, and plan
        no block
    profile: a folder for the times of all nodes, and for the graph that runs (`PROFILED`)

    CompileError NN0602 if the device is not available, NN0604 if the model is refused.
    """
    ort = onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, not printed
    options.intra_op_num_threads = threads or 0
    options.enable_mem_pattern = memory_pattern and not recomputes
    disabled = [] if blocked_layout else ["NchwcTransformer"]
    if recomputes:
        disabled.append("CommonSubexpressionElimination")
    if not optimize:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile / "times")
        options.optimized_model_filepath = str(profile / PROFILED)
        weights = "session.optimized_model_external_initializers_file_name"
        options.add_session_config_entry(weights, "weights.bin")
    # threads spin during a run, for speed, and not after it: the caller needs the cores then
    options.add_session_config_entry("session.force_spinning_stop", "1")
    providers: list[Any] = [CPU_PROVIDER]
    if device == "cuda":
        _require_cuda_build(ort)
        _load_cuda_libraries()
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        providers = [(CUDA_PROVIDER, {"use_tf32": str(int(tf32))}), CPU_PROVIDER]
    with runtime_errors():
        session = ort.InferenceSession(
            str(model) if isinstance(model, Path) else model,
            options,
            providers=providers,
            disabled_optimizers=disabled,
        )
    if device == "cuda" and CUDA_PROVIDER not in session.get_providers():
        raise error(
            "NN0602",
            "onnxruntime could not load its CUDA provider",
            help="it needs an NVIDIA driver, CUDA and cuDNN; `pip install nncomp[cuda]` brings "
            "the libraries",
        )
    session.disable_fallback()
    return session


def _require_cuda_build(ort: Any) -> None:
    if CUDA_PROVIDER not in ort.get_available_providers():
        raise error(
            "NN0602",
            "this onnxruntime is built without CUDA",
            help="`pip install nncomp[cuda]` brings onnxruntime-gpu and CUDA's libraries",
        )


def fallbacks(session: Any) -> list[str]:
    """The operators that a CUDA session runs on the CPU, as `Op (node name)`."""
    found = []
    for part in session.get_provider_graph_assignment_info():
        if part.ep_name == CPU_PROVIDER:
            found += [f"{node.op_type} ({node.name})" for node in part.get_nodes()]
    return sorted(found)


def model_bytes(model: onnx.ModelProto | bytes | str | Path) -> bytes | Path:
    """What onnxruntime opens; a path stays one, so that it finds external data beside it."""
    if isinstance(model, onnx.ModelProto):
        serialized: bytes = model.SerializeToString(deterministic=True)
        return serialized
    if isinstance(model, bytes):
        return model
    path = Path(model)
    if not path.is_file():
        raise error("NN0001", f"cannot read `{path}`: there is no such file")
    return path


@contextmanager
def runtime_errors(note: str = "") -> Iterator[None]:
    """Turns what onnxruntime raises into CompileError NN0604."""
    try:
        yield
    except CompileError:
        raise
    except Exception as failure:
        if not type(failure).__module__.startswith("onnxruntime") and not isinstance(
            failure, RuntimeError | ValueError
        ):
            raise
        notes = [Note(note)] if note else []
        text = _short(failure)
        raise error("NN0604", f"onnxruntime: {text}", notes=notes, help=_help(text)) from None


def _help(message: str) -> str | None:
    if "out of data bounds" in message or "out of bounds" in message:
        return "an index lies beyond its axis; class numbers go from 0 to the number of classes - 1"
    return None


_MAX_MESSAGE = 400


def _short(failure: BaseException) -> str:
    """The message without onnxruntime's own file names and stack."""
    text = str(failure).strip().split("\nStacktrace")[0].split("\n\n")[0]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"/[\w./+-]+\.(?:cc|h|cu):\d+ [^\n]*? (?=was false|[A-Z])", "", text)
    text = " ".join(text.split())
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"
