"""Nodes that were added, removed, changed, renamed; each is told once, and nothing else is."""

from pathlib import Path

import pytest

from tests.inspect.diff.support import CHAIN, diff, model, told


def swapped(*changes: tuple[str, str]) -> str:
    text = CHAIN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


CONV2 = "  c2 = Conv<pads=[1, 1, 1, 1]>(r1, conv2_weight)\n"

# what changes in the text, and the lines of the diff
CASES = {
    "attribute": ([("[1, 1, 1, 1]>(x", "[0, 0, 0, 0]>(x")], ["~ c1: pads 1 → 0, result …"]),
    "one axis of an attribute": (
        [("[1, 1, 1, 1]>(r1", "[1, 2, 1, 2]>(r1")],
        ["~ c2: pads [1, 1, 1, 1] → [1, 2, 1, 2], result …"],
    ),
    "attribute without default": (
        [("Conv<pads=[1, 1, 1, 1]>(x", "Conv<pads=[1, 1, 1, 1], dilations=[1, 1]>(x")],
        ["~ c1: dilations none → [1, 1]"],
    ),
    "added": (
        [(CONV2, "  t = Tanh(r1)\n" + CONV2.replace("r1", "t"))],
        ["+ t: Tanh(r1) -> f32[N, 6, 8, 8]"],
    ),
    "added, and what follows is numbered anew": (
        [
            ("(r1, ", "(r2, "),
            ("r2 = Relu(c2)", "r3 = Relu(c2)"),
            ("Pool(r2)", "Pool(r3)"),
            (CONV2.replace("r1", "r2"), "  r2 = Relu(r1)\n" + CONV2.replace("r1", "r2")),
        ],
        ["+ r2: Relu(r1) -> f32[N, 6, 8, 8]", "> 1 node numbered anew: r2 → r3"],
    ),
    "removed": ([("  r1 = Relu(c1)\n", ""), ("(r1, ", "(c1, ")], ["- r1: Relu(c1) -> …"]),
    "first of all": ([("(x, conv1", "(z, conv1"), ("  c1 =", "  z = Neg(x)\n  c1 =")], ["+ z: …"]),
    "last of all": (
        [("y = Reshape", "q = Reshape"), ("\n}", "\n  y = Exp(q)\n}")],
        ["+ y: …", "> y → q"],
    ),
    "two in two places": (
        [
            ("(r1, ", "(s, "),
            ("  c2 =", "  s = Sigmoid(r1)\n  c2 ="),
            ("Pool(r2)", "Pool(t)"),
            ("  p =", "  t = Tanh(r2)\n  p ="),
        ],
        ["+ s: Sigmoid(r1) -> …", "+ t: Tanh(r2) -> …"],
    ),
    "another operator": ([("r1 = Relu", "r1 = Tanh")], ["~ r1: operator Relu → Tanh"]),
    "renamed": (
        [("r1 = Relu", "act = Relu"), ("(r1, ", "(act, ")],
        ["> r1 → act"],
    ),
    "an operand left out": ([(", conv1_bias)", ")")], ["~ c1: B conv1_bias → none", "- weight …"]),
    "another source": (
        [("y = Reshape(p,", "n = Neg(p)\n  y = Reshape(n,"), ("Neg(p)", "Identity(p)")],
        ["+ n: Identity(p) -> …"],
    ),
    "a constant": (
        [("r1 = Relu(c1)", "k = Constant<value_float=2.0>()\n  r1 = Mul(c1, k)")],
        ["~ r1: operator Relu → Mul, B none → 2.0"],
    ),
    "another order of nodes": (
        [
            ("  shape = Constant<value_ints=[0, 4]>()\n", ""),
            ("  c1 =", "  shape = Constant<value_ints=[0, 4]>()\n  c1 ="),
        ],
        [],
    ),
    "sizes computed otherwise": (
        [("shape = Constant<value_ints=[0, 4]>()", "s = Shape(p)\n  shape = Slice(s, i, j)")],
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_change_is_told_once(name: str, tmp_path: Path) -> None:
    changes, expected = CASES[name]
    text = swapped(*changes)
    if "Slice" in text:
        text = text.replace(
            "conv2_weight>\n", "conv2_weight, int64[1] i = {0}, int64[1] j = {2}>\n"
        )
    found = told(diff(tmp_path, CHAIN, model(text)))
    assert len(found) == len(expected), found
    for line, wanted in zip(found, expected, strict=True):
        assert line.startswith(wanted.rstrip("…")), found


def test_a_rewired_operand(tmp_path: Path) -> None:
    text = """f (float[N] x) => (float[N] y) {
      a = Exp(x)
      b = Sin(x)
      y = Mul(a, b)
    }"""
    found = diff(tmp_path, text, text.replace("Mul(a, b)", "Mul(b, a)"))
    assert told(found) == ["~ y: A a → b, B b → a"]


def test_types_behind_a_change_follow_from_it(tmp_path: Path) -> None:
    found = diff(tmp_path, CHAIN, CHAIN.replace("[1, 1, 1, 1]>(x", "[0, 0, 0, 0]>(x"))
    (change,) = found.of("node")
    assert [d.to_json() for d in change.details] == [
        {"what": "pads", "before": [1, 1, 1, 1], "after": [0, 0, 0, 0]},
        {"what": "result", "before": "f32[N, 6, 8, 8]", "after": "f32[N, 6, 6, 6]"},
    ]
    edges = found.of("edge")
    assert [c.path for c in edges] == ["c1", "r1", "c2", "r2"]
    assert all(c.follows for c in edges)
    assert "4 types behind change with them" in str(found)


def test_inputs_outputs_and_their_sizes(tmp_path: Path) -> None:
    text = "f (float[N, 3] x, float[N, 3] z) => (float[N, 3] y) { y = Add(x, z) }"
    renamed = text.replace("N", "batch")
    assert told(diff(tmp_path, text, renamed)) == ["> dimension N → batch"]
    assert told(diff(tmp_path, text, text.replace(", 3]", ", 4]"))) == [
        "~ input x: type f32[N, 3] → f32[N, 4]",
        "~ input z: type f32[N, 3] → f32[N, 4]",
        "~ output y: type f32[N, 3] → f32[N, 4]",
    ]
    static = text.replace("[N, 3]", "[2, 3]")
    assert told(diff(tmp_path, text, static))[0] == "~ input x: type f32[N, 3] → f32[2, 3]"
    assert told(diff(tmp_path, text, text.replace("z", "w"))) == ["> input z → w"]
    assert told(diff(tmp_path, text, text.replace("y", "w"))) == ["> output y → w"]
    more = text.replace("[N, 3] y)", "[N, 3] y, float[N, 3] e)").replace("}", "e = Exp(x) }")
    assert told(diff(tmp_path, text, more)) == [
        "+ output e: f32[N, 3]",
        "+ e: Exp(x) -> f32[N, 3]",
    ]
    order = text.replace("float[N, 3] x, float[N, 3] z", "float[N, 3] z, float[N, 3] x")
    assert told(diff(tmp_path, text, order)) == ["~ input x: order [x, z] → [z, x]"]
    assert told(diff(tmp_path, text, text.replace("f (", "g ("))) == ["> model f → g"]


def test_equal_sizes_are_not_merely_alike(tmp_path: Path) -> None:
    """Two sizes that were one are told; what only a run tells is compared by who computes it."""
    text = "f (float[N, M] x, float[N, M] z) => (float[N, M] y) { y = Add(x, z) }"
    one = "f (float[N, N] x, float[N, N] z) => (float[N, N] y) { y = Add(x, z) }"
    assert "~ input x: type f32[N, M] → f32[N, N]" in told(diff(tmp_path, text, one))
    open_size = """f (float[N] x, float[N] z) => (int64[] y) {
      places = NonZero(x)
      shape = Shape(places)
      one = Constant<value_ints=[1]>()
      y = ReduceMax(shape)
    }"""
    assert diff(tmp_path, open_size, open_size).equal
    assert not diff(tmp_path, open_size, open_size.replace("Zero(x)", "Zero(z)")).equal


LOOP = """f (int64 n, float[N] x, float[N] z) => (float[N] y) {
  true = Constant<value = bool {1}>()
  y = Loop(n, true, x) <body = b (int64 i, bool c, float[N] s) => (bool d, float[N] t) {
    d = Identity(c)
    e = Exp(s)
    t = Add(e, x)
  }>
}"""


def test_bodies_of_control_flow(tmp_path: Path) -> None:
    assert diff(tmp_path, LOOP, LOOP).equal
    other = LOOP.replace("Exp(s)", "Softmax<axis=0>(s)")
    assert told(diff(tmp_path, other, other.replace("axis=0", "axis=-1"))) == [
        "~ y.body.e: axis 0 → -1"
    ]
    assert told(diff(tmp_path, LOOP, other)) == ["~ y.body.e: operator Exp → Softmax"]
    assert told(diff(tmp_path, LOOP, LOOP.replace("(e, x)", "(e, z)"))) == ["~ y.body.t: B x → z"]
    more = LOOP.replace("t = Add(e, x)", "u = Sin(e)\n    t = Add(u, x)")
    assert told(diff(tmp_path, LOOP, more)) == ["+ y.body.u: Sin(y.body.e) -> f32[N]"]


def test_unknown_operators(tmp_path: Path) -> None:
    text = """f (float[N] x) => (float[N] y) <float[N] t> {
      t = local.Twist<speed=2>(x)
      y = Relu(t)
    }"""
    assert diff(tmp_path, text, text).equal
    assert told(diff(tmp_path, text, text.replace("=2", "=3"))) == ["~ t: speed 2 → 3"]
    assert told(diff(tmp_path, text, text.replace("Twist", "Turn"))) == [
        "~ t: operator local.Twist → local.Turn"
    ]
