"""Where a graph is float16 and where float32, with as few casts between them as there can be.

A cast stands where a value is made in one dtype and read in the other, once however many read it.
Nodes that may be either are divided so that the fewest values are cast: a minimum cut between the
nodes that are float16 and those that are float32 (Boykov, Kolmogorov, 2004). Of equals, the
division with more nodes in float16 is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nncomp.deployment.keeping import Role
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Graph, Node, Value
from nncomp.types import DType

if TYPE_CHECKING:  # it takes as long to import as all of nncomp's operators
    import networkx as nx

_CAST = 1 << 20  # a cast, in nodes that are float32 without need

Place = Node | Role
"""A node of the graph; or HALF or FULL, for who gives its inputs and takes its results."""


def halves(graph: Graph, roles: Mapping[Node, Role], outside: Role) -> set[Node]:
    """The nodes that compute in float16.

    roles: of all nodes; outside: HALF or FULL, what inputs and outputs of float32 become
    """
    makers, readers = _ends(graph, roles, outside)
    found = {node for node, role in roles.items() if role is Role.HALF}
    for region in _regions(makers, readers, roles):
        found |= _cut(region, makers, readers, roles)
    return found


def _ends(
    graph: Graph, roles: Mapping[Node, Role], outside: Role
) -> tuple[dict[Value, Place], dict[Value, list[Place]]]:
    """Who makes each float32 value that can be cast, and who reads it. (A constant is written in
    the dtype that is read.)"""
    makers: dict[Value, Place] = dict.fromkeys(graph.inputs, outside)
    makers |= {p.value: Role.FULL for p in graph.parameters}
    for node in graph.nodes:
        if not isinstance(node.op, Constant):
            makers.update(dict.fromkeys(node.outputs, node))
    makers = {value: node for value, node in makers.items() if value.type.dtype is DType.F32}
    readers: dict[Value, list[Place]] = {value: [] for value in makers}
    for node in graph.nodes:
        for value in dict.fromkeys(node.operands):
            if value in readers and roles[node] is not Role.NONE:
                readers[value].append(node)
    for results, place in ((graph.outputs, outside), (graph.updates, Role.FULL)):
        for value in results.values():
            if value in readers:
                readers[value].append(place)
    return makers, readers


def _regions(
    makers: Mapping[Value, Place],
    readers: Mapping[Value, list[Place]],
    roles: Mapping[Node, Role],
) -> Iterator[list[Value]]:
    """The values around each part of the graph whose free nodes hang together: what lies between
    two parts is decided for each alone."""
    import networkx as nx

    links: nx.Graph[object] = nx.Graph()
    for value, maker in makers.items():
        for place in (maker, *readers[value]):
            if isinstance(place, Node) and roles[place] is Role.FREE:
                links.add_edge(value, place)
    for part in nx.connected_components(links):
        yield [value for value in part if isinstance(value, Value)]


def _cut(
    values: list[Value],
    makers: Mapping[Value, Place],
    readers: Mapping[Value, list[Place]],
    roles: Mapping[Node, Role],
) -> set[Node]:
    """The free nodes of a region that are float16: on the side of the source."""
    import networkx as nx

    flow: nx.DiGraph[object] = nx.DiGraph()

    def end(place: Place) -> Place:
        role = place if isinstance(place, Role) else roles[place]
        return place if role is Role.FREE else role

    free: set[Node] = set()
    for value in values:
        maker, read_by = end(makers[value]), [end(reader) for reader in readers[value]]
        up, down = (value, "to float32"), (value, "to float16")
        flow.add_edge(maker, up, capacity=_CAST)
        flow.add_edge(down, maker, capacity=_CAST)
        for reader in read_by:
            flow.add_edge(up, reader)  # without a capacity: never cut
            flow.add_edge(reader, down)
        free.update(place for place in (maker, *read_by) if isinstance(place, Node))
    for node in free:
        flow.add_edge(Role.HALF, node, capacity=1)
    flow.add_node(Role.FULL)
    _, (half, _) = nx.minimum_cut(
        flow, Role.HALF, Role.FULL, flow_func=nx.algorithms.flow.boykov_kolmogorov
    )
    return free.intersection(half)
