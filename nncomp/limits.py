"""How large a program may be: bounds that a user can raise, so that what is too large by mistake
is refused at once.

Most limits are constants beside the code that checks them; `docs/language.md` lists all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """words: of a file; words and signs. The longest file of the standard library and the models
        here has 2,300
    nodes: of a graph; as many calls and runs of loops may make it. GPT-3 has 8,000
    """

    words: int = 100_000
    nodes: int = 200_000


_limits = ContextVar("limits", default=Limits())  # noqa: B039 - it is frozen


def limits() -> Limits:
    """Those that hold now."""
    return _limits.get()


@contextmanager
def limited(*, words: int | None = None, nodes: int | None = None) -> Iterator[None]:
    """Other limits inside; None leaves one as it is."""
    now = limits()
    token = _limits.set(
        replace(
            now,
            words=now.words if words is None else words,
            nodes=now.nodes if nodes is None else nodes,
        )
    )
    try:
        yield
    finally:
        _limits.reset(token)
