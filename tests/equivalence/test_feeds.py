"""Sizes, ranges of integers and sides of branches: what graphs are run on."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from nncomp.dims import new_dim
from nncomp.driver.programs import load_program
from nncomp.driver.verifying import backends
from nncomp.equivalence.draws import STYLES, draw, lively
from nncomp.equivalence.feeds import feeds_for
from nncomp.equivalence.ranges import Bounds, bounds_of
from nncomp.equivalence.report import side_text
from nncomp.equivalence.sizes import candidates, symbols_of
from nncomp.errors import CompileError
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Body, Graph, Value
from nncomp.ops.activation import Relu, Tanh
from nncomp.ops.comparison import Equal, Greater
from nncomp.ops.control import Loop
from nncomp.ops.conversion import Cast, Where
from nncomp.ops.elementwise import Add, Clip, Div, Mul
from nncomp.ops.indexing import Gather
from nncomp.ops.loss import SoftmaxCrossEntropyLoss
from nncomp.ops.reduction import ReduceMax
from nncomp.ops.shape import Reshape
from nncomp.source import SourceFile
from nncomp.types import DType, TensorType
from tests.passes.support import Net

N, M = new_dim("N"), new_dim("M")


def graph_of(text: str) -> Graph:
    return load_program(SourceFile("m.nn", f"nn 1\n{text}")).graph


class TestSizes:
    def test_distinct(self) -> None:
        net = Net()
        graph = net.graph(net(Relu(), net.input(N, M, 3)))
        for sizes in islice(candidates(graph), 20):
            assert len({*sizes.values()}) == 2

    def test_nothing_is_empty_inside_if_that_can_be(self) -> None:
        """The mean of nothing is no number, and hides all that follows."""
        text = """model M {
  input x: f32[N, T]
  output y = mean(x[:, 6:], axis=1)
}
"""
        _, length = next(candidates(graph_of(text))).values()
        assert length > 6
        assert next(candidates(graph_of(text.replace("6:", "5000:"))))  # better than none

    def test_obligations_hold(self) -> None:
        graph = graph_of(
            """model M {
  input x: f32[N, T]
  input y: f32[M, T]
  assert N == M
  assert T % 4 == 0
  output z = sum(x) + sum(y)
}
"""
        )
        n, t, m = symbols_of(graph)
        found = list(islice(candidates(graph), 2))
        assert len(found) == 2
        assert all(s[n] == s[m] and s[t] % 4 == 0 for s in found)

    def test_without_symbols_there_is_one(self) -> None:
        net = Net()
        assert list(candidates(net.graph(net(Relu(), net.input(3))))) == [{}]


class TestRanges:
    def test_an_index_by_way_of_shapes_and_sums(self) -> None:
        net = Net()
        words = net.input(N, M, dtype=DType.I64, name="words")
        places = net(Add(), net(Reshape(), words, net.b.ints(-1)), net.const(2, DType.I64))
        graph = net.graph(net(Gather(), net.param(50, 4), places))
        assert bounds_of(graph) == {"words": Bounds(-2, 47)}

    def test_the_narrowest_of_all_readers(self) -> None:
        net = Net()
        labels = net.input(N, dtype=DType.I64, name="labels")
        loss = net.b.multi(SoftmaxCrossEntropyLoss(), net.input(N, 7), labels)[0]
        graph = net.graph(loss, net(Gather(), net.param(5, 2), labels))
        assert bounds_of(graph) == {"labels": Bounds(0, 4)}

    def test_beyond_what_it_is_compared_with(self) -> None:
        net = Net()
        k = net.input(N, dtype=DType.I64, name="k")
        graph = net.graph(net(Equal(), k, net.const(40, DType.I64)))
        assert bounds_of(graph) == {"k": Bounds(-4, 41)}

    def test_a_divisor_is_not_zero(self) -> None:
        net = Net()
        k = net.input(N, dtype=DType.I32, name="k")
        graph = net.graph(net(Div(), net.const(7, DType.I32), k))
        assert bounds_of(graph)["k"].low == 1

    def test_in_a_body(self) -> None:
        graph = graph_of(
            """model M {
  input words: i64[T]
  param table: f32[11, 3] = zeros()
  output h = scan (h: f32[3] = zeros()) over w = words { h = tanh(h + gather(table, w)) }
}
"""
        )
        assert bounds_of(graph) == {"words": Bounds(0, 10)}


class TestDraws:
    def test_within_bounds(self) -> None:
        net = Net()
        k = net.input(N, dtype=DType.I64, name="k")
        graph = net.graph(net(Gather(), net.param(5, 2), k))
        (n,) = symbols_of(graph)
        for style in STYLES:
            numbers = draw(graph, {n: 40}, style, bounds_of(graph), {}).inputs["k"]
            assert numbers.min() >= 0
            assert numbers.max() <= 4

    def test_new_parameters_get_lively(self) -> None:
        ones = np.ones(4, np.float32)
        state = {"scale": ones, "w": np.arange(4.0), "count": np.array(3)}
        found = lively(state)
        assert len({*found["scale"].tolist()}) == 4
        assert (found["scale"] > 0).all()
        assert found["w"] is state["w"]
        assert found["count"] is state["count"]

    def test_states_of_optimizers_make_no_nan(self) -> None:
        """The root of a mean of squares, and of what it is above the square of the mean."""
        state = {"adam.w.v": np.zeros(99, np.float32), "adam.w.m": np.zeros(99, np.float32)}
        found = lively(state, optimizer=state.keys())
        assert (found["adam.w.v"] >= np.square(found["adam.w.m"])).all()


class TestCoverage:
    def test_both_sides_of_all(self) -> None:
        net = Net()
        x = net.input(N, 3)
        y = net(Where(), net(Greater(), x, 2.5), net(Relu(), x), net(Clip(), x, -6.0, 6.0))
        graph = net.graph(y)
        _, coverage = feeds_for(graph, {}, backends(runtime=False), 0)
        assert len(coverage.sides) == 9
        assert coverage.unseen == []

    def test_a_side_that_none_reaches(self) -> None:
        net = Net()
        x = net.input(N, 3)
        graph = net.graph(net(Relu(), net(Add(), net(Mul(), x, x), 1.0)))
        _, coverage = feeds_for(graph, {}, backends(runtime=False), 0)
        assert [side_text(side) for side in coverage.unseen] == ["Relu: below"]

    def test_what_is_not_read_is_not_run(self) -> None:
        net = Net()
        x = net.input(N, 3)
        net(Relu(), x)
        graph = net.graph(net(Greater(), x, 0.0))
        _, coverage = feeds_for(graph, {}, backends(runtime=False), 0)
        assert len(coverage.sides) == 2
        assert coverage.unseen == []

    def test_bools_both_ways(self) -> None:
        graph = graph_of(
            """model M {
  input x: f32[3]
  input flip: bool[]
  output y = cond flip { yield relu(x) } else { yield -x }
}
"""
        )
        feeds, coverage = feeds_for(graph, {}, backends(runtime=False), 0)
        assert {bool(feed.inputs["flip"]) for feed in feeds} == {True, False}
        assert len(coverage.sides) == 4  # Relu's, in its body, too
        assert coverage.unseen == []

    def test_loops_of_any_length(self) -> None:
        net = Net()
        steps = net.input(dtype=DType.I64, name="steps")
        state = Value(TensorType(DType.F32, (3,)), "state")
        going = Value(TensorType(DType.BOOL, ()), "going")
        count = Value(TensorType(DType.I64, ()), "count")
        b = Builder()
        outputs = {"going": going, "next": b(Tanh(), state)}
        body = Body("body", (count, going, state), (), tuple(b.nodes), outputs)
        graph = net.graph(net(Loop(body), steps, None, net.input(3)))
        feeds, coverage = feeds_for(graph, {}, backends(runtime=False), 0)
        assert {int(feed.inputs["steps"]) for feed in feeds} == {0, 1, 3}
        assert coverage.unseen == []

    def test_a_graph_that_runs_with_no_sizes(self) -> None:
        net = Net()
        x = net.input(N, 3)
        index = net(Cast(DType.I64), net(ReduceMax(keepdims=0), net(Mul(), x, x)))
        far = net(Add(), index, net.const(100, DType.I64))
        graph = net.bound(net(Gather(), net.param(5, 2), far))
        with pytest.raises(CompileError) as failure:
            feeds_for(graph, {}, backends(runtime=False), 0)
        assert failure.value.diagnostics[0].code == "NN0503"
