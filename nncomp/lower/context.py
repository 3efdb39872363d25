"""The state of lowering: the graph being built, the parameters met so far, the call stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from nncomp.dims import Dim
from nncomp.errors import CompileError, Note, error
from nncomp.ir.builder import At, Builder
from nncomp.ir.graph import Origin, Parameter, Value
from nncomp.ir.obligation import Clause, Comparison, Message, Obligation, spelt
from nncomp.ir.op import Data
from nncomp.ir.sizes import sources
from nncomp.lower.elsewhere import surplus_help
from nncomp.lower.expansion import Expansion
from nncomp.lower.spreading import spread
from nncomp.lower.store import SCALAR, Store
from nncomp.ops.elementwise import Add, Mul
from nncomp.records import record
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import DType, TensorType

MAX_CALLS = 64  # blocks within blocks


class Prelude(Protocol):
    """Names that every file sees: the compiler's functions and the standard library's fns."""

    def __contains__(self, name: object) -> bool: ...
    def __getitem__(self, name: str) -> Any: ...
    def __iter__(self) -> Iterator[str]: ...
    def get(self, name: str, default: Any = None) -> Any: ...

    def home(self, name: str) -> str | None:
        """The module of the standard library that an import of the name would name."""

    def imports(self) -> Mapping[str, str]:
        """The standard library's names that must be imported, with their modules."""


@dataclass(eq=False)
class Module:
    """A file with its names. `is_std` marks the standard library, whose spans come last."""

    name: str
    names: dict[str, Any] = field(default_factory=dict)
    is_std: bool = False


@dataclass(eq=False)
class Frame:
    """One call: the names it sees and where in the tree of parameters it stands.

    names: what the body binds; dims of the signature among them
    float_dtype: what `float[...]` means here
    loops: indices of the static loops around the point of execution, outermost first
    sites: instance names given in this call, with the place that gave them
    state: paths of the parameters, buffers and optimiser states that the body declares, by name
    replaced: what stands for parameters here, by path
    copy_of: of a copy, its path and that of the instance it was made from
    """

    decl: ast.Decl
    module: Module
    names: dict[str, Any]
    path: str = ""
    float_dtype: DType = DType.F32
    loops: list[int] = field(default_factory=list)
    sites: dict[str, Span] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    replaced: Mapping[str, Value] = field(default_factory=dict)
    copy_of: tuple[str, str] | None = None

    def looped(self, name: str) -> str:
        """A name made inside static loops: their indices follow it."""
        return ".".join([name, *map(str, self.loops)])


@record
class Declared:
    """How a parameter, buffer or state was declared. frame: with the names of then"""

    statement: ast.StateDecl
    frame: Frame
    origin: Origin


@record
class Yielded:
    """One value of a `yield`, and how it is to be stacked."""

    value: Any
    span: Span
    axis: ast.Expr | None = None
    reverse: bool = False


@dataclass(eq=False)
class Region:
    """The body of a `scan`, `loop` or `cond` that is being lowered.

    frame: of the call that the body stands in
    counter: i64[], the number of the run
    yielded: what the body has yielded, None if nothing yet
    """

    kind: str
    frame: Frame
    counter: Value | None = None
    yielded: list[Yielded] | None = None


def _tighten(comparison: Comparison) -> None:
    """What a run is held to, the algebra may count on: bounds of a symbol of this graph. So
    `assert T <= 512` makes min(512, T) the same as T."""
    symbol = comparison.left.symbol if isinstance(comparison.left, Dim) else None
    limit, relation = comparison.right, comparison.relation
    if symbol is None or not isinstance(limit, int):
        return
    if relation in ("<", "<="):
        most = limit - (relation == "<")
        symbol.maximum = most if symbol.maximum is None else min(symbol.maximum, most)
    elif relation in (">", ">="):
        symbol.minimum = max(symbol.minimum, limit + (relation == ">"))


class Context:
    """One graph in the making.

    prelude: what every file sees without an import
    training: the static bool of that name
    section: the `train` or `entry` section that belongs to this graph
    learning: whether `minimize` updates parameters (not in the evaluation graph)
    predictions: of an evaluation the model's own outputs, beside losses and metrics
    evaluate, execute: the two halves of the evaluator, which call each other through here
    """

    def __init__(
        self,
        store: Store,
        prelude: Prelude,
        *,
        training: bool = False,
        section: ast.Section | None = None,
        learning: bool = False,
        evaluate: Callable[[Context, ast.Expr], Any],
        execute: Callable[[Context, tuple[ast.Stmt, ...]], Any],
    ) -> None:
        self.store = store
        self.watch = store.watch
        self.prelude = prelude
        self.training = training
        self.section = section
        self.learning = learning
        self._evaluate = evaluate
        self.execute = execute
        self.b = Builder()
        self.frames: list[Frame] = []
        self.parameters: dict[str, Parameter] = {}
        self.claims: dict[str, Span] = {}  # who has a path; "": an instance has that of its block
        self.current: dict[str, Value] = {}  # parameter values as of now, by path
        self.updates: dict[str, Value] = {}
        self.originals: dict[str, str] = {}  # of buffers of a copy, the paths that they copy
        self.inputs: dict[str, Value] = {}
        self.declared: set[str] = set()  # the inputs that the program declares
        self.outputs: dict[str, Value] = {}
        self.predictions: dict[str, Value] = {}
        self.defaults: dict[str, int | float] = {}
        self.obligations: dict[Obligation, None] = {}
        self.initializing: str | None = None  # path of the parameter being initialised
        self.regions: list[Region] = []  # bodies of control flow around the point of execution
        self.numbers: dict[tuple[str, DType], Data] = {}  # literals that were converted, by text
        self.expansion = Expansion()
        self.failures = 0  # statements that failed, by an error of their own or not
        self._draws: dict[str, int] = {}
        self.drawn = 0  # random draws, those of initial values left out
        self.applied: set[str] = set()  # paths of instances
        self.declarations: dict[str, Declared] = {}  # of parameters, by path
        self.obliged = 0  # obligations that were met, some of them again

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def evaluate(self, expr: ast.Expr) -> Any:
        return self._evaluate(self, expr)

    @property
    def span(self) -> Span | None:
        return self.b.origin.spans[0] if self.b.origin.spans else None

    def at(self, span: Span) -> At:
        """Nodes made inside come from `span`. In the standard library the caller's line stays
        first, so that errors and pictures speak of the user's text."""
        outer = self.b.origin
        spans: tuple[Span, ...] = (span,)
        if self.frame.module.is_std and outer.spans:
            spans = (outer.spans[0], span)
        expansion = self.expansion
        expansion.steps += 1
        if expansion.steps > expansion.most_steps:
            raise expansion.too_many_steps(span)
        if len(self.b.nodes) > expansion.most:
            raise expansion.too_much("nodes", span)
        return self.b.at(Origin(spans, self.frame.path))

    @contextmanager
    def call(self, frame: Frame, span: Span | None) -> Iterator[None]:
        """Executes a body in a frame of its own."""
        if len(self.frames) >= MAX_CALLS:
            self._refuse_depth(frame, span)
        self.frames.append(frame)
        try:
            self.expansion.called(frame.decl, self.span or span)
            yield
        finally:
            self.frames.pop()

    @contextmanager
    def repeating(self, number: int, span: Span) -> Iterator[None]:
        """Executes one run of a static loop."""
        self.frame.loops.append(number)
        try:
            with self.expansion.run(self.span or span):
                yield
        finally:
            self.frame.loops.pop()

    def _refuse_depth(self, frame: Frame, span: Span | None) -> None:
        span = self.span or span
        decl, times = Counter(f.decl for f in [*self.frames, frame]).most_common(1)[0]
        if times > 2:
            name = decl.name.text
            raise error(
                "NN0305",
                f"`{name}` contains itself",
                span,
                notes=[Note(f"`{name}` is declared here", decl.name.span)],
                help="repeat a block with `for` instead",
            )
        raise error("NN0003", f"calls are nested more than {MAX_CALLS} deep", span)

    def exactly(self, name: str, args: list[Any], named: dict[str, Any], count: int) -> list[Any]:
        """The arguments of a function that takes so many, all by position."""
        if named or len(args) != count:
            given = len(args) + len(named)
            takes = f"{count} value{'' if count == 1 else 's'}, all without names"
            what = f"`{name}` takes {takes}; {given} are given"
            raise self.fail("NN0202", what, help=surplus_help(name))
        return args

    def fail(self, code: str, message: str, label: str = "", **more: Any) -> CompileError:
        """An error at the place being lowered."""
        return error(code, message, self.span, label, **more)

    def oblige(self, clause: Clause, message: Message, span: Span) -> None:
        """Leaves the clause to each run, which checks it before anything is computed: so its dims
        must follow from the shapes of the inputs."""
        obligation = Obligation(clause, message, span)
        known = sources(self.inputs.values())
        inner = sorted({s.name for s in obligation.symbols() if s not in known})
        if inner:
            raise error(
                "NN0206",
                f"{spelt(message)}: whether {obligation} is not known while compiling",
                span,
                f"no input's shape tells {' and '.join(f'`{name}`' for name in inner)}",
                help="what a run asserts is checked before it, from the shapes of the inputs",
            )
        self.obligations[obligation] = None
        self.obliged += 1
        if len(clause) == 1:
            _tighten(clause[0])
            self.b.forget()

    def declare_input(self, name: str, type: TensorType, default: int | float | None) -> Value:
        """An input that the program declares."""
        self.declared.add(name)
        self.inputs[name] = Value(type, name)
        if default is not None:
            self.defaults[name] = default
        return self.inputs[name]

    def graph_input(self, name: str, type: TensorType, default: int | float) -> Value:
        """An input of the compiler's own, added at first use: the seed, the step, a
        hyperparameter of an optimiser."""
        if name not in self.inputs:
            self.inputs[name] = Value(type, name)
            self.defaults[name] = default
        elif name in self.declared:
            raise self.fail(
                "NN0104",
                f"an input `{name}` is needed here, but the model has one of that name",
                help="rename the model's input",
            )
        return self.inputs[name]

    def stream(self) -> tuple[Value, Value, int]:
        """seed, step and site of the next random draw."""
        if self.initializing is not None:
            name = f"initial:{self.initializing}"
        else:
            name = f"draw:{self.frame.path}"
        number = self._draws.get(name, 0)
        self._draws[name] = number + 1
        site = self.store.site(f"{name}:{number}")
        if self.initializing is not None:
            return self.store.seed, self.b.constant(0, DType.I64), site
        self.drawn += 1
        return self.graph_input("seed", SCALAR, 0), self._step_and_runs(), site

    def _step_and_runs(self) -> Value:
        """The step, mixed with the number of each run around, so that runs draw other numbers."""
        step = self.step
        for depth, region in enumerate(self.regions):
            if region.counter is not None:
                run = self.b(Add(), region.counter, self.b.constant(1, DType.I64))
                far = self.b(Mul(), run, self.b.constant(spread(depth), DType.I64))
                step = self.b(Add(), step, far)
        return step

    def refuse_inside(self, what: str, span: Span) -> None:
        """An error in the body of a `scan`, `loop` or `cond` of the current call."""
        if self.regions and self.regions[-1].frame is self.frame:
            raise error("NN0106", f"{what} does not belong into a `{self.regions[-1].kind}`", span)

    @property
    def step(self) -> Value:
        """The number of the training step, i64[], counted from 0."""
        return self.graph_input("step", SCALAR, 0)

    @contextmanager
    def initial_values(self, path: str) -> Iterator[None]:
        """Builds inside into the graph of initial values."""
        outer, before = self.b, self.initializing
        self.b, self.initializing = self.store.builder, path
        self.b.origin = outer.origin
        try:
            yield
        finally:
            self.b, self.initializing = outer, before
