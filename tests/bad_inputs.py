"""Inputs that ask for too much, or are no programs at all: files, a command, the codes that answer.

Each must be refused in about a second and within 300 MB, without a traceback, and without touching
an output that exists. `tests/test_limits.py` runs them, `benchmarks/limits.py` measures them.
"""

from __future__ import annotations

from tests.bad_expansions import EXPANSIONS
from tests.refusals import Case, body, nested

MILLION = 10**6
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
    # length
    Case("a file of 10**6 words", "NN0009", body("  y = relu(x)\n" * MILLION + "  y = x")),
    Case("a long file that is broken everywhere", "NN0101", body("  y = = relu(x)\n" * 12_000)),
    Case(
        "a long file that is broken at its end",
        "NN0101",
        body("  y = relu(x)\n" * 13_000 + "  y = = x"),
    ),
    Case("a name that is unknown everywhere", "NN0103", body("  y = f(x)\n" * 13_000)),
    Case(
        "many models",
        "NN0103",
        "".join(f"model M{i} {{\n  input x: f32[N]\n  output y = z\n}}\n" for i in range(4_000)),
    ),
    Case(
        "many long names",
        "NN0103",
        "".join(f"fn {'a' * 300}{i}(x) = x\n" for i in range(9_000)) + f"x = {'a' * 310}\n",
    ),
    Case(
        "many names that are nearly known",
        "NN0103",
        "".join(f"fn some_name_{i}(x) = x\n" for i in range(4_000))
        + body("".join(f"  y{i} = sume_nmae_{i}(x)\n" for i in range(200)) + "  y = x"),
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
    *EXPANSIONS,
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
