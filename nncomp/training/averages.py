"""Exponential moving averages of parameters, kept by the step graph beside them.

That of the parameter `conv1.weight` has the path `ema.conv1.weight.average`, like an optimiser's
state. Evaluation, and the best checkpoint, have the averages for the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

from nncomp.types import Array

AVERAGES, _LAST = "ema.", ".average"


def average_path(path: str) -> str:
    """Where the average of a parameter is kept."""
    return f"{AVERAGES}{path}{_LAST}"


def averaged(state: Mapping[str, Array]) -> dict[str, Array]:
    """The state with the averages for the parameters, without their own paths; itself if there are
    none."""
    averages = {path: array for path, array in state.items() if _is_average(path, state)}
    kept = {path: array for path, array in state.items() if path not in averages}
    return kept | {path[len(AVERAGES) : -len(_LAST)]: array for path, array in averages.items()}


def _is_average(path: str, state: Mapping[str, Array]) -> bool:
    return (
        path.startswith(AVERAGES)
        and path.endswith(_LAST)
        and path[len(AVERAGES) : -len(_LAST)] in state
    )
