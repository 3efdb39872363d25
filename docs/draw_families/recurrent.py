"""Pictures of docs/families/recurrent.md."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
from drawing import GRADIENTS, chart, command, picture


@picture
def through_time() -> plt.Figure:
    """How much of the loss reaches back to each step: an Elman network and an LSTM."""
    figure, axis = chart("step", "‖gradient of the loss‖", log=True)
    adding = f"{GRADIENTS} --data generated:adding,length=60,samples=300"
    for name, text in {
        "LSTM, forget bias 1": f"inspect models/lstm.nn {adding}",
        "LSTM, forget bias 0": f"inspect models/lstm.nn --set forget_bias=0.0 {adding}",
        "GRU": f"inspect models/gru.nn {adding}",
    }.items():
        steps = json.loads(command(text))["gradients"]["scan 0"]
        axis.plot([row["step"] + 1 for row in steps], [row["norm"] for row in steps], label=name)
    axis.legend(fontsize=7)
    return figure
