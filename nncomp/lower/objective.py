"""What a graph from elsewhere is to learn, written as the train section that it lacks.

The loss `cross_entropy`, the metric `accuracy` and the optimiser `Adam(lr=1e-4)`, of a graph with
the output `logits: f32[batch, 10]`, are

    from std.optim import Adam

    model graph {
      train {
        input label: i64[batch]
        metric accuracy = accuracy(logits, label)
        minimize cross_entropy(logits, label) by Adam(lr=1e-4)
      }
    }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nncomp.dims import Dim, DimLike
from nncomp.errors import CompileError, did_you_mean, error
from nncomp.ir.graph import Graph, Value
from nncomp.ir.naming import Names
from nncomp.lower.builtins import BUILTINS
from nncomp.lower.modules import std_index, std_value
from nncomp.lower.sites import nodes
from nncomp.lower.static_types import DTYPES
from nncomp.lower.values import Function
from nncomp.records import record
from nncomp.source import SourceFile
from nncomp.syntax import ast
from nncomp.syntax.parser import parse_expression
from nncomp.types import DType, TensorType

_NAMED = re.compile(r"\s*(\w+)\s*=(?!=)(.*)", re.DOTALL)
_MOST = 12  # names that an error lists


@dataclass(frozen=True)
class Objective:
    """A loss for a graph that has none, metrics, and what minimises the loss: in the language.

    loss: a fn of the library, by name (`cross_entropy`; `mse` for `mse_loss`) or with arguments
        (`cross_entropy(smoothing=0.1)`, `mse(hidden, goal)`): of an output of the graph, which may
        be left out where there is one, and of a target; or a scalar output of the graph
    metrics: likewise, `accuracy` or `top5=top_k_accuracy(k=5)`; their output and target are those
        of the loss if they name none
    optimizer: `clipped(AdamW(lr=3e-5), norm=1.0)`
    trainable: what is learnt: initialisers by name or pattern, scalars and statistics too; without,
        all that the importer takes for parameters

    What stands where a target belongs and is no input or output of the graph becomes an input: of
    the output's type for a loss of numbers, i64 without the axis of classes for one of classes.
    """

    loss: str
    metrics: tuple[str, ...] = ()
    optimizer: str = "Adam(lr=1e-4)"
    trainable: tuple[str, ...] = ()


@record
class Section:
    """The text of a train section, and what the names in it stand for."""

    text: str
    names: Mapping[str, Value | DimLike]


def section_for(graph: Graph, objective: Objective) -> Section:
    """The train section of the objective. Raises CompileError: NN0408 where the loss, its output or
    its target is not clear, and what the parser finds."""
    writer = _Writer(graph)
    loss = writer.written("--loss", objective.loss, "losses")
    metrics = [writer.metric(text) for text in objective.metrics]
    optimizer = parse_expression(SourceFile("--optimizer", objective.optimizer))
    imports = _optimizers(optimizer)
    lines = [f"from std.optim import {', '.join(imports)}"] if imports else []
    lines += ["model graph {", "  train {"]
    lines += [f"    input {name}: {type_}" for name, type_ in writer.targets.items()]
    lines += [f"    metric {metric}" for metric in metrics]
    lines += [f"    minimize {loss} by {objective.optimizer}", "  }", "}", ""]
    return Section("\n".join(lines), writer.names)


def _optimizers(tree: ast.Expr) -> list[str]:
    """The optimisers of the library that are named. Raises CompileError NN0103 for what is not one,
    or is called like one in an argument."""
    outermost = tree.callee if isinstance(tree, ast.Call) else tree
    callees = [n.callee for n in nodes(tree) if isinstance(n, ast.Call)]
    optim = [name for name, file in std_index().items() if file == "optim"]
    known = [name for name in optim if not isinstance(std_value(name), Function)]
    for ref in (outermost, *callees):
        if not isinstance(ref, ast.Ref) or ref.name in BUILTINS or _home(ref.name) is not None:
            continue
        near = did_you_mean(ref.name, known)
        if near or ref is outermost:
            message = f"the library has no optimiser `{ref.name}`"
            raise error("NN0103", message, ref.span, help=near or f"known: {_listed(known)}")
    named = {n.name for n in nodes(tree) if isinstance(n, ast.Ref) and _home(n.name) == "optim"}
    return sorted(named)


def _home(name: str) -> str | None:
    return std_index().get(name)


class _Writer:
    """Fills up what is left out, and finds the targets.

    names: what the text may name of the graph; sizes that have no name of their own get one
    targets: the inputs that the section declares, with their types as text
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._free = Names()
        self.inputs = {self._free.claim(v.name): v for v in graph.inputs}
        self.outputs = {self._free.claim(name): v for name, v in graph.outputs.items()}
        self.names: dict[str, Value | DimLike] = {**self.inputs, **self.outputs}
        self.targets: dict[str, str] = {}
        self._sizes: dict[Dim, str] = {}
        self._operands: list[str] = []  # of the loss

    def metric(self, text: str) -> str:
        """`name = expression`, where the name may be left out."""
        found = _NAMED.fullmatch(text)
        name, value = (found[1], found[2]) if found else ("", text)
        value = self.written("--metric", value, "metrics")
        return f"{name or value.partition('(')[0].strip()} = {value}"

    def written(self, option: str, text: str, home: str) -> str:
        """The expression with all its operands, whose targets are declared.

        home: the file of the library where such fns stand
        """
        text = self._spelt_out(parse_expression(SourceFile(option, text)), text)
        text = self._filled(parse_expression(SourceFile(option, text)), text.strip(), home)
        for node in nodes(parse_expression(SourceFile(option, text))):
            if isinstance(node, ast.Call):
                self._declare(node)
        return text

    def _spelt_out(self, tree: ast.Expr, text: str) -> str:
        """The text with `mse_loss` for `mse`."""
        for node in reversed([*nodes(tree)]):
            if not isinstance(node, ast.Ref) or node.name in self.names:
                continue
            if _home(node.name) is None and _home(f"{node.name}_loss") is not None:
                text = f"{text[: node.span.end]}_loss{text[node.span.end :]}"
        return text

    def _filled(self, tree: ast.Expr, text: str, home: str) -> str:
        callee = tree.callee if isinstance(tree, ast.Call) else tree
        arguments = tree.arguments if isinstance(tree, ast.Call) else ()
        if not isinstance(callee, ast.Ref) or (tree is callee and callee.name in self.outputs):
            return text
        fn = _function(callee.name)
        if fn is None and tree is not callee:
            return text
        if fn is None:
            raise _unknown(callee.name, home)
        operands = [a.span.text for a in arguments if a.name is None]
        named = [a.span.text for a in arguments if a.name is not None]
        if not operands:
            operands = self._operands[:1] or [self._output(fn)]
        if len(operands) == 1:
            operands += self._operands[1:] or [self._target(fn)]
        self._operands = self._operands or operands[:2]
        return f"{fn.decl.name.text}({', '.join([*operands, *named])})"

    def _output(self, fn: Function) -> str:
        found = [n for n, v in self.outputs.items() if v.type.dtype.is_float and v.rank]
        if len(found) == 1:
            return found[0]
        name = fn.decl.name.text
        what = f"{len(found)} outputs of the model could be" if found else "no output is"
        raise error(
            "NN0408",
            f"{what} what `{name}` is of",
            help=f"name one, `{name}({found[0]})`; it has {_listed(found)}"
            if found
            else f"the model has {_listed(f'{n}: {v.type}' for n, v in self.outputs.items())}",
        )

    def _target(self, fn: Function) -> str:
        name = "label" if _takes_classes(fn) else "target"
        while name in self.outputs:
            name += "_"
        return name

    def _declare(self, call: ast.Call) -> None:
        """The second operand of a fn of the library as an input, if nothing has its name."""
        operands = [a.value for a in call.arguments if a.name is None]
        if not isinstance(call.callee, ast.Ref) or _home(call.callee.name) is None:
            return
        fn = std_value(call.callee.name)
        if len(operands) < 2 or not isinstance(fn, Function):
            return
        first, second = operands[:2]
        if not (isinstance(first, ast.Ref) and isinstance(second, ast.Ref)):
            return
        output = self.names.get(first.name)
        taken = second.name in self.names or second.name in self.targets
        if taken or not isinstance(output, Value) or _home(second.name) is not None:
            return
        type_ = _target_type(fn, call, output.type, first.name)
        sizes = [str(d) if isinstance(d, int) else self._size(d) for d in type_.shape]
        self.targets[second.name] = f"{type_.dtype}[{', '.join(sizes)}]"

    def _size(self, dim: Dim) -> str:
        if dim not in self._sizes:
            hint = dim.symbol.name if dim.symbol is not None else "size"
            self._sizes[dim] = name = self._free.fresh(hint)
            self.names[name] = dim
        return self._sizes[dim]


def _function(name: str) -> Function | None:
    """The loss or metric of the library that the name means, if it has two operands or more."""
    value = std_value(name) if _home(name) in ("losses", "metrics") else None
    return value if isinstance(value, Function) and len(_operands_of(value)) >= 2 else None


def _unknown(name: str, home: str) -> CompileError:
    known = [n for n, file in std_index().items() if file == home and _function(n) is not None]
    kind = "loss" if home == "losses" else "metric"
    return error(
        "NN0408",
        f"the library has no {kind} `{name}` of an output and a target",
        help=did_you_mean(name, known) or f"known: {_listed(known)}",
    )


def _operands_of(fn: Function) -> list[ast.Parameter]:
    """The parameters that must be given."""
    return [p for p in fn.decl.parameters if p.default is None]


def _takes_classes(fn: Function) -> bool:
    """Whether the target is class numbers."""
    type_ = fn.decl.parameters[1].type
    if type_ is None or type_.name.text not in ("int", *DTYPES):
        return False
    return type_.name.text == "int" or DTYPES[type_.name.text].is_int


def _target_type(fn: Function, call: ast.Call, output: TensorType, name: str) -> TensorType:
    """The type of the target of an output. Raises CompileError NN0408."""
    if not _takes_classes(fn):
        return output
    axis = _axis(fn, call)
    if not -output.rank <= axis < output.rank or output.rank < 2:
        raise error(
            "NN0408",
            f"`{fn.decl.name.text}` needs an axis of classes, {axis}: `{name}` is {output}",
        )
    shape = list(output.shape)
    del shape[axis]
    return TensorType(DType.I64, tuple(shape))


def _axis(fn: Function, call: ast.Call) -> int:
    """Where the classes stand: what `axis=` says, else at 1."""
    for argument in call.arguments:
        if argument.name is not None and argument.name.text == "axis":
            sign, value = 1, argument.value
            if isinstance(value, ast.Unary) and value.op == "-":
                sign, value = -1, value.operand
            if isinstance(value, ast.Int):
                return sign * value.value
    return 1


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(f"`{name}`" for name in names[:_MOST])
    return f"{shown}, …" if len(names) > _MOST else shown or "none"
