"""Published numbers of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from tests.models import support
from tests.models.agreement import count
from zoo.row import Figure


def parameters(file: str, *sizes: tuple[int, dict[str, Any]], model: str | None = None) -> Figure:
    """That a model, with each of several settings, has the published number of parameters."""

    def check() -> str:
        found = [count(support.load(file, model, **settings)) for _, settings in sizes]
        assert found == [published for published, _ in sizes], _listed(found)
        return _listed(found)

    return Figure("parameters", check)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)


def entries(file: str, published: dict[str, int]) -> Figure:
    """That each of a model's entries has the published number of parameters."""

    def check() -> str:
        program = support.load(file)
        found = {
            name: sum(
                prod(p.value.type.static_shape)
                for p in program.entries[name].parameters
                if p.kind == "param"
            )
            for name in published
        }
        assert found == published, f"{found}"
        return _listed(list(found.values()))

    return Figure("parameters", check)
