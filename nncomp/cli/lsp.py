"""Serve an editor: errors, types, definitions, completion.

Speaks the Language Server Protocol on standard input and output; an editor starts it. Texts are
taken as they stand in the editor, saved or not.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec

_TURN = 0.0005  # seconds that an analysis keeps an answer waiting (Python's default: 0.005)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true", help="what editors add; there is no other")


def execute(args: argparse.Namespace) -> int:
    from nncomp.errors import error

    if find_spec("pygls") is None:
        raise error(
            "NN0010",
            "pygls is not installed, by which editors are spoken to",
            help="pip install 'nncomp[lsp]'",
        )
    import nncomp
    from nncomp.lsp.server import make_server

    sys.setswitchinterval(_TURN)
    make_server(nncomp.__version__).start_io()
    return 0
