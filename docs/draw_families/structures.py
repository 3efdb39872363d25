"""Pictures of docs/families/structures.md."""

from __future__ import annotations

import matplotlib.pyplot as plt
import networkx
import numpy as np
from drawing import OUT, command, picture
from matplotlib.ticker import MaxNLocator

import nncomp
from nncomp.driver.train import data_for


@picture
def club() -> plt.Figure:
    """The karate club by a GCN that knows the side of two members."""
    command(
        "train models/gcn.nn --data networkx:karate --batch-size 34 --no-shuffle --epochs 60 -o gcn"
    )
    model = nncomp.load("models/gcn.nn", weights=OUT / "gcn/best.safetensors")
    graph = networkx.karate_club_graph()
    adjacency = (networkx.to_numpy_array(graph, weight=None) > 0).astype("f")
    logits = model(x=np.eye(34, dtype="f"), adjacency=adjacency)["logits"]
    share = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    figure, axis = plt.subplots(figsize=(4.4, 3.2), layout="constrained")
    places = networkx.spring_layout(graph, seed=4)
    wrong = [n for n in graph if (share[n] > 0.5) != (graph.nodes[n]["club"] != "Mr. Hi")]
    edges = ["black" if n in wrong else "none" for n in graph]
    networkx.draw(
        graph,
        places,
        axis,
        node_color=share,
        cmap="coolwarm",
        node_size=90,
        width=0.4,
        edgecolors=edges,
        labels={0: "0", 33: "33"},
        font_size=6,
    )
    return figure


@picture
def looks() -> plt.Figure:
    """Which sentences of a story a memory network looks at, in its last hop."""
    settings = "--set vocabulary=16 --set classes=16"
    command(f"train models/memnet.nn --data generated:facts {settings} --epochs 15 -o memnet")
    weights = OUT / "memnet/best.safetensors"
    model = nncomp.load("models/memnet.nn", vocabulary=16, classes=16, weights=weights)
    test = data_for(model.program, "generated:facts").test
    story, question = test["story"][:12], test["question"][:12]
    found = model(story=story, question=question)["attention"]
    figure, axis = plt.subplots(figsize=(4.2, 3), layout="constrained")
    axis.imshow(found, cmap="viridis", vmin=0, vmax=1)
    for row, (sentences, asked) in enumerate(zip(story, question, strict=True)):
        words = set(asked[asked > 0])
        for place, sentence in enumerate(sentences):
            if words & set(sentence[sentence > 0]):
                axis.plot(place, row, "r.", markersize=4)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("sentence")
    axis.set_ylabel("story")
    return figure
