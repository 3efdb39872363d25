"""Programs that expand to too much: by calls, loops, derivatives, or work on lists."""

from __future__ import annotations

from tests.refusals import HEAD, Case, body, chain, doubling, nested

SIZED = (
    HEAD.replace("M {", "M(n: int) {")
    + "  for i in range(n) { x = gelu(x) + tanh(x) }\n  output x\n}\n"
)
ONNX = "build model.nn -o out.onnx"


def nested_loops(statement: str, *runs: int) -> str:
    opening = "".join(f"  for i{k} in range({count}) {{\n" for k, count in enumerate(runs))
    return f"{opening}  {statement}\n" + "  }\n" * len(runs)


def fn_of_itself(call: str) -> str:
    """Calls itself five times at each level: too often long before it is deep."""
    return f"fn f(x, n) {{\n  if n == 0 {{ return x }}\n  return {' + '.join([call] * 5)}\n}}\n"


EXPANSIONS = [
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
        "a fn of itself, five times", "NN0004", body("  y = f(x, 8)", fn_of_itself("f(x, n - 1)"))
    ),
    Case("a number of itself", "NN0004", body("  y = x * f(1, 9)", fn_of_itself("f(1, n - 1)"))),
    Case(
        "two fns of each other",
        "NN0004",
        body(
            "  y = f(x, 8)",
            fn_of_itself("g(x, n - 1)") + "fn g(x, n) = f(x, n) if n < 4 else f(x, n) + 1\n",
        ),
    ),
    Case(
        "a block of itself",
        "NN0004",
        body(
            "  y = x |> B(8)",
            "block B(n: int)(x: float[S...]) {\n"
            f"  if n == 0 {{ return x + 1 }}\n  return x{' |> B(n - 1)' * 5}\n}}\n",
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
    # layers
    Case("a million layers", "NN0004", body(nested_loops("y = relu(x)", 100, 100, 100))),
    Case(
        "as many blocks",
        "NN0004",
        body(
            nested_loops("x = x |> Linear(8) |> relu", 1000, 1000) + "\n  y = x",
            "from std import Linear\n",
        ),
    ),
    Case("layers as a hyperparameter says", "NN0004", SIZED, "check model.nn --set n=100000"),
    Case(
        "layers in a comprehension",
        "NN0004",
        body("  y = [relu(x) for i in range(1000) for j in range(1000)][0]"),
    ),
    Case(
        "a comprehension of nothing",
        "NN0004",
        body(f"  y = x + len([1 {'for i in range(1000) ' * 6} for j in range(1000) if false])"),
    ),
    Case("rows", "NN0004", body("  a = [r for r in expand(x[:1], [10**6, 8])]\n  y = a[0]")),
    Case(
        "five calls at each of eight levels",
        "NN0004",
        doubling(
            lambda i: f"fn f{i + 1}(x) = {f'f{i}(' * 5}x{')' * 5}", "fn f0(x) = relu(x)", "f8(x)"
        ),
    ),
    Case(
        "sixty calls at each of three levels",
        "NN0004",
        doubling(
            lambda i: f"fn f{i + 1}(x) {{\n{f' x = f{i}(x)' * 60} return x\n}}".replace(
                ") x", ")\n x"
            ).replace(") return", ")\n return"),
            "fn f0(x) = relu(x)",
            "f3(x)",
        ),
    ),
    Case(
        "calls behind a branch",
        "NN0004",
        body(
            "  y = f(x, 12)",
            "fn f(x, n) {\n"
            "  for i in range(8) { x = f(x, n - 1) if n > 0 else relu(x) }\n  return x\n}\n",
        ),
    ),
    Case(
        "five calls at each of eight levels, behind a choice",
        "NN0004",
        doubling(
            lambda i: f"fn f{i + 1}(x, c) = {f'f{i}(' * 5}x{', c)' * 5} if c else x",
            "fn f0(x, c) = relu(x)",
            "f8(x, true)",
        ),
    ),
    Case(
        "the same, behind a return",
        "NN0004",
        doubling(
            lambda i: (
                f"fn f{i + 1}(x, c) {{\n if c {{ return {f'f{i}(' * 5}x{', c)' * 5} }}\n"
                " return x\n}"
            ),
            "fn f0(x, c) = relu(x)",
            "f8(x, true)",
        ),
    ),
    *(
        Case(f"five calls at each of eight levels, {what}", "NN0004", doubling(*text))
        for what, text in {
            "by a name of its own": (
                lambda i: f"fn f{i + 1}(x) {{\n  g = f{i}\n  return {'g(' * 5}x{')' * 5}\n}}",
                "fn f0(x) = relu(x)",
                "f8(x)",
            ),
            "by a name of its own, of nothing": (
                lambda i: f"fn f{i + 1}(x) {{\n  g = f{i}\n  return {'g(' * 5}x{')' * 5}\n}}",
                "fn f0(x) = 1",
                "x + f8(x)",
            ),
            "behind choices of both kinds": (
                lambda i: (
                    f"fn f{i + 1}(x, n) = "
                    + " + ".join(
                        f"(f{i}(x, n) if n % 2 == {k % 2} else f{i}(x, n + 1))" for k in range(5)
                    )
                ),
                "fn f0(x, n) = relu(x)",
                "f8(x, 0)",
            ),
            "of fns that are given": (
                lambda i: f"fn f{i + 1}(f, x) = {f'f{i}(f, ' * 5}x{')' * 5}",
                "fn f0(f, x) = f(x)",
                "f8(relu, x)",
            ),
            "of a list": (
                lambda i: (
                    f"fn f{i + 1}(x) {{\n  for g in [{f'f{i}, ' * 5}] {{ x = g(x) }}\n"
                    "  return x\n}"
                ),
                "fn f0(x) = relu(x)",
                "f8(x)",
            ),
            "of a list that may end early": (
                lambda i: (
                    f"fn f{i + 1}(x) {{\n  for g in [{f'f{i}, ' * 5}] {{\n    x = g(x)\n"
                    "    if x.rank == 9 { return x }\n  }\n  return x\n}"
                ),
                "fn f0(x) = relu(x)",
                "f8(x)",
            ),
            "in scans": (
                lambda i: (
                    f"fn f{i + 1}(x) {{\n  g = f{i}\n  return scan over t = x[none] {{\n"
                    "    for i in range(5) { t = g(t) }\n    yield t\n  }[0]\n}"
                ),
                "fn f0(x) = relu(x)",
                "f8(x)",
            ),
            "of blocks by a name of their own": (
                lambda i: (
                    f"block B{i + 1}(n: int)(x: float[S...]) {{\n  b = B{i}\n"
                    f"  return x{' |> b(n)' * 5}\n}}"
                ),
                "block B0(n: int)(x: float[S...]) {\n  return relu(x)\n}",
                "x |> B8(1)",
            ),
            "of a hundred operations": (
                lambda i: f"fn f{i + 1}(x) {{\n  g = f{i}\n  return {'g(' * 5}x{')' * 5}\n}}",
                f"fn f0(x) = x{' + x' * 100}",
                "f8(x)",
            ),
        }.items()
    ),
    Case(
        "the same, in a constant",
        "NN0004",
        doubling(
            lambda i: f"fn f{i + 1}(x) = {f'f{i}(' * 5}x{')' * 5}", "fn f0(x) = 1", "x + k"
        ).replace("model", "k = f8(1)\nmodel"),
    ),
    Case("ten million parts", "NN0009", body("  a = split(x, 10_000_000)\n  y = a[0]")),
    Case("twenty thousand braces", "NN0009", body(f'  a = "{"{x}" * 20_000}"\n  y = x')),
    Case(
        "derivatives of derivatives",
        "NN0004",
        chain("a = sum(x * x * x)", lambda i: "a = sum(grad(a, x) * x)", "a"),
    ),
    Case(
        "directions of directions",
        "NN0004",
        chain("a = exp(x)", lambda i: "a = jvp(a, x, x)", "a"),
    ),
    Case(
        "an einsum of twenty thousand",
        "NN0202",
        body(f'  y = einsum("{"ab," * 20_000}ab->ab"{", x" * 20_001})'),
    ),
    # work on lists
    *(
        Case(
            f"lists that are {what}, again and again",
            "NN0004",
            body(
                "  a = range(100_000)\n  n = 0\n  for i in range(100_000) {\n"
                f"    b = {expression}\n  }}\n  y = x"
            ),
        )
        for what, expression in {
            "repeated": "[0] * 100_000",
            "searched": "-1 in a",
            "spliced": "[a...]",
            "added up": "sum(a)",
            "cut": "a[1:]",
            "made": "len(range(100_000))",
            "compared": "a[:50_000] == a[:50_000]",
        }.items()
    ),
]
