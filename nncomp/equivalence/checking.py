"""A graph before and after each pass: the first pass and rule that change an answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from nncomp.equivalence.compare import Answers, Difference, nan_share
from nncomp.equivalence.culprit import Culprit, apply_pass, find_culprit
from nncomp.equivalence.cutting import Piece, smallest
from nncomp.equivalence.feeds import feeds_for
from nncomp.equivalence.judges import InFloat32, InFloat64, InRuntime, Judge, verdict
from nncomp.equivalence.report import Fault, PassCheck, Report
from nncomp.equivalence.running import Backends, Feed, Run, next_of
from nncomp.errors import CompileError
from nncomp.ir.bind_dims import bind_dims
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ops.random_standard import Drawn, Dropout
from nncomp.passes.base import Pass
from nncomp.passes.manager import O1
from nncomp.types import Array

OnProgress = Callable[[int, int, str], None]
"""Is told how many passes are done, of how many, and the next one's name."""


def check_passes(
    graph: Graph,
    passes: Sequence[Pass],
    backends: Backends,
    parameters: Mapping[str, Array] | None = None,
    *,
    exact: Collection[Pass] = O1,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> Report:
    """Runs the graph before and after each pass, until an answer changes.

    parameters: of those that are still parameters, by path
    exact: the passes that may change no bit
    Raises CompileError if the graph itself does not run.
    """
    return _Checker(graph, backends, exact, seed).check(passes, parameters or {}, on_progress)


class _Track:
    """The passes in the eyes of one judge: the graph so far, and its answers to each feed."""

    def __init__(self, judge: Judge, graph: Graph, feeds: Sequence[Feed]) -> None:
        self.judge = judge
        self.graph = judge.prepare(graph)
        self.feeds = feeds
        run = judge.opened(self.graph)
        self.answers: list[Answers] = [run(feed) for feed in feeds]

    def step(
        self, pass_: Pass, after: Graph | None, check: PassCheck, *, exact: bool
    ) -> tuple[Feed, Difference] | None:
        """The first feed to which the pass's graph answers otherwise; None for a graph that could
        not be made."""
        if after is self.graph:
            return None
        run: Run | None = None
        found: list[Answers] = []
        for feed, wanted in zip(self.feeds, self.answers, strict=True):
            answer: Answers | None = None
            if after is not None:
                try:
                    run = run or self.judge.opened(after)
                    answer = run(feed)
                except CompileError:
                    answer = None
            apart, fault = verdict(
                self.judge, self.graph, after or self.graph, feed, (wanted, answer), exact=exact
            )
            check.note(self.judge.name, apart)
            if fault or answer is None:
                return feed, apart
            check.rounding |= not exact and apart.size > self.judge.limit(wanted)
            found.append(answer)
        assert after is not None
        self.graph, self.answers = after, found
        return None


class _Checker:
    def __init__(
        self, graph: Graph, backends: Backends, exact: Collection[Pass], seed: int
    ) -> None:
        self.graph = graph
        self.backends = backends
        self.exact = exact
        self.seed = seed
        self.report = Report(graph.name)

    def check(
        self,
        passes: Sequence[Pass],
        parameters: Mapping[str, Array],
        on_progress: OnProgress | None,
    ) -> Report:
        report = self.report
        feeds, coverage = feeds_for(self.graph, parameters, self.backends, self.seed)
        report.runs = [(feed.sizes, feed.style) for feed in feeds]
        report.sides, report.unseen = len(coverage.sides), coverage.unseen
        tracks = self._tracks(feeds)
        report.notes += _incomparable(tracks[0].answers)
        for number, pass_ in enumerate(passes):
            if on_progress is not None:
                on_progress(number, len(passes), pass_.name)
            self._step(pass_, tracks)
            if report.fault is not None:
                break
        return report

    def _tracks(self, feeds: Sequence[Feed]) -> list[_Track]:
        """The judges that can look at the graph; float32 first, whose faults are the plainest."""
        unlike = _drawn(self.graph)
        if unlike:
            self.report.notes.append(f"drawn at random, not compared: {', '.join(sorted(unlike))}")
        tracks = [_Track(InFloat32(self.backends, unlike), self.graph, feeds)]
        others: list[Judge] = [InFloat64(self.backends, unlike)]
        if self.backends.onnxruntime is not None:
            others.append(InRuntime(self.backends, unlike))
        for judge in others:
            try:
                tracks.append(_Track(judge, self.graph, feeds))
            except CompileError as refusal:
                reason = refusal.diagnostics[0].message
                self.report.notes.append(f"{judge.name} does not run it: {reason}")
        return tracks

    def _step(self, pass_: Pass, tracks: Sequence[_Track]) -> None:
        exact = pass_ in self.exact
        before = tracks[0].graph
        check = PassCheck(pass_.name, {}, (len(before.nodes),) * 2)
        made: dict[Graph, Graph | None] = {}
        for track in tracks:
            source = track.graph
            if source not in made:
                try:
                    result = apply_pass(pass_, source, self.backends.evaluate)
                    made[source] = result.graph
                    if source is before:
                        nodes = (len(before.nodes), len(result.graph.nodes))
                        check = PassCheck(pass_.name, result.counts, nodes)
                except CompileError:
                    made[source] = None
            after = made[source]
            lost = after is not None and _streams(after) < _streams(source)
            found = track.step(pass_, after, check, exact=exact)
            if lost and found is None:
                found = track.feeds[0], Difference("its random numbers", float("inf"))
                track.graph = source
            if found is not None:
                self.report.fault = _Blame(pass_, track, self.backends, exact, *found).fault()
                break
        self.report.passes.append(check)


class _Blame:
    """From a pass that changes an answer to the rewrite, and to a piece of the graph."""

    def __init__(
        self,
        pass_: Pass,
        track: _Track,
        backends: Backends,
        exact: bool,
        feed: Feed,
        found: Difference,
    ) -> None:
        self.pass_ = pass_
        self.judge = track.judge
        self.graph = track.graph
        self.backends = backends
        self.exact = exact
        self.feed = feed
        self.found = found

    def fault(self) -> Fault:
        culprit = self._culprit(self.graph)
        piece = self._static_piece() or self._piece(culprit)
        after = None
        if piece is not None:
            try:
                result = apply_pass(self.pass_, piece.graph, self.backends.evaluate)
                after = Piece(result.graph, piece.feed)
            except CompileError:  # then that is what is wrong with it
                after = None
        nodes = [] if culprit.held is None else list(culprit.held.nodes)
        nodes += [] if piece is None else list(piece.graph.nodes)
        spans = [node.origin.spans[0] for node in nodes if node.origin.spans]
        return Fault(
            self.pass_.name,
            culprit.rule,
            self.judge.name,
            self.found,
            self.feed.sizes,
            self.feed.style,
            culprit.rewrites,
            spans[0] if spans else None,
            piece,
            after,
        )

    def _culprit(self, graph: Graph) -> Culprit:
        wanted = self.judge.opened(graph)(self.feed)

        def changes(after: Graph) -> bool:
            return self._differs(graph, after, self.feed, wanted)

        return find_culprit(self.pass_, graph, self.backends.evaluate, changes)

    def _differs(self, before: Graph, after: Graph, feed: Feed, wanted: Answers) -> bool:
        if after is before:
            return False
        if _streams(after) < _streams(before):
            return True
        try:
            found: Answers | None = self.judge.opened(after)(feed)
        except CompileError:
            found = None
        return verdict(self.judge, before, after, feed, (wanted, found), exact=self.exact)[1]

    def _static_piece(self) -> Piece | None:
        """A piece without symbolic dims, if it shows there."""
        if not self.feed.sizes:
            return None
        try:
            return self._piece(self._culprit(bind_dims(self.graph, self.feed.sizes)))
        except CompileError:
            return None

    def _piece(self, culprit: Culprit) -> Piece | None:
        graph, rules = culprit.graph, set(culprit.rule.split(", "))
        wide = self.judge.name == InFloat64.name
        feed = self.feed.wide() if wide else self.feed

        def values(wanted: Sequence[Value]) -> dict[Value, Array]:
            outputs = {f"v{i}": value for i, value in enumerate(wanted)}
            found = self.backends.numpy(replace(graph, outputs=outputs, updates={}), feed, None)
            return {value: found[name] for name, value in outputs.items()}

        def shows(piece: Piece) -> bool:
            wanted = self.judge.opened(piece.graph)(piece.feed)
            try:
                result = apply_pass(self.pass_, piece.graph, self.backends.evaluate)
            except CompileError:
                return culprit.broken
            if not rules & result.counts.keys():
                return False
            return self._differs(piece.graph, result.graph, piece.feed, wanted)

        start: tuple[Node, ...] = () if culprit.held is None else culprit.held.nodes
        return smallest(graph, start, values, shows)


def _incomparable(answers: Sequence[Answers]) -> list[str]:
    """Outputs of which some numbers are NaN in every run."""
    shares = [nan_share(found) for found in answers]
    least = {name: min(s.get(name, 0.0) for s in shares) for name in shares[0]}
    return [
        f"`{name}`: {share:.0%} of its numbers are NaN in every run, and not compared"
        for name, share in least.items()
        if share
    ]


def _streams(graph: Graph) -> int:
    """How many nodes draw random numbers that a result depends on."""
    live, count = set(graph.results), 0
    for node in reversed(graph.nodes):
        if any(v in live for v in node.outputs):
            live.update(node.operands)
            count += isinstance(node.op, Drawn) and not isinstance(node.op, Dropout)
    return count


def _drawn(graph: Graph) -> set[str]:
    """The outputs that depend on random numbers of the runtime's own."""
    drawn: set[Value] = set()
    for node in graph.nodes:
        if _draws(node) or not drawn.isdisjoint(node.operands):
            drawn.update(node.outputs)
    names = {name for name, value in graph.outputs.items() if value in drawn}
    return names | {next_of(path) for path, value in graph.updates.items() if value in drawn}


def _draws(node: Node) -> bool:
    pending = [node]
    while pending:
        inner = pending.pop()
        if isinstance(inner.op, Drawn):
            return True
        pending += [n for body in inner.op.bodies for n in body.nodes]
    return False
