"""Bodies: how operators are spelt in standard operators that onnxruntime runs fast."""

from __future__ import annotations

from nncomp.backends.ort.bodies import (
    activation,
    attention,
    conv,
    conv_input,
    conv_scaled,
    elementwise,
    indexing,
    linear,
    missing,
    normalization,
    padding,
    pooling,
    random,
    recurrent,
    reduction,
)
from nncomp.backends.ort.bodies.body import Body
from nncomp.ir.op import Op

_FAMILIES = (
    activation,
    attention,
    conv,
    conv_input,
    conv_scaled,
    elementwise,
    indexing,
    linear,
    missing,
    normalization,
    padding,
    pooling,
    random,
    recurrent,
    reduction,
)

BODIES: dict[type[Op], tuple[Body, ...]] = {}
for _body in (body for family in _FAMILIES for body in family.BODIES):
    BODIES[_body.op] = (*BODIES.get(_body.op, ()), _body)
