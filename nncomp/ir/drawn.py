"""What draws itself in a notebook. How is said by whoever can draw (`nncomp.driver.notebook`):
graphs stand below pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Bundle = dict[str, str]  # by MIME type
_ways: dict[type, Callable[[Any], Bundle]] = {}


def draws(kind: type, way: Callable[[Any], Bundle]) -> None:
    """Says how things of a kind, and of kinds derived from it, are drawn."""
    _ways[kind] = way


class Drawn:
    """A base of what IPython shows by a picture."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        """The picture and the text, as IPython asks for them."""
        way = next((_ways[kind] for kind in type(self).__mro__ if kind in _ways), None)
        return {"text/plain": repr(self)} if way is None else way(self)
