"""Control flow in NumPy: how often bodies run, and what becomes of their results.

The interpreter hands in how a body is run, so that nothing here knows of plans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nncomp.backends.reference.symbols import Symbols
from nncomp.dims import substitute
from nncomp.errors import error
from nncomp.ir.graph import Body, Value
from nncomp.ir.op import Op
from nncomp.ops.control import If, Loop, Scan
from nncomp.types import Array

Runner = Callable[[Sequence[Array]], list[Array]]
Bodies = Callable[[Body, Sequence[Array | None], Symbols], Runner]
Operands = Sequence[Array | None]


def _scan(op: Scan, operands: Operands, symbols: Symbols, bodies: Bodies) -> tuple[Array, ...]:
    n, m = op.num_states, op.num_scan_inputs
    states = [_present(a) for a in operands[:n]]
    scanned = [
        np.moveaxis(_present(a), axis, 0)[:: -1 if direction else 1]
        for a, (axis, direction) in zip(operands[n : n + m], op.input_places, strict=True)
    ]
    length = scanned[0].shape[0]
    if any(a.shape[0] != length for a in scanned):
        sizes = ", ".join(str(a.shape[0]) for a in scanned)
        raise error("NN0503", f"Scan goes over tensors of one length, these have {sizes}")
    run = bodies(op.body, operands[n + m :], symbols)
    stacks: list[Array] = []
    for step in range(length):
        results = run([*states, *(a[step, ...] for a in scanned)])
        states = results[:n]
        if not step:
            stacks = [np.empty((length, *a.shape), a.dtype) for a in results[n:]]
        for (_, direction), stack, part in zip(op.output_places, stacks, results[n:], strict=True):
            stack[length - 1 - step if direction else step] = part
    if not length:
        stacks = [_no_runs(value, symbols) for value in op.yields]
    places = zip(op.output_places, stacks, strict=True)
    return (*states, *(np.moveaxis(stack, 0, axis) for (axis, _), stack in places))


def _loop(op: Loop, operands: Operands, symbols: Symbols, bodies: Bodies) -> tuple[Array, ...]:
    padded = [*operands, None, None]
    limit, going, rest = padded[0], padded[1], operands[2:]
    n = op.num_states
    states: list[Any] = [*rest[:n]]  # sequences among them, optional values that are not there
    run = bodies(op.body, rest[n:], symbols)
    stacks: list[list[Array]] = [[] for _ in op.yields]
    step = 0
    while (limit is None or step < int(limit)) and (going is None or bool(going)):
        iteration = np.array(step, np.int64).reshape(op.body.inputs[0].type.static_shape)
        inside = np.array(True).reshape(op.body.inputs[1].type.static_shape)
        results = run([iteration, inside, *states])
        going, states = results[0], results[1 : n + 1]
        for stack, part in zip(stacks, results[n + 1 :], strict=True):
            stack.append(part)
        step += 1
    made = [
        np.stack(stack) if stack else _no_runs(value, symbols)
        for value, stack in zip(op.yields, stacks, strict=True)
    ]
    return (*states, *made)


def _if(op: If, operands: Operands, symbols: Symbols, bodies: Bodies) -> tuple[Array, ...]:
    body = op.then_branch if bool(_present(operands[0])) else op.else_branch
    return tuple(bodies(body, operands[1:], symbols)([]))


def _present(array: Array | None) -> Array:
    assert array is not None
    return array


def _no_runs(value: Value, symbols: Symbols) -> Array:
    """The stack of what was never yielded."""
    sizes = [substitute(dim, symbols.values) for dim in value.shape]
    return np.empty((0, *(s if isinstance(s, int) else 0 for s in sizes)), value.type.dtype.numpy)


CONTROL: dict[type[Op], Callable[[Any, Operands, Symbols, Bodies], tuple[Array, ...]]] = {
    Scan: _scan,
    Loop: _loop,
    If: _if,
}
