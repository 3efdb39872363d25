"""Event files for TensorBoard."""

from __future__ import annotations

from typing import Any

from nncomp.errors import error
from nncomp.files import PathLike, cannot
from nncomp.training.learner import Numbers
from nncomp.training.log import Record


class TensorBoard:
    """Reports a run to TensorBoard: `step/NAME` by step, `train/NAME`, `validation/NAME` and the
    learning rates by epoch, at the step where it ends.

    folder: gets the event file; a run that is resumed adds one
    Raises CompileError NN0404 if tensorboardX is missing, NN0001.
    """

    def __init__(self, folder: PathLike) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise error(
                "NN0404",
                "tensorboardX, which writes the events, is not installed",
                help="pip install 'nncomp[tensorboard]'",
            ) from None
        try:
            self._writer: Any = SummaryWriter(str(folder))
        except OSError as failure:
            raise cannot("write", folder, failure) from None

    def start(self, done: int, total: int | None) -> None: ...

    def step(self, number: int, results: Numbers, samples: int) -> None:
        for name, value in results.items():
            self._writer.add_scalar(f"step/{name}", value, number)

    def epoch(self, record: Record) -> None:
        step = record["step"]
        for part in ("train", "validation"):
            for name, value in record[part].items():
                self._writer.add_scalar(f"{part}/{name}", value, step)
        for name, value in record.items():
            if name == "lr" or name.endswith(".lr"):
                self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self) -> None:
        self._writer.close()
