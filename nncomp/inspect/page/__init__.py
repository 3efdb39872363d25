"""The page of a model: source, graph and passes side by side, in one HTML file."""

from nncomp.inspect.page.page import page

__all__ = ["page"]
