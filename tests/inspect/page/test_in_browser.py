"""The page in headless Chromium: what one sees, clicks and reaches by keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nncomp.cli import main
from nncomp.driver.viewing import page_of
from tests.inspect.page.browser import double_click, faults, in_browser, opened, settle, until
from tests.inspect.page.hostile import hostile

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.browser, in_browser]


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "resnet.html"
    assert main(["view", str(ROOT / "models" / "resnet.nn"), "-o", str(path)]) == 0
    return path


@pytest.fixture
def page(resnet: Path) -> Iterator[Any]:
    with opened(resnet, height=1100) as tab:  # all of the graph is in sight
        yield tab


def box(page: Any, name: str) -> Any:
    """The first box of that name: a block's path, a node's operators."""
    return page.locator(f'.graph [role=treeitem][data-name="{name}"]').first


def open_block(page: Any, name: str) -> None:
    double_click(page, box(page, name), f'.graph .open[data-name="{name}"]')


def lit_lines(page: Any) -> list[str]:
    """The lines of the source that are lit, as text."""
    lines: list[str] = page.locator(".row.lit code").all_inner_texts()
    return lines


def test_it_opens_with_source_graph_and_story(page: Any) -> None:
    assert page.inner_text("h1") == "ResNet"
    assert "block ConvNorm" in page.inner_text("#source")
    assert page.locator(".k-keyword", has_text="block").count() >= 2
    for name in ("image", "MaxPool", "layer", "layer.0", "logits"):
        assert box(page, name).count() == 1
    passes = page.locator(".pass-name").all_inner_texts()
    assert passes[-1] == "fuse-conv-activation"
    assert "fuse-activation" in page.inner_text("#story")
    assert "N×3×224×224" in page.locator(".label").all_text_contents()


def test_it_opens_at_a_size_that_can_be_read(resnet: Path) -> None:
    """A tall graph from its top; the small picture of all of it shows that it goes on."""
    with opened(resnet, width=1366, height=768) as tab:
        view = "nncomp.views[0]"
        assert tab.evaluate(f"[{view}.scale, {view}.y]") == [0.85, 0]
        assert box(tab, "image").count() == 1
        assert tab.locator(".minimap").is_visible()
        heads = tab.locator(".pass-count").all_inner_texts()
        assert heads[-1] == "121 → 56 nodes"


def test_search_finds_opens_and_selects(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("maxpool")
    assert page.locator("#found li").count() == 1
    page.fill("#search", "layer.3.2 3×3")
    assert page.inner_text("#hits") == "1"
    page.keyboard.press("Enter")
    page.wait_for_selector('.graph .chosen[data-name="Conv + BN + Relu"]')
    settle(page)
    assert page.evaluate("document.activeElement === nncomp.views[0].svg")
    assert "in layer.3.2" in page.inner_text("#details")


def test_blocks_open_and_close(page: Any) -> None:
    block = box(page, "layer.0")
    assert block.get_attribute("aria-expanded") == "false"
    double_click(page, block, '.graph [data-name="layer.0.1"]')
    assert box(page, "layer.0").get_attribute("aria-expanded") == "true"
    page.click("#close-all")
    page.wait_for_selector('.graph [data-name="layer"][aria-expanded=false]')
    page.click("#open-all")
    until(page, "nncomp.views[0].openKeys.size > 60")


def test_a_fused_convolution_lights_up_its_lines(page: Any) -> None:
    open_block(page, "stem")
    box(page, "Conv + BN + Relu").click()
    settle(page)
    shown = lit_lines(page)
    assert any("Conv(channels, kernel" in line for line in shown)
    assert any("|> BatchNorm()" in line for line in shown)
    assert any("as stem |> relu" in line for line in shown)
    marked = page.locator(".row .marked").all_inner_texts()
    assert "relu" in "".join(marked)
    assert page.locator(".pass.lit").count() >= 2
    assert page.locator(".step.lit").count() == 1
    assert page.locator(".box.lit").count() == 1
    for file, line in (
        ("std/conv.nn", "return onnx.Conv("),
        ("std/normalization.nn", "return onnx.BatchNormalization("),
        ("std/activations.nn", "fn relu("),
    ):
        page.get_by_role("tab", name=file).click()
        settle(page)
        assert line in "".join(lit_lines(page)), file


def test_a_line_lights_up_its_nodes(page: Any) -> None:
    open_block(page, "stem")
    page.click(".row[data-line='5'] .number")  # the convolution in ConvNorm: every one
    settle(page)
    assert page.evaluate("nncomp.views[0].lit.size") == 53
    assert box(page, "Conv + BN + Relu").get_attribute("class").split().count("lit") == 1
    badge = box(page, "layer.1").locator(".onbadge")
    assert badge.text_content() == "13"
    page.keyboard.press("g")
    page.keyboard.press("Escape")
    assert not lit_lines(page)


def test_the_slider_goes_from_pass_to_pass(page: Any) -> None:
    open_block(page, "stem")
    fused = box(page, "Conv + BN + Relu")
    where = fused.bounding_box()
    slider = page.locator("#slider")
    last = int(slider.get_attribute("max"))
    assert page.locator(".pass").count() == last
    slider.focus()
    page.keyboard.press("Home")
    settle(page)
    assert page.inner_text("#step-name") == "as written"
    written = box(page, "Conv")
    assert written.bounding_box() == where, "nodes keep their places"
    assert "gone" not in box(page, "Relu").get_attribute("class").split()
    page.keyboard.press("End")
    settle(page)
    assert slider.get_attribute("aria-valuetext").endswith("fuse-conv-activation")
    assert box(page, "Conv + BN + Relu").bounding_box() == where
    assert "gone" in box(page, "Relu").get_attribute("class").split()


def test_what_is_selected_is_followed_through_the_passes(page: Any) -> None:
    open_block(page, "stem")
    box(page, "Conv + BN + Relu").click()
    page.keyboard.press("[")
    page.keyboard.press("[")
    settle(page)
    assert page.evaluate("nncomp.step") == page.evaluate("nncomp.models[0].last") - 2
    titles = page.evaluate(
        "[...nncomp.views[0].lit].map((node) => nncomp.models[0].title(node)).sort()"
    )
    assert titles == ["BatchNorm", "Conv", "Relu"]


def test_a_rewrite_lights_up_what_it_took_and_made(page: Any) -> None:
    page.locator(".pass.here .step").first.click()
    settle(page)
    assert "Conv + BN" in page.inner_text("#details")
    assert lit_lines(page)


def test_overlays_colour_boxes_and_tell_figures(page: Any) -> None:
    open_block(page, "stem")
    for name, figure in (("flops", "238 M"), ("parameters", "9.54 k"), ("activations", "3.06 MiB")):
        page.select_option("#overlay", name)
        settle(page)
        fused = box(page, "Conv + BN + Relu")
        assert figure in fused.locator(".small").all_text_contents()
        assert "heated" in fused.get_attribute("class")
    assert "peak" in page.inner_text("#memory-label")


def test_keys_reach_everything(page: Any) -> None:
    page.keyboard.press("g")
    first = page.locator(".graph .chosen")
    assert first.get_attribute("data-name") == "image"
    for _ in range(2):  # past the block `stem`
        page.keyboard.press("ArrowDown")
    settle(page)
    assert page.locator(".graph .chosen").get_attribute("data-name") == "MaxPool"
    page.keyboard.press("Enter")
    assert any("max_pool" in line for line in lit_lines(page))
    page.keyboard.press("s")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    for _ in range(6):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("nncomp.views[0].lit.size") == 53
    seen = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(50):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    wanted = {"search", "overlay", "open-all", "compact", "theme", "source", "left-divider"}
    assert wanted <= seen
    assert {"slider", "previous", "details", "story"} <= seen


def test_zoom_pan_and_minimap(page: Any) -> None:
    view = "nncomp.views[0]"
    before = page.evaluate(f"{view}.scale")
    page.click("#zoom-in")
    assert page.evaluate(f"{view}.scale") > before
    area = page.locator(".canvas").bounding_box()
    x, y = area["x"] + 30, area["y"] + 200
    start = page.evaluate(f"[{view}.x, {view}.y]")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y - 50, steps=4)
    page.mouse.up()
    moved = page.evaluate(f"[{view}.x, {view}.y]")
    assert [round(b - a) for a, b in zip(start, moved, strict=True)] == [60, -50]
    page.mouse.wheel(0, -300)
    settle(page)
    assert page.locator(".minimap").is_visible()
    small = page.locator(".minimap").bounding_box()
    page.mouse.click(small["x"] + small["width"] / 2, small["y"] + small["height"] - 6)
    settle(page)
    assert page.evaluate(f"{view}.y") < moved[1]
    page.click("#fit")
    settle(page)
    assert not page.locator(".minimap").is_visible()


def test_compact_leaves_no_room_for_what_is_gone(page: Any) -> None:
    tall = page.evaluate("nncomp.views[0].tree.root.level.result.height")
    page.check("#compact")
    until(page, f"nncomp.views[0].tree.root.level.result?.height < {tall}")
    settle(page)
    assert page.locator(".box.gone").count() == 0
    page.check("#shows-all")
    until(page, "nncomp.views[0].tree.places.length > 300")


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_serious(resnet: Path, dark: bool) -> None:
    with opened(resnet, dark=dark, width=1600) as page:
        assert faults(page) == []
        open_block(page, "stem")
        box(page, "Conv + BN + Relu").click()
        page.select_option("#overlay", "flops")
        settle(page)
        assert faults(page) == []


def test_two_models_side_by_side(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "classifier.nn").read_text("utf-8")
    wider = tmp_path / "wider.nn"
    wider.write_text(text.replace("Conv(32, 3, pad=1)", "Conv(32, 5, pad=2) |> relu"), "utf-8")
    path = tmp_path / "both.html"
    assert (
        main(["view", str(ROOT / "examples" / "classifier.nn"), str(wider), "-o", str(path)]) == 0
    )
    with opened(path, width=1600) as page:
        assert page.locator("svg.graph").count() == 2
        changes = page.locator(".change").all_inner_texts()
        assert any("kernel_shape 3 → 5" in change for change in changes)
        assert page.locator(".box.is-changed").count() == 2
        assert page.locator(".box.is-added").get_attribute("data-name") == "Relu"
        page.locator(".canvas").first.locator('.box[data-name="MaxPool"]').first.click()
        settle(page)
        assert page.locator(".box.lit").count() == 2, "in both models"
        page.locator(".change").first.click()
        settle(page)
        assert page.locator(".change.lit").count() >= 1
        assert any("5, pad=2" in line or "3, pad=1" in line for line in lit_lines(page))
        assert faults(page) == []


def test_hostile_names_are_shown_and_never_run(tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(page_of(hostile(), None, "hostile"), "utf-8")
    with opened(path) as page:
        assert page.evaluate("document.querySelectorAll('script').length") == 4
        assert page.evaluate("document.querySelectorAll('img, iframe, object').length") == 0
        names = page.locator(".graph .box").evaluate_all("all => all.map((b) => b.dataset.name)")
        assert any("<img src=x" in name for name in names)
        for name in ("alert", "onerror", "xxxxx", "Relu"):
            page.fill("#search", name)
            page.keyboard.press("Enter")
            settle(page)
        page.click("#open-all")
        for tab in page.locator(".tab").all():
            tab.click()
            page.locator(".row .number").first.click()
        settle(page)
        assert "\u202e" not in page.evaluate("document.body.innerText")
        page.screenshot()


@pytest.mark.parametrize("width", [1280, 2560])
def test_nothing_overflows(resnet: Path, width: int) -> None:
    with opened(resnet, width=width, height=800) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("footer").bounding_box()["y"] < 800
        assert page.locator(".canvas").bounding_box()["width"] > 0.4 * width
