"""What a graph is run on: two sizes of each symbolic dim, and numbers that reach its branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from types import MappingProxyType

from nncomp.equivalence.compare import nan_share
from nncomp.equivalence.coverage import Coverage
from nncomp.equivalence.draws import NARROWEST, RANGES, STYLES, Range, Style, draw
from nncomp.equivalence.ranges import bounds_of
from nncomp.equivalence.running import Backends, Feed
from nncomp.equivalence.sizes import Sizes, candidates
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.types import Array

TWO = 2  # sizes of each symbolic dim
_TRIES = 40  # of assignments, until enough of them run; and of ranges, until no answer is NaN


def feeds_for(
    graph: Graph, parameters: Mapping[str, Array], backends: Backends, seed: int
) -> tuple[list[Feed], Coverage]:
    """Numbers on which the graph runs, and which sides of its branches they reach.

    Normal numbers with one size and wide ones with another (a graph without symbolic dims gets
    both), and further styles where one reaches a side that none did, or where a single bool or
    integer is an input. Where answers are NaN, no number can be compared: then the same once more
    from ranges of which fewer are, if there are such.
    Raises what the last run raised if there are no sizes on which the graph runs.
    """
    coverage = Coverage(graph)
    chooser = _Chooser(graph, parameters, backends, coverage, seed)
    feeds: list[Feed] = []
    failure: CompileError | None = None
    count = 0
    for sizes in islice(candidates(graph, seed), _TRIES):
        try:
            feeds += list(chooser.feeds(sizes, count))
        except CompileError as refusal:
            failure = refusal
            continue
        count += 1
        if count == (TWO if sizes else 1):
            break
    if not feeds:
        raise failure or AssertionError("there is always an assignment to try")
    return feeds, coverage


class _Chooser:
    def __init__(
        self,
        graph: Graph,
        parameters: Mapping[str, Array],
        backends: Backends,
        coverage: Coverage,
        seed: int,
    ) -> None:
        self.graph = graph
        self.parameters = parameters
        self.backends = backends
        self.coverage = coverage
        self.seed = seed
        self.bounds = bounds_of(graph)
        self.tame: Mapping[str, Range] | None = None  # looked for once
        switches = [
            v
            for v in graph.inputs
            if not v.type.dtype.is_float and not v.rank and v.name not in graph.defaults
        ]
        self.all = bool(switches)

    def feeds(self, sizes: Sizes, which: int) -> Iterator[Feed]:
        """Raises CompileError if the graph does not run with these sizes.

        which: of the two assignments of sizes this is
        """
        always = STYLES[which : which + 1] if sizes else STYLES[:TWO]
        styles = [*always, *(style for style in STYLES if style not in always)]
        for number, style in enumerate(styles):
            wanted = self.all or style in always
            if not wanted and not self.coverage.unseen:
                return
            seen = self.coverage.seen
            try:
                feed, lost = self._runs(sizes, style)
            except CompileError:
                if not number:
                    raise
                continue
            if wanted or self.coverage.seen > seen:
                yield feed
                if lost:
                    yield from self._tamed(sizes, style, lost)

    def _tamed(self, sizes: Sizes, style: Style, lost: float) -> Iterator[Feed]:
        """The same from ranges with fewer NaNs, if there are such."""
        if self.tame is None:
            self.tame = self._tame_ranges(sizes, style, lost)
        if self.tame:
            try:
                yield self._runs(sizes, style, self.tame)[0]
            except CompileError:  # refused outside of the numbers that it is refused for
                return

    def _tame_ranges(self, sizes: Sizes, style: Style, lost: float) -> dict[str, Range]:
        """All inputs from one range, then each from its own, while that makes fewer NaNs."""
        names = [v.name for v in self.graph.inputs if v.name not in self.graph.defaults]
        best: dict[str, Range] = {}
        tries = [dict.fromkeys(names, where) for where in RANGES]
        tries += [{name: where} for name in names for where in RANGES] * (len(names) > 1)
        for ranges in tries[:_TRIES]:
            merged = {**best, **ranges}
            try:
                found = self._runs(sizes, style, merged)[1]
            except CompileError:
                continue
            if found < lost:
                best, lost = merged, found
            if not lost:
                break
        return best

    def _runs(
        self, sizes: Sizes, style: Style, kept: Mapping[str, Range] = MappingProxyType({})
    ) -> tuple[Feed, float]:
        """Numbers on which the graph runs, and how much of its outputs is NaN then, added up."""
        for narrow in range(NARROWEST + 1):
            feed = draw(
                self.graph, sizes, style, self.bounds, self.parameters, self.seed, narrow, kept
            )
            try:
                answers = self.backends.numpy(self.graph, feed, self.coverage.watching(feed))
            except CompileError:
                if narrow == NARROWEST:
                    raise
                continue
            return feed, sum(nan_share(answers).values())
        raise AssertionError("the last try returns or raises")
