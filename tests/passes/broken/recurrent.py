"""Faults in Scans that become recurrent operators."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from nncomp.ir.graph import Value
from nncomp.ops.conversion import Identity
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.recurrent import GRU, LSTM, RNN
from nncomp.passes import recognize_recurrent
from nncomp.passes.gates import Algebra
from nncomp.passes.manager import O3
from nncomp.passes.recurrent_steps import Gate, Network, Step
from tests.passes.broken.fault import Fault, start
from tests.passes.support import Net

PASS, RULE = "recognize-recurrent", "scan-to-operator"
T, N, D, H = 5, 3, 4, 2


def lstm(net: Net) -> Value:
    op = LSTM()
    w, r = net.param(1, 4 * H, D), net.param(1, 4 * H, H)
    return op.decompose(net.b, start(net, T, N, D), w, r, net.param(1, 8 * H))[0]


def peephole(net: Net) -> Value:
    w, r, bias = net.param(1, 4 * H, D), net.param(1, 4 * H, H), net.param(1, 8 * H)
    rest = (None, None, None, net.param(1, 3 * H))
    return LSTM().decompose(net.b, start(net, T, N, D), w, r, bias, *rest)[0]


def with_states(net: Net) -> Value:
    w, r, bias = net.param(1, 4 * H, D), net.param(1, 4 * H, H), net.param(1, 8 * H)
    states = net.param(1, N, H), net.param(1, N, H)
    return LSTM().decompose(net.b, start(net, T, N, D), w, r, bias, None, *states)[2]


def gru(net: Net, **attributes: Any) -> Value:
    w, r, bias = net.param(1, 3 * H, D), net.param(1, 3 * H, H), net.param(1, 6 * H)
    return GRU(**attributes).decompose(net.b, start(net, T, N, D), w, r, bias)[0]


def cudnn_gru(net: Net) -> Value:
    return gru(net, linear_before_reset=1)


def backward_gru(net: Net) -> Value:
    return gru(net, direction="reverse")


def rectified(net: Net) -> Value:
    w, r = net.param(1, H, D), net.param(1, H, H)
    return RNN(activations=("Relu",)).decompose(net.b, start(net, T, N, D), w, r)[0]


def altered(change: Callable[[Network], Network]) -> Any:
    """Writes another network than was found."""
    right = recognize_recurrent._write

    def wrong(b: Any, node: Any, op: Any, network: Network) -> Any:
        return right(b, node, op, change(network))

    return ((recognize_recurrent, "_write", wrong),)


def in_the_order(*places: int) -> Any:
    return altered(lambda n: dataclasses.replace(n, gates=tuple(n.gates[k] for k in places)))


def set_to(**attributes: Any) -> Any:
    return altered(lambda n: dataclasses.replace(n, op=dataclasses.replace(n.op, **attributes)))


def bias_before_reset(network: Network) -> Network:
    gates = [dataclasses.replace(gate, bias=gate.reset, reset=gate.bias) for gate in network.gates]
    return dataclasses.replace(network, gates=tuple(gates))


def two_peepholes(network: Network) -> Network:
    i, o, f, g = network.gates
    o, f = (
        dataclasses.replace(o, peephole=f.peephole),
        dataclasses.replace(f, peephole=o.peephole),
    )
    return dataclasses.replace(network, gates=(i, o, f, g))


def from_the_first(right: Any) -> Any:
    """Columns of a polynomial that are always the first ones."""

    def wrong(self: Algebra, polynomial: Any, begin: int, stop: int) -> Any:
        return right(self, polynomial, 0, stop - begin)

    return wrong


def swapped_gru(net: Net) -> Value:
    """h' = h + z · (n - h)."""
    from nncomp.ops.activation import Sigmoid, Tanh
    from nncomp.ops.control_building import add_recurrence
    from nncomp.ops.forms import full, window
    from nncomp.ops.linear import MatMul
    from nncomp.types import DType

    b, w, r = net.b, net.param(D, 3 * H), net.param(H, 3 * H)

    def step(b: Any, states: Any, slices: Any) -> Any:
        (h,), (xt,) = states, slices

        def gate(place: int, state: Value) -> Value:
            wx, rx = (window(b, m, (place * H,), (H,), (1,)) for m in (w, r))
            return b(Add(), b(MatMul(), xt, wx), b(MatMul(), state, rx))

        z, k = b(Sigmoid(), gate(0, h)), b(Sigmoid(), gate(1, h))
        n = b(Tanh(), gate(2, b(Mul(), k, h)))
        after = b(Add(), h, b(Mul(), z, b(Sub(), n, h)))
        return [after], [after]

    first = full(b, 0.0, DType.F32, (N, H))
    return b(Identity(), add_recurrence(b, step, [first], [start(net, T, N, D)])[1])


def as_it_is(self: Step, gate: Gate) -> Gate:
    return gate


def _fault(what: str, build: Any, patches: Any) -> Fault:
    return Fault(what, PASS, RULE, build, patches, passes=O3, most=6)


FAULTS = (
    _fault("gates of an LSTM in the order i, f, o", lstm, in_the_order(0, 2, 1, 3)),
    _fault("gates of a GRU in the order r, z", gru, in_the_order(1, 0, 2)),
    _fault("peepholes of f and o swapped", peephole, altered(two_peepholes)),
    _fault(
        "first states left out",
        with_states,
        ((recognize_recurrent, "_is_zero", lambda value: True),),
    ),
    _fault("a reversed sequence read forward", backward_gru, set_to(direction="forward")),
    _fault("the reset gate before the product", cudnn_gru, set_to(linear_before_reset=0)),
    _fault("what is reset added after", cudnn_gru, altered(bias_before_reset)),
    _fault("tanh for relu", rectified, set_to(activations=("Tanh",))),
    _fault("1 - z taken for z", swapped_gru, ((Step, "_negative", as_it_is),)),
    _fault(
        "the first columns for every gate",
        lstm,
        ((Algebra, "columns", from_the_first(Algebra.columns)),),
    ),
)
