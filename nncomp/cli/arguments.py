"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import re
from typing import Any

from nncomp.limits import Limits

DEFAULT_LEVEL = 2


def add_model(parser: argparse.ArgumentParser) -> None:
    """FILE, --model, --set and --with."""
    parser.add_argument("file", metavar="FILE", help="a .nn or .onnx file; - for standard input")
    add_choice(parser, "the file's first")


def add_choice(parser: argparse.ArgumentParser, default: str) -> None:
    """--model, --set and --with; `default` says in words which model it is without."""
    parser.add_argument("--model", metavar="NAME", help=f"which model (default: {default})")
    add_settings(
        parser,
        "the value of a hyperparameter; of an ONNX model, of an input, which is a constant then",
    )
    about = "an optional input that the model is to have"
    add_list(parser, "--with", "INPUT", about, dest="with_inputs")


def add_settings(parser: argparse.ArgumentParser, help: str) -> None:
    """--set."""
    add_list(parser, "--set", "NAME=VALUE", help, type=pair, dest="settings")


def add_list(
    group: argparse._ActionsContainer, option: str, metavar: str, help: str, **form: Any
) -> None:
    """An option of which each use adds one to a list."""
    about = f"{help}; may be repeated"
    group.add_argument(option, metavar=metavar, action="append", default=[], help=about, **form)


def add_entry(parser: argparse._ActionsContainer) -> None:
    """--entry."""
    parser.add_argument("--entry", metavar="NAME", help="which entry (default: the model itself)")


def add_renamed(group: argparse._ActionsContainer, option: str, former: str, **form: Any) -> None:
    """An option that still answers to what it was called before, which no help shows."""
    group.add_argument(option, **form)
    target = option.lstrip("-").replace("-", "_")
    hidden = {"dest": target, "default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    group.add_argument(former, **form | hidden)


def add_batch_size(parser: argparse.ArgumentParser) -> None:
    """--batch-size and --size, for what a graph costs."""
    add_renamed(
        parser,
        "--batch-size",
        "--batch",
        metavar="N",
        type=positive,
        default=1,
        help="the batch size (default: 1)",
    )
    add_sizes(parser, "of another open dim: T=128 for the length of sequences (default: 1)")


def add_sizes(parser: argparse.ArgumentParser, help: str) -> None:
    """--size."""
    add_list(parser, "--size", "NAME=INT", help, type=size, dest="sizes")


def add_weights(parser: argparse._ActionsContainer) -> None:
    """--weights, --rename and --seed."""
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a .safetensors or .npz file (default: initial values drawn from --seed)",
    )
    about = (
        "where the names in the weights file are foreign: what matches the regular expression is "
        "replaced; or a .json file of {PATTERN: TEXT}"
    )
    add_list(parser, "--rename", "PATTERN=TEXT", about)
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="of all random numbers (default: 0)"
    )


def add_level(parser: argparse.ArgumentParser, default: int = DEFAULT_LEVEL) -> None:
    """-O0 to -O3."""
    marks = ["", "", "", ""]
    marks[default] = " (default)"
    parser.add_argument(
        "-O",
        dest="level",
        metavar="LEVEL",
        type=int,
        choices=range(4),
        default=default,
        help=f"0{marks[0]}: no passes, 1{marks[1]}: no bit changes, 2{marks[2]}: rounding may "
        f"change, 3{marks[3]}: everything",
    )


def add_opset(parser: argparse.ArgumentParser) -> None:
    """--opset."""
    parser.add_argument(
        "--opset",
        metavar="N",
        type=int,
        help="17 to 26 (default: the lowest that expresses the graph)",
    )


def add_place(parser: argparse.ArgumentParser) -> None:
    """--backend and --device."""
    parser.add_argument(
        "--backend", choices=("onnx", "numpy"), default="onnx", help="(default: onnx)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(default: cpu)")


def add_memory(parser: argparse.ArgumentParser) -> None:
    """--memory-budget."""
    parser.add_argument(
        "--memory-budget",
        metavar="SIZE",
        type=byte_size,
        help="compute activations again rather than keep more than 500MB, 2GB, … of them",
    )


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}


def byte_size(text: str) -> int:
    """`500MB`, `2GB`, `1.5GiB` or a number of bytes, for argparse."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]?I?)B?\s*", text.upper())
    if not found or found[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"expected a size such as 500MB, not {text!r}")
    return int(float(found[1]) * _UNITS[found[2]])


def size(text: str) -> tuple[str, int]:
    """`N=64`, for argparse."""
    name, value = pair(text, "NAME=INT")
    if not value.isdecimal() or not 0 < int(value) < 2**31:
        raise argparse.ArgumentTypeError(f"expected a size from 1 on, not {value!r}")
    return name, int(value)


def add_limits(parser: argparse.ArgumentParser) -> None:
    """--max-words and --max-nodes."""
    usual = Limits()
    parser.add_argument(
        "--max-words",
        metavar="N",
        type=positive,
        help=f"of a file: words and signs (default: {usual.words:,})",
    )
    parser.add_argument(
        "--max-nodes",
        metavar="N",
        type=positive,
        help=f"of a graph, and calls and runs of loops that make it (default: {usual.nodes:,})",
    )


def add_target(parser: argparse.ArgumentParser) -> None:
    """--target."""
    parser.add_argument(
        "--target",
        choices=("onnx", "onnxruntime-cpu"),
        default="onnx",
        help="of the training step: onnx (default) is standard operators, which run everywhere; "
        "onnxruntime-cpu trains convolutions faster, on processors like this one",
    )


def pair(text: str, form: str = "NAME=VALUE") -> tuple[str, str]:
    """`name=value`, for argparse."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"expected {form}, not {text!r}")
    return name.strip(), value.strip()


def _input(text: str) -> tuple[str, str]:
    return pair(text, "NAME=FILE")


def add_inputs(group: argparse._ActionsContainer, help: str) -> None:
    """--input, once for each array that is given."""
    about = f"{help}; .npy, or the arrays of a sequence as .npz"
    add_list(group, "--input", "NAME=FILE", about, type=_input, dest="inputs")


def natural(text: str, least: int = 0) -> int:
    """An integer from 0 on, for argparse."""
    value = int(text)
    if value < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}")
    return value


def positive(text: str) -> int:
    """An integer from 1 on, for argparse."""
    return natural(text, 1)


natural.__name__ = positive.__name__ = "integer"  # argparse shows it
