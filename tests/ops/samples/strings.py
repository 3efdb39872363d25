"""Samples of strings, images and classical machine learning."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from nncomp.ir.op import Data
from nncomp.ops import classical as c
from nncomp.ops import images as i
from nncomp.ops import strings as s
from nncomp.types import Array, DType, TensorType
from tests.ops.sample import Failure, Sample, ints, normal, picks

_WORDS = [["an", "É", "b  c"], ["", "Monday", "sunday morning"]]
_PETS = ["cat", "dog", "eel"]


def _png() -> Array:
    stream = io.BytesIO()
    Image.fromarray(picks(256, 3, 4, 3).astype(np.uint8)).save(stream, "png")
    return np.frombuffer(stream.getvalue(), np.uint8)


_NGRAMS = {
    "max_gram_length": 2,
    "max_skip_count": 1,
    "min_gram_length": 1,
    "ngram_counts": (0, 2),
    "ngram_indexes": (0, 1, 3, 2),
}
_TOKENS = np.array([[1, 2, 1, 3, 2], [2, 2, 3, 1, 1]])
# feature 0 below 0.25: leaf 0; else feature 2 in {1, 3}: leaf 1, else leaf 2
_TREE = {
    "leaf_targetids": (0, 1, 0),
    "leaf_weights": Data(np.float32([2, 3, 5])),
    "nodes_falseleafs": (0, 1),
    "nodes_falsenodeids": (1, 2),
    "nodes_featureids": (0, 2),
    "nodes_modes": Data(np.uint8([1, 6])),
    "nodes_splits": Data(np.float32([0.25, 0])),
    "nodes_trueleafs": (1, 1),
    "nodes_truenodeids": (0, 1),
    "n_targets": 2,
    "membership_values": Data(np.float32([1, 3, np.nan])),
}
_ROWS = np.float32([[0, 9, 1], [0.5, 9, 3], [1, 9, 2], [np.nan, 9, 1]])

SAMPLES = [
    Sample(s.StringConcat(), _WORDS, ["-x", "", "é"]),
    Sample(s.StringSplit(), _WORDS),
    # without "", in which onnxruntime finds no part
    Sample(s.StringSplit(" ", 1), _WORDS[0], id="once"),
    Sample(s.StringSplit("n"), _WORDS[0], id="letter"),
    # onnxruntime asks the system for the locale en_US.UTF-8, which may not be there
    Sample(s.StringNormalizer("LOWER", stopwords=("MONDAY", "an")), _WORDS[1], ort=False),
    Sample(
        s.StringNormalizer("UPPER", 1, stopwords=("Monday",)), ["Monday", "é"], id="case", ort=False
    ),
    Sample(s.StringNormalizer(stopwords=("a",)), [["a", "a"]], id="none left", ort=False),
    Sample(s.RegexFullMatch("[a-z]+( [a-z]+)?"), _WORDS),
    Sample(s.TfIdfVectorizer(mode="TF", pool_int64s=(2, 3, 2, 1, 1, 1), **_NGRAMS), _TOKENS),
    Sample(
        s.TfIdfVectorizer(
            mode="TFIDF",
            pool_strings=("a", "b", "a", "b", "b", "b"),
            weights=(2, 3, 5, 7),
            **_NGRAMS,
        ),
        ["a", "b", "b"],
        id="weighted",
    ),
    Sample(
        s.TfIdfVectorizer(mode="IDF", pool_int64s=(2, 3, 2, 1, 1, 1), **_NGRAMS),
        _TOKENS.astype(np.int32),
        id="there",
    ),
    # onnxruntime has no kernel
    Sample(i.ImageDecoder(), _png(), ort=False, known=()),
    Sample(i.ImageDecoder("BGR"), _png(), id="turned", ort=False, known=()),
    Sample(i.ImageDecoder("Grayscale"), _png(), id="gray", ort=False, known=()),
    Sample(i.ImageDecoder(), np.zeros(5, np.uint8), id="none", ort=False, known=()),
    Sample(c.Binarizer(0.5), normal(3, 4), grad=False),
    Sample(c.ArrayFeatureExtractor(), normal(3, 4), ints(0, 3, 0, 1, 2), known=()),
    Sample(c.ArrayFeatureExtractor(), _PETS, ints(2, 0), id="row", known=()),
    Sample(c.LabelEncoder(keys_strings=tuple(_PETS), values_int64s=(3, 5, 7)), [*_PETS[1:], "x"]),
    Sample(
        c.LabelEncoder(keys_int64s=(1, 2), values_strings=("one", "two"), default_string="many"),
        _TOKENS,
        id="names",
        known=(),
    ),
    Sample(
        c.LabelEncoder(
            keys_floats=(1.0, float("nan")), values_floats=(3.0, 5.0), default_float=7.0
        ),
        np.float32([np.nan, 1, 2]),
        id="nan",
        grad=False,
    ),
    Sample(c.TreeEnsemble(tree_roots=(0,), **_TREE), _ROWS, grad=False, fixed=(3,)),
    Sample(
        c.TreeEnsemble(tree_roots=(0, 0), aggregate_function=0, **_TREE),
        _ROWS,
        id="mean",
        grad=False,
        fixed=(3,),
    ),
]

_S = TensorType(DType.STRING, (3,))
_X = TensorType(DType.F32, (2, 3))
FAILURES = [
    Failure(s.StringConcat(), _S, _X, code="NN0203", words="strings|f32[2, 3]"),
    Failure(s.StringNormalizer("TITLE"), _S, code="NN0208", words="case_change_action|TITLE"),
    Failure(s.StringNormalizer(), TensorType(DType.STRING, (2, 3)), code="NN0204", words="[1, C]"),
    Failure(s.RegexFullMatch("(a"), _S, code="NN0208", words="pattern"),
    Failure(
        s.TfIdfVectorizer(mode="TF", pool_strings=("a",), **_NGRAMS), _X, code="NN0203", words="f32"
    ),
    Failure(
        s.TfIdfVectorizer(mode="TF", pool_strings=("a",), **_NGRAMS),
        _S,
        code="NN0208",
        words="pool",
    ),
    Failure(i.ImageDecoder(), _X, code="NN0203", words="u8 vector"),
    Failure(c.LabelEncoder(keys_strings=("a",)), _S, code="NN0208", words="0 times"),
    Failure(
        c.LabelEncoder(keys_int64s=(1,), values_int64s=(2,)),
        _S,
        code="NN0203",
        words="keys are i64",
    ),
    Failure(c.TreeEnsemble(tree_roots=(7,), **_TREE), _X, code="NN0208", words="tree_roots"),
    Failure(
        c.TreeEnsemble(tree_roots=(0,), **_TREE),
        TensorType(DType.F32, (5, 2)),
        code="NN0205",
        words="feature 2",
    ),
]
