"""A loss that is infinite or not a number: what is known of it, and what is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nncomp.errors import CompileError, Diagnostic
from nncomp.training.data import Batch
from nncomp.training.learner import Numbers
from nncomp.training.results import infinite
from nncomp.types import Array


@dataclass(frozen=True)
class Failure:
    """A step or evaluation whose result is not finite.

    where: in words; rates: the learning rates
    before: the state before the step; step: its number, from 1
    """

    results: Numbers
    where: str
    rates: Mapping[str, float]
    batch: Batch
    before: Mapping[str, Array]
    step: int
    evaluation: bool = False


def still_finite(state: Mapping[str, Array], earlier: Mapping[str, Array]) -> bool:
    """Whether everything in the state is finite that was so earlier."""
    return all(
        np.isfinite(array).all() or not np.isfinite(earlier.get(path, 0)).all()
        for path, array in state.items()
        if array.dtype.kind not in "iub"
    )


def not_finite(failure: Failure, found: Diagnostic | None) -> CompileError:
    """The error NN0404.

    found: what made the first bad number
    """
    names = infinite(failure.results)
    message = "the loss became infinite or not a number"
    if names:
        message = f"the {names[0]} became {failure.results[names[0]]}"
    spoilt = _spoilt(failure.batch)
    if spoilt is not None:
        help = f"the data is at fault: `{spoilt}` has values that are not finite"
    else:
        used = ", ".join(f"{rate} = {value:g}" for rate, value in failure.rates.items())
        help = "try a lower learning rate" + (f" than {used}" if used else "")
    if found is None:
        return CompileError(Diagnostic("NN0404", f"{message} {failure.where}", help=help))
    return CompileError(
        Diagnostic(
            "NN0404",
            f"{message} {failure.where}: {found.message}",
            found.span,
            found.label,
            found.notes,
            found.help or help,
        )
    )


def _spoilt(batch: Batch) -> str | None:
    """The input that has values that are not finite."""
    return next(
        (n for n, a in batch.items() if a.dtype.kind == "f" and not np.isfinite(a).all()), None
    )
