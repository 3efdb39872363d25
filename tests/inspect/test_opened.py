"""Bodies of control flow laid open: what reads what, what it is called, what it costs."""

from __future__ import annotations

from nncomp.inspect.cost import Measure, cost, parameters_owned
from nncomp.inspect.opened import Control, Given, Opened, Opener, opened
from nncomp.inspect.page.story import tell
from nncomp.inspect.summary import count_nodes, summarize
from nncomp.inspect.view.captions import detail
from nncomp.inspect.view.svg import svg
from nncomp.ir.graph import Graph, Node
from nncomp.lower.program import lower
from nncomp.passes.manager import optimize
from nncomp.source import SourceFile

SCANNED = """from std import Linear, LSTMCell

model M {
  input x: f32[N, 5, 4]
  input mix: f32[N, 8]
  cell = LSTMCell(8)
  ys = scan (h: f32[N, 8] = zeros(), c: f32[N, 8] = zeros()) over e = x axis 1 {
    (h, c) = cell(e, h, c)
    yield h * mix
  }
  output y = ys[-1] |> Linear(2)
  output z = scan (s: f32[N] = zeros()) over e = x axis 1 reverse {
    s = s + sum(e, axis=1)
    yield s
  }
}
"""
BRANCHED = """model M {
  input x: f32[N, 4]
  input n: i64[]
  y = cond sum(x) > 0 { yield relu(x) * 2 } else { yield tanh(x) }
  (count, last) = loop (count: i64[] = 0, v: f32[N, 4] = y) while count < n {
    v = v / 2 + x
    count = count + 1
  }
  output last
}
"""


def graph_of(text: str) -> Graph:
    return lower(SourceFile("m.nn", text)).graph


def require_order(found: Opened) -> None:
    """Every operand is an input, a parameter, or the result of a node before."""
    graph = found.graph
    known = {*graph.inputs, *(p.value for p in graph.parameters)}
    for node in graph.nodes:
        assert known.issuperset(node.operands), node
        known.update(node.outputs)
    assert known.issuperset(graph.outputs.values())


def named(found: Opened, kind: str) -> list[str]:
    """What bodies are given of one kind, with their blocks."""
    return [
        f"{node.origin.scope}: {node.op.called}"
        for node in found.graph.nodes
        if isinstance(node.op, Given) and node.op.kind == kind
    ]


def test_a_graph_without_bodies_is_as_it_was() -> None:
    graph = graph_of("model M {\n  input x: f32[N]\n  output y = tanh(x)\n}\n")
    assert opened(graph).graph is graph
    assert opened(graph).costs({}) == cost(graph).nodes


def test_scans_are_blocks_with_what_they_are_given() -> None:
    graph = graph_of(SCANNED)
    found = opened(graph)
    require_order(found)
    assert named(found, "Carried") == ["scan: h", "scan: c", "scan_2: s"]
    assert named(found, "Scanned") == ["scan: e", "scan_2: e"]
    backward = [n.op for n in found.graph.nodes if isinstance(n.op, Given) and n.op.reverse]
    assert [op.attributes() for op in backward] == [{"called": "e", "axis": 1, "reverse": True}]
    scopes = {node.origin.scope for node in found.graph.nodes}
    assert {"scan.cell", "scan_2"} <= scopes
    mix = next(v for v in found.graph.inputs if v.name == "mix")
    (reader,) = found.graph.uses[mix]  # captured: read in the body itself
    assert (reader.op.name, reader.origin.scope) == ("Mul", "scan")
    ends = [n for n in found.graph.nodes if isinstance(n.op, Control)]
    assert [end.op.name for end in ends] == ["Scan", "Scan"]
    assert [found.original(end) for end in ends] == [n for n in graph.nodes if n.op.bodies]


def test_branches_and_loops() -> None:
    found = opened(graph_of(BRANCHED))
    require_order(found)
    by_name = {n.op.name: n.origin.scope for n in found.graph.nodes}
    assert by_name["Relu"] == "if.then"
    assert by_name["Tanh"] == "if.else"
    assert by_name["Div"] == by_name["Loop"] == "loop"
    assert named(found, "Carried") == ["loop: count", "loop: v"]
    end = next(n for n in found.graph.nodes if n.op.name == "If")
    assert end.operands[0].node is not None
    assert end.operands[0].node.op.name == "Greater"


def test_a_body_costs_what_all_its_runs_cost() -> None:
    graph = graph_of(SCANNED)
    sizes = {"N": 3}
    whole, parts = cost(graph, sizes), opened(graph).costs(sizes)
    running = [c for c in parts.values() if not c.once]
    assert sum(c.flops for c in running) == whole.flops > 0
    assert sum(c.written for c in running) == whole.written
    learnt = [c.parameters for n, c in parts.items() if n.op.name == "MatMul"]
    assert sum(learnt) == 4 * 32 + 8 * 32 + 8 * 2


def test_names_stay_from_graph_to_graph() -> None:
    graph, opener = graph_of(SCANNED), Opener()
    first = opener.open(graph)
    again = opener.open(optimize(graph).graph)
    assert named(again, "Carried") == named(first, "Carried")

    def ends(found: Opened) -> list[Node]:
        return [node for node in found.graph.nodes if isinstance(node.op, Control)]

    for one, other in zip(ends(first), ends(again), strict=True):
        assert one.op is other.op
        assert one.origin is other.origin


def test_rewrites_in_bodies_are_told() -> None:
    graph = graph_of(SCANNED)
    story = tell(graph, optimize(graph))
    made = {
        (story.nodes[number].op.name, story.nodes[number].origin.scope)
        for snapshot in story.snapshots
        for step in snapshot.steps
        for number in step.made
    }
    assert ("Gemm", "scan.cell") in made or ("LSTM", "") in made
    for snapshot in story.snapshots:
        assert sorted(snapshot.by_original.values()) == sorted(snapshot.numbers)


def test_of_an_if_the_dearer_branch_counts() -> None:
    graph = graph_of(BRANCHED)
    whole, found = cost(graph), opened(graph)
    spent = {node.op.name: c for node, c in found.costs({}).items()}
    assert spent["Relu"].flops > 0  # relu(x) * 2 is more than tanh(x)
    assert spent["Tanh"].flops == spent["Tanh"].written == 0
    told = found.cost({})
    assert sum(c.flops for c in told.nodes.values()) == told.flops == whole.flops
    assert sum(c.read for c in told.nodes.values()) == whole.read
    assert not any(isinstance(node.op, Given) for node in told.nodes)


def test_bodies_count_in_their_blocks() -> None:
    summary = summarize(graph_of(SCANNED))
    blocks = {block.path: block for block in summary.blocks}
    assert blocks["cell"].flops > 5 * 2 * (4 + 8) * 4 * 8  # five steps of four gates
    assert blocks["cell"].operators["MatMul"] == 2
    assert blocks[""].nodes == summary.nodes == count_nodes(graph_of(SCANNED))
    assert blocks[""].flops == summary.flops
    assert not any("Carried" in block.operators for block in summary.blocks)


def test_tied_weights_are_learnt_once() -> None:
    graph = graph_of(
        """from std import Embedding
model M {
  input tokens: i64[N]
  table = Embedding(50, 8)
  x = table(tokens)
  output y = x @ transpose(table.weight)
}
"""
    )
    drawn = [node for node in graph.nodes if node.op.name in ("Gather", "MatMul")]
    assert parameters_owned(graph, drawn, Measure({})) == [400, 0]
    assert "400 parameters" in svg(graph)


def test_an_open_end_of_a_slice_is_no_number() -> None:
    graph = graph_of("model M {\n  input x: f32[N, 9]\n  output y = x[:, 2:]\n}\n")
    (node,) = [node for node in graph.nodes if node.op.name == "Slice"]
    assert detail(node) == "starts 2, ends ∞, axes 1, steps 1"


def test_weights_without_a_path_belong_where_they_are_read() -> None:
    summary = summarize(
        graph_of(
            """block Times()(x: float[N, D], w: float[D, M]) { return x @ w }
model M {
  input x: f32[N, 4]
  param w: f32[4, 2] = zeros()
  param both: f32[2] = zeros()
  times = Times()
  output y = times(x, w) + both
}
"""
        )
    )
    assert {b.path: b.parameters for b in summary.blocks} == {"": 10, "times": 8}
