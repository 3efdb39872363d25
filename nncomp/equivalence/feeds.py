"""What a graph is run on: two sizes of each symbolic dim, and numbers that reach its branches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from nncomp.equivalence.coverage import Coverage
from nncomp.equivalence.draws import NARROWEST, STYLES, Style, draw
from nncomp.equivalence.ranges import bounds_of
from nncomp.equivalence.running import Backends, Feed
from nncomp.equivalence.sizes import Sizes, candidates
from nncomp.errors import CompileError
from nncomp.ir.graph import Graph
from nncomp.types import Array

TWO = 2  # sizes of each symbolic dim
_TRIES = 40  # of assignments, until enough of them run


def feeds_for(
    graph: Graph, parameters: Mapping[str, Array], backends: Backends, seed: int
) -> tuple[list[Feed], Coverage]:
    """Numbers on which the graph runs, and which sides of its branches they reach.

    Normal numbers with one size and wide ones with another (a graph without symbolic dims gets
    both), and further styles where one reaches a side that none did, or where a single bool or
    integer is an input.
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
                feed = self._runs(sizes, style)
            except CompileError:
                if not number:
                    raise
                continue
            if wanted or self.coverage.seen > seen:
                yield feed

    def _runs(self, sizes: Sizes, style: Style) -> Feed:
        for narrow in range(NARROWEST + 1):
            feed = draw(self.graph, sizes, style, self.bounds, self.parameters, self.seed, narrow)
            try:
                self.backends.numpy(self.graph, feed, self.coverage.watching(feed))
            except CompileError:
                if narrow == NARROWEST:
                    raise
                continue
            return feed
        raise AssertionError("the last try returns or raises")
