"""The karate club in two: an autoencoder on its graph, and k-means on the code.

python examples/club.py
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

import nncomp
from nncomp.training.sources import read_data

STEPS = 300


def main() -> None:
    club = read_data("networkx:karate").test
    adjacency, side = club["adjacency"][:], club["label"][:]
    similarity = adjacency + np.eye(len(side), dtype=np.float32)  # to themselves too
    model = nncomp.load("models/graph_cluster.nn", code=2)
    step = model.training_step()
    for _ in range(STEPS):
        step(adjacency=similarity)
    code = model(adjacency=similarity)["code"]
    found = KMeans(2, n_init=10, random_state=0).fit_predict(code)
    right = int(max(np.sum(found == side), np.sum(found != side)))
    print(f"members {right}")


if __name__ == "__main__":
    main()
