"""The export to networkx."""

from __future__ import annotations

import networkx

from nncomp.ir.networkx import to_networkx
from tests.ir.graphs import lenet


def test_lenet() -> None:
    exported = to_networkx(lenet())
    kinds = [data["kind"] for _, data in exported.nodes(data=True)]
    assert {k: kinds.count(k) for k in set(kinds)} == {
        "input": 1,
        "param": 10,
        "operator": 12,
        "output": 1,
    }
    assert networkx.is_directed_acyclic_graph(exported)
    assert networkx.dag_longest_path_length(exported, weight=None) == 13
    assert exported.nodes["v1"]["op"] == "Conv"
    assert exported.nodes["v1"]["scope"] == "conv1"
    (edge,) = exported.get_edge_data("conv1_weight", "v1").values()
    assert edge["operand"] == 1
    assert str(edge["type"]) == "f32[6, 1, 5, 5]"
