"""A model as text to point at: one line for each node, in the model's order.

    model.onnx:3:1: y = Conv(x, conv1.weight)  # /conv1/Conv

Diagnostics, and the provenance of what is built from the model, name these lines.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable

import onnx

from nncomp.source import SourceFile, Span

_MOST = 8  # operands of a node that are listed
_LONGEST = 60  # characters of a name
_TRACE = "pkg.torch.onnx.stack_trace"
_MOST_TRACE = 20_000  # characters
_FRAME = re.compile(r'^ *File "([^"\n]*)", line (\d+).*\n *(.*)$', re.MULTILINE)


class Listing:
    """The text of all nodes, and the span of each."""

    def __init__(self, name: str, model: onnx.ModelProto) -> None:
        self._lines: list[str] = []
        self._places: dict[int, tuple[int, int]] = {}  # by the identity of the proto
        self._kept: list[onnx.NodeProto] = []  # so that identities stay what they are
        self._length = 0
        self._add(f"model {_short(model.graph.name or 'model')}")
        self._nodes(model.graph.node)
        for function in model.functions:
            self._add(f"function {_title(function.domain, function.name)}")
            self._nodes(function.node)
        self.source = SourceFile(name, "".join(self._lines))
        self.head = Span(self.source, 0, len(self._lines[0]) - 1)

    @property
    def count(self) -> int:
        """How many nodes the model writes out."""
        return len(self._kept)

    def span(self, node: onnx.NodeProto) -> Span | None:
        """The line of a node."""
        place = self._places.get(id(node))
        return None if place is None else Span(self.source, *place)

    def find(self, name: str) -> Span | None:
        """The line of the first node that has the name, or that gives a value of the name."""
        found = (node for node in self._kept if node.name == name or name in node.output)
        node = next(found, None)
        return None if node is None or not name else self.span(node)

    def traced(self, span: Span) -> tuple[str, str] | None:
        """The place and text of the line of Python that the node of a line was traced from, where
        PyTorch's exporter has written it: the innermost outside of PyTorch."""
        number = bisect_left(self._kept, span.start, key=lambda node: self._places[id(node)][0])
        nodes = self._kept[number : number + 1]  # none for the head
        traces = [p.value for node in nodes for p in node.metadata_props if p.key == _TRACE]
        frames = _FRAME.findall(traces[0][-_MOST_TRACE:]) if traces else []
        if not frames:
            return None
        path, line, text = ([f for f in frames if "/torch/" not in f[0]] or frames)[-1]
        return f"{path}:{line}", text

    def _add(self, line: str) -> tuple[int, int]:
        start = self._length
        self._lines.append(line + "\n")
        self._length += len(line) + 1
        return start, self._length - 1

    def _nodes(self, nodes: Iterable[onnx.NodeProto], depth: int = 0) -> None:
        for node in nodes:
            indent = "  " * depth
            start, end = self._add(indent + line_of(node))
            self._places[id(node)] = start + len(indent), end
            self._kept.append(node)
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    self._nodes(attribute.g.node, depth + 1)


def line_of(node: onnx.NodeProto) -> str:
    """`y = Conv(x, w)  # name`"""
    results = ", ".join(map(_short, node.output[:_MOST])) or "()"
    operands = [_short(name) or "none" for name in node.input[:_MOST]]
    if len(node.input) > _MOST:
        operands.append("…")
    comment = f"  # {_short(node.name)}" if node.name else ""
    return f"{results} = {_title(node.domain, node.op_type)}({', '.join(operands)}){comment}"


def _title(domain: str, name: str) -> str:
    return _short(name if domain in ("", "ai.onnx") else f"{domain}.{name}")


def _short(name: str) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in name[: _LONGEST + 1])
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"
