"""The `nncomp` command.

Exit status: 0 fine, 1 the input is at fault (diagnostics on standard error), 2 wrong usage,
70 an error of nncomp itself, 130 interrupted.
"""

from __future__ import annotations

import argparse
import atexit
import errno
import gc
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from nncomp.cli import (
    build,
    check,
    diff,
    explain,
    fmt,
    grad,
    import_,
    inspect,
    lsp,
    run,
    train,
    tune,
    verify,
    view,
)
from nncomp.cli.arguments import add_limits
from nncomp.cli.report import report
from nncomp.errors import CompileError, did_you_mean
from nncomp.limits import limited

COMMANDS = (
    check,
    fmt,
    build,
    grad,
    import_,
    run,
    train,
    tune,
    inspect,
    diff,
    view,
    verify,
    explain,
    lsp,
)
INTERNAL_ERROR = 70  # EX_SOFTWARE
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_COLLECT = 20_000  # objects made before Python looks for cycles: modules and graphs have few


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status."""
    gc.set_threshold(_COLLECT)
    atexit.register(gc.freeze)  # not to look for cycles in what ends with the process
    _prepare_streams()
    args, unknown = _parser().parse_known_args(arguments)
    for action in args.parser._get_positional_actions():  # argparse takes `[B]` before options only
        late = action.nargs == "?" and getattr(args, action.dest) is None
        if late and unknown and not unknown[0].startswith("-"):
            setattr(args, action.dest, unknown.pop(0))
    if unknown:
        options = _options(args.parser)
        near = did_you_mean(unknown[0], options)
        if "--set" in options and re.match(r"\w+=", unknown[0]):  # as in `--set a=1 b=2`
            near = f"did you mean `--set {unknown[0]}`?"
        args.parser.error(f"unknown: {' '.join(unknown)}" + (f"; {near}" if near else ""))
    try:
        with limited(words=args.max_words, nodes=args.max_nodes):
            status: int = args.command(args)
        sys.stdout.flush()
        return status
    except CompileError as failure:
        report(failure, args.format)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has gone; the interpreter must not write at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as failure:
        if isinstance(failure, OSError) and failure.errno in _FULL and failure.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            print(f"cannot write to standard output: {failure.strerror}", file=sys.stderr)
            return 1
        if args.debug:
            raise
        text = " ".join(f"{type(failure).__name__}: {failure}".split())
        print(
            f"internal error: {text:.300} — please report this (--debug shows where)",
            file=sys.stderr,
        )
        return INTERNAL_ERROR


def _prepare_streams() -> None:
    """That each stream is there, if closed by the caller, too; and that characters which the
    encoding of standard output lacks become `?`."""
    sys.stdin, sys.stdout, sys.stderr = (
        stream or io.TextIOWrapper(io.BytesIO(), "utf-8")
        for stream in (sys.stdin, sys.stdout, sys.stderr)
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


_ELSEWHERE = {
    **dict.fromkeys(["export", "compile"], "build"),
    **dict.fromkeys(["predict", "infer", "eval"], "run"),
    "fit": "train",
    "lint": "check",
    "format": "fmt",
    "show": "view",
}
"""What commands of other tools are called here."""


class _Parser(argparse.ArgumentParser):
    """Says what was misspelt, without the thirty lines of all options that would hide it, and of
    a choice, such as a command, which is the nearest one."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        known = re.findall(r"[\w.-]+", found[2]) if found else []
        near = found and did_you_mean(_ELSEWHERE.get(found[1], found[1]), known)
        text = f"{message}; {near}" if near else message
        print(f"{self.prog}: error: {text}\nsee `{self.prog} --help`", file=sys.stderr)
        sys.exit(2)


def _options(parser: argparse.ArgumentParser) -> list[str]:
    """The options of a command, but for what they were called before."""
    known = parser._option_string_actions.items()
    return [spelling for spelling, action in known if action.help != argparse.SUPPRESS]


class _Version(argparse.Action):
    """Prints the version, which is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import nncomp

        print(f"nncomp {nncomp.__version__}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nncomp",
        description="Compiles neural networks, written in .nn files, to ONNX.",
        epilog="`nncomp COMMAND --help` says more about a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2].rstrip("_")  # `import` is a word of Python
        summary = (module.__doc__ or "").split("\n")[0].rstrip(".")
        command = commands.add_parser(
            name,
            help=summary[0].lower() + summary[1:],
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        add_limits(command)
        command.add_argument(
            "--debug", action="store_true", help="show the traceback of an internal error"
        )
        if command.get_default("format") is None:
            command.add_argument(
                "--format",
                choices=("text", "json"),
                default="text",
                help="of diagnostics (default: text)",
            )
        command.set_defaults(command=module.execute, parser=command)
    return parser
