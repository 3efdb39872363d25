"""A model whose names mean something to HTML, JavaScript, terminals and readers from the right."""

from nncomp.driver.showing import Shown
from nncomp.ir.graph import Origin
from nncomp.ops.activation import Relu
from nncomp.passes.manager import optimize
from nncomp.source import SourceFile, Span
from tests.ir.graphs import Net

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "<!-- <script>",
    "\u2028\u2029\x00\x07\x1b[31m\u202eabc\u200b",
    "${alert(1)} $data $title {{x}}",
    "&lt;b&gt; &amp;",
    "x" * 10_000,
    "\U0001f600 \ud800",
]


def hostile() -> Shown:
    """A chain of nodes; each name stands in a block, a value, a file and its text."""
    net = Net(HOSTILE[0] + HOSTILE[5])
    x = net.input(HOSTILE[1], 3)
    for name in HOSTILE:
        source = SourceFile(name, f"{name}\n{name}\n")
        origin = Origin((Span(source, 0, len(name)),), scope=f"block {name}")
        with net.b.at(origin):
            x = net.b(Relu(), x)
            x.name = name
    graph = net.graph(**{HOSTILE[2]: x})
    return Shown(graph, optimize(graph, 2), {})
