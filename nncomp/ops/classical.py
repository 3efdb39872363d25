"""Operators of the domain `ai.onnx.ml`, of classical machine learning."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nncomp.dims import product
from nncomp.ir.builder import Builder
from nncomp.ir.graph import Value
from nncomp.ir.op import Data, Gradients, InferError, Op, Vjp, operator
from nncomp.ops.elementwise import require_number
from nncomp.ops.forms import reshape
from nncomp.ops.indexing import Gather
from nncomp.ops.rules import require_float, require_rank
from nncomp.types import STRINGS, Array, DType, TensorType

DOMAIN = "ai.onnx.ml"
Ints = tuple[int, ...]
Floats = tuple[float, ...]
Strings = tuple[str, ...]


@operator
class Binarizer(Op):
    """1 where X is above the threshold, else 0 (ai.onnx.ml Binarizer-1)."""

    signature = "X -> Y"
    domain = DOMAIN
    threshold: float = 0.0

    def infer(self, x: TensorType) -> TensorType:
        require_number(x)
        return TensorType(x.dtype, x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)


@operator
class ArrayFeatureExtractor(Op):
    """Elements of X by their places on its last axis (ai.onnx.ml ArrayFeatureExtractor-1).

    X: [..., C]; Y: i64, any shape -> Z: [..., number of Y]; of a vector, one row
    """

    signature = "X, Y -> Z"
    domain = DOMAIN
    takes = STRINGS

    def infer(self, x: TensorType, places: TensorType) -> TensorType:
        if places.dtype is not DType.I64 or not x.rank:
            raise InferError("NN0203", f"places are i64, and those of an axis: {places} of {x}")
        before = x.shape[:-1] if x.rank > 1 else (1,)
        return TensorType(x.dtype, (*before, product(places.shape)))

    def decompose(self, b: Builder, x: Value, places: Value) -> Value:
        rows = x if x.rank > 1 else reshape(b, x, 1, x.shape[0])
        return b(Gather(axis=-1), rows, reshape(b, places, product(places.shape)))


@operator
class LabelEncoder(Op):
    """The value of each element's key, or a default (ai.onnx.ml LabelEncoder-4).

    Exactly one of keys_* and one of values_* is given; a NaN is a key as any other.
    """

    signature = "X -> Y"
    domain = DOMAIN
    takes = STRINGS
    default_float: float = -0.0
    default_int64: int = -1
    default_string: str = "_Unused"
    default_tensor: Data | None = None
    keys_floats: Floats | None = None
    keys_int64s: Ints | None = None
    keys_strings: Strings | None = None
    keys_tensor: Data | None = None
    values_floats: Floats | None = None
    values_int64s: Ints | None = None
    values_strings: Strings | None = None
    values_tensor: Data | None = None

    def infer(self, x: TensorType) -> TensorType:
        keys, values = self.keys, self.values
        if DType.of(keys) is not x.dtype:
            raise InferError("NN0203", f"keys are {DType.of(keys)}, the operand is {x}")
        if len(keys) != len(values):
            raise InferError("NN0208", f"{len(keys)} keys have {len(values)} values")
        return TensorType(DType.of(values), x.shape)

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)

    @cached_property
    def keys(self) -> Array:
        """InferError unless they are given once."""
        return _one("keys", self.keys_floats, self.keys_int64s, self.keys_strings, self.keys_tensor)

    @cached_property
    def values(self) -> Array:
        return _one(
            "values", self.values_floats, self.values_int64s, self.values_strings,
            self.values_tensor,
        )  # fmt: skip

    @property
    def default(self) -> Array:
        """What an unknown key has, of rank 0."""
        if self.values_tensor is not None and self.default_tensor is not None:
            return self.default_tensor.array.reshape(-1)[:1].reshape(())
        found = {"f": self.default_float, "i": self.default_int64, "O": self.default_string}
        return np.array(found[self.values.dtype.kind], self.values.dtype)


def _one(
    what: str, floats: Floats | None, ints: Ints | None, strings: Strings | None, data: Data | None
) -> Array:
    found: list[Array] = []
    if floats is not None:
        found.append(np.array(floats, np.float32))
    if ints is not None:
        found.append(np.array(ints, np.int64))
    if strings is not None:
        found.append(np.array(strings, object))
    if data is not None:
        found.append(data.array.reshape(-1))
    if len(found) != 1:
        raise InferError("NN0208", f"{what} of LabelEncoder are given {len(found)} times")
    return found[0]


MODES = ("<=", "<", ">=", ">", "==", "!=", "in")
"""The comparisons of a tree's nodes, by number."""


@operator
class TreeEnsemble(Op):
    """Sums, means or extremes over trees of what the leaf says that each row falls into
    (ai.onnx.ml TreeEnsemble-5).

    nodes_*: of the inner nodes: the feature, how it is compared with which number, where to go on
        where that holds and where not, and whether these are leaves; leaf_*: of the leaves
    nodes_modes: numbers of `MODES`; membership_values: the sets of the nodes "in", each ended by
        NaN; nodes_missing_value_tracks_true: 1 where NaN goes on as if the comparison held
    aggregate_function: 0 mean, 1 sum, 2 least, 3 greatest
    X: [N, F] -> Y: [N, n_targets]
    """

    signature = "X -> Y"
    domain = DOMAIN
    leaf_targetids: Ints
    leaf_weights: Data
    nodes_falseleafs: Ints
    nodes_falsenodeids: Ints
    nodes_featureids: Ints
    nodes_modes: Data
    nodes_splits: Data
    nodes_trueleafs: Ints
    nodes_truenodeids: Ints
    tree_roots: Ints
    aggregate_function: int = 1
    membership_values: Data | None = None
    n_targets: int | None = None
    nodes_hitrates: Data | None = None
    nodes_missing_value_tracks_true: Ints | None = None
    post_transform: int = 0

    def infer(self, x: TensorType) -> TensorType:
        require_float(x)
        require_rank(x, 2, "the operand of TreeEnsemble")
        self._check_trees()
        features = x.shape[1]
        if isinstance(features, int) and max(self.nodes_featureids, default=-1) >= features:
            raise InferError("NN0205", f"a tree asks for feature {max(self.nodes_featureids)}")
        if not 0 <= self.aggregate_function <= 3 or self.post_transform:
            raise InferError(
                "NN0208",
                f"aggregate_function {self.aggregate_function} with post_transform "
                f"{self.post_transform} of TreeEnsemble is not known",
            )
        return TensorType(x.dtype, (x.shape[0], self.targets))

    def vjp(self, at: Vjp) -> Gradients:
        return (None,)  # a step function of X

    @property
    def targets(self) -> int:
        return self.n_targets or max(self.leaf_targetids, default=0) + 1

    def _check_trees(self) -> None:
        nodes, leaves = len(self.nodes_featureids), len(self.leaf_targetids)
        columns = (
            *(self.nodes_modes.array, self.nodes_splits.array, self.nodes_trueleafs),
            *(self.nodes_falseleafs, self.nodes_truenodeids, self.nodes_falsenodeids),
            self.nodes_missing_value_tracks_true or self.nodes_featureids,
        )
        if any(len(column) != nodes for column in columns):
            raise InferError("NN0208", f"not all nodes_* of TreeEnsemble are {nodes} long")
        if self.leaf_weights.array.size != leaves:
            raise InferError("NN0208", f"{leaves} leaves have other weights")
        links = [
            (place, target, leaf)
            for targets, leafs in (
                (self.nodes_truenodeids, self.nodes_trueleafs),
                (self.nodes_falsenodeids, self.nodes_falseleafs),
            )
            for place, (target, leaf) in enumerate(zip(targets, leafs, strict=True))
        ]
        for place, target, leaf in links:
            if not 0 <= target < (leaves if leaf else nodes):
                raise InferError("NN0208", f"node {place} of TreeEnsemble goes on to {target}")
        if any(not 0 <= root < nodes for root in self.tree_roots):
            raise InferError("NN0208", f"tree_roots {list(self.tree_roots)} of {nodes} nodes")
        if min(self.nodes_featureids, default=0) < 0:
            raise InferError("NN0208", "a feature of TreeEnsemble is negative")
        if not all(0 <= target < self.targets for target in self.leaf_targetids):
            raise InferError("NN0208", f"a leaf's target is not one of {self.targets}")
        modes = self.nodes_modes.array.reshape(-1).tolist()
        if any(not 0 <= mode < len(MODES) for mode in modes):
            raise InferError("NN0208", "a mode of TreeEnsemble is not known")
        members = self.membership_values
        sets = np.empty(0) if members is None else members.array.astype(np.float64)
        if np.isnan(sets).sum() != modes.count(MODES.index("in")):
            raise InferError("NN0208", 'each node "in" of TreeEnsemble has one set')


OPS: tuple[type[Op], ...] = (Binarizer, ArrayFeatureExtractor, LabelEncoder, TreeEnsemble)
