"""The curves of a training run, drawn from its log."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nncomp.errors import error
from nncomp.files import PathLike, write_atomic
from nncomp.training.log import epochs
from nncomp.training.results import losses

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAIN, _VALIDATION, _TEST = "#4C72B0", "#DD8452", "#55A868"
_PANEL = (5.2, 3.6)  # inches


def draw_curves(
    records: Sequence[Mapping[str, Any]],
    path: PathLike,
    title: str = "",
    test: Mapping[str, float] | None = None,
) -> list[Path]:
    """Writes `PATH.png` and `PATH.svg`: one panel for each loss and metric, over the epochs. Gives
    the paths; none if matplotlib is not installed.

    records: of a log, steps and epochs
    test: the numbers on the test samples, as a line across
    Raises CompileError NN0001, NN0404 (no epochs).
    """
    whole = epochs(records)
    if not whole:
        raise error("NN0404", "the log has no complete epoch to draw")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return []
    names = list(whole[0]["train"])
    figure = Figure(figsize=(_PANEL[0] * len(names), _PANEL[1]), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    if title:
        figure.suptitle(title, fontsize=11)
    panels = figure.subplots(1, len(names), squeeze=False, sharex=True)[0]
    for axes, name in zip(panels, names, strict=True):
        if name in losses(names):
            _draw_steps(axes, records, name)
        _draw_epochs(axes, whole, name)
        if test and name in test:
            axes.axhline(test[name], color=_TEST, linestyle="--", linewidth=1)
            axes.plot([], [], color=_TEST, linestyle="--", label=f"test {test[name]:.4g}")
        _style(axes, name, whole, name in losses(names))
    written = []
    for form, nameless in (("png", "Software"), ("svg", "Date")):  # the same bytes each time
        content = io.BytesIO()
        with rc_context({"svg.hashsalt": "nncomp"}):
            figure.savefig(content, format=form, metadata={nameless: None})
        written.append(Path(f"{path}.{form}"))
        write_atomic(written[-1], content.getvalue())
    return written


def _draw_steps(axes: Axes, records: Sequence[Mapping[str, Any]], name: str) -> None:
    """Each step at its place within its epoch."""
    at: list[float] = []
    values: list[float] = []
    epoch, waiting = 0, 0
    for record in records:
        if "epoch" not in record:
            values.append(record[name])
            waiting += 1
        else:
            at += [epoch + (i + 1) / waiting for i in range(waiting)]
            epoch, waiting = record["epoch"], 0
    drawn = slice(0, len(at))
    axes.plot(at, values[drawn], color=_TRAIN, alpha=0.22, linewidth=0.7, label="train, each step")


def _draw_epochs(axes: Axes, whole: Sequence[Mapping[str, Any]], name: str) -> None:
    at = [record["epoch"] for record in whole]
    marker = "o" if len(at) <= 30 else None
    for part, colour in (("train", _TRAIN), ("validation", _VALIDATION)):
        values = [record[part].get(name) for record in whole]
        if all(value is None for value in values):
            continue
        axes.plot(at, values, color=colour, marker=marker, markersize=3, linewidth=1.6, label=part)


def _style(axes: Axes, name: str, whole: Sequence[Mapping[str, Any]], is_loss: bool) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    axes.set_title(name, fontsize=10)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    smallest = min(min(r["train"][name], r["validation"].get(name, math.inf)) for r in whole)
    if is_loss and smallest > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(True, which="major", alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
