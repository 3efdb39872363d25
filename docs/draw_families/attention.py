"""Pictures of docs/families/attention.md."""

from __future__ import annotations

import matplotlib.pyplot as plt
from drawing import OUT, command, picture

import nncomp
from nncomp.driver.train import data_for


@picture
def alignment() -> plt.Figure:
    """Where a translator looks: it says a string backwards."""
    command(
        "train models/seq2seq.nn --set attention=true --set hidden=48 --data generated:reverse "
        "--epochs 4 -o seq2seq"
    )
    model = nncomp.load(
        "models/seq2seq.nn", attention=True, hidden=48, weights=OUT / "seq2seq/best.safetensors"
    )
    source = data_for(model.program, "generated:reverse").test["source"][:3]
    answer = model(source=source)
    figure, axes = plt.subplots(1, 3, figsize=(6.6, 2.3), layout="constrained")
    for axis, read, said, look in zip(axes, source, answer["said"], answer["look"], strict=True):
        axis.imshow(look, cmap="viridis", vmin=0, vmax=1)
        axis.set_xticks(range(len(read)), read, fontsize=7)
        axis.set_yticks(range(len(said)), said, fontsize=7)
    axes[0].set_ylabel("says")
    axes[1].set_xlabel("reads")
    return figure
