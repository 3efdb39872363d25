"""The text form of control flow: a node of `Scan`, `Loop` or `If` as `scan`, `loop` or `cond`.

    ys = scan (h = h0) over xt = x axis 1 reverse {
      v1 = onnx.Add(h, xt)
      h = v1
      yield v1
    }

Captures are the names around, and the last value of a carry has the carry's name. A number of runs
that a `Loop` is given becomes a carry that counts them. (The operators' classes stand above this
package, so they are known by name here.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nncomp.dims import Dim, Symbol
from nncomp.ir.graph import Body, Node, Value
from nncomp.types import is_container


@dataclass(frozen=True)
class Spelling:
    """What is needed of the writer of the graph.

    operand: a value as it is written where it is read
    names: of values and of dims; entries are added for what a body is given
    statements: the lines of a body's nodes
    type: a type as text; fresh: a name that nothing has; target: a result where it is assigned
    """

    operand: Callable[[Value], str]
    names: dict[Value, str]
    aliases: dict[Value, Value]
    dims: dict[Symbol, str]
    statements: Callable[[Body], list[str]]
    type: Callable[[Any], str]
    fresh: Callable[[str], str]
    target: Callable[[Value], str]


def write_control(node: Node, spell: Spelling) -> str:
    """The node as a statement of several lines."""
    op: Any = node.op
    captured = {b: node.inputs[len(node.inputs) - b.captures :] for b in op.bodies}
    for body, values in captured.items():
        first = len(body.inputs) - body.captures
        for inner, outer in zip(body.inputs[first:], values, strict=True):
            assert outer is not None
            spell.aliases[inner] = spell.aliases.get(outer, outer)
    if op.name == "If":
        return _cond(node, spell)
    carries = list(op.states)
    for inner, last in zip(carries, node.outputs, strict=False):
        spell.names[inner] = spell.names[last]
    return _scan(node, spell) if op.name == "Scan" else _loop(node, spell)


def _cond(node: Node, spell: Spelling) -> str:
    condition = node.inputs[0]
    assert condition is not None
    then, otherwise = (
        [*spell.statements(body), f"yield {', '.join(map(spell.operand, body.outputs.values()))}"]
        for body in node.op.bodies
    )
    head = f"{_target(node.outputs, spell)} = cond {spell.operand(condition)}"
    return f"{head} {_block(then)} else {_block(otherwise)}"


def _scan(node: Node, spell: Spelling) -> str:
    op: Any = node.op
    n = op.num_states
    carries = [
        f"{spell.names[inner]} = {_read(first, spell)}"
        for inner, first in zip(op.states, node.inputs, strict=False)
    ]
    over = [
        f"{spell.names[inner]} = {_read(tensor, spell)}{_place(axis, direction)}"
        for inner, tensor, (axis, direction) in zip(
            op.elements, node.inputs[n:], op.input_places, strict=False
        )
    ]
    turned = op.input_places[0][1]
    places = [_place(axis, direction ^ turned) for axis, direction in op.output_places]
    lines = _run(op.body, op.states, op.next_states, op.yields, places, spell)
    head = f"scan ({', '.join(carries)})" if carries else "scan"
    target = _target(node.outputs[n:] or node.outputs, spell)
    return f"{target} = {head} over {', '.join(over)} {_block(lines)}"


def _place(axis: int, direction: int) -> str:
    return (f" axis {axis}" if axis else "") + (" reverse" if direction else "")


def _loop(node: Node, spell: Spelling) -> str:
    op: Any = node.op
    n, body = op.num_states, op.body
    given_all = [*node.inputs, None, None]
    limit, first, carried = given_all[0], given_all[1], node.inputs[2:]
    going = next(iter(body.outputs.values()))
    carries, nexts = [], []
    own = {
        state.symbol
        for given, inner in zip(carried, op.states, strict=False)
        if given is not None
        for state in inner.shape
        if isinstance(state, Dim) and state.symbol is not None and state not in given.shape
    }
    for inner, given, last in zip(op.states, carried, node.outputs, strict=False):
        type_ = f": {spell.type(inner.type)}" if is_container(inner.type) else ""
        for dim, after in zip(inner.shape, last.shape, strict=True):
            if isinstance(dim, Dim) and isinstance(after, Dim) and dim.symbol in own:
                assert dim.symbol is not None
                assert after.symbol is not None
                spell.dims[dim.symbol] = spell.dims.get(after.symbol, after.symbol.name)
                type_ = f": {spell.type(inner.type)}"
        carries.append(f"{spell.names[inner]}{type_} = {_read(given, spell)}")
    conditions = []
    condition = _carried_condition(op, first, going, carried)
    if condition is None:
        name = spell.fresh("going")
        carries.insert(0, f"{name} = {'bool(true)' if first is None else spell.operand(first)}")
        nexts.append((name, going))
    else:
        name = spell.names[condition]
    spell.names[body.inputs[1]] = name
    conditions.append(name)
    counts = any(body.inputs[0] in inner.operands for inner in body.nodes)
    counter = ""
    if limit is not None or counts or body.inputs[0] in body.outputs.values():
        counter = spell.fresh("iteration")
        carries.insert(0, f"{counter} = i64(0)")
        spell.names[body.inputs[0]] = counter
    if limit is not None:
        conditions.append(f"{counter} < {spell.operand(limit)}")
    states = [*op.states]
    lines = _run(
        body,
        states,
        op.next_states,
        op.yields,
        [""] * len(op.yields),
        spell,
        more=[(name, spell.operand(value)) for name, value in nexts]
        + ([(counter, f"{counter} + 1")] if counter else []),
    )
    target = _target(node.outputs[n:] or node.outputs, spell)
    if not op.yields and (nexts or counter):  # the value of the loop has further carries
        target = f"({', '.join(c.split(' = ')[0].split(':')[0] for c in carries)})"
        target = target if len(carries) > 1 else target[1:-1]
    head = f"loop ({', '.join(carries)}) while {' and '.join(conditions)}"
    return f"{target} = {head} {_block(lines)}"


def _carried_condition(
    op: Any, first: Value | None, going: Value, carried: Sequence[Value | None]
) -> Value | None:
    """The state that is the condition all along, if there is one."""
    for inner, given, after in zip(op.states, carried, op.next_states, strict=False):
        if given is first and after is going and first is not None:
            found: Value = inner
            return found
    return None


def _run(
    body: Body,
    states: Sequence[Value],
    after: Sequence[Value],
    yields: Sequence[Value],
    places: Sequence[str],
    spell: Spelling,
    more: Iterable[tuple[str, str]] = (),
) -> list[str]:
    """The lines of a body: its nodes, the next values of the carries, what it yields. What is
    yielded is read before the carries get their next values."""
    lines = spell.statements(body)
    shown = [spell.operand(value) for value in yields]
    for place, value in enumerate(yields):
        if value in states:
            name = spell.fresh(f"{spell.names[value]}_before")
            lines.append(f"{name} = {shown[place]}")
            shown[place] = name
    pairs = [
        *more,
        *((spell.names[s], spell.operand(v)) for s, v in zip(states, after, strict=True)),
    ]
    pairs = [(name, value) for name, value in pairs if name != value]
    if len(pairs) == 1:
        lines.append(f"{pairs[0][0]} = {pairs[0][1]}")
    elif pairs:
        names, values = zip(*pairs, strict=True)
        lines.append(f"({', '.join(names)}) = ({', '.join(values)})")
    if shown:
        items = [f"{value}{place}" for value, place in zip(shown, places, strict=True)]
        lines.append(f"yield {', '.join(items)}")
    return lines


def _read(value: Value | None, spell: Spelling) -> str:
    assert value is not None
    return spell.operand(value)


def _target(values: Sequence[Value], spell: Spelling) -> str:
    names = [*map(spell.target, values)]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def _block(lines: Sequence[str]) -> str:
    inside = "\n".join(lines).replace("\n", "\n  ")
    return f"{{\n  {inside}\n}}"
