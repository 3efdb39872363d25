"""Arguments of the Python API that several methods take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

from nncomp.driver.compiling import TargetName
from nncomp.errors import error, require_names, require_number
from nncomp.training.data import Split
from nncomp.training.variants import Precision, Variant


def variant_of(
    freeze: Sequence[str],
    average: float | None,
    accumulate: int,
    trainable: Sequence[str],
    precision: Precision,
) -> Variant:
    """What they change of a training step. Raises CompileError NN0202 for what cannot be."""
    frozen, learnt = require_names("freeze", freeze), require_names("trainable", trainable)
    return Variant(frozen, average, accumulate, learnt, precision)


def split_of(shares: Sequence[float]) -> Split:
    """Shares to train, to validate and to test: `(0.7, 0.1, 0.2)`, or `(70, 10, 20)`. Raises
    CompileError NN0202 for what is none."""
    given = tuple(shares) if isinstance(shares, Iterable) else ()
    if len(given) != 3 or isinstance(shares, str):
        raise error("NN0202", f"`split` is three shares, (0.7, 0.1, 0.2), not {shares!r}")
    train, validation, test = (require_number("split", share) for share in given)
    total = train + validation + test
    if not train:
        raise error("NN0202", f"`split` leaves nothing to train: {shares!r}")
    return Split(train / total, validation / total, test / total)


def require_no_step(variant: Variant, target: TargetName, others: Mapping[str, object]) -> None:
    """That nothing is asked of the training step, which is not built. Raises CompileError NN0202.

    others: arguments by name, None where they are not given
    """
    asked = [f.name for f in fields(Variant) if getattr(variant, f.name) != f.default]
    asked += ["target"] * (target != "onnx")
    asked += [name for name, value in others.items() if value is not None]
    if asked:
        raise error("NN0202", f"`{asked[0]}` is for the training step, which `train=True` builds")
