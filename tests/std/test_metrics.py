"""The library's metrics beside scikit-learn's, in NumPy and in onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from nncomp.driver.running import run
from tests.lower.programs import program

TEXT = """
model Scores {
  input logits: f32[N, 5]
  input label: i64[N]
  input y: f32[N]
  taken = argmax(logits, axis=1)
  confusion = confusion_matrix(taken, label, 5)
  output confusion
  output accuracy = accuracy(logits, label)
  output top = top_k_accuracy(logits, label, 2)
  output precision = precision(confusion)
  output recall = recall(confusion)
  output f1 = f1_score(confusion)
  output overlap = intersection_over_union(confusion)
  output perplexity = perplexity(cross_entropy(logits, label))
  output error = rmse(logits[:, 0], y)
  output explained = r_squared(logits[:, 0], y)
}
"""


@pytest.mark.parametrize("backend", ["numpy", "onnx"])
def test_against_scikit_learn(backend: str) -> None:
    """Class 3 never occurs, class 4 is never taken: neither divides by zero."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 5)).astype(np.float32)
    logits[:, 4] -= 9
    label = rng.choice([0, 1, 2, 4], 40)
    y = (logits[:, 0] + 0.3 * rng.normal(size=40)).astype(np.float32)
    given = {"logits": logits, "label": label, "y": y}
    found = run(program(TEXT), {}, given, backend=backend).outputs
    taken, classes = logits.argmax(1), range(5)
    fine = {"labels": classes, "average": None, "zero_division": 0}
    wanted = {
        "confusion": metrics.confusion_matrix(label, taken, labels=classes),
        "accuracy": metrics.accuracy_score(label, taken),
        "top": metrics.top_k_accuracy_score(label, logits, k=2, labels=classes),
        "precision": metrics.precision_score(label, taken, **fine),
        "recall": metrics.recall_score(label, taken, **fine),
        "f1": metrics.f1_score(label, taken, **fine),
        "overlap": metrics.jaccard_score(label, taken, **fine),
        "perplexity": np.exp(metrics.log_loss(label, _softmax(logits), labels=classes)),
        "error": metrics.root_mean_squared_error(y, logits[:, 0]),
        "explained": metrics.r2_score(y, logits[:, 0]),
    }
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


def _softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits.astype(np.float64))
    return np.asarray(e / e.sum(1, keepdims=True))
