"""Pictures of graphs."""

from nncomp.inspect.view.svg import svg

__all__ = ["svg"]
