"""The curves of a training run, drawn from its log."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nncomp.errors import error
from nncomp.files import PathLike, write_atomic
from nncomp.training.log import epochs
from nncomp.training.trainer import losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAIN, _VALIDATION, _TEST = "#4C72B0", "#DD8452", "#55A868"
_PANEL = (5.2, 3.6)  # inches


def draw_curves(
    records: Sequence[Mapping[str, Any]],
    path: PathLike,
    title: str = "",
    test: Mapping[str, float] | None = None,
) -> None:
    """Writes a PNG: one panel for each loss and metric, over the epochs.

    records: of a log, steps and epochs
    test: the numbers on the test samples, as a line across
    Raises CompileError NN0001, NN0404 (no epochs, or matplotlib is missing).
    """
    whole = epochs(records)
    if not whole:
        raise error("NN0404", "the log has no complete epoch to draw")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise error(
            "NN0404", "matplotlib is not installed", help="pip install 'nncomp[train]'"
        ) from None
    names = list(whole[0]["train"])
    figure = Figure(figsize=(_PANEL[0] * len(names), _PANEL[1]), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=11)
    steps = [r for r in records if "epoch" not in r]
    per_epoch = whole[0]["step"] / whole[0]["epoch"]
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        if name in losses(names):
            at = [record["step"] / per_epoch for record in steps]
            values = [record[name] for record in steps]
            axes.plot(at, values, color=_TRAIN, alpha=0.22, linewidth=0.7, label="train, each step")
        _draw_epochs(axes, whole, name)
        if test and name in test:
            axes.axhline(test[name], color=_TEST, linestyle="--", linewidth=1)
            axes.plot([], [], color=_TEST, linestyle="--", label=f"test {test[name]:.4g}")
        _style(axes, name, whole, name in losses(names))
    content = io.BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    write_atomic(path, content.getvalue())


def _draw_epochs(axes: Axes, whole: Sequence[Mapping[str, Any]], name: str) -> None:
    at = [record["epoch"] for record in whole]
    marker = "o" if len(at) <= 30 else None
    for part, colour in (("train", _TRAIN), ("validation", _VALIDATION)):
        values = [record[part].get(name) for record in whole]
        axes.plot(at, values, color=colour, marker=marker, markersize=3, linewidth=1.6, label=part)


def _style(axes: Axes, name: str, whole: Sequence[Mapping[str, Any]], is_loss: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(name, fontsize=10)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    smallest = min(min(r["train"][name], r["validation"].get(name, 1)) for r in whole)
    if is_loss and smallest > 0:
        axes.set_yscale("log")
    axes.grid(True, which="major", alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
