"""Pictures: well formed, complete, deterministic, and nothing lies on top of anything else."""

from __future__ import annotations

import itertools
import random
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from nncomp.cli import main
from nncomp.errors import CompileError
from nncomp.inspect.families import FAMILIES
from nncomp.inspect.view import dot, mermaid, svg
from nncomp.inspect.view.boxes import BoxPainter
from nncomp.inspect.view.columns import Format
from nncomp.inspect.view.layers import Edge, Vertex, arrange
from nncomp.inspect.view.metrics import shorten, text_width
from nncomp.inspect.view.outline import open_boxes, outline, visible_leaves
from nncomp.inspect.view.png import png
from nncomp.inspect.view.scene import Scene, Shape, build_scene
from nncomp.inspect.view.style import FAMILY_COLOURS
from nncomp.inspect.view.svg import BUDGET
from nncomp.ir.graph import Graph, Origin
from nncomp.ops.activation import Relu
from nncomp.ops.elementwise import Add, Mul
from nncomp.passes.fuse_conv_activation import FuseConvActivation
from nncomp.passes.manager import run_passes
from tests.ir.graphs import Net, lenet, resnet

ROOT = Path(__file__).resolve().parents[2]
TEXT = "{http://www.w3.org/2000/svg}text"


def luminance(colour: str) -> float:
    """Relative, as WCAG 2.2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_family_has_colours_that_can_be_read() -> None:
    assert {*FAMILIES, "other"} == set(FAMILY_COLOURS)
    for name, (fill, _, text, dark_fill, _, dark_text) in FAMILY_COLOURS.items():
        for pair in ((fill, text), (dark_fill, dark_text)):
            low, high = sorted(map(luminance, pair))
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"WCAG AA, {name}"
    assert len({colours[0] for colours in FAMILY_COLOURS.values()}) == len(FAMILY_COLOURS)


def texts(picture: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(picture).iter(TEXT)]


def scene(graph: Graph, depth: int | None = None) -> Scene:
    whole = outline(graph)
    open_boxes(whole.root, BUDGET, depth)
    return build_scene(whole, BoxPainter(whole).measure, Format(1.5))


def tangle(seed: int, nodes: int = 60) -> Graph:
    """Nodes that read whatever came shortly before, in blocks that come and go."""
    dice = random.Random(seed)
    net = Net("tangle")
    values = [net.input("x", 4), net.input("z", 4)]
    for _ in range(nodes):
        operands = dice.choices(values[-8:], k=2)
        with net.b.at(Origin(scope=dice.choice(["", "encoder", "decoder", "decoder.mixer"]))):
            values.append(net.b(dice.choice([Add(), Mul()]), *operands))
    return net.graph(a=values[-1], b=values[-4])


def chain(length: int) -> Graph:
    net = Net("chain")
    x = net.input("x", 4)
    for _ in range(length):
        x = net.b(Relu(), x)
    return net.graph(y=x)


def test_lenet() -> None:
    shown = texts(svg(lenet()))
    for name in ("LeNet5", "image", "logits", "conv1", "conv2", "fc1", "fc2", "fc3", "Flatten"):
        assert name in shown
    for shape in ("N×1×28×28", "N×6×28×28", "N×16×5×5", "N×10"):
        assert shape in shown
    assert shown.count("Tanh") == 4
    assert "5×5, 6 · 156 parameters" in shown
    assert any("61.7 k parameters" in line for line in shown)


def test_before_and_after() -> None:
    before = lenet()
    after = run_passes(before, [FuseConvActivation()]).graph
    shown = texts(svg(after, before=before))
    assert "as written" in shown
    assert "optimised" in shown
    assert [line.split(" · ")[0] for line in shown if " nodes · " in line] == [
        "12 nodes",
        "10 nodes",
    ]
    assert shown.count("Tanh") == 8  # a fused node shows what it contains
    assert "made by fuse-conv-activation/fuse-activation" in svg(after)


def test_resnet50_is_readable() -> None:
    """By default one screen with the four stages; opened, each kind of block once."""
    graph = resnet()
    whole = outline(graph)
    open_boxes(whole.root, BUDGET)
    assert len(visible_leaves(whole.root)) <= BUDGET
    picture = svg(graph)
    found = re.search(r'width="(\d+)" height="(\d+)"', picture)
    assert found is not None
    assert int(found[1]) <= 1920
    assert int(found[2]) <= 1200
    assert [name for name in texts(picture) if name.startswith("layer")] == [
        *("layer1", "layer2", "layer3", "layer4"),
    ]
    shown = texts(svg(graph, depth=2))
    for name in ("layer1", "layer1.0", "layer2.1 … 3", "layer3.1 … 5", "layer4.1 … 2", "×5"):
        assert name in shown
    assert "280 k parameters each" in shown


def test_depth() -> None:
    graph = resnet((1, 2), 8, 32)
    assert len(texts(svg(graph, depth=1))) < len(texts(svg(graph, depth=2)))
    assert "conv2" not in texts(svg(graph, depth=1))
    assert "conv2" in texts(svg(graph, depth=3))


def test_deterministic() -> None:
    assert svg(resnet()) == svg(resnet())
    assert svg(tangle(3)) == svg(tangle(3))


def test_names_are_escaped() -> None:
    net = Net("<&>")
    x = net.input('a<b>"&', 3)
    with net.b.at(Origin(scope="x<y")):
        y = net.b(Relu(), x)
    shown = texts(svg(net.graph(y=y)))
    assert "<&>" in shown
    assert 'a<b>"&' in shown
    assert "x<y" in shown


def test_a_block_of_two_nodes_has_no_frame() -> None:
    net = Net("small")
    x = net.input("x", 4)
    with net.b.at(Origin(scope="a.b")):
        x = net.b(Relu(), x)
    with net.b.at(Origin(scope="a")):
        x = net.b(Mul(), x, x)
    shown = texts(svg(net.graph(y=x)))
    assert "a.b" in shown
    assert "a" in shown


def test_an_instance_applied_twice_appears_twice() -> None:
    net = Net("twice")
    x = net.input("x", 4)
    for _ in range(2):
        with net.b.at(Origin(scope="shared")):
            x = net.b(Relu(), net.b(Add(), x, net.b(Relu(), x)))
        x = net.b(Mul(), x, x)
    assert texts(svg(net.graph(y=x))).count("shared") == 2


def test_a_long_flat_graph_is_bundled() -> None:
    picture = svg(chain(4000))
    shown = texts(picture)
    assert "nodes 1–134" in shown
    assert len(picture) < 200_000


def overlap(a: Shape, b: Shape) -> bool:
    return (
        a.x < b.x + b.width - 0.1
        and b.x < a.x + a.width - 0.1
        and a.y < b.y + b.height - 0.1
        and b.y < a.y + a.height - 0.1
    )


def inside(a: Shape, b: Shape) -> bool:
    return (
        b.x - 0.1 <= a.x
        and a.x + a.width <= b.x + b.width + 0.1
        and b.y - 0.1 <= a.y
        and a.y + a.height <= b.y + b.height + 0.1
    )


GRAPHS = [lenet(), resnet(), resnet((1, 2), 8, 32), chain(40), *map(tangle, range(6))]


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: f"{g.name}-{len(g.nodes)}")
@pytest.mark.parametrize("depth", [None, 1, 9])
def test_boxes_do_not_overlap(graph: Graph, depth: int | None) -> None:
    drawn = scene(graph, depth)
    for a, b in itertools.combinations(drawn.shapes, 2):
        if overlap(a, b):
            outer, inner = (a, b) if a.depth < b.depth else (b, a)
            assert outer.box.is_open
            assert inside(inner, outer)
    for shape in drawn.shapes:
        assert shape.x >= -0.1
        assert shape.y >= -0.1
        assert shape.x + shape.width <= drawn.width + 0.1
        assert shape.y + shape.height <= drawn.height + 0.1


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: f"{g.name}-{len(g.nodes)}")
def test_lines_go_down_around_boxes(graph: Graph) -> None:
    drawn = scene(graph)
    closed = [s for s in drawn.shapes if not s.box.is_open]
    for line in drawn.lines:
        assert len(line.points) >= 2
        if not line.curved:
            continue
        assert all(a[1] <= b[1] + 0.1 for a, b in itertools.pairwise(line.points))
        for (x0, y0), (x1, y1) in itertools.pairwise(line.points):
            if x0 != x1:
                continue  # upright pieces pass by boxes, the others run between layers
            for s in closed:
                through = s.x < x0 < s.x + s.width and y0 < s.y + s.height - 1 and y1 > s.y + 1
                assert not through, f"a line of {line.value} runs through {s.box.name}"


SIZES = {"small": 10.5, "big": 16.0}


def written(picture: str) -> list[tuple[str, float, float, float, float]]:
    """The texts of a picture with their left, upper, right and lower ends; halos left out."""
    found = []

    def visit(element: ET.Element, dx: float, dy: float) -> None:
        moved = re.match(r"translate\(([-\d.]+) ([-\d.]+)\)", element.get("transform", ""))
        if moved:
            dx, dy = dx + float(moved[1]), dy + float(moved[2])
        classes = element.get("class", "").split()
        if element.tag == TEXT and "halo" not in classes:
            content = "".join(element.itertext())
            size = next((SIZES[c] for c in classes if c in SIZES), 12.0)
            width = text_width(content, size, bold="name" in classes or "big" in classes)
            x, y = dx + float(element.get("x", "")), dy + float(element.get("y", ""))
            x -= {"middle": width / 2, "end": width}.get(element.get("text-anchor", ""), 0.0)
            found.append((content, x, y - 0.75 * size, x + width, y + 0.2 * size))
        for child in element:
            visit(child, dx, dy)

    visit(ET.fromstring(picture), 0.0, 0.0)
    return found


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda g: f"{g.name}-{len(g.nodes)}")
@pytest.mark.parametrize("depth", [None, 1, 9])
def test_labels_do_not_overlap(graph: Graph, depth: int | None) -> None:
    labels = written(svg(graph, depth=depth))
    assert len(labels) > 4
    for a, b in itertools.combinations(labels, 2):
        apart = a[3] <= b[1] + 0.5 or b[3] <= a[1] + 0.5 or a[4] <= b[2] + 0.5 or b[4] <= a[2] + 0.5
        assert apart, f"{a[0]!r} lies on {b[0]!r}"


def test_dot_has_clusters_and_shapes() -> None:
    text = dot(resnet(), depth=2)
    assert text.startswith('digraph "ResNet')
    assert text.count("{") == text.count("}") > 4
    for words in ('label="layer1"', 'label="N×64×56×56"', "Conv conv1\\n", "×5"):
        assert words in text
    ids = set(re.findall(r"^ +(n\d+) \[", text, re.MULTILINE))
    edges = re.findall(r"^ +(n\d+) -> (n\d+) \[", text, re.MULTILINE)
    assert len(edges) >= len(ids) - 1
    assert {end for edge in edges for end in edge} == ids
    assert "subgraph" not in dot(resnet())


def test_mermaid_has_subgraphs_and_shapes() -> None:
    text = mermaid(resnet(), depth=2)
    assert text.startswith("flowchart TD\n")
    assert text.count("subgraph n") == len(re.findall(r"^ +end$", text, re.MULTILINE)) > 3
    assert '-->|"N×64×56×56"|' in text
    ids = set(re.findall(r"^ +(n\d+)[\[(]", text, re.MULTILINE))
    edges = re.findall(r"^ +(n\d+) -->.*\| (n\d+)$", text, re.MULTILINE)
    assert {end for edge in edges for end in edge} == ids


def test_texts_cannot_leave_their_strings() -> None:
    net = Net('a"]; evil -> x')
    x = net.input('q"\\', 3)
    with net.b.at(Origin(scope='b"] --> c<script>\n\x00')):
        x = net.b(Relu(), x)
    graph = net.graph(y=x)
    assert dot(graph).startswith('digraph "a\\"]; evil -> x" {\n')
    assert 'label="q\\"\\\\"' in dot(graph)
    for line in dot(graph).splitlines():
        assert re.fullmatch(r'(?:[^"]|"(?:[^"\\]|\\.)*")*', line), line
    body = mermaid(graph)
    assert "<script>" not in body
    assert all(line.count('"') in (0, 2) for line in body.splitlines())


def test_png_is_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = svg(lenet())
    found = re.search(r'width="(\d+)" height="(\d+)"', picture)
    assert found is not None
    image = png(picture)
    assert image.startswith(b"\x89PNG")
    size = [int.from_bytes(image[i : i + 4], "big") for i in (16, 20)]
    assert size == [2 * int(found[1]), 2 * int(found[2])]
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(CompileError, match="resvg") as caught:
        png(picture)
    assert caught.value.diagnostics[0].code == "NN0001"
    assert "nncomp[png]" in str(caught.value.diagnostics[0].help)


def test_chains_are_straight() -> None:
    drawn = scene(resnet((2,), 8, 32), 3)
    block = [s for s in drawn.shapes if s.box.path.startswith("layer1.1.") and s.box.node]
    assert len(block) == 6  # conv1, bn1, …; Relu and Add stand under the block's own path
    assert len({round(s.x + s.width / 2, 3) for s in block}) == 1


def test_arrange_keeps_order_and_distance() -> None:
    dice = random.Random(1)
    boxes = [Vertex(dice.uniform(20, 90), 20) for _ in range(40)]
    edges = [
        Edge(boxes[i], boxes[j], i)
        for j in range(1, 40)
        for i in dice.sample(range(max(0, j - 6), j), 1)
    ]
    layers = arrange(boxes, edges)
    for row in layers.rows:
        for a, b in itertools.pairwise(row):
            assert a.x + a.width / 2 < b.x - b.width / 2
    for edge in edges:
        assert edge.source.layer < edge.target.layer
        assert len(edge.bends) == edge.target.layer - edge.source.layer - 1


def test_text_is_cut_to_its_room() -> None:
    cut = shorten("a rather long name of something", 12, 80)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 80
    assert shorten("short", 12, 80) == "short"


def test_what_a_caption_leaves_out_is_counted_in_whole(tmp_path: Path) -> None:
    """The second line makes room for the count where there is none."""
    path = tmp_path / "gpt.svg"
    sizes = [f"--set={size}" for size in ("layers=2", "width=64", "heads=4")]
    assert main(["view", str(ROOT / "models" / "gpt.nn"), *sizes, "-o", str(path)]) == 0
    counts = [text for text in texts(path.read_text()) if " and " in text]
    assert "2 Reshape, 2 Transpose, Split and 5 more" in counts
    assert all(re.search(r"[^,] and \d+ more$", text) for text in counts)
