"""Axes by name: `rearrange(x, "n t (h d) -> n h t d", h=8)`, `einsum("n i, i o -> n o", x, w)`;
and `split`.

The first two are spelt in Reshape, Transpose and MatMul while lowering; nothing of them is left in
a graph.
"""

from __future__ import annotations

import re
from typing import Any

from nncomp.dims import Dim, DimLike, equal, product
from nncomp.errors import CompileError
from nncomp.ir.graph import Value
from nncomp.ir.op import InferError
from nncomp.lower import tensors
from nncomp.lower.context import Context
from nncomp.lower.values import Builtin, describe
from nncomp.ops.einsum import check_terms, contraction

Group = tuple[str, ...]
_DOTS: Group = ("...",)
_JOINED = "(...)"  # dots inside brackets: the axes that they stand for become one

_TOKEN = re.compile(r"\(|\)|\.\.\.|\w+|\S")


# --- rearrange -------------------------------------------------------------------------------


def _rearrange(ctx: Context, args: list[Any], named: dict[str, Any]) -> Value:
    """The elements with their axes split, permuted and joined as the pattern says."""
    if len(args) != 2 or not isinstance(args[0], Value) or not isinstance(args[1], str):
        raise ctx.fail(
            "NN0202",
            "`rearrange` takes a tensor, a pattern, and sizes by name",
            help='`rearrange(x, "n t (h d) -> n h t d", h=8)`',
        )
    x: Value = args[0]
    pattern: str = args[1]
    for name, size in named.items():
        if isinstance(size, bool) or not isinstance(size, (int, Dim)):
            raise ctx.fail("NN0201", f"the size `{name}` must be an int, this is {describe(size)}")
    before, after = _sides(ctx, pattern, x)
    sizes = _sizes(ctx, pattern, before, x, named)
    _require_same_axes(ctx, pattern, before, after)
    source = [name for group in before for name in group]
    target = [name for group in after for name in group]
    b = ctx.b
    if any(len(group) != 1 for group in before):
        x = b(tensors.op("Reshape"), x, b.dims([sizes[name] for name in source]))
    perm = tuple(source.index(name) for name in target)
    if perm != tuple(range(len(perm))):
        x = b(tensors.op("Transpose", perm=perm), x)
    if any(len(group) != 1 for group in after):
        shape = [product(sizes[name] for name in group) for group in after]
        x = b(tensors.op("Reshape"), x, b.dims(shape))
    return x


def _sides(ctx: Context, pattern: str, x: Value) -> tuple[list[Group], list[Group]]:
    texts = pattern.split("->")
    if len(texts) != 2:
        raise _bad(ctx, pattern, "it needs one `->`")
    before, after = (_groups(ctx, pattern, text) for text in texts)
    dots = sum(name in ("...", _JOINED) for name in _flat(after))
    if _JOINED in _flat(before) or before.count(_DOTS) != dots or dots > 1:
        raise _bad(ctx, pattern, "`...` stands once on each side, bare on the left")
    rest = x.rank - len(before) + 1
    open_ended = _DOTS in before
    if (rest < 0) if open_ended else (rest != 1):
        least = "at least " if open_ended else ""
        count = len(before) - open_ended
        raise ctx.fail(
            "NN0204",
            f'the pattern "{pattern}" does not fit {x.type}',
            f"it names {least}{count} axes, the tensor has {x.rank}",
        )
    names = tuple(f"...{i}" for i in range(rest))
    before = [part for g in before for part in ([(n,) for n in names] if g == _DOTS else [g])]
    widened: list[Group] = []
    for group in after:
        if group == _DOTS:
            widened += [(n,) for n in names]
        else:
            parts = [names if part == _JOINED else (part,) for part in group]
            widened.append(tuple(name for part in parts for name in part))
    return before, widened


def _groups(ctx: Context, pattern: str, text: str) -> list[Group]:
    """`n (h d) 1` as [("n",), ("h", "d"), ()]: the axes that each axis is made of."""
    groups: list[Group] = []
    inside: list[str] | None = None
    for token in _TOKEN.findall(text):
        if token == "(" and inside is None:
            inside = []
        elif token == ")" and inside is not None:
            groups.append(tuple(inside))
            inside = None
        elif token == "1":
            if inside is None:
                groups.append(())
        elif token == "..." or token.isidentifier():
            if inside is None:
                groups.append((token,))
            else:
                inside.append(_JOINED if token == "..." else token)
        else:
            raise _bad(ctx, pattern, f"`{token}` is no axis")
    if inside is not None:
        raise _bad(ctx, pattern, "a bracket is not closed")
    return groups


def _flat(groups: list[Group]) -> list[str]:
    return [name for group in groups for name in group]


def _bad(ctx: Context, pattern: str, reason: str) -> CompileError:
    return ctx.fail(
        "NN0208",
        f'the pattern "{pattern}" cannot be read: {reason}',
        help='axes are names, joined by brackets: "n t (h d) -> n h t d"',
    )


def _sizes(
    ctx: Context, pattern: str, before: list[Group], x: Value, given: dict[str, DimLike]
) -> dict[str, DimLike]:
    """The size of every named axis: given, or what is left of the axis that it is a part of."""
    names = _flat(before)
    for name in given:
        if name not in names:
            raise ctx.fail("NN0202", f'the pattern "{pattern}" has no axis `{name}` on its left')
    sizes: dict[str, DimLike] = dict(given)
    for group, dim in zip(before, x.shape, strict=True):
        spelt = f"({' '.join(group)})" if len(group) != 1 else group[0]
        unknown = [name for name in group if name not in given]
        if len(unknown) > 1:
            raise ctx.fail(
                "NN0206",
                f"the sizes of {' and '.join(f'`{n}`' for n in unknown)} in `{spelt}` "
                "do not follow from the pattern",
                f"only their product, in {dim}, is known",
                help=f"give one of them: `{unknown[0]}=…`",
            )
        known = product(given[name] for name in group if name in given)
        parts = " * ".join(f"{n}={given[n]}" for n in group if n in given) or "1"
        if not unknown:
            if equal(known, dim) is False:
                raise ctx.fail(
                    "NN0205",
                    f'the pattern "{pattern}" does not fit {x.type}',
                    f"`{spelt}` is {parts}, the axis has size {dim}",
                )
            continue
        rest = dim % known if known != 0 else 1
        if isinstance(rest, int) and rest != 0:
            raise ctx.fail(
                "NN0205",
                f'the pattern "{pattern}" does not fit {x.type}',
                f"the axis `{spelt}` of size {dim} does not divide by {parts}",
            )
        sizes[unknown[0]] = dim // known
    return sizes


def _require_same_axes(ctx: Context, pattern: str, before: list[Group], after: list[Group]) -> None:
    left, right = _flat(before), _flat(after)
    for names in (left, right):
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise _bad(ctx, pattern, f"`{twice}` stands twice on one side")
    for name in [*left, *right]:
        if name not in left or name not in right:
            side = "left" if name in left else "right"
            raise _bad(ctx, pattern, f"`{name}` stands on the {side} only")


# --- split -----------------------------------------------------------------------------------


def _split(ctx: Context, args: list[Any], named: dict[str, Any]) -> list[Value]:
    """`split(x, 3, axis=1)`: parts of one size; `split(x, [2, 5], axis=1)`: of these sizes."""
    axis = named.get("axis", args[2] if len(args) == 3 else 0)
    if not 2 <= len(args) <= 3 or set(named) - {"axis"} or not isinstance(args[0], Value):
        raise ctx.fail(
            "NN0202", "`split` takes a tensor, a number of parts or their sizes, and an axis"
        )
    x, parts = args[:2]
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise ctx.fail("NN0201", f"the axis of `split` must be an int, this is {describe(axis)}")
    if isinstance(parts, (list, tuple)):
        for size in parts:
            if isinstance(size, bool) or not isinstance(size, (int, Dim)):
                raise ctx.fail("NN0201", f"a size must be an int, this is {describe(size)}")
        return list(ctx.b.multi(tensors.op("Split", axis=axis), x, ctx.b.dims(parts)))
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
        raise ctx.fail("NN0201", f"`split` needs a number of parts, this is {describe(parts)}")
    size = x.shape[axis] if -x.rank <= axis < x.rank else parts
    if isinstance(size, int) and size % parts:
        raise ctx.fail(
            "NN0205",
            f"cannot split {x.type} into {parts} equal parts",
            f"its size {size} on axis {axis} does not divide by {parts}",
        )
    return list(ctx.b.multi(tensors.op("Split", axis=axis, num_outputs=parts), x))


# --- einsum ----------------------------------------------------------------------------------


def _einsum(ctx: Context, args: list[Any], named: dict[str, Any]) -> Value:
    """The sum of products that the pattern names (Einstein's convention)."""
    if named or len(args) < 2 or not isinstance(args[0], str):
        raise ctx.fail(
            "NN0202",
            "`einsum` takes a pattern, then tensors",
            help='`einsum("n i, i o -> n o", x, w)`',
        )
    pattern, *rest = args
    operands = [tensors.as_tensor(ctx, value, ctx.frame.float_dtype) for value in rest]
    texts = pattern.split("->")
    if len(texts) != 2:
        raise _bad_sum(ctx, pattern, "it needs one `->`")
    spelt = [text.strip() for text in (*texts[0].split(","), texts[1])]
    words = any(re.search(r"\s", text) for text in spelt)
    terms = [_indices(ctx, pattern, text, words) for text in spelt]
    try:
        full = check_terms(terms[:-1], terms[-1], [v.type for v in operands])
    except InferError as failure:
        message = f'"{pattern}": {failure.message}'
        raise ctx.fail(failure.code, message, failure.label, help=failure.help) from None
    return contraction(ctx.b, *full, operands)


def _indices(ctx: Context, pattern: str, text: str, words: bool) -> list[str]:
    """The indices of one operand: single letters, or words where blanks part them."""
    names: list[str] = re.findall(r"\.\.\.|\w+|\S" if words else r"\.\.\.|\S", text)
    for name in names:
        if name != "..." and not name.isidentifier():
            raise _bad_sum(ctx, pattern, f"`{name}` is no index")
    return names


def _bad_sum(ctx: Context, pattern: str, reason: str) -> CompileError:
    return ctx.fail(
        "NN0208",
        f'the pattern "{pattern}" cannot be read: {reason}',
        help='indices are letters, "ni,io->no", or words between blanks, "n i, i o -> n o"',
    )


AXES: tuple[Builtin, ...] = (
    Builtin("rearrange", _rearrange),
    Builtin("einsum", _einsum),
    Builtin("split", _split),
)
