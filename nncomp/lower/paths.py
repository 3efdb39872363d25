"""Paths of instances and parameters: where each stands in the tree, and that no two are one."""

from __future__ import annotations

from nncomp.errors import Note, error
from nncomp.lower.context import Context
from nncomp.lower.sites import join, site_names
from nncomp.lower.values import describe
from nncomp.source import Span
from nncomp.syntax import ast

SiteName = ast.Name | ast.String | None


def take_path(ctx: Context, site: ast.Call, name: SiteName) -> str:
    """The place of a new instance in the tree of parameters."""
    frame = ctx.frame
    own = _site_name(ctx, site, name)
    path = join(frame.path, own) if own else frame.path
    if path in frame.sites:
        raise error(
            "NN0302",
            f"two instances are called `{path}`",
            name.span if name else site.span,
            notes=[Note("the other one", frame.sites[path])],
            help='a name in quotes takes the loop\'s index in braces, `as "layer{i}"`'
            if isinstance(name, ast.String) and frame.loops
            else "give one of them another name with `as`, or apply the first one twice",
        )
    if path in frame.state.values():
        raise error(
            "NN0302",
            f"an instance and a parameter are called `{path}`",
            site.span,
            help="give the instance another name with `as`",
        )
    frame.sites[path] = site.span
    if own:
        claim(ctx, path, site.span)
    else:
        ctx.claims[""] = site.span
    return path


def claim(ctx: Context, path: str, span: Span) -> None:
    """Takes a path for an instance or parameter. Paths differ by themselves, unless an instance
    stands in the place of its block (`as ""`): then its own may be those of the block."""
    other = ctx.claims.setdefault(path, span)
    if other != span and "" in ctx.claims:
        raise error(
            "NN0302",
            f"two instances or parameters are called `{path}`",
            span,
            notes=[Note("the other one", other), Note('`as ""` here', ctx.claims[""])],
            help="give one of them another name with `as`",
        )


def path_text(ctx: Context, name: ast.String) -> str:
    """What `as "layer{i + 1}"` says. The braces may hold ints and text."""
    parts = [part if isinstance(part, str) else ctx.evaluate(part) for part in name.parts]
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, (int, str)):
            raise error(
                "NN0201", f"a name is made of ints and text, not {describe(part)}", name.span
            )
    text = "".join(map(str, parts))
    if text and not all(text.split(".")):
        raise error("NN0101", f'"{text}" is no name: a part of it is empty', name.span)
    return text


def _site_name(ctx: Context, site: ast.Call, name: SiteName) -> str:
    if isinstance(name, ast.String):
        return path_text(ctx, name)
    return ctx.frame.looped(name.text if name else site_names(ctx.frame.decl)[id(site)])
