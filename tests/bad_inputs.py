"""Inputs that ask for too much, or are no programs at all: files, a command, the codes that answer.

Each must be refused in about a second and within 300 MB, without a traceback, and without touching
an output that exists. `tests/test_limits.py` runs them, `benchmarks/limits.py` measures them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MILLION = 10**6
HEAD = "model M {\n  input x: f32[N, 8]\n"


@dataclass(frozen=True)
class Case:
    """text: of model.nn; files: others beside it, None for a folder; arguments: the command."""

    name: str
    codes: str
    text: str | bytes | None
    arguments: str = "check model.nn"
    files: Mapping[str, bytes | None] = field(default_factory=dict)


def body(statements: str, before: str = "") -> str:
    return f"{before}{HEAD}{statements}\n  output y\n}}\n"


def chain(first: str, step: Callable[[int], str], last: str, before: str = "") -> str:
    """A statement, forty that depend on the one before, and `y`."""
    steps = [first, *(step(i) for i in range(40)), f"y = {last}"]
    return body("\n".join(f"  {line}" for line in steps), before)


def doubling(declaration: Callable[[int], str], first: str, use: str) -> str:
    """Forty declarations that use the one before twice."""
    lines = [first, *(declaration(i) for i in range(40))]
    return body(f"  y = {use}", "\n".join(lines) + "\n")


def nested(opening: str, inner: str, closing: str, times: int = 40) -> str:
    return opening * times + inner + closing * times


GOOD = "model M {\n  input x: f32[N, 8]\n  param w: f32[8] = ones()\n  output y = x * w\n}\n"
IMPORTS = {
    f"f{i}.nn": f"from f{i + 1} import f\nfn g(x: float[S...]) = f(x)\n".encode() for i in range(40)
}
ONNX = "build model.nn -o out.onnx"

CASES = [
    # depth
    *(
        Case(f"{sign!r} a million times", "NN0003 NN0009 NN0101 NN0102 NN0105", text)
        for sign, text in {
            "(": "x = " + "(" * MILLION,
            "( and )": "x = " + nested("(", "1", ")", MILLION),
            "[": "x = " + "[" * MILLION,
            "{": "model M " + "{" * MILLION,
            ")": ")" * MILLION,
            "}": "}" * MILLION,
            "-": body("  y = " + "- " * MILLION + "x"),
            "not": body("  y = " + "not " * MILLION + "x"),
            "**": body("  y = x" + " ** 2" * MILLION),
            "+": body("  y = x" + " + 1" * MILLION),
            "|>": body("  y = x" + " |> relu" * MILLION),
            ".": body("  y = x" + ".a" * MILLION),
            "if else": body("  y = 1" + " if true else 1" * MILLION),
            "else if": body("  if true { }" + " else if true { }" * MILLION),
            "f(": body("  y = " + "f(" * MILLION),
            '"{': body('  y = "' + "{" * MILLION + '"'),
            "'": "'" * MILLION,
            "\\0": "\0" * MILLION,
            ";": "x = 1;\n" * 20_000,
            "x": "x = " + "1 " * MILLION,
        }.items()
    ),
    # numbers
    Case("a dim of 2**63", "NN0005", "model M {\n  input x: f32[9223372036854775808]\n output x }"),
    Case("dims beyond 2**63", "NN0008", body("  param w: f32[2**40, 2**40]\n  y = x")),
    Case("an integer of 10**6 digits", "NN0005", body("  y = x * " + "9" * MILLION)),
    Case("a float of 10**6 digits", "NN0005", body("  y = x * " + "9" * MILLION + ".0")),
    Case("an exponent of 10**6 digits", "NN0005", body("  y = x * 1e" + "9" * MILLION)),
    Case("2 ** 2 ** 2 ** …", "NN0005", body("  y = x * (2 ** 2 ** 2 ** 2 ** 2 ** 2 ** 2)")),
    Case("a range of 10**18", "NN0004", body("  y = x + len(range(10**18))")),
    Case(
        "loops over loops",
        "NN0004",
        body(
            "  n = 0\n" + nested("  for i in range(1000) {\n", "n = n + 1", "}\n") + "\n  y = x + n"
        ),
    ),
    # names
    Case("a name repeated", "NN0104", "fn f(x) = x\n" * 5_000),
    Case("a parameter repeated", "NN0104", f"fn f({'a, ' * 20_000}) = 1\n{GOOD}"),
    Case("an input repeated", "NN0104", body("  input z: f32[]\n" * 5_000 + "  y = x")),
    Case("a name of 10**6 letters", "NN0103", body("  y = " + "a" * MILLION)),
    # what contains itself
    Case("a fn", "NN0305", body("  y = f(x)", "fn f(x) = f(x)\n")),
    Case(
        "a block",
        "NN0305",
        body("  y = x |> B()", "block B()(x: float[S...]) { return x |> B() }\n"),
    ),
    Case(
        "two blocks",
        "NN0305",
        body(
            "  y = x |> A()",
            "block A()(x: float[S...]) { return x |> B() }\n"
            "block B()(x: float[S...]) { return x |> A() }\n",
        ),
    ),
    Case("a fn that calls itself twice", "NN0305", body("  y = f(x)", "fn f(x) = f(f(x))\n")),
    Case(
        "files that import each other",
        "NN0006",
        "from a import f\n" + GOOD,
        files={"a.nn": b"from b import f\n", "b.nn": b"from a import f\n"},
    ),
    Case("a file that imports itself", "NN0006", "from model import f\n" + GOOD),
    Case("forty files in a chain", "NN0006", "from f0 import g\n" + GOOD, files=IMPORTS),
    # expansion
    Case(
        "fns",
        "NN0004",
        doubling(lambda i: f"fn f{i + 1}(x) = f{i}(f{i}(x))", "fn f0(x) = relu(x)", "f40(x)"),
    ),
    Case(
        "fns of nothing",
        "NN0004",
        doubling(lambda i: f"fn f{i + 1}(x) = f{i}(x) + f{i}(x)", "fn f0(x) = 1", "x + f40(1)"),
    ),
    Case(
        "fns that fail",
        "NN0103 NN0004",
        doubling(
            lambda i: f"fn f{i + 1}(x) {{\n a = f{i}(x)\n b = f{i}(x)\n return x\n}}",
            "fn f0(x) = nothing",
            "f40(x)",
        ),
    ),
    Case(
        "blocks",
        "NN0004",
        doubling(
            lambda i: f"block B{i + 1}()(x: float[S...]) {{\n return x |> B{i}() |> B{i}()\n}}",
            "block B0()(x: float[S...]) {\n return relu(x)\n}",
            "x |> B40()",
        ),
    ),
    Case(
        "blocks with parameters",
        "NN0004",
        doubling(
            lambda i: f"block B{i + 1}()(x: float[S...]) {{\n return x |> B{i}() |> B{i}()\n}}",
            "block B0()(x: float[S...]) {\n param w: float[8]\n return x * w\n}",
            "x |> B40()",
        ),
    ),
    Case(
        "a block given twice",
        "NN0004",
        body(
            "  y = x |> B(40)",
            "block B(n: int)(x: float[S...]) {\n"
            "  if n > 0 { return x |> B(n - 1) |> B(n - 1) }\n  return x + 1\n}\n",
        ),
    ),
    Case(
        "hyperparameters",
        "NN0004 NN0009",
        doubling(
            lambda i: f"block B{i + 1}(n: list)(x: float[S...]) {{\n return x |> B{i}(n + n)\n}}",
            "block B0(n: list)(x: float[S...]) {\n return x + len(n)\n}",
            "x |> B40([1])",
        ),
    ),
    Case(
        "comprehensions",
        "NN0004",
        doubling(
            lambda i: f"fn f{i + 1}(x) = [f{i}(x) for i in [1, 2]]",
            "fn f0(x) = 1",
            "x + len(f40(1))",
        ),
    ),
    Case("clauses", "NN0004 NN0009", body(f"  y = x + len([1 {'for i in [1, 2] ' * 40}])")),
    Case(
        "loops",
        "NN0004",
        body("  n = 0\n" + nested("  for i in [1, 2] {\n", "n = n + 1", "}\n") + "\n  y = x + n"),
    ),
    Case(
        "lists by splices", "NN0009", chain("a = [1]", lambda i: "a = [a..., a...]", "x + len(a)")
    ),
    Case("lists by +", "NN0009", chain("a = [1]", lambda i: "a = a + a", "x + len(a)")),
    Case("lists of lists", "NN0009", chain("a = [1]", lambda i: "a = [a, a]", "x + f32(a)")),
    Case(
        "lists that are compared",
        "NN0009 NN0004",
        chain(
            "a = [1]\n  b = [1]", lambda i: "a = [a, a]\n  b = [b, b]", "x + (1 if a == b else 2)"
        ),
    ),
    Case("texts by braces", "NN0009", chain('a = "1"', lambda i: 'a = "{a}{a}"', "x + len(a)")),
    Case("texts by +", "NN0009", chain('a = "1"', lambda i: "a = a + a", "x + len(a)")),
    Case("dims", "NN0005 NN0009", chain("n = N", lambda i: "n = n * n", "reshape(x, [n, 8])")),
    Case(
        "dims of sums", "NN0005 NN0009", chain("n = N + 1", lambda i: f"n = n * (n + {i})", "x + n")
    ),
    Case(
        "dims of quotients",
        "NN0005 NN0009",
        chain("n = N", lambda i: f"n = (n + 1) // (n % {i + 2} + 1)", "x + n"),
    ),
    Case(
        "shapes",
        "NN0009 NN0204",
        chain("s = [1]", lambda i: "s = s + s", "reshape(x, [N, 8, s...])"),
    ),
    Case(
        "ranks",
        "NN0009 NN0204",
        chain("a = x", lambda i: "a = reshape(a, a.shape + [1 for d in a.shape])", "a"),
    ),
    Case(
        "sizes by concat",
        "NN0008",
        body("  a = x\n" + "  a = concat([a, a], axis=1)\n" * 80 + "  y = a"),
    ),
    Case("a dim of 2**63, computed", "NN0005", "model M {\n  input x: f32[2 ** 63]\n output x }"),
    Case("a slice from 2**63 on", "NN0005", body("  y = x[:, 2**63:]")),
    Case("a shape with 2**63", "NN0005", body("  y = reshape(x, [2**63])")),
    Case(
        "a broadcast to 2**62 thrice",
        "NN0008",
        body("  y = expand(x[:1, :1], [2**62, 2**62, 2**62])"),
    ),
    Case(
        "names of instances",
        "NN0009 NN0004",
        body('  y = x |> Linear(3) as "{s}"', "from std import Linear\n").replace(
            "  y =", '  s = "a"\n' + '  s = "{s}{s}"\n' * 40 + "  y ="
        ),
    ),
    Case(
        "a block of itself",
        "NN0004 NN0305 NN0202",
        body("  y = twice(twice, 1)", "fn twice(f, x) = f(f, f(f, x))\n"),
    ),
    Case(
        "scans in scans",
        "NN0004 NN0003",
        doubling(
            lambda i: (
                f"fn f{i + 1}(x: float[S...]) = scan over t = x {{ yield f{i}(x) + f{i}(x) }}"
            ),
            "fn f0(x) = sum(x)",
            "f40(x)",
        ),
    ),
    Case(
        "train",
        "NN0004",
        "from std.optim import SGD\n"
        + doubling(lambda i: f"fn f{i + 1}(x) = f{i}(x) + f{i}(x)", "fn f0(x) = sum(x)", "f40(x)"),
        ONNX,
    ),
    # files
    Case("invalid UTF-8", "NN0002", b"model M {\xff\xfe}"),
    Case("random bytes", "NN0002", bytes(range(256)) * 4096),
    Case(
        "an import of invalid UTF-8", "NN0002", "from a import f\n" + GOOD, files={"a.nn": b"\xff"}
    ),
    Case("an empty file", "NN0306", "", ONNX),
    Case("a folder", "NN0001", None, files={"model.nn": None}),
    Case("no file", "NN0001", None),
    Case("a file of 64 MB", "NN0009", b"# comment\n" * 6_400_000),
    Case("a file without end", "NN0009", None, "check /dev/zero"),
    Case("a file that cannot be read", "NN0001", None, "check /proc/self/mem"),
    Case("a missing import", "NN0001", "from nowhere import f\n" + GOOD),
    Case("an import of a folder", "NN0001", "from a import f\n" + GOOD, files={"a.nn": None}),
    Case("a missing weight file", "NN0001", GOOD, ONNX + " --weights w.safetensors"),
    Case(
        "a corrupt weight file",
        "NN0502",
        GOOD,
        ONNX + " --weights w.safetensors",
        {"w.safetensors": bytes(range(256)) * 100},
    ),
    Case(
        "a weight file that claims 2**60 bytes",
        "NN0502",
        GOOD,
        ONNX + " --weights w.safetensors",
        {"w.safetensors": (2**60).to_bytes(8, "little") + b"{}"},
    ),
    Case(
        "an npz that is cut off",
        "NN0502",
        GOOD,
        ONNX + " --weights w.npz",
        {"w.npz": b"PK\3\4" + b"\0" * 100},
    ),
    Case("a folder as weights", "NN0001", GOOD, ONNX + " --weights w", {"w": None}),
    Case(
        "an output that is a folder", "NN0001", GOOD, "build model.nn -o folder", {"folder": None}
    ),
    Case("an output below a file", "NN0001", GOOD, "build model.nn -o model.nn/x.onnx"),
    Case(
        "an output that cannot be written", "NN0001", GOOD, "build model.nn -o /proc/nncomp/x.onnx"
    ),
]


@dataclass(frozen=True)
class Outcome:
    """seconds: of the processor; megabytes: the most that the process held"""

    status: int
    report: str
    seconds: float
    megabytes: float


_SERVER = """
import json, os, sys, threading
from nncomp.cli import main
import nncomp.driver.building, nncomp.driver.checking  # once, for all
for line in sys.stdin:
    folder, arguments, seconds = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        os.dup2(os.open(folder + ".report", os.O_WRONLY | os.O_CREAT), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = main(arguments)
        sys.stderr.flush()
        os._exit(status)
    timer = threading.Timer(seconds, os.kill, (child, 9))
    timer.start()
    _, status, used = os.wait4(child, 0)
    timer.cancel()
    spent = used.ru_utime + used.ru_stime
    print(json.dumps([os.waitstatus_to_exitcode(status), spent, used.ru_maxrss / 1024]), flush=True)
"""


class Runner:
    """Runs commands of nncomp, each in a process of its own that is forked from one that has
    loaded the compiler. A process that hangs is killed."""

    def __init__(self, timeout: float = 60) -> None:
        self._timeout = timeout
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()

    def run(self, case: Case, folder: Path) -> Outcome:
        """Writes the files into the folder, and runs the command there."""
        for name, content in {"model.nn": case.text, **case.files}.items():
            if content is not None:
                data = content.encode() if isinstance(content, str) else content
                (folder / name).write_bytes(data)
            elif name in case.files:
                (folder / name).mkdir()
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        question = [str(folder), case.arguments.split(), self._timeout]
        print(json.dumps(question), file=self._server.stdin, flush=True)
        status, seconds, megabytes = json.loads(self._server.stdout.readline())
        report = Path(f"{folder}.report").read_text()
        return Outcome(status, report, seconds, megabytes)
