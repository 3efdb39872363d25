"""What users of PyTorch, Keras and NumPy write, and what it is here: for the help of an error."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from nncomp.errors import did_you_mean, nearest

_PREFIX = "names have no prefix: `nn.Linear` is `Linear`, `F.relu` is `relu`"
_INFERRED = "leave it out: that size is the one of what the block is applied to"

_ANGLES = ("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh")
_SCHEDULES = "a schedule is a factor of the rate: `Adam(lr=1e-3 * {})`"
_RATES = {
    "StepLR": "step_decay(step, 1000)",
    "ExponentialLR": "exponential_decay(step, 1000)",
    "CosineAnnealingLR": "cosine_decay(step, 10_000)",
    "OneCycleLR": "one_cycle(step, 10_000)",
}
_GIVEN = "{} makes its own weights; with given ones it is {}"
_CONV = "`onnx.{}(x, w, b, strides=[2, 2], pads=[1, 1, 1, 1])`"
_NAMES = {
    **dict.fromkeys(["nn", "F", "torch", "tf", "keras", "jax", "np", "numpy"], _PREFIX),
    "self": "an instance is a name: `fc = Linear(4)`, then `fc(x)`, or `x |> fc`",
    "Sequential": "a chain is a pipe: `x |> Linear(64) |> relu |> Linear(10)`",
    "ModuleList": "instances stand in a list: `[Linear(8) for i in range(3)]`",
    "Parameter": "in a block, `param weight: float[D] = zeros()`",
    "param": "it has a type: write `param gamma: f32[8] = zeros()`",
    "buffer": "it has a type: write `buffer count: f32[8] = zeros()`",
    "Dense": "it is called `Linear` here: `from std import Linear`",
    "Input": "`input x: f32[N, 8]`",
    "Identity": "what does nothing is left out",
    "Dropout2d": "it is called `drop_channels` here",
    **dict.fromkeys(
        ["AdaptiveAvgPool2d", "adaptive_avg_pool2d"], "the mean of all pixels is `global_avg_pool`"
    ),
    **dict.fromkeys(
        ["AdaptiveMaxPool2d", "adaptive_max_pool2d"], "the largest pixel is `global_max_pool`"
    ),
    **dict.fromkeys(
        ["interpolate", "upsample", "Upsample", "resize"],
        '`onnx.Resize(x, scales=[1, 1, 2, 2])`; smoothly with `mode="linear"`',
    ),
    "GlobalAveragePooling2D": "it is called `global_avg_pool` here",
    "BCELoss": "it is called `binary_cross_entropy` here",
    "BCEWithLogitsLoss": "it is called `binary_cross_entropy` here, and takes logits",
    "mse": "it is called `mse_loss` here",
    "mae": "it is called `l1_loss` here",
    "bce": "it is called `binary_cross_entropy` here, and takes logits",
    "dropout": "it is called `drop` here; the block is `Dropout`",
    "KLDivLoss": "it is called `kl_divergence` here",
    "cat": "it is called `concat` here: `concat([a, b], axis=1)`",
    "concatenate": "it is called `concat` here: `concat([a, b], axis=1)`",
    **dict.fromkeys(["tensor", "array", "asarray"], "`f32([0.5, 2.0])`"),
    "linear": _GIVEN.format("`Linear(8)`", "`x @ transpose(w) + b`"),
    "embedding": _GIVEN.format("`Embedding(100, 8)`", "`gather(w, index)`"),
    "conv2d": _GIVEN.format("`Conv(8, 3)`", _CONV.format("Conv")),
    "conv_transpose2d": _GIVEN.format("`ConvTranspose(8, 3)`", _CONV.format("ConvTranspose")),
    "view": "it is called `reshape` here: `reshape(x, [N, 8])`",
    "permute": "it is called `transpose` here: `transpose(x, perm=[0, 2, 1])`",
    "swapaxes": "`transpose(x, perm=[0, 2, 1])`",
    **dict.fromkeys(["matmul", "mm", "bmm", "dot"], "products of matrices are `a @ b`"),
    **dict.fromkeys(["randn", "random_normal"], "`normal([N, 8])`"),
    **dict.fromkeys(["rand", "random_uniform"], "`uniform([N, 8])`"),
    "zeros_like": "`zeros(x.shape)`",
    "ones_like": "`ones(x.shape)`",
    "full_like": "`full(0.5, x.shape)`",
    "masked_fill": "`where(mask, 0.5, x)`",
    "clamp": "it is called `clip` here",
    "pow": "a power is `x ** 2`",
    "detach": "it is called `stop_gradient` here",
    "pad": "`onnx.Pad(x, [0, 2, 0, 3])`: how much before each axis, then how much behind each",
    "sort": "`top_k(x, 8)[0]`: the largest of 8 come first; `-top_k(-x, 8)[0]`: the smallest",
    "argsort": "`top_k(x, 8)[1]`: the indices of 8, the largest first",
    "round": "`onnx.Round(x)`",
    "cumsum": "`onnx.CumSum(x, i64(1))`, along axis 1",
    "normalize": "`x / norm(x, axis=-1, keepdims=true)`",
    "rsqrt": "`1 / sqrt(x)`",
    "log1p": "`log(1 + x)`",
    "expm1": "`exp(x) - 1`",
    "log2": "`log(x) / log(2)`",
    "log10": "`log(x) / log(10)`",
    **{name: f"`onnx.{name.title()}(x)`" for name in _ANGLES},
    "bincount": "`sum(one_hot(index, 10), axis=0)` counts the indices below 10",
    "chunk": "it is called `split` here: `split(x, 2, axis=1)`",
    "std": "`sqrt(variance(x, axis=-1))`, which divides by the count",
    "var": "it is called `variance` here, and divides by the count: `variance(x, axis=-1)`",
    "tril": "`onnx.Trilu(x, upper=0)`",
    "triu": "`onnx.Trilu(x)`",
    "logical_not": "`not mask`",
    "logical_and": "`a and b`",
    "logical_or": "`a or b`",
    "size": "`x.shape[0]`, or `x.shape` for all",
    "numel": "`prod(x.shape)`, or as a tensor `onnx.Size(x)`",
    "linspace": "`cast(arange(5), f32) / 4`: 5 numbers from 0 to 1",
    "scatter": "`onnx.ScatterElements(x, index, values, axis=1)`, or `put(x, 0, row)` for a row",
    "flip": "`x[:, ::-1]`, along axis 1",
    **dict.fromkeys(["repeat", "tile"], "`onnx.Tile(x, [2, 1])`"),
    **{name: _SCHEDULES.format(form) for name, form in _RATES.items()},
}
_MEMBERS = {
    **_NAMES,
    "T": "`transpose(x)`",
    **dict.fromkeys(["ndim", "dim"], "`x.rank`"),
    **dict.fromkeys(["to", "astype", "type", "long", "double", "half"], "`cast(x, f32)`"),
    **dict.fromkeys(
        ["cuda", "cpu", "device"], "where a model runs is said when it runs: `--device`"
    ),
    **dict.fromkeys(["parameters", "state_dict", "trainable_weights"], "`.params` is all of them"),
    "backward": "`minimize loss by Adam(lr=1e-3)`, or `grad(loss, net)` as a value",
    **dict.fromkeys(["item", "numpy"], "a value leaves the model as an `output` or a `metric`"),
}
_ARGUMENTS = {
    "dim": "axis",
    "keepdim": "keepdims",
    "padding": "pad",
    "kernel_size": "kernel",
    "strides": "stride",
    "bias": "use_bias",
    "negative_slope": "slope",
    "learning_rate": "lr",
    "epsilon": "eps",
    "hidden_size": "hidden",
    "num_layers": "layers",
    **dict.fromkeys(["num_heads", "nhead", "n_heads"], "heads"),
    **dict.fromkeys(["out_features", "out_channels", "units", "filters"], "out"),
    **dict.fromkeys(["min", "a_min"], "low"),
    **dict.fromkeys(["max", "a_max"], "high"),
}
_NO_ARGUMENTS = {
    **dict.fromkeys(["in_features", "in_channels", "input_size", "num_features"], _INFERRED),
    **dict.fromkeys(["normalized_shape", "embed_dim", "d_model", "input_shape"], _INFERRED),
    "weight": _GIVEN.format("a layer", "`x @ transpose(w)`, `onnx.Conv(x, w)`"),
    "inplace": "leave it out: nothing is changed in place",
    "batch_first": "a sequence is [T, N, D]: `transpose(x, perm=[1, 0, 2])` before and after",
    "reduction": "a loss is the mean of all; of each label it is "
    '`onnx.SoftmaxCrossEntropyLoss(logits, label, reduction="none")`',
    **dict.fromkeys(
        ["clip_norm", "clipnorm", "max_grad_norm"], "`clipped(Adam(lr=1e-3), norm=1.0)`"
    ),
    "training": "leave it out: each block and fn knows whether it trains",
    "betas": "write `beta1=0.9, beta2=0.999`",
}
_LISTED = "the {} stand in a list: `{}`"
_SURPLUS = {
    "reshape": _LISTED.format("dims", "reshape(x, [N, 8])"),
    **{name: _LISTED.format("dims", f"{name}([N, 8])") for name in ("zeros", "ones")},
    **{name: _LISTED.format("tensors", f"{name}([a, b], axis=1)") for name in ("concat", "stack")},
    "transpose": "`perm` is the order of all axes: `transpose(x, perm=[0, 2, 1])`; without it the "
    "last two are swapped",
}
_STATES = "`{}(…, state=true)` gives `{}`; without it, `y` alone"
_RESULTS = {
    "LSTM": _STATES.format("LSTM", "(y, h, c)"),
    **{name: _STATES.format(name, "(y, h)") for name in ("GRU", "RNN")},
    **{
        name: f"`{name}` gives the number; `arg{name}(x, axis=1)` its place"
        for name in ("max", "min")
    },
}
_PACKAGES = ("torch", "torchvision", "numpy", "tensorflow", "keras", "jax", "flax", "onnx")
_DTYPES = {
    **dict.fromkeys(["float16", "half"], "f16"),
    "bfloat16": "bf16",
    "float32": "f32",
    **dict.fromkeys(["float64", "double"], "f64"),
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    **dict.fromkeys(["int64", "long"], "i64"),
    "uint8": "u8",
    "boolean": "bool",
    **dict.fromkeys(["tensor", "Tensor", "array", "ndarray"], "f32"),
}


def name_help(
    name: str, known: Iterable[str], imports: Mapping[str, str] | None = None
) -> str | None:
    """For a name that means nothing here; `known` are those that do, `imports` what would have to
    be imported, with the module."""
    if name in _NAMES:
        return _NAMES[name]
    here, there = dict.fromkeys(known), imports or {}
    meant = _meant(name, [*there, *here])
    if meant is None:
        return None
    if meant in here:
        return f"did you mean `{meant}`?"
    return f"did you mean `{meant}`? Add `from {there[meant]} import {meant}`"


def _meant(name: str, names: Collection[str]) -> str | None:
    """The one of these names that differs in its style only, else the nearest."""
    starts = (name[:1].lower(), name[:1].upper(), "_")
    alike = {_plain(other): other for other in names if other.startswith(starts)}
    for plain in (_plain(name), re.sub(r"[123]d$|loss$|layer$", "", _plain(name))):
        if plain in alike:
            return alike[plain]
    return nearest(name, names)


def member_help(name: str) -> str | None:
    """For an attribute that tensors lack."""
    return _MEMBERS.get(name)


def argument_help(name: str, known: Collection[str]) -> str | None:
    """For an argument that a fn or block does not take; `known` are those that it takes."""
    if _ARGUMENTS.get(name) in known:
        return f"it is called `{_ARGUMENTS[name]}` here"
    return _NO_ARGUMENTS.get(name) or did_you_mean(name, known)


def surplus_help(name: str) -> str | None:
    """For what is given too many arguments."""
    return _SURPLUS.get(name)


def module_help(package: str) -> str:
    """For a module that there is not."""
    if package in _PACKAGES:
        return "leave it out: layers and functions are in the library: `from std import Linear`"
    return (
        "a module is a `.nn` file beside this one; layers are in the library: "
        "`from std import Linear`"
    )


def unpacking_help(of_tensor: bool, nested: bool) -> str | None:
    """For a value that has other parts than names for them; `nested`: names in names' brackets."""
    if nested:
        return "results stand side by side: `(y, h, c) = x |> LSTM(8, state=true)`"
    return "these are its items along the first axis" if of_tensor else None


def results_help(name: str) -> str | None:
    """For the one result of a block or fn of the library's that is unpacked as if it were more."""
    return _RESULTS.get(name)


def dtype_help(name: str, known: Iterable[str]) -> str | None:
    """For a dtype that there is not."""
    dtype = _DTYPES.get(name)
    return f"write `{dtype}[…]`" if dtype else did_you_mean(name, known)


@lru_cache(10_000)
def _plain(name: str) -> str:
    return name.replace("_", "").lower()
