"""Trees of parameters as values: arithmetic on them, `with_(net, tree)`, `copy(net)` and updates.

A tree maps names relative to an instance to tensors. `net.params - lr * g` takes the same leaves
from each side; `with_` applies an instance with other values for its parameters; `copy` makes a
second instance whose parameters are buffers that start as the first one's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from nncomp.errors import did_you_mean, error
from nncomp.ir.graph import Parameter, Value
from nncomp.lower.context import Context
from nncomp.lower.sites import join
from nncomp.lower.store import Initial
from nncomp.lower.values import Builtin, Instance, Tree, describe
from nncomp.source import Span


def combine(ctx: Context, symbol: str, left: Any, right: Any, binary: Callable[..., Any]) -> Tree:
    """Arithmetic leaf by leaf; what is no tree stands beside each leaf."""
    trees = [side for side in (left, right) if isinstance(side, Tree)]
    names = list(trees[0].leaves)
    if len(trees) == 2 and set(names) != set(trees[1].leaves):
        odd = next(iter(set(names) ^ set(trees[1].leaves)))
        raise ctx.fail(
            "NN0201",
            f"`{symbol}` of trees that differ: only one of them has `{odd}`",
            f"{describe(left)} and {describe(right)}",
        )

    def leaf(side: Any, name: str) -> Any:
        return side.leaves[name] if isinstance(side, Tree) else side

    return Tree(
        trees[0].path,
        {name: binary(ctx, symbol, leaf(left, name), leaf(right, name)) for name in names},
    )


def parameters_of(ctx: Context, owner: Instance) -> Tree:
    """The learnt parameters of an instance as of now; of a copy, the buffers in their place."""
    prefix = join(owner.path, "")
    leaves = {
        path.removeprefix(prefix): owner.replaced.get(path, value)
        for path, value in ctx.current.items()
        if path.startswith(prefix) and ctx.parameters[ctx.originals.get(path, path)].kind == "param"
    }
    if not leaves:
        raise ctx.fail(
            "NN0303",
            f"{describe(owner)} has no parameters yet",
            help="parameters exist once the block has been applied to an input",
        )
    return Tree(owner.path, leaves)


def as_tree(ctx: Context, value: Any) -> Tree:
    if isinstance(value, Instance):
        return parameters_of(ctx, value)
    if not isinstance(value, Tree):
        raise ctx.fail("NN0201", f"a tree of parameters is needed here, this is {describe(value)}")
    return value


def _with(ctx: Context, args: list[Any], named: dict[str, Any]) -> Instance:
    """`with_(net, tree)`: the instance with the tree's tensors in the place of its parameters."""
    if named or len(args) != 2 or not isinstance(args[0], Instance):
        raise ctx.fail("NN0202", "`with_` takes an instance and a tree of parameters")
    net, tree = args[0], as_tree(ctx, args[1])
    own = parameters_of(ctx, net).leaves
    for name, value in tree.leaves.items():
        if name not in own:
            near = did_you_mean(name, own)
            raise ctx.fail("NN0201", f"{describe(net)} has no parameter `{name}`", help=near)
        require_same_type(ctx, join(net.path, name), own[name], value)
    replaced = {join(net.path, name): value for name, value in tree.leaves.items()}
    return dataclasses.replace(net, replaced={**net.replaced, **replaced})


def require_same_type(ctx: Context, path: str, wanted: Value, value: Value) -> None:
    if value.type != wanted.type:
        raise ctx.fail("NN0307", f"`{path}` is {wanted.type}, its value is {value.type}")


def copied(ctx: Context, args: list[Any], path: str, span: Span) -> Instance:
    """`copy(net)`: an instance of buffers, which start as the parameters of the first."""
    if len(args) != 1 or not isinstance(args[0], Instance):
        raise ctx.fail("NN0202", "`copy` takes an instance of a block")
    old = args[0].path
    for original in [p for p in ctx.parameters if p.startswith(join(old, ""))]:
        buffer = path + original.removeprefix(old)
        copy_state(ctx, buffer, original)
        value = Value(ctx.parameters[original].value.type, buffer)
        ctx.parameters.setdefault(buffer, Parameter(buffer, value, "buffer"))
        ctx.current.setdefault(buffer, ctx.parameters[buffer].value)
    return dataclasses.replace(args[0], path=path, span=span, copy_of=old, replaced={})


def copy_state(ctx: Context, path: str, original: str) -> None:
    """The buffer of a copy starts as the original starts."""
    first = ctx.store.initial[original]
    ctx.originals[path] = original
    ctx.store.initial.setdefault(path, Initial("buffer", first.value, first.span))


def update(ctx: Context, owner: Instance, value: Any) -> None:
    """`update target.params = tree`: the next value of every parameter of an instance."""
    tree = as_tree(ctx, value)
    own = parameters_of(ctx, owner).leaves
    if set(tree.leaves) != set(own):
        odd = next(iter(set(tree.leaves) ^ set(own)))
        raise ctx.fail(
            "NN0307",
            f"the tree does not fit {describe(owner)}: only one of them has `{odd}`",
        )
    for name, new in tree.leaves.items():
        path = join(owner.path, name)
        require_same_type(ctx, path, own[name], new)
        ctx.current[path] = ctx.updates[path] = new


def not_named(ctx: Context, args: list[Any], named: dict[str, Any]) -> Any:
    raise error("NN0202", "`copy` makes an instance: `target = copy(net)`", ctx.span)


TREES: tuple[Builtin, ...] = (Builtin("with_", _with), Builtin("copy", not_named))
