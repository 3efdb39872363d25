"""Faults in what recognises formulas of activations and normalisation."""

from __future__ import annotations

import dataclasses
from typing import Any

from nncomp.ir.graph import Node, Value
from nncomp.ops.activation import HardSigmoid, Tanh
from nncomp.ops.elementwise import Add, Div, Mul
from nncomp.ops.elementwise_math import Exp, Log, Sqrt
from nncomp.ops.forms import reduce_mean
from nncomp.passes import (
    fuse_activations,
    fuse_gelu,
    fuse_layer_norm,
    fuse_rms_norm,
    patterns,
)
from nncomp.passes.fuse_gelu import INSIDE
from tests.passes import test_recognised
from tests.passes.broken.fault import N, always, of_formula, start
from tests.passes.support import Net


def twice_gelu(net: Net) -> Value:
    x = start(net, N, 5)
    return net(Mul(), x, test_recognised.one_plus_erf(net, x))


def bent_gelu(net: Net) -> Value:
    return test_recognised.tanh_gelu(net, start(net, N, 5))


def steep_gate(net: Net) -> Value:
    x = start(net, N, 5)
    return net(Mul(), x, net(HardSigmoid(), x))


def log_two_plus(net: Net) -> Value:
    return net(Log(), net(Add(), net(Exp(), start(net, N, 5)), 2.0))


def normed(net: Net) -> Value:
    y = test_recognised.layer_norm(net, start(net, N, 4, 6), -1)
    return net(Mul(), net(Add(), y, net.param(6)), net.param(6))


def normed_along_two(net: Net) -> Value:
    return test_recognised.layer_norm(net, start(net, N, 4, 6), 1, 2)


def with_epsilon(right: Any) -> Any:
    def wrong(node: Node) -> Any:
        found = right(node)
        return found and dataclasses.replace(found, epsilon=0.1)

    return wrong


def along_the_last(right: Any) -> Any:
    return lambda op, x, nodes: right(dataclasses.replace(op, axis=-1), x, nodes)


def shift_as_it_is(norm: Node, c: Value) -> Any:
    x, scale, *shift = norm.inputs
    return lambda b: b(norm.op, x, b(Mul(), scale, c), *shift)


def normed_and_shifted(net: Net) -> Value:
    return net(Add(), normed(net), net.param(6))


def the_last_shift_alone(norm: Node, c: Value) -> Any:
    return lambda b: b(norm.op, *norm.inputs[:2], c)


def rms_norm(net: Net) -> Value:
    return test_recognised.rms_norm(net, start(net, N, 6), "divide")


def mean_of_exponentials(net: Net) -> Value:
    x = start(net, N, 6)
    mean = reduce_mean(net.b, net(Exp(), x), [-1], keep=True)
    return net(Div(), x, net(Sqrt(), net(Add(), mean, 1e-5)))


FAULTS = (
    of_formula(
        "GELU with any factor",
        *("fuse-gelu", "recognise-gelu", twice_gelu),
        ((fuse_gelu, "near", always),),
    ),
    of_formula(
        "GELU by tanh as the exact one",
        *("fuse-gelu", "recognise-gelu", bent_gelu),
        ((fuse_gelu, "INSIDE", ((Tanh, "none", INSIDE[1][2]),)),),
    ),
    of_formula(
        "HardSwish of any slope",
        *("fuse-activations", "recognise-gate", steep_gate),
        ((fuse_activations, "near", always),),
        most=4,
    ),
    of_formula(
        "Softplus of any summand",
        *("fuse-activations", "recognise-softplus", log_two_plus),
        ((fuse_activations, "is_number", always),),
        most=5,
    ),
    of_formula(
        "layer normalisation with another epsilon",
        *("fuse-layer-norm", "recognise-layer-norm", normed),
        ((fuse_layer_norm, "normal_of", with_epsilon(fuse_layer_norm.normal_of)),),
    ),
    of_formula(
        "layer normalisation along the last axis only",
        *("fuse-layer-norm", "recognise-layer-norm", normed_along_two),
        ((fuse_layer_norm, "normalized", along_the_last(fuse_layer_norm.normalized)),),
    ),
    of_formula(
        "a shift that is not scaled",
        *("fuse-layer-norm", "take-scale", normed),
        ((fuse_layer_norm, "_scaled", shift_as_it_is),),
    ),
    of_formula(
        "the first of two shifts forgotten",
        *("fuse-layer-norm", "take-shift", normed_and_shifted),
        ((fuse_layer_norm, "_shifted", the_last_shift_alone),),
    ),
    of_formula(
        "root mean square with another epsilon",
        *("fuse-rms-norm", "recognise-rms-norm", rms_norm),
        ((fuse_rms_norm, "normal_of", with_epsilon(fuse_rms_norm.normal_of)),),
    ),
    of_formula(
        "anything as a square",
        *("fuse-rms-norm", "recognise-rms-norm", mean_of_exponentials),
        ((patterns, "_is_square_of", always),),
    ),
)
