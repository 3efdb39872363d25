"""Explain a diagnostic code, a pass, or a node of a model.

`nncomp explain NN0207` says what the code means, `nncomp explain fold-batch-norm` what the pass
does, `nncomp explain FILE NODE` where a node comes from, what rewrote it, what was refused there or
beside it and why, and what the rules that look at its operator would need. NODE is a block's path
(`conv1`), an operator's name (`Conv`), a value's name, what an ONNX model calls the node
(`/conv1/Conv`), or what `build` will (`conv1/Conv`); the lines of Python that PyTorch's exporter
notes there are told, too. With `--train` it is one of the training step, and of several formulas
for onnxruntime (of gradients, mostly) the chosen one is named, and why it is not another.

Of an ONNX model, and with `--weights`, the rules see the numbers of the weights; of a .nn file they
know that there are some, whatever training makes of them.
"""

from __future__ import annotations

import argparse
import re

from nncomp.cli.arguments import (
    add_choice,
    add_entry,
    add_level,
    add_renamed,
    add_weights,
    positive,
)
from nncomp.cli.loading import program_of, state_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("subject", metavar="CODE|PASS|FILE", help="what to explain")
    parser.add_argument("node", metavar="NODE", nargs="?", help="of the model in FILE")
    add_choice(parser, "the file's first")
    add_level(parser)
    add_weights(parser)
    which = parser.add_mutually_exclusive_group()
    add_entry(which)
    which.add_argument("--train", action="store_true", help="NODE is one of the training step")
    add_renamed(
        parser,
        "--batch-size",
        "--batch",
        metavar="N",
        type=positive,
        help="with --train: the number of samples, if known",
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="(default: text)"
    )


def execute(args: argparse.Namespace) -> int:
    if args.node is None:
        name, text = _explanation(args.subject)
        if args.format == "json":
            import json

            print(json.dumps({"name": name, "explanation": text}, indent=2, ensure_ascii=False))
        else:
            print(f"{name}: {text}")
        return 0
    args.file = args.subject
    program = program_of(args, ("train",) if args.train else ("entry",) if args.entry else ())
    from nncomp.driver.explaining import explain_node, explain_step

    if args.train:
        stories = explain_step(program, args.node, batch_size=args.batch_size)
    else:
        known = program.original is not None or args.weights is not None
        state = state_of(args, program, training=False) if known else None
        stories = explain_node(program, args.node, state, entry=args.entry, level=args.level)
    if args.format == "json":
        import json

        print(json.dumps(stories.to_json(), indent=2))
    else:
        print(stories)
    return 0


def _explanation(name: str) -> tuple[str, str]:
    """Of a code or a pass: what it is called, and the text. Raises CompileError NN0103."""
    from nncomp.codes import CODES
    from nncomp.driver.explaining import pass_documents
    from nncomp.errors import did_you_mean, error
    from nncomp.explanations import explanations

    code = name.upper()
    if code in CODES:
        more = explanations().get(code)
        return code, f"{CODES[code]}\n\n{more}" if more else CODES[code]
    passes = pass_documents()
    if name in passes:
        return name, passes[name]
    if name.endswith((".nn", ".onnx")):
        raise error(
            "NN0103",
            f"which node of {name}?",
            help=f"name a block, operator or value: nncomp explain {name} NODE",
        )
    if re.match(r"NN\d", code):
        near, known = did_you_mean(code, CODES), f"codes: {', '.join(CODES)}"
    else:
        near, known = did_you_mean(name, passes), f"passes: {', '.join(passes)}"
    raise error(
        "NN0103",
        f"there is no code and no pass `{name}`",
        help=near or f"{known}; to explain a node: nncomp explain FILE NODE",
    )
