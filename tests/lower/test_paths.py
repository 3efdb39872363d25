"""Names of parameters: paths, counting, sharing."""

from __future__ import annotations

import pytest

from tests.lower.programs import STD, failure, operators, paths, program


def test_instances_assigned_side_by_side_have_the_names_on_the_left() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 5]
  a, b = Linear(7), Linear(6)
  (c, (d, e)) = (Linear(5), (Linear(4), [Linear(4)]))
  y, z = Linear(3)(x), x |> Linear(3)
  output y = x |> a |> b |> c |> d |> e[0]
  output z
}"""
    )
    weights = [p.removesuffix(".weight") for p in paths(program(text).graph) if "weight" in p]
    assert sorted(weights) == ["a", "b", "c", "d", "e.0", "linear", "linear_2"]


def test_paths_are_named_counted_and_indexed() -> None:
    text = (
        STD
        + """
block Pair(out: int)(x: float[N, D]) {
  return x |> Linear(out) |> relu |> Linear(out) |> Linear(out) as last
}
model M {
  input x: f32[N, 5]
  first = Linear(7)
  h = x |> first |> Pair(6)
  for i in range(2) { h = h |> Linear(6) as layer |> Linear(6) as "named{i + 1}" }
  output y = h |> Pair(4) as end
}"""
    )
    weights = [p.removesuffix(".weight") for p in paths(program(text).graph) if "weight" in p]
    assert weights == [
        "first",
        "pair.linear",
        "pair.linear_2",
        "pair.last",
        "layer.0",
        "named1",
        "layer.1",
        "named2",
        "end.linear",
        "end.linear_2",
        "end.last",
    ]


def test_a_name_in_quotes_is_the_whole_name() -> None:
    text = (
        STD
        + """
block Scaled()(x: float[N, D]) {
  for i in range(2) {
    param w: float[D] = ones() as "scale{i + 1}"
    if i == 0 { param b: float[D] = ones() as "shift"
      x = x + b }
    x = x * w
  }
  return x
}
model M {
  input x: f32[N, 5]
  for i in range(2) {
    if i == 0 { x = x |> Linear(6) as "stem" |> Scaled() as s }
    x = x |> Linear(6) as layer
  }
  output y = x
}"""
    )
    found = [p.removesuffix(".weight") for p in paths(program(text).graph) if "bias" not in p]
    assert found == ["stem", "s.0.scale1", "s.0.shift", "s.0.scale2", "layer.0", "layer.1"]
    again = failure(text.replace("if i == 0 { x = x |>", "if true { x = x |>"))
    assert again.code == "NN0302"
    assert again.help is not None
    assert '`as "layer{i}"`' in again.help


def test_counting_follows_the_source_not_the_branch_taken() -> None:
    text = (
        STD
        + """
model M(deep: bool = false) {
  input x: f32[N, 5]
  h = x |> Linear(5) |> relu if deep else x
  output y = h |> Linear(3)
}"""
    )
    assert paths(program(text).graph)[0] == "linear_2.weight"
    assert paths(program(text, deep=True).graph)[0] == "linear.weight"


def test_an_instance_shares_its_weights() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 5]
  f = Linear(5)
  output y = x |> f |> relu |> f
}"""
    )
    graph = program(text).graph
    assert paths(graph) == ["f.weight", "f.bias"]
    assert operators(graph).count("MatMul") == 2


def test_blocks_that_have_no_plain_name_are_instantiated() -> None:
    text = (
        STD
        + """
block Each(layers: list[block])(x: float[N, D]) {
  for i in range(len(layers)) { x = x |> layers[i](D) }
  return x |> partial(Linear, out=2)() |> partial(Linear, out=2)()
}
model M { input x: f32[N, 4]
  output y = x |> Each([Linear, partial(Linear, use_bias=false)]) }"""
    )
    assert [p for p in paths(program(text).graph) if p.endswith("weight")] == [
        "each.layers.0.weight",
        "each.layers.1.weight",
        "each.block.weight",
        "each.block_2.weight",
    ]


def test_parameters_in_loops_are_numbered_and_trees_are_looped_over() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 4]
  for i in range(2) { param w: float[4] = ones() }
  net = Linear(3)
  y = net(x * w)
  output total = sum([sum(square(p)) for p in net.params])
}"""
    )
    assert paths(program(text).graph) == ["w.0", "w.1", "net.weight", "net.bias"]


def test_instances_in_lists_are_numbered() -> None:
    text = (
        STD
        + """
model M {
  input x: f32[N, 5]
  layers = [Linear(5) for i in range(2)]
  ends = [Linear(4), Linear(5)]
  for layer in layers + ends { x = layer(x) }
  output y = x
}"""
    )
    weights = [p.removesuffix(".weight") for p in paths(program(text).graph) if "weight" in p]
    assert weights == ["layers.0", "layers.1", "ends.0", "ends.1"]


INLINED = """
from std import Linear
block Net()(x: float[N, D]) {{
  return x |> Linear(4) as fc1 |> Linear(2) as fc2
}}
model M {{
  input x: f32[N, 3]
  {statements}
}}
"""


def test_an_instance_may_stand_in_the_place_of_its_block() -> None:
    twice = 'net = Net() as ""\n  output y = net(x)\n  output z = net(x + 1)'
    graph = program(INLINED.format(statements=twice)).graph
    assert paths(graph) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]


@pytest.mark.parametrize(
    "statements",
    [
        'output y = x |> Net() as "" |> Linear(5) as fc1',
        'output y = x |> Linear(3) as fc1 |> Net() as ""',
        'output y = x |> Net() as "" |> Linear(3) |> Net() as ""',
    ],
)
def test_names_of_an_instance_in_the_place_of_its_block_clash(statements: str) -> None:
    assert failure(INLINED.format(statements=statements)).code == "NN0302"


def test_a_parameter_has_a_name() -> None:
    statements = 'param w: f32[3] = ones() as ""\n  output y = x * w'
    assert failure(INLINED.format(statements=statements)).code == "NN0101"
