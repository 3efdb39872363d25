"""The page's data: complete, small, and harmless whatever a model is called."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from nncomp.driver.programs import load_program
from nncomp.driver.showing import Shown, inference_of, training_of
from nncomp.driver.viewing import page_of
from nncomp.inspect.page.page import asset, embedded, page
from nncomp.inspect.page.sources import KINDS, Sources
from nncomp.inspect.page.story import tell
from nncomp.ir.constant import Constant
from nncomp.passes.manager import optimize
from nncomp.source import SourceFile, Span
from nncomp.syntax.highlight import highlights
from tests.inspect.page.hostile import HOSTILE, hostile
from tests.ir.graphs import resnet
from tests.models.zoo import FILES, INTERFACES

ROOT = Path(__file__).resolve().parents[3]
CLASSIFIER = ROOT / "examples" / "classifier.nn"


class _Scripts(HTMLParser):
    """The scripts of a page, by id, and all that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: dict[str, str] = {}
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.fetched += [str(given[name]) for name in ("src", "href", "data") if name in given]
        if tag == "script":
            self._id = given.get("id") or "run"

    def handle_data(self, data: str) -> None:
        if self._id:
            self.scripts[self._id] = self.scripts.get(self._id, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._id = ""


def parsed(text: str) -> _Scripts:
    found = _Scripts()
    found.feed(text)
    return found


def data_of(text: str) -> dict[str, Any]:
    """The data of a page."""
    found: dict[str, Any] = json.loads(parsed(text).scripts["data"])
    return found


def classifier(**kwargs: Any) -> dict[str, Any]:
    shown = inference_of(load_program(CLASSIFIER, kinds=("entry",)), **kwargs)
    found: dict[str, Any] = data_of(page_of(shown, None, "classifier.nn"))["models"][0]
    return found


def titles(model: dict[str, Any], numbers: list[int]) -> list[str]:
    return [model["strings"][model["nodes"]["op"][n]] for n in numbers]


def drawn(model: dict[str, Any], step: int) -> list[str]:
    """The operators of the drawn nodes of a step."""
    runs = model["snapshots"][step]["order"]
    numbers = [
        n
        for first, length in zip(runs[::2], runs[1::2], strict=True)
        for n in range(first, first + length)
    ]
    return titles(model, [n for n in numbers if not model["nodes"]["flags"][n] & 1])


def test_the_story_of_a_fused_convolution() -> None:
    model = classifier()
    passes = [snapshot["pass"] for snapshot in model["snapshots"]]
    assert passes[0] == ""
    assert passes[-2:] == ["fold-batch-norm", "fuse-conv-activation"]
    last = model["snapshots"][-1]
    rules, removed, made = last["steps"][0]
    assert [model["strings"][rule] for rule in rules] == ["fuse-activation"]
    assert sorted(titles(model, removed)) == ["Conv", "Relu"]
    assert titles(model, made) == ["FusedConv"]
    before = next(s for s in model["snapshots"] if s["pass"] == "fold-batch-norm")
    assert set(removed) & set(before["steps"][0][2]), "what a pass made is what the next one takes"
    assert drawn(model, 0).count("BatchNormalization") == 2
    assert drawn(model, len(passes) - 1) == [
        *("FusedConv", "MaxPool", "FusedConv", "MaxPool", "Reshape", "Gemm"),
    ]


def test_what_is_made_stands_where_its_block_stood() -> None:
    model = classifier()
    place, strings, nodes = model["nodes"]["place"], model["strings"], model["nodes"]
    fused = next(n for n, op in enumerate(nodes["op"]) if strings[op] == "FusedConv")
    conv = next(n for n, op in enumerate(nodes["op"]) if strings[op] == "Conv")
    assert place[fused] == place[conv]
    assert strings[nodes["scope"][fused]] == "conv"


def test_nodes_that_only_get_other_operands_stay_themselves() -> None:
    graph = resnet((1, 1), 8, 32)
    story = tell(graph, optimize(graph, 2))
    pools = [n.op.name for n in story.nodes if "Pool" in n.op.name]
    assert sorted(pools) == ["GlobalAveragePool", "MaxPool"]
    assert len(story.snapshots) > 2


@pytest.mark.parametrize("file", FILES)
def test_every_node_has_a_place_in_the_source(file: str) -> None:
    """Of what is written and of what is optimised; a constant has those of its readers."""
    settings = INTERFACES[file].settings if file in INTERFACES else {}
    program = load_program(ROOT / "models" / file, None, settings, ("entry",))
    shown = inference_of(program)
    assert shown.result is not None
    for graph in (shown.graph, shown.result.graph):
        bare = [n for n in graph.nodes if not n.origin.spans and not isinstance(n.op, Constant)]
        assert not bare
    model = data_of(page_of(shown, None, file))["models"][0]
    assert all(model["spanLists"][spans] for spans in model["nodes"]["spans"])
    own = [i for i, s in enumerate(model["sources"]) if "models" in s["name"]]
    of_model = {i for i in range(len(model["spans"]) // 5) if model["spans"][5 * i] in own}
    lists = [set(spans) & of_model for spans in model["spanLists"]]
    assert all(lists[spans] for spans in model["nodes"]["spans"]), "at least one is the user's"


def test_training_steps_have_their_source_too() -> None:
    shown = training_of(load_program(CLASSIFIER, kinds=("train",)), batch_size=8)
    text = page_of(shown, None, "classifier.nn")
    model = data_of(text)["models"][0]
    assert all(model["spanLists"][spans] for spans in model["nodes"]["spans"])
    assert {"ConvWeightGrad", "BatchNormGrad"} <= set(drawn(model, 0))
    assert "N = 8" in text


def test_a_page_asks_nothing_of_a_network_and_is_small() -> None:
    empty = page([], files_shown=[], name="", summary="", documents={})
    assert len(empty.encode()) < 300_000
    assert parsed(empty).fetched == []
    assert "default-src 'none'" in empty
    for name in (
        "fetch(",
        "XMLHttpRequest",
        "import(",
        "eval(",
        "innerHTML",
        "http://",
        "https://",
    ):
        own = re.sub(r'"http://www\.w3\.org/2000/svg"', "", parsed(empty).scripts["run"])
        assert name not in own + asset("worker.js")
    assert "Permission is hereby granted" in parsed(empty).scripts["vendor"]


def test_hostile_names_are_data() -> None:
    text = page_of(hostile(), None, HOSTILE[0])
    found = parsed(text)
    plain = parsed(page_of(Shown(resnet(), None, {}), None, "plain"))
    assert found.tags == plain.tags
    model = data_of(text)["models"][0]
    assert model["name"] == HOSTILE[0] + HOSTILE[5]
    assert set(HOSTILE) - {"\U0001f600 \ud800"} <= set(model["strings"])
    assert found.scripts["run"] == plain.scripts["run"]


def test_embedded_json_is_itself() -> None:
    data = {"a": HOSTILE, "b": [1, 2.5, None, True]}
    assert json.loads(embedded(data)) == data
    assert not set("<>&\u2028\u2029") & set(embedded(data))


def test_places_in_texts_count_as_javascript_does() -> None:
    source = SourceFile("x.nn", "a\n\U0001f600b = c\n")
    sources = Sources(lambda _: [])
    sources.list([Span(source, 3, 4), Span(source, 0, 9)])
    assert sources.to_json()["spans"] == [0, 1, 2, 1, 3, 0, 0, 0, 2, 0]


def test_colours_come_from_the_lexer() -> None:
    text = 'model M() {\n  input x: f32[N]  # data\n  output y = relu(x) * 2.5\n  """a\n  b"""\n}\n'
    source = SourceFile("m.nn", text)
    found = {(text[a:b], kind) for a, b, kind in highlights(source)}
    assert {("model", "keyword"), ("f32", "type"), ("# data", "comment")} <= found
    assert {("relu", "call"), ("2.5", "number"), ('"""a\n  b"""', "string")} <= found
    assert ("x", "call") not in found
    sources = Sources(highlights)
    sources.add(source)
    colours = sources.to_json()["sources"][0]["colours"]
    lines = text.split("\n")
    line = 0
    for delta, column, length, kind in zip(*(colours[i::4] for i in range(4)), strict=True):
        line += delta
        assert column + length <= len(lines[line])
        assert kind < len(KINDS)
    assert highlights(SourceFile("x.onnx", "/c/y = Conv(x, 'a')\n")) == []
