"""Derivatives taken in a body, of what was computed around it: as outside."""

from __future__ import annotations

import numpy as np
import pytest

from nncomp.autodiff.expand import expand_gradients
from nncomp.backends.ort.emit import emit
from nncomp.backends.ort.legalize import legalize
from nncomp.backends.ort.session import Session
from nncomp.backends.reference.interpreter import evaluate, run
from nncomp.ir.verify import verify
from nncomp.passes.manager import optimize
from tests.lower.programs import program

TEXT = """
model M {{
  input x: f32[N, 3]
  input w: f32[3]
  input vs: f32[4, 3]
  y = x @ (w * w)
  loss = sum(square(tanh(y)))
  slope = grad(loss, w)
  total = scan (h: f32[3] = zeros()) over t = arange(5) {{ h = tanh(h + w) }}
  rows = [vs[i] for i in range(4)]
  output inside = {inside}
  output outside = {outside}
}}
"""
OF_ROW = {
    "jvp of a value": "jvp(loss, w, v)",
    "jvp of a gradient": "jvp(slope, w, v)",
    "gradient with what varies": "grad(sum(v * y[0]), w)",
    "gradient of a gradient": "grad(sum(v * slope), w)",
    "through a scan outside": "jvp(total, w, v)",
    "with respect to what leads to the value": "grad(sum(v * tanh(y[0])), y)",
}


@pytest.mark.parametrize("what", OF_ROW)
@pytest.mark.parametrize("body", ["scan", "cond"])
def test_a_body_sees_what_leads_to_a_value(what: str, body: str) -> None:
    each = OF_ROW[what]
    first = each.replace("v *", "vs[0] *").replace(", v)", ", vs[0])")
    inside, outside = f"scan over v = vs {{ yield {each} }}", f"stack([{each} for v in rows])"
    if body == "cond":
        inside = f"cond sum(vs) > 1e9 {{ yield 2 * {first} }} else {{ yield {first} }}"
        outside = first
    graph = expand_gradients(program(TEXT.format(inside=inside, outside=outside)).graph)
    verify(graph)
    rng = np.random.default_rng(0)
    given = {n: rng.uniform(0.2, 1, s).astype("f") for n, s in SHAPES.items()}
    tidy = optimize(graph, 2, evaluate).graph
    runs = [run(graph, given).outputs, run(tidy, given).outputs]
    runs += [Session(emit(legalize(form))).run(given) for form in (graph, tidy)]
    for found in runs:
        assert np.abs(found["outside"]).max() > 1e-3
        np.testing.assert_allclose(found["inside"], found["outside"], rtol=1e-4, atol=1e-5)


SHAPES = {"x": (2, 3), "w": (3,), "vs": (4, 3)}
