"""How long pages of large graphs take to open, in headless Chromium, beside their limits.

    python benchmarks/view.py [--nodes N]

A network of blocks in blocks, no two alike, after the passes of -O2, beside a text. The shortest of
three openings counts: from the start of navigation until the graph is painted, from *open* on a
block until its parts are painted, from *open all* until everything is laid out and painted; and the
longest time for which the page answers nothing.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Page, sync_playwright

from nncomp.driver.showing import Shown
from nncomp.driver.viewing import page_of
from nncomp.inspect.page.page import page
from nncomp.ir.graph import Graph, Origin, Value
from nncomp.ops.activation import Relu
from nncomp.ops.elementwise import Add, Mul, Sum
from nncomp.ops.linear import MatMul
from nncomp.passes.manager import optimize
from nncomp.source import SourceFile, Span
from tests.inspect.page.browser import CHROMIUM
from tests.ir.graphs import Net

OPENINGS = 3
# Of each size: limits in seconds for the first paint, a block, everything; None is not asked for.
LIMITS: dict[int, tuple[float, float | None, float | None]] = {
    10_000: (1.0, 0.2, 5.0),
    100_000: (float("inf"), None, None),
}
PAGE_LIMIT = 300_000  # bytes of a page without data
GROUP = 20  # nodes
LINES = [f"  value{i} = something of what is above" for i in range(40)]
WATCH = """
    window.longest = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration);
    }).observe({ type: "longtask", buffered: true });
"""
PAINTED = """
    const painted = () => new Promise((resolve) => {
      const look = () => nncomp.views.every((view) => view.hasPainted && !view.pending)
        ? resolve(performance.now()) : requestAnimationFrame(look);
      look();
    });
"""


def tower(nodes: int) -> Graph:
    """Groups of 20 nodes that read any of the last five values, no two groups alike: 25 groups in a
    stage."""
    net = Net("Tower")
    rng = random.Random(0)
    source = SourceFile("tower.nn", "\n".join(LINES))
    spans = [
        Span(source, match.start(), match.end()) for match in re.finditer("[^\n]+", source.text)
    ]
    x: Value = net.input("x", 1, 64)
    for group in range(nodes // GROUP):
        path = f"stage.{group // 25}.group.{group % 25}"
        known = [x]
        with net.b.at(Origin((rng.choice(spans), spans[-1]), path)):
            for i in range(GROUP - 1):
                a, b = rng.choice(known[-5:]), rng.choice(known[-5:])
                kind = rng.choice(("weights", "relu", "add", "multiply"))
                if kind == "weights":
                    known.append(net.b(MatMul(), a, net.parameter(f"{path}.w{i}", 64, 64)))
                elif kind == "relu":
                    known.append(net.b(Relu(), a))
                else:
                    known.append(net.b(Add() if kind == "add" else Mul(), a, b))
            left = [v for v in known if not any(v in n.operands for n in net.b.nodes[-GROUP:])]
            x = net.b(Sum(), *left)
    return net.graph(y=x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, choices=LIMITS, help="(default: each size)")
    chosen = parser.parse_args().nodes
    print(f"{'nodes':>8} {'what':34} {'measured':>10} {'limit':>8}")
    empty = len(page([], files_shown=[], name="", summary="", documents={}).encode())
    row(0, "page without data, kB", empty / 1000, PAGE_LIMIT / 1000)
    with tempfile.TemporaryDirectory() as folder:
        for nodes in [chosen] if chosen else LIMITS:
            measure(nodes, Path(folder) / "tower.html")


def measure(nodes: int, path: Path) -> None:
    graph = tower(nodes)
    result = optimize(graph, 2)
    began = time.process_time()
    path.write_text(page_of(Shown(graph, result, {}), None, "tower"), "utf-8")
    row(nodes, "writing the page, processor s", time.process_time() - began, None)
    row(nodes, "size of the page, MB", path.stat().st_size / 1e6, None)
    found = [opening(path, everything=LIMITS[nodes][2] is not None) for _ in range(OPENINGS)]
    names = ("first paint, s", "opening a block, s", "everything open, s")
    for name, limit in zip(names, LIMITS[nodes], strict=True):
        times = [one[name] for one in found if name in one]
        if times:
            row(nodes, name, min(times), limit)
    row(nodes, "longest without an answer, s", min(one["longest"] for one in found), None)


def opening(path: Path, everything: bool) -> dict[str, float]:
    """Seconds, in a browser of its own."""
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.set_default_timeout(300_000)
        tab.add_init_script(WATCH)
        tab.goto(path.as_uri(), wait_until="commit")
        tab.wait_for_load_state()
        found = {"first paint, s": timed(tab, "await nncomp.ready; start = 0;")}
        find = """
            const view = nncomp.views[0];
            let block = view.tree.root.children.find((item) => item.kind === "block");
            while (block.isOpen) block = block.children.find((item) => item.kind === "block");
        """
        found["opening a block, s"] = timed(tab, f"{find} await view.toggle(block);")
        found["longest"] = tab.evaluate("longest") / 1000
        if everything:
            found["everything open, s"] = timed(tab, "await nncomp.views[0].openAll(true);")
        browser.close()
    return found


def timed(tab: Page, act: str) -> float:
    """Seconds from the act, or from what it sets `start` to, until all is painted."""
    found: Any = tab.evaluate(
        f"async () => {{ let start = performance.now(); {PAINTED} {act}"
        " return await painted() - start; }"
    )
    return float(found) / 1000


def row(nodes: int, what: str, found: float, limit: float | None) -> None:
    bound = "" if limit is None or limit == float("inf") else f"{limit:g}"
    mark = " over" if bound and limit is not None and found > limit else ""
    print(f"{nodes or '':>8} {what:34} {found:10.3g} {bound:>8}{mark}", flush=True)


if __name__ == "__main__":
    main()
