"""Operators on strings. None has a gradient."""

from __future__ import annotations

import re

from nncomp.dims import new_dim
from nncomp.ir.op import Gradients, InferError, Op, Vjp, operator
from nncomp.ops.rules import broadcast, require_one_of
from nncomp.types import STRINGS, DType, TensorType

Ints = tuple[int, ...]
Floats = tuple[float, ...]
Strings = tuple[str, ...]


def require_string(*types: TensorType) -> None:
    for number, t in enumerate(types):
        if t.dtype is not DType.STRING:
            raise InferError("NN0203", f"strings are needed, this is {t}", operand=number)


@operator
class _Text(Op):
    """Base of the operators on strings: nothing flows back through them."""

    def vjp(self, at: Vjp) -> Gradients:
        return (None,) * len(at.inputs)


@operator
class StringConcat(_Text):
    """X followed by Y, broadcast together (ONNX StringConcat-20)."""

    signature = "X, Y -> Z"
    takes = STRINGS

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        require_string(x, y)
        return TensorType(DType.STRING, broadcast(x, y, verb="join"))


@operator
class StringSplit(_Text):
    """The parts of each string between delimiters, padded with "" to one number of parts, and how
    many each has (ONNX StringSplit-20).

    delimiter: white space of any length if left out or empty
    maxsplit: the most splits of one string; any number if left out
    X: [N, …] -> Y: [N, …, parts], Z: i64[N, …]
    """

    signature = "X -> Y, Z"
    takes = STRINGS
    open_sizes = True
    delimiter: str | None = None
    maxsplit: int | None = None

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        require_string(x)
        parts = TensorType(DType.STRING, (*x.shape, new_dim("parts", 0)))
        return parts, TensorType(DType.I64, x.shape)


@operator
class StringNormalizer(_Text):
    """Strings without stop words, in one case; a single "" if none is left
    (ONNX StringNormalizer-10).

    case_change_action: "NONE", "LOWER" or "UPPER"; is_case_sensitive: whether a stop word is one
    in its own case only; locale: whose rules of case hold; only those of Unicode are known
    X: [C] or [1, C] -> Y: the same with fewer elements
    """

    signature = "X -> Y"
    takes = STRINGS
    open_sizes = True
    case_change_action: str = "NONE"
    is_case_sensitive: int = 0
    locale: str | None = None
    stopwords: Strings | None = None

    def infer(self, x: TensorType) -> TensorType:
        require_string(x)
        require_one_of("case_change_action", self.case_change_action, ("NONE", "LOWER", "UPPER"))
        if x.rank not in (1, 2) or (x.rank == 2 and x.shape[0] != 1):
            raise InferError("NN0204", f"StringNormalizer takes [C] or [1, C], this is {x}")
        return TensorType(DType.STRING, (*x.shape[:-1], new_dim("kept")))


@operator
class RegexFullMatch(_Text):
    """Whether the whole of each string matches the pattern (ONNX RegexFullMatch-20).

    pattern: in the syntax of RE2, of which what Python's `re` takes too is known
    """

    signature = "X -> Y"
    takes = STRINGS
    pattern: str | None = None

    def infer(self, x: TensorType) -> TensorType:
        require_string(x)
        try:
            re.compile(self.pattern or "")
        except (re.error, RecursionError, OverflowError) as failure:
            raise InferError("NN0208", f"the pattern of RegexFullMatch: {failure}") from None
        return TensorType(DType.BOOL, x.shape)


@operator
class TfIdfVectorizer(_Text):
    """How often each n-gram of a pool stands in each row (ONNX TfIdfVectorizer-9).

    ngram_counts: where the n-grams of each length begin in the pool, from length 1 on
    ngram_indexes: the place in the result of each n-gram of the pool
    min_gram_length, max_gram_length: of the n-grams that are looked for
    max_skip_count: how many elements at most lie between two of an n-gram
    mode: "TF", how often; "IDF", the weight (1 if none is given) of those that are there; "TFIDF",
        how often times the weight
    weights: of each n-gram of the pool
    X: [C] or [N, C] -> Y: f32[max(ngram_indexes) + 1], or a row of it for each of N
    """

    signature = "X -> Y"
    takes = STRINGS
    max_gram_length: int
    max_skip_count: int
    min_gram_length: int
    mode: str
    ngram_counts: Ints
    ngram_indexes: Ints
    pool_int64s: Ints | None = None
    pool_strings: Strings | None = None
    weights: Floats | None = None

    def infer(self, x: TensorType) -> TensorType:
        require_one_of("mode", self.mode, ("TF", "IDF", "TFIDF"))
        if x.dtype not in (DType.I32, DType.I64, DType.STRING):
            raise InferError("NN0203", f"TfIdfVectorizer takes integers or strings, not {x}")
        if (x.dtype is DType.STRING) is not bool(self.pool_strings):
            raise InferError("NN0203", f"the pool of TfIdfVectorizer does not go with {x}")
        if not 1 <= x.rank <= 2:
            raise InferError("NN0204", f"TfIdfVectorizer takes [C] or [N, C], this is {x}")
        self._check()
        return TensorType(DType.F32, (*x.shape[:-1], self.size))

    @property
    def size(self) -> int:
        """Of the result."""
        return max(self.ngram_indexes) + 1

    @property
    def pool(self) -> tuple[int | str, ...]:
        return self.pool_int64s or self.pool_strings or ()

    def _check(self) -> None:
        counts, limits = self.ngram_counts, (self.min_gram_length, self.max_gram_length)
        total = len(self.pool)
        if not 1 <= limits[0] <= limits[1] or self.max_skip_count < 0:
            raise InferError("NN0208", f"n-grams of length {limits[0]} to {limits[1]}")
        ends = (*counts[1:], total)
        if not counts or any(not 0 <= a <= b for a, b in zip(counts, ends, strict=True)):
            raise InferError("NN0208", f"ngram_counts {list(counts)} of a pool of {total}")
        found = sum((b - a) // (i + 1) for i, (a, b) in enumerate(zip(counts, ends, strict=True)))
        indexes = self.ngram_indexes
        if not indexes or min(indexes) < 0 or len(indexes) < found:
            raise InferError("NN0208", f"{len(indexes)} ngram_indexes of {found} n-grams")
        if self.weights and len(self.weights) < found:
            raise InferError("NN0208", f"{len(self.weights)} weights of {found} n-grams")


OPS: tuple[type[Op], ...] = (
    *(StringConcat, StringSplit, StringNormalizer, RegexFullMatch, TfIdfVectorizer),
)
