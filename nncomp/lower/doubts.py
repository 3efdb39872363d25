"""What compiles and is most likely a mistake: warnings for uses of the library by a user's file.

Only what can be told from the types and the operators at hand is doubted; each doubt says what the
program means, and what its writer may have meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nncomp.errors import Diagnostic, Note, error
from nncomp.ir.constant import Constant
from nncomp.ir.graph import Value
from nncomp.lower.context import Context
from nncomp.lower.values import Argument, Arguments, Instance
from nncomp.source import Span
from nncomp.syntax import ast
from nncomp.types import Shape

# what passes numbers on as they are
_CARRIERS = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Cast", "Identity"}
_WANTS_LOGITS = {
    "Softmax": "probabilities, while it takes the softmax itself",
    "Sigmoid": "probabilities, while it takes the softmax itself",
    "Relu": "scores without those below 0",
}
_WANTS_ONE_LOGIT = {
    "Sigmoid": "probabilities, while it takes the sigmoid itself",
    "Softmax": "probabilities, while it takes the sigmoid itself",
}
_WANTS_LOGARITHMS = {
    "Softmax": "probabilities, not their logarithms",
    "Sigmoid": "probabilities, not their logarithms",
}
_NAMES = {"Softmax": "softmax", "Sigmoid": "sigmoid", "Relu": "relu"}
# of losses: their argument, what it is not to be, and what to do
_LOSSES: dict[str, tuple[str, dict[str, str], str]] = {
    "cross_entropy": ("logits", _WANTS_LOGITS, "give it what `{}` is applied to"),
    "multi_margin_loss": ("logits", _WANTS_LOGITS, "give it what `{}` is applied to"),
    "binary_cross_entropy": ("logits", _WANTS_ONE_LOGIT, "give it what `{}` is applied to"),
    "gan_generator_loss": ("fake", _WANTS_ONE_LOGIT, "give it what `{}` is applied to"),
    "gan_discriminator_loss": ("real", _WANTS_ONE_LOGIT, "give it what `{}` is applied to"),
    "nll_loss": ("log_probability", _WANTS_LOGARITHMS, "use `log_softmax` in place of `{}`"),
    "kl_divergence": ("log_q", _WANTS_LOGARITHMS, "use `log_softmax` in place of `{}`"),
}
_MANY_LAYERS = 8  # of a recurrent network; a width is more


def of_fn(ctx: Context, decl: ast.FnDecl, span: Span) -> None:
    """Of a call of a fn of the library, whose arguments are bound in the current frame. Raises
    NN0207 where that is sure to fail."""
    name, given = decl.name.text, ctx.frame.names
    if name == "softmax":
        _of_softmax(ctx, given, span)
    elif name == "attention":
        _of_mask(given["mask"], given["q"].shape[:-1], span)
    elif name in _LOSSES:
        argument, unwanted, help = _LOSSES[name]
        _of_loss(ctx, name, given[argument], unwanted, help, span)
        if name == "cross_entropy" and isinstance(given[argument], Value):
            _of_one_class(ctx, given[argument], given["axis"], span)


def _of_loss(
    ctx: Context, name: str, value: Any, unwanted: dict[str, str], help: str, span: Span
) -> None:
    made = _origin(value)
    if made is None or made.node is None or made.node.op.name not in unwanted:
        return
    kind = made.node.op.name
    spans = made.node.origin.spans
    _warn(
        ctx,
        "NN0409",
        f"`{name}` is given {unwanted[kind]}",
        span,
        notes=(Note(f"`{_NAMES[kind]}` is here", spans[0]),) if spans else (),
        help=help.format(_NAMES[kind]),
    )


def _of_one_class(ctx: Context, logits: Value, axis: int, span: Span) -> None:
    if -logits.rank <= axis < logits.rank and logits.shape[axis] == 1:
        _warn(
            ctx,
            "NN0409",
            f"the cross-entropy of a single class is always 0: the scores are {logits.type}",
            span,
            help="`binary_cross_entropy` takes one score for yes or no",
        )


def _of_softmax(ctx: Context, given: dict[str, Any], span: Span) -> None:
    x, axis = given["x"], given["axis"]
    if isinstance(x, Value) and -x.rank <= axis < x.rank and x.shape[axis] == 1:
        _warn(
            ctx,
            "NN0409",
            f"the softmax of a single number is always 1: axis {axis} of {x.type} has size 1",
            span,
            help="`sigmoid` makes a probability of one score",
        )


def of_difference(ctx: Context, left: Any, right: Any, span: Span) -> None:
    """Of predictions [..., N, 1] and targets [..., N] in a section: all with all."""
    if not isinstance(left, Value) or not isinstance(right, Value):
        return
    column, row = (left, right) if left.rank > right.rank else (right, left)
    if not row.rank or column.shape != (*row.shape, 1) or row.shape[-1] == 1:
        return
    if column.node is None or column.node.op.name != "Unsqueeze":
        _warn(
            ctx,
            "NN0409",
            f"the difference of {left.type} and {right.type} is that of each number with all: "
            f"{row.type.with_shape((*row.shape, row.shape[-1]))}",
            span,
            help="`squeeze(…, -1)` takes the last axis away; if all are meant, write `[:, none]`",
        )


def _origin(value: Any) -> Value | None:
    """Where numbers come from, before what only moves them."""
    while isinstance(value, Value):
        if value.node is None or value.node.op.name not in _CARRIERS:
            return value
        value = value.node.inputs[0]
    return None


def kind(value: Value) -> str | None:
    """In what two values of one type may differ, so that one of them is doubted: the operator
    behind numbers that a loss may not want; whether an image may be an input."""
    made = _origin(value)
    if made is None or made.node is None:
        return "input" if value.rank == 4 else None
    return made.node.op.name if made.node.op.name in _NAMES else None


def of_block(ctx: Context, instance: Instance, arguments: Arguments) -> None:
    """Of an application of a block of the library. Raises NN0205, NN0206, NN0207, NN0209 where
    that is sure to fail."""
    decl = instance.factory.decl
    finds = _BLOCKS.get(decl.name.text, ())
    formals = [formal.name.text for formal in decl.tensors] if finds else []
    given = dict(zip(formals, arguments.positional, strict=False)) | arguments.named
    x = given["x"].value if "x" in given else None
    if not isinstance(x, Value) or x.rank < 2:
        return
    for find in finds:
        for message, help in find(ctx, instance, x, given):
            _warn(ctx, "NN0213", message, instance.span, help=help)


_Given = Mapping[str, Argument]
_Found = Iterable[tuple[str, str]]


def _convolution(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    settings, channels = instance.hyperparameters, x.shape[1]
    out, kernel, stride = (settings[n] for n in ("out", "kernel", "stride"))
    # a kernel as large and even as a number of channels, with a stride that is odd as a kernel is
    looks_so = isinstance(kernel, int) and kernel >= 8 and kernel % 2 == 0
    if instance.by_position >= 3 and out == channels and looks_so and stride in (1, 3, 5, 7, 9, 11):
        means = f"gives {out} channels, with a kernel of {kernel} and stride {stride}"
        help = (
            f"channels in are those of the input: for {kernel} channels out and a kernel of "
            f"{stride}, write `Conv({kernel}, {stride})`"
        )
        sizes = [size for size in x.shape[2:] if isinstance(size, int)]
        if sizes and max(sizes) < kernel:  # it will not fit, which padding is not to mend
            raise error(
                "NN0205", f"this convolution {means}", instance.span, str(x.type), help=help
            )
        yield f"this convolution {means}", help
    last = x.shape[-1]
    is_last = x.rank == 4 and last in (1, 3, 4) and isinstance(channels, int) and channels > 4
    if is_last and x in ctx.inputs.values() and x.shape[2] not in (1, 3, 4):
        yield (
            f"the channels of an image are its second axis, so {x.type} has {channels}",
            f"declare the input as [N, {last}, H, W], or `transpose(x, perm=[0, 3, 1, 2])`",
        )


def _transposed(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    if instance.by_position >= 5 and instance.hyperparameters["dilation"] == 1:
        yield (
            "the fifth argument of this convolution is its dilation, and 1 changes nothing",
            "what is added to the size at its end is `output_pad=1`",
        )


def _memory(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    """Query, key and value, as other frameworks take them."""
    if not given.keys() >= {"memory", "mask"}:
        return ()
    memory, mask = given["memory"].value, given["mask"].value
    if not isinstance(memory, Value) or not isinstance(mask, Value) or mask.shape != memory.shape:
        return ()
    heads = instance.hyperparameters["heads"]
    if mask is not memory and mask.rank and mask.shape[0] in (1, heads):
        return ()  # it may be a mask of each head
    raise error(
        "NN0206",
        f"the mask of this attention, {mask.type}, is of the memory's shape",
        given["mask"].span,
        help="keys and values are both made of the memory: write "
        f"`MultiHeadAttention({heads})({'x' if memory is x else 'x, memory'})`",
    )


def _masks(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    for name in given.keys() & {"mask", "memory_mask"}:
        places = (x.shape[0], instance.hyperparameters["heads"], *x.shape[1:-1])
        _of_mask(given[name].value, places, given[name].span)
    return ()


def _of_mask(mask: Any, places: Shape, span: Span) -> None:
    """Of a mask [N, …, S] that lacks axes behind the first, where scores are [*places, S]."""
    lacking = len(places) + 1 - mask.rank if isinstance(mask, Value) and mask.rank > 1 else 0
    if lacking < 1 or mask.shape[0] in (1, places[lacking]) or mask.shape[0] != places[0]:
        return
    shown = ", ".join(map(str, places))
    raise error(
        "NN0207",
        f"the mask of this attention, {mask.type}, does not broadcast to its scores, [{shown}, …]",
        span,
        help=f"axes of size 1 behind that of the samples: `mask[:{', none' * lacking}]`",
    )


def _heads(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    name, settings = instance.factory.decl.name.text, instance.hyperparameters
    heads, second = settings["heads"], settings["width" if "width" in settings else "hidden"]
    if instance.by_position < 2 or heads != x.shape[-1] or not 0 < second < heads:
        return
    message = f"this attention has {heads} heads, for each number of {x.type} one"
    help = f"the width of the input is inferred: for {second} heads write `{name}({second})`"
    if "width" in settings:  # which does not divide into so many
        raise error("NN0209", message, instance.span, help=help)
    yield message, help


def _recurrent(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    hidden, layers = (instance.hyperparameters[n] for n in ("hidden", "layers"))
    if instance.by_position >= 2 and hidden == x.shape[-1] and layers >= _MANY_LAYERS:
        name = instance.factory.decl.name.text
        yield (
            f"this network has {layers} layers of {hidden} units",
            f"the width of the input is inferred: for {layers} units write `{name}({layers})`",
        )


def _norm(ctx: Context, instance: Instance, x: Value, given: _Given) -> _Found:
    name = instance.factory.decl.name.text
    for formal, most in (("momentum", 1), ("eps", 0.5)):
        value = instance.hyperparameters.get(formal)
        if isinstance(value, (int, float)) and value > most:
            shown = int(value) if value == int(value) else value
            yield (
                f"`{formal}` of this normalisation is {shown}",
                f"the number of channels is inferred: write `{name}("
                + (f"{instance.hyperparameters['groups']}" if name == "GroupNorm" else "")
                + ")`",
            )


_BLOCKS: dict[str, tuple[Callable[[Context, Instance, Value, _Given], _Found], ...]] = {
    "Conv": (_convolution,),
    "ConvTranspose": (_transposed,),
    "MultiHeadAttention": (_memory, _masks, _heads),
    "TransformerEncoderLayer": (_masks, _heads),
    "TransformerDecoderLayer": (_masks, _heads),
    **dict.fromkeys(["RNN", "LSTM", "GRU"], (_recurrent,)),
    **dict.fromkeys(["BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm"], (_norm,)),
}


def of_optimizer(ctx: Context, optimizer: Instance, span: Span) -> None:
    """Of the optimizer of a `minimize` or `maximize`."""
    rate = optimizer.hyperparameters.get("lr")
    if not isinstance(rate, Value) or rate.node is None or not isinstance(rate.node.op, Constant):
        return
    array = rate.node.op.value.array
    if array.ndim == 0 and array < 0:
        _warn(
            ctx,
            "NN0409",
            f"a learning rate of {float(array):g} goes the other way",
            span,
            help="turn `minimize` into `maximize`, or the other way round",
        )


def _warn(
    ctx: Context, code: str, message: str, span: Span, *, notes: tuple[Note, ...] = (), help: str
) -> None:
    ctx.store.warn(Diagnostic(code, message, span, notes=notes, help=help, severity="warning"))
