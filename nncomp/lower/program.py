"""From a source to graphs: inference, entries, training steps, evaluation, initial values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from nncomp.collector import collector_paused
from nncomp.dims import symbols_in
from nncomp.errors import CompileError, Diagnostic, error
from nncomp.ir.drawn import Drawn
from nncomp.ir.graph import Graph, Node, Value
from nncomp.ir.live import live_among
from nncomp.ir.obligation import Obligation
from nncomp.ir.sizes import sources
from nncomp.lower.base import Base
from nncomp.lower.calls import bind_arguments
from nncomp.lower.context import Context, Frame
from nncomp.lower.expressions import evaluate
from nncomp.lower.loading import Loaded, choose, deep_recursion, models_in
from nncomp.lower.recovery import PoisonError
from nncomp.lower.remembering import Memory
from nncomp.lower.repeating import Repeats
from nncomp.lower.settings import setting
from nncomp.lower.statements import execute
from nncomp.lower.store import Store
from nncomp.lower.values import Argument, Arguments
from nncomp.records import record
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast
from nncomp.syntax.parser import parse
from nncomp.types import Array


@record
class TrainSection:
    """One `train` block, lowered.

    step: batch, hyperparameters, step and seed in; losses and metrics out; parameters updated.
        Its gradients are `Grad` operators, to be expanded.
    evaluation: the same losses and metrics in inference mode, without updates
    predictions: the model's outputs in the evaluation, by name; it need not compute them
    """

    step: Graph
    evaluation: Graph
    predictions: Mapping[str, Value]

    @property
    def whole_evaluation(self) -> Graph:
        """The evaluation that gives the model's outputs, too."""
        return replace(self.evaluation, outputs={**self.evaluation.outputs, **self.predictions})


@record
class Original:
    """The ONNX file that a program was imported from.

    stem: its name without the suffix
    with_weights: the same model with other numbers in its initialisers, which are given by name
    find: the line of the node that has a name, or gives a value of that name
    traced: place and text of the line of Python that the node of a line was traced from
    external_data: whether weights lie beside it
    """

    stem: str
    with_weights: Callable[[Mapping[str, Array]], Any] = field(repr=False)
    find: Callable[[str], Span | None] = field(repr=False)
    traced: Callable[[Span], tuple[str, str] | None] = field(repr=False)
    external_data: bool = False


@record
class Program(Drawn):
    """A model with its hyperparameters, as graphs over one set of parameters.

    graph: inference; the model's outputs, or those of its first entry
    entries: by name
    train: by name; "train" for a block without one
    optional: names of the optional inputs, those that the graphs have and the others
    initial: seed in; the first value of every parameter, buffer and optimiser state, by path
    warnings: what is odd but no error
    settings: the values of its hyperparameters
    metadata: what an imported model says of itself, to be said again by what is built from it
    original: the file of an imported model
    """

    name: str
    graph: Graph
    entries: Mapping[str, Graph]
    train: Mapping[str, TrainSection]
    initial: Graph
    optional: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    original: Original | None = None


@collector_paused()
def lower(
    source: SourceFile | Loaded,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    kinds: Collection[str] = ("entry", "train"),
    wanted: Collection[str] = (),
    base: Base | None = None,
    memory: Memory | None = None,
) -> Program:
    """Lowers one model of a source (the first, if no name is given). Raises CompileError, with all
    errors that do not follow from each other. Who lowers several has it `Loaded` once.

    kinds: of sections that are wanted; who only looks at the model itself saves the rest
    wanted: the optional inputs that the graphs have; without the others, these are `none`
    base: a graph that the model goes on from
    memory: of what blocks gave before; the graphs then tell of types and cannot be run
    """
    loaded = source if isinstance(source, Loaded) else Loaded(source)
    store = Store(wanted, loaded.store.watch, memory or Repeats())
    try:
        store.begin(loaded.store)
        with deep_recursion():
            return _Lowering(loaded, settings or {}, store, base).program(model, kinds)
    except CompileError as failure:
        store.report(failure)
        raise store.problems.error() from None


def models(source: SourceFile) -> list[str]:
    """Names of the models in a source, in order."""
    return list(models_in(parse(source)))


def hyperparameters(source: SourceFile, model: str | None = None) -> list[str]:
    """Names of a model's hyperparameters (of the first model, if no name is given)."""
    chosen = choose(source, models_in(parse(source)), model)
    return [formal.name.text for formal in chosen.hyperparameters]


class _Lowering:
    """Lowers a model once for each of its graphs."""

    def __init__(
        self,
        loaded: Loaded,
        settings: Mapping[str, Any],
        store: Store,
        base: Base | None = None,
    ) -> None:
        self.loaded = loaded
        self.settings = settings
        self.store = store
        self.base = base
        self.values: dict[str, Any] = {}  # of the hyperparameters

    def program(self, model: str | None, kinds: Collection[str]) -> Program:
        """One model, and a look at what of the file it does not use. Raises CompileError."""
        try:
            self.model = self.loaded.model(model)
            program = self._program(kinds)
        except CompileError as failure:
            self.store.report(failure)
        except PoisonError:
            pass
        self.loaded.check_unused(self.store)
        if self.store.problems:
            raise self.store.problems.error()
        return program

    def _program(self, kinds: Collection[str]) -> Program:
        sections = [s for s in self.model.body if isinstance(s, ast.Section)]
        name = self.model.name.text
        entries: dict[str, Graph] = {}
        train: dict[str, TrainSection] = {}
        if self.base is not None:
            self.base.initialize(self.store, self.model.name.span)
        graph = self._graph(name, None, training=False, learning=False)
        wanted = kinds if graph.outputs else {*kinds, "entry"}
        for section in sections:
            if section.kind not in wanted:
                continue
            title = section.name.text if section.name else section.kind
            if title in entries or title in train:
                self.store.report(
                    error("NN0104", f"there are two sections `{title}`", section.span)
                )
            if section.kind == "entry":
                entries[title] = self._graph(title, section, training=False, learning=False)
                self._require_outputs(entries[title], section)
            else:
                step = self._graph(f"{name}.{title}", section, training=True, learning=True)
                evaluation, predictions = self._graph_and_predictions(
                    f"{name}.{title}.eval", section, training=False, learning=False
                )
                self._require_outputs(step, section)
                train[title] = TrainSection(step, evaluation, predictions)
        if not graph.outputs and entries:
            graph = next(iter(entries.values()))
        if not graph.outputs and not any(s.kind == "train" for s in sections):
            self._require_outputs(graph, self.model)
        warnings = tuple(self.store.warnings.values())
        optional = tuple(self.store.optional)
        initial = self._initial(name)
        return Program(name, graph, entries, train, initial, optional, warnings, self.values)

    def _require_outputs(self, graph: Graph, node: ast.Node) -> None:
        if not graph.outputs and not self.store.problems:
            what = "the model" if isinstance(node, ast.ModelDecl) else "the section"
            add = "`output name = …`"
            if isinstance(node, ast.Section) and node.kind == "train":
                add = "`minimize … by …` or `metric name = …`"
            raise error("NN0306", f"{what} has no output", _head(node), help=f"add {add}")

    def _graph(
        self, name: str, section: ast.Section | None, *, training: bool, learning: bool
    ) -> Graph:
        return self._graph_and_predictions(name, section, training=training, learning=learning)[0]

    def _graph_and_predictions(
        self, name: str, section: ast.Section | None, *, training: bool, learning: bool
    ) -> tuple[Graph, Mapping[str, Value]]:
        """The graph of the model or of one of its sections; with a section the model's own outputs,
        but for those whose names the section gives to others."""
        ctx = Context(
            self.store,
            self.loaded.prelude,
            training=training,
            section=section,
            learning=learning,
            evaluate=evaluate,
            execute=execute,
        )
        frame = Frame(self.model, self.loaded.module, {})
        ctx.frames.append(frame)
        ctx.expansion.read(self.model)
        with ctx.at(self.model.name.span):
            places = {f.name.text: f.span for f in self.model.hyperparameters}
            given = {k: setting(self.model, k, v) for k, v in self.settings.items()}
            arguments = Arguments([], {k: Argument(v, places[k]) for k, v in given.items()})
            bind_arguments(
                ctx, self.model.hyperparameters, arguments, self.model, self.model.name.span
            )
        self.values = dict(frame.names)
        if self.base is not None:
            self.base.enter(ctx)
        execute(ctx, self.model.body)
        nodes, inputs = tuple(ctx.b.nodes), list(ctx.inputs.values())
        if not training:
            results = [*ctx.outputs.values(), *ctx.predictions.values(), *ctx.updates.values()]
            nodes = tuple(live_among(nodes, results))
            inputs = _needed(ctx, section, nodes, results)
        graph = Graph(
            name,
            tuple(sorted(inputs, key=lambda v: v.name in ctx.defaults)),
            tuple(ctx.parameters.values()),
            nodes,
            dict(ctx.outputs),
            dict(ctx.updates) if learning or section is None or section.kind == "entry" else {},
            {v.name: ctx.defaults[v.name] for v in inputs if v.name in ctx.defaults},
            tuple(_told(ctx.obligations, inputs)),
        )
        return graph, {n: v for n, v in ctx.predictions.items() if n not in graph.outputs}

    def _initial(self, name: str) -> Graph:
        """All initial values; `store.initial` holds them over all graphs."""
        initial = self.store.initial
        return Graph(
            f"{name}.initial",
            (self.store.seed,),
            (),
            tuple(self.store.builder.nodes),
            {path: entry.value for path, entry in initial.items()},
            {},
            {"seed": 0},
        )


def _needed(
    ctx: Context, section: ast.Section | None, nodes: Sequence[Node], results: Sequence[Value]
) -> list[Value]:
    """The inputs that the program declares, those of the compiler's own that are read. An entry has
    its own, those of the model that it reads, and those that a size in it comes from."""
    live = {*results, *(value for node in nodes for value in node.operands)}
    own = ctx.declared
    if section is not None and section.kind == "entry":
        own = {s.name.text for s in section.body if isinstance(s, ast.InputDecl)}
    inputs = [v for v in ctx.inputs.values() if v in live or v.name in own]
    shapes = [v.shape for v in [*results, *(o for node in nodes for o in node.outputs)]]
    needed = symbols_in(d for shape in shapes for d in shape)
    for value in ctx.inputs.values():
        known = symbols_in(d for v in inputs for d in v.shape)
        has = symbols_in(value.shape)
        if value not in inputs and has & needed - known:
            inputs.append(value)
    return inputs


def _told(obligations: Iterable[Obligation], inputs: list[Value]) -> Iterator[Obligation]:
    """Those about the inputs that the graph has: an entry may lack some of the model's."""
    known = sources(inputs)
    return (o for o in obligations if all(symbol in known for symbol in o.symbols()))


def _head(node: ast.Node) -> Any:
    return node.name.span if isinstance(node, ast.ModelDecl) else node.span
