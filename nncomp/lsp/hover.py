"""What a name is, for who rests the pointer on it."""

from __future__ import annotations

from nncomp.ir.op import Op
from nncomp.lower.builtins import BUILTINS
from nncomp.lower.static_types import DTYPES
from nncomp.lsp.analysis import Analysis
from nncomp.lsp.facts import Fact
from nncomp.lsp.places import Definition, Place, definition, named, place_at
from nncomp.lsp.signatures import builtin_doc, operator_doc, operator_signature, signature
from nncomp.ops import REGISTRY
from nncomp.source import Span
from nncomp.syntax import ast

_SPECIAL = {
    "training": "bool: whether this graph is that of a training step",
    "step": "i64[]: the number of the training step, from 0",
}


def hover(analysis: Analysis, offset: int) -> tuple[Span, str] | None:
    """The characters of the name at an offset, and Markdown about it."""
    if analysis.tree is None:
        return None
    place = place_at(analysis.tree, offset)
    if place is None:
        return None
    found = definition(analysis, place)
    parts = _values(analysis, place, found)
    parts += _declared(place, found)
    return (place.span, "\n\n".join(parts)) if parts else None


def knows(analysis: Analysis, offset: int) -> bool:
    """Whether lowering has told of the name at an offset; true where there is no name."""
    place = place_at(analysis.tree, offset) if analysis.tree is not None else None
    if place is None:
        return True
    known = fact_of(analysis, place, definition(analysis, place)) or _result(analysis, place)
    return known is not None


def operator_at(place: Place) -> type[Op] | None:
    """The operator that `onnx.Conv` names, at either of its names."""
    for node in place.around[:2]:
        match node:
            case ast.Attribute(value=ast.Ref(name="onnx" | "nncomp" as domain)):
                cls = REGISTRY.get(node.name.text)
                if cls is not None and (cls.domain or "onnx") == domain:
                    return cls
    return None


def fact_of(analysis: Analysis, place: Place, found: Definition | None) -> Fact | None:
    """What lowering tells of the name: here, where it is bound, or at another use of it."""
    facts = analysis.recorder.facts
    node, parent = place.node, place.parent
    if isinstance(node, ast.Name) and isinstance(parent, ast.Attribute):
        return facts.get(parent)
    if isinstance(node, ast.Name) and isinstance(parent, ast.Pipe):  # the name behind `as`
        return facts.get(parent)
    if node in facts:
        return facts[node]
    if found is None or isinstance(found.node, ast.Decl):
        return None
    for other, fact in facts.items():
        if not isinstance(other, (ast.Name, ast.Ref)) or other.span.text != place.name:
            continue
        if other.span == found.span or _means(analysis, other, found):
            return fact
    return None


def _means(analysis: Analysis, other: ast.Node, found: Definition) -> bool:
    """Whether another name is defined at the same place."""
    assert analysis.tree is not None
    if other.span.source is not analysis.source:
        return False
    declaration = next(
        (d for d in analysis.tree.declarations if d.span.start <= other.span.start < d.span.end),
        None,
    )
    again = named(analysis, declaration, other.span.text, other.span.start)
    return again is not None and again.span == found.span


def _values(analysis: Analysis, place: Place, found: Definition | None) -> list[str]:
    """What lowering tells: types, values, places of parameters; and what a call gives."""
    lines: list[str] = []
    fact = fact_of(analysis, place, found)
    if fact is not None:
        lines += [f"{place.name}: {text}" for text in fact.types]
        lines += ["…"] if fact.more else []
    result = _result(analysis, place)
    if result is not None:
        lines += [f"→ {text}" for text in result.types]
    code = ["```nn\n" + "\n".join(lines) + "\n```"] if lines else []
    paths = {**(fact.paths if fact else {}), **(result.paths if result else {})}
    told = [line for path in paths for line in _counted(analysis, path)]
    return [*code, "  \n".join(told)] if told else code


def _result(analysis: Analysis, place: Place) -> Fact | None:
    """What the call or stage gives in whose callee the name stands."""
    facts = analysis.recorder.facts
    node: ast.Node = place.node
    for outer in place.around[1:]:
        match outer:
            case ast.Attribute(name=name) if name is node:
                node = outer
            case ast.Call(callee=callee) if callee is node:
                node = outer
            case ast.Pipe(stage=stage) if stage is node:
                return facts.get(outer)
            case _:
                break
    return facts.get(node) if isinstance(node, ast.Call) else None


def _counted(analysis: Analysis, path: str) -> list[str]:
    recorder = analysis.recorder
    parameter = recorder.parameters.get(path)
    if parameter is not None:
        count = recorder.count(path)
        numbers = f", {count:,} numbers" if count else ""
        return [f"{parameter.kind} `{path}`: `{parameter.value.type}`{numbers}"]
    count = recorder.count(path)
    return [f"`{path}`: {count:,} parameters" if count else f"`{path}`: no parameters"]


def _declared(place: Place, found: Definition | None) -> list[str]:
    """The declaration of what the name stands for, and its documentation."""
    cls = operator_at(place)
    if cls is not None:
        return [f"```nn\n{operator_signature(cls)}\n```", operator_doc(cls)]
    if found is not None and isinstance(found.node, ast.Decl):
        doc = [found.node.doc.strip()] if found.node.doc else []
        return [f"```nn\n{signature(found.node)}\n```", *doc]
    if found is not None:
        declares = (ast.Parameter, ast.InputDecl, ast.StateDecl, ast.Carry)
        if isinstance(found.node, declares):
            return [f"```nn\n{' '.join(found.node.span.text.split())}\n```"]
        return []
    if place.name in _SPECIAL:
        return [_SPECIAL[place.name]]
    if place.name in BUILTINS:
        text = builtin_doc(BUILTINS[place.name])
        return [f"`{place.name}`: a function of the compiler", *([text] if text else [])]
    return [f"`{place.name}`: a dtype"] if place.name in DTYPES else []
