"""Pictures of graphs."""

from nncomp.inspect.view.graphviz import dot
from nncomp.inspect.view.mermaid import mermaid
from nncomp.inspect.view.svg import svg

__all__ = ["dot", "mermaid", "svg"]
