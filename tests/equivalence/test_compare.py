"""How far answers are apart where they are not finite, and draws of which fewer are NaN."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nncomp.dims import new_dim
from nncomp.driver.verifying import backends
from nncomp.equivalence.checking import check_passes
from nncomp.equivalence.compare import difference, nan_share
from nncomp.equivalence.feeds import feeds_for
from nncomp.equivalence.judges import InFloat32, InFloat64, verdict
from nncomp.equivalence.running import Feed
from nncomp.ir.graph import Graph
from nncomp.ops.elementwise import Add, Mul, Sub
from nncomp.ops.elementwise_math import Log, Sqrt
from nncomp.ops.trigonometry import Acosh
from nncomp.passes.manager import O1
from tests.passes.support import Net

N = new_dim("N")
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("found", "wanted", "size"),
    [
        ([1.0, NAN], [1.0, NAN], 0.0),
        ([1.5, NAN], [1.0, NAN], 0.5),
        ([1.0, 2.0], [1.0, NAN], INF),
        ([1.0, NAN], [1.0, 2.0], INF),
        ([1.0, INF], [1.0, NAN], INF),
        ([1.0, NAN], [1.0, INF], INF),
        ([1.0, INF], [1.0, 2.0], INF),
        ([1.0, 1e38], [1.0, INF], 0.0),  # which overflows a little later
        ([NAN, NAN], [NAN, NAN], 0.0),
    ],
)
def test_where_numbers_are_not_finite(found: list[float], wanted: list[float], size: float) -> None:
    first, second = ({"y": np.array(a, np.float32)} for a in (found, wanted))
    assert difference(first, second).size == size


def _graphs() -> tuple[Graph, Graph]:
    """b - b and a · 0 for b = a · 1e50: alike, but b overflows in float32."""
    before, after = Net(), Net()
    large = before(Mul(), before(Mul(), before.input(N, 3, name="x"), 1e25), 1e25)
    first = before.graph(before(Sub(), large, large))
    return first, after.graph(after(Mul(), after.input(N, 3, name="x"), 0.0))


def test_a_nan_of_overflow_is_rounding() -> None:
    before, after = _graphs()
    feed = Feed({"x": np.ones((2, 3), np.float32)})
    for judge, size in ((InFloat32(backends()), INF), (InFloat64(backends()), 0.0)):
        runs = [judge.opened(judge.prepare(graph)) for graph in (before, after)]
        answers = runs[0](feed), runs[1](feed)
        apart, is_fault = verdict(judge, before, after, feed, answers, exact=False)
        assert (apart.size, is_fault) == (size, False)


def test_a_nan_of_the_formula_is_a_fault() -> None:
    x = {"x": np.full((2, 3), -1, np.float32)}
    before, after = Net(), Net()
    first = before.graph(before(Sqrt(), before.input(N, 3, name="x")))
    second = after.graph(after(Mul(), after.input(N, 3, name="x"), 0.0))
    judge = InFloat32(backends())
    answers = judge.opened(first)(Feed(x)), judge.opened(second)(Feed(x))
    assert verdict(judge, first, second, Feed(x), answers, exact=False)[1]


def test_numbers_are_drawn_again_where_answers_are_nan() -> None:
    net = Net()
    a, b = net.input(N, 4, name="a"), net.input(N, 4, name="b")
    y = net(Add(), net(Log(), net(Sub(), net.const(1.0), a)), net(Acosh(), b))
    feeds, _ = feeds_for(net.graph(y), {}, backends(runtime=False), 0)
    runs = [backends().numpy(net.graph(y), feed, None) for feed in feeds]
    lost = [nan_share(answers)["y0"] for answers in runs]
    assert [feed.style for feed in feeds] == ["normal", "normal tame", "wide", "wide tame"]
    assert lost[0] > 0 < lost[2]
    assert lost[1] == lost[3] == 0
    assert all((feed.inputs["a"] < 1).all() for feed in feeds[1::2])


def test_what_is_always_nan_is_told() -> None:
    net = Net()
    x = net.input(N, 4)
    square = net(Mul(), x, x)
    y = net(Log(), net(Sub(), net.const([-1.0, -1.0, -1.0, 1.0]), square))
    report = check_passes(net.graph(y, square), O1, backends(runtime=False))
    assert report.equal
    (note,) = report.notes
    assert note.startswith("`y0`: ")
    assert note.endswith("% of its numbers are NaN in every run, and not compared")
