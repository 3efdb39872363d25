"""What the passes did to a graph, node by node, so that it can be told step by step.

A pass gives a new graph in which nodes that only got other operands are new objects. Here each node
has one number for as long as it lives, and a *place*: what a rewrite makes stands where one of
the nodes stood that it replaced. A picture of all places is the picture of every step.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nncomp.inspect.opened import Opened, Opener
from nncomp.inspect.page.order import blockwise
from nncomp.inspect.view.outline import visible_nodes
from nncomp.ir.graph import Graph, Node
from nncomp.passes.base import Rewritten
from nncomp.passes.manager import OptimizeResult, PassRecord

Key = tuple[int, int]


@dataclass
class Step:
    """One rewrite, or several of one pass that end in the same nodes.

    removed, made: numbers of nodes; of a rewrite that had others on the way, only first and last
    """

    rules: list[str]
    removed: list[int]
    made: list[int]


@dataclass
class Snapshot:
    """The graph after a pass, its bodies laid open; the first is the graph as it was given, after
    none.

    unread: nodes that went because nobody read them any more
    """

    opened: Opened
    record: PassRecord | None
    numbers: list[int]
    steps: list[Step] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)

    @property
    def graph(self) -> Graph:
        return self.opened.graph

    @property
    def by_original(self) -> dict[Node, int]:
        """Numbers of nodes by what they are there for; a body that two share counts once."""
        nodes = zip(self.graph.nodes, self.numbers, strict=True)
        return {self.opened.original(node): number for node, number in nodes}


@dataclass
class Story:
    """Nodes by number, in an order in which blocks stand together and operands come first.

    nodes: each as it was when it first stood in a graph
    first: the snapshot in which that was; place: of each; visible: whether it is drawn
    """

    nodes: list[Node]
    first: list[int]
    place: list[int]
    visible: list[bool]
    places: int
    snapshots: list[Snapshot]


def tell(graph: Graph, result: OptimizeResult | None = None) -> Story:
    """The story of a graph: of each pass that changed something, a snapshot."""
    teller = _Teller(graph)
    for record in result.log if result is not None else ():
        if record.changed:
            teller.follow(record)
    return teller.finish()


class _Teller:
    """Gives numbers and places, pass by pass."""

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self.first: list[int] = []
        self.visible: list[bool] = []
        self.place: list[int] = []
        self.scopes: list[str] = []  # of places
        self.hints: list[float] = []  # of places: where they come in the order as written
        self.numbers: dict[Node, int] = {}
        self.opener = Opener()
        self.snapshots: list[Snapshot] = []
        opened = self.opener.open(graph)
        shown = set(visible_nodes(opened.graph))
        numbers = [self._new(node, node in shown) for node in opened.graph.nodes]
        for number in numbers:
            self._settle(number, float(number))
        self.snapshots.append(Snapshot(opened, None, numbers))

    def _new(self, node: Node, visible: bool) -> int:
        number = len(self.nodes)
        self.nodes.append(node)
        self.first.append(len(self.snapshots))
        self.visible.append(visible)
        self.place.append(-1)
        self.numbers[node] = number
        return number

    def _settle(self, number: int, hint: float) -> None:
        """Gives a node a place of its own."""
        self.place[number] = len(self.scopes)
        self.scopes.append(self.nodes[number].origin.scope)
        self.hints.append(hint)

    def follow(self, record: PassRecord) -> None:
        """The next snapshot."""
        before, opened = self.snapshots[-1], self.opener.open(record.result.graph)
        graph = opened.graph
        there = set(graph.nodes)
        renewed: dict[Key, deque[int]] = defaultdict(deque)
        for node, number in zip(before.graph.nodes, before.numbers, strict=True):
            if node not in there:
                renewed[_key(node)].append(number)
        shown = set(visible_nodes(graph))
        numbers, made = [], []
        for node in graph.nodes:
            if node not in self.numbers:
                same = renewed.get(_key(node))
                if same:
                    self.numbers[node] = same.popleft()
                else:
                    made.append(self._new(node, node in shown))
            numbers.append(self.numbers[node])
        after = Snapshot(opened, record, numbers)
        alive = set(numbers)
        removed = [number for number in before.numbers if number not in alive]
        after.steps, after.unread = _Grouping(self, before, after).steps(removed, made)
        for step in after.steps:
            self._house(step)
        for number in made:
            if self.place[number] < 0:
                self._settle(number, self._near(number))
        self.snapshots.append(after)

    def _house(self, step: Step) -> None:
        """What is made takes the places of what is removed, the last first: of the same block if
        it can be."""
        free = [n for n in step.removed if self.visible[n]]
        free.sort(key=lambda n: self.hints[self.place[n]])
        for number in reversed([n for n in step.made if self.visible[n]]):
            if not free:
                return
            scope = self.nodes[number].origin.scope
            kin = [n for n in free if self.nodes[n].origin.scope == scope]
            chosen = (kin or free)[-1]
            free.remove(chosen)
            self.place[number] = self.place[chosen]

    def _near(self, number: int) -> float:
        """Where a place of its own stands: behind the latest of its operands."""
        hints = [
            self.hints[self.place[self.numbers[v.node]]]
            for v in self.nodes[number].operands
            if v.node is not None and self.place[self.numbers.get(v.node, number)] >= 0
        ]
        return max(hints, default=0.0) + 0.5

    def _sources(self, node: Node) -> set[int]:
        """The places of its operands."""
        return {self.place[self.numbers[v.node]] for v in node.operands if v.node is not None}

    def finish(self) -> Story:
        """The story, its nodes and places in their final order."""
        sources: list[set[int]] = [set() for _ in self.scopes]
        for snapshot in self.snapshots:
            for node, number in zip(snapshot.graph.nodes, snapshot.numbers, strict=True):
                sources[self.place[number]] |= self._sources(node)
            for nodes in snapshot.opened.inside.values():  # a body waits for all that it is given
                given = set[int]().union(*map(self._sources, nodes))
                inside = {self.place[self.numbers[node]] for node in nodes}
                for place in inside:
                    sources[place] |= given - inside
        places = blockwise(self.scopes, sources, self.hints)
        rank = {place: i for i, place in enumerate(places)}
        order = sorted(range(len(self.nodes)), key=lambda n: (rank[self.place[n]], n))
        renumbered = {old: new for new, old in enumerate(order)}
        for snapshot in self.snapshots:
            _renumber(snapshot.numbers, renumbered)
            _renumber(snapshot.unread, renumbered)
            for step in snapshot.steps:
                for numbers in (step.removed, step.made):
                    _renumber(numbers, renumbered)
                    numbers.sort()
        return Story(
            [self.nodes[n] for n in order],
            [self.first[n] for n in order],
            [rank[self.place[n]] for n in order],
            [self.visible[n] for n in order],
            len(places),
            self.snapshots,
        )


def _renumber(numbers: list[int], renumbered: dict[int, int]) -> None:
    numbers[:] = [renumbered[n] for n in numbers]


def _key(node: Node) -> Key:
    """What a node keeps when it gets other operands."""
    return id(node.op), id(node.origin)


class _Grouping:
    """The rewrites of one pass, those together of which one took what another had made."""

    def __init__(self, teller: _Teller, before: Snapshot, after: Snapshot) -> None:
        self._teller = teller
        self._record = after.record
        self._known: dict[Key, int] = {}
        self._originals: dict[Node, int] = {}
        self._inside: dict[int, list[int]] = {}  # of an operator with a body, the nodes there
        for snapshot in (before, after):
            numbers = dict(zip(snapshot.graph.nodes, snapshot.numbers, strict=True))
            for node, number in numbers.items():
                original = snapshot.opened.original(node)
                self._originals.setdefault(original, number)
                self._known.setdefault(_key(original), number)
            for node, inside in snapshot.opened.inside.items():
                self._inside.setdefault(numbers[node], [numbers[inner] for inner in inside])

    def _number(self, node: Node) -> int | Key:
        """The node's number; its key if it stands neither in the graph before nor in that after."""
        number = self._teller.numbers.get(node, self._originals.get(node))
        if number is not None:
            return number
        return self._known.get(_key(node), _key(node))

    def _all(self, nodes: Iterable[Node]) -> list[int | Key]:
        """Their numbers; with an operator that has a body those of the body's nodes."""
        found: list[int | Key] = []
        for node in nodes:
            number = self._number(node)
            found.append(number)
            if isinstance(number, int):
                found += self._inside.get(number, ())
        return found

    def steps(self, removed: Sequence[int], made: Sequence[int]) -> tuple[list[Step], list[int]]:
        """The steps, and what went without one."""
        assert self._record is not None
        gone, new = dict.fromkeys(removed), dict.fromkeys(made)
        groups: dict[int | Key, _Group] = {}  # by what was made on the way or is new
        found: dict[_Group, None] = {}
        for rewrite in self._record.result.rewrites:
            group = _Group()
            taken, result = self._all(rewrite.taken), self._all(rewrite.made)
            for item in dict.fromkeys((*taken, *result)):
                if item in groups:
                    group.take_in(groups[item].top())
            group.add(rewrite, [n for n in taken if n in gone], [n for n in result if n in new])
            for item in (*taken, *result):
                if item not in gone:
                    groups[item] = group
            found[group] = None
        tops = [group for group in found if group.into is None]
        steps = [group.step(new, gone) for group in tops]
        steps = [step for step in steps if step.removed or step.made]
        for step in steps:
            for number in (*step.removed, *step.made):
                gone.pop(number, None)
                new.pop(number, None)
        steps += self._by_origin(gone, new)
        return steps, list(gone)

    def _by_origin(self, gone: dict[int, None], new: dict[int, None]) -> list[Step]:
        """Of a pass that does not tell its rewrites: what stands for what has the same origin."""
        assert self._record is not None
        nodes = self._teller.nodes
        rules = list(self._record.result.counts)
        heirs: dict[int, list[int]] = defaultdict(list)
        for number in new:
            heirs[id(nodes[number].origin)].append(number)
        replaced: dict[int, list[int]] = {origin: [] for origin in heirs}
        for number in list(gone):
            origin = id(nodes[number].origin)
            if origin in replaced:
                replaced[origin].append(number)
                del gone[number]
        return [Step(rules, replaced[origin], made) for origin, made in heirs.items()]


@dataclass(eq=False)
class _Group:
    """Rewrites that belong together. into: the group that took this one in."""

    rules: dict[str, None] = field(default_factory=dict)
    removed: dict[int | Key, None] = field(default_factory=dict)
    made: dict[int | Key, None] = field(default_factory=dict)
    into: _Group | None = None

    def top(self) -> _Group:
        group = self
        while group.into is not None:
            group = group.into
        return group

    def take_in(self, other: _Group) -> None:
        if other is self:
            return
        other.into = self
        self.rules.update(other.rules)
        self.removed.update(other.removed)
        self.made.update(other.made)

    def add(
        self, rewrite: Rewritten, removed: Iterable[int | Key], made: Iterable[int | Key]
    ) -> None:
        self.rules[rewrite.rule] = None
        self.removed.update(dict.fromkeys(removed))
        self.made.update(dict.fromkeys(made))

    def step(self, new: dict[int, None], gone: dict[int, None]) -> Step:
        removed = sorted(n for n in self.removed if isinstance(n, int) and n in gone)
        made = sorted(n for n in self.made if isinstance(n, int) and n in new)
        return Step(list(self.rules), removed, made)
