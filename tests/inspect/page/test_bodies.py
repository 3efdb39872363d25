"""Bodies of control flow in the page and in pictures: they open, are found, lead to their lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nncomp.cli import main
from nncomp.inspect.view.graphviz import dot
from nncomp.inspect.view.svg import svg
from nncomp.lower.program import lower
from nncomp.source import SourceFile
from tests.inspect.page.browser import double_click, in_browser, opened, settle

TEXT = """from std import Linear

model Counted {
  input x: f32[N, 5, 4]
  input scale: f32[N, 8]
  head = Linear(8)
  ys = scan (h: f32[N, 8] = zeros()) over e = x axis 1 {
    h = tanh(head(e) + h)
    yield h * scale
  }
  output y = cond sum(x) > 0 { yield relu(ys[-1]) } else { yield ys[-1] / 2 }
}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bodies")
    (folder / "counted.nn").write_text(TEXT, "utf-8")
    path = folder / "counted.html"
    assert main(["view", str(folder / "counted.nn"), "-o", str(path)]) == 0
    return path


@pytest.fixture
def page(written: Path) -> Iterator[Any]:
    with opened(written) as tab:
        yield tab


def box(page: Any, name: str) -> Any:
    return page.locator(f'.graph [role=treeitem][data-name="{name}"]').first


@pytest.mark.browser
@in_browser
def test_a_scan_opens_like_a_block(page: Any) -> None:
    page.click("#close-all")
    settle(page)
    double_click(page, box(page, "scan"), '.graph .open[data-name="scan"]')
    page.click("#fit")
    settle(page)
    for name in ("Carried", "Scanned", "scan.head", "Tanh", "Scan"):
        assert box(page, name).count() == 1, name
    assert "h" in box(page, "Carried").locator(".small").all_text_contents()
    assert "e" in box(page, "Scanned").locator(".small").all_text_contents()
    box(page, "Carried").click()
    settle(page)
    rows = page.inner_text("#details")
    assert "h: f32[N, 8]" in rows
    assert "in scan" in rows


@pytest.mark.browser
@in_browser
def test_what_is_inside_is_found_and_leads_to_its_line(page: Any) -> None:
    page.click("#close-all")
    settle(page)
    page.fill("#search", "tanh scan")
    assert page.inner_text("#hits") == "1"
    page.keyboard.press("Enter")
    page.wait_for_selector('.graph .chosen[data-name="Tanh"]')
    settle(page)
    assert "tanh(head(e) + h)" in "".join(page.locator(".row.lit code").all_inner_texts())
    page.click(".row[data-line='8'] .number")  # yield h * scale
    settle(page)
    titles = page.evaluate("[...nncomp.views[0].lit].map((n) => nncomp.models[0].title(n))")
    assert "Mul" in titles


@pytest.mark.browser
@in_browser
def test_the_story_tells_rewrites_inside(page: Any) -> None:
    page.click("#open-all")
    settle(page)
    steps = page.locator(".step").all_inner_texts()
    assert any("Gemm" in step and "scan.head" in step for step in steps)
    page.locator(".step", has_text="scan.head").first.click()
    settle(page)
    assert page.locator('.box.lit[data-name="Gemm"]').count() == 1


@pytest.mark.browser
@in_browser
def test_both_branches_are_blocks_and_all_runs_count(page: Any) -> None:
    page.click("#open-all")
    settle(page)
    for operator, branch in (("Relu", "if.then"), ("Div", "if.else")):
        page.fill("#search", f"{operator} {branch}")
        assert page.inner_text("#hits") == "1"
    sums = page.evaluate(
        """() => {
          const view = nncomp.views[0];
          const scan = [...view.tree.blocks()].find((b) => b.path === "scan");
          const nodes = [...Array(view.model.count).keys()];
          const gemm = nodes.find((n) => view.model.title(n) === "Gemm");
          return [view.figure("flops", scan), view.model.figure("flops", gemm)];
        }"""
    )
    assert sums[1] == 5 * (2 * 4 * 8 + 8)
    assert sums[0] > sums[1]
    cheaper = page.evaluate(
        """() => {
          const { model } = nncomp.views[0];
          const nodes = model.snapshot(model.last).order;
          return nodes.filter((n) => model.text("scope", n) === "if.else")
            .reduce((sum, n) => sum + model.figure("flops", n), 0);
        }"""
    )
    assert cheaper == 0


@pytest.mark.browser
@in_browser
def test_what_a_body_is_given_is_no_node(page: Any) -> None:
    page.click("#open-all")
    settle(page)
    counts = page.evaluate(
        """() => {
          const view = nncomp.views[0];
          const drawn = [...document.querySelectorAll('.graph .node')].map((b) => b.dataset.name);
          const given = drawn.filter((name) => name === "Carried" || name === "Scanned");
          const gone = document.querySelectorAll('.graph .node.gone').length;
          return [view.nodeCount(view.tree.root), drawn.length - given.length - gone, given.length];
        }"""
    )
    assert counts[0] == counts[1]
    assert counts[2] == 2
    assert page.inner_text("#step-nodes") == f"{counts[0]} nodes"


def test_pictures_open_them_too() -> None:
    graph = lower(SourceFile("counted.nn", TEXT)).graph
    picture = svg(graph, depth=3)
    for name in ("Carried", "Scanned", "if.then", "scan"):
        assert name in picture, name
    assert "subgraph" in dot(graph, depth=3)
