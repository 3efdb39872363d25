"""How fast the language server answers: hover, completion, and errors after a keystroke.

    python benchmarks/lsp.py            # 500 lines, 20 keystrokes
    python benchmarks/lsp.py 100 3      # lines, keystrokes

A real client over pipes. The text is a model of residual blocks and its training, of so many
lines, each block used. Errors are waited for from the keystroke on, the server's own wait for
further ones included.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lsprotocol import types
from pygls.lsp.client import LanguageClient

HEAD = """from std import BatchNorm, Conv, Linear
from std.optim import Adam

"""
BLOCK = """block Block{i}(channels: int)(x: float[N, C, H, W]) {{
  y = x |> Conv(channels, 3, pad=1, use_bias=false) as a |> BatchNorm() |> relu
  y = y |> Conv(channels, 3, pad=1, use_bias=false) as b |> BatchNorm()
  skip = x if C == channels else x |> Conv(channels, 1) as shortcut
  return relu(y + skip)
}}

"""
TRAIN = """  output logits = x |> global_avg_pool |> flatten |> Linear(10)
  train {
    input label: i64[N]
    minimize cross_entropy(logits, label) by Adam(lr=1e-3)
  }
}
"""


def text_of(lines: int) -> str:
    """A model of about so many lines, each block of which is used."""
    count = max(1, (lines - 12) // 8)
    calls = "".join(f"  x = x |> Block{i}({16 * (1 + i % 4)})\n" for i in range(count))
    blocks = "".join(BLOCK.format(i=i) for i in range(count))
    return f"{HEAD}{blocks}model M {{\n  input x: f32[N, 3, 32, 32]\n{calls}{TRAIN}"


async def measure(lines: int, strokes: int) -> None:
    """Prints the times of all requests, in milliseconds."""
    text = text_of(lines)
    client = LanguageClient("benchmark", "1")
    shown: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
    client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda p: shown.put_nowait(p))
    await client.start_io(sys.executable, "-m", "nncomp", "lsp")
    capabilities = types.ClientCapabilities()
    await client.initialize_async(types.InitializeParams(capabilities=capabilities))
    client.initialized(types.InitializedParams())
    uri = (Path(tempfile.gettempdir()) / "benchmark.nn").as_uri()
    document = types.TextDocumentIdentifier(uri)
    start = time.perf_counter()
    item = types.TextDocumentItem(uri, "nn", 0, text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    await shown.get()
    print(f"{text.count(chr(10))} lines; first look: {1e3 * (time.perf_counter() - start):.0f} ms")
    rows = text.splitlines()
    middle = next(i for i in range(len(rows) // 2, len(rows)) if "y = y |>" in rows[i])
    place = types.Position(middle, rows[middle].index("Conv"))
    times: dict[str, list[float]] = {"errors": [], "hover": [], "completion": []}
    for stroke in range(1, strokes + 1):
        wrong = text.replace("|> flatten", "|> flatte" if stroke % 2 else "|> flatten")
        change = types.TextDocumentContentChangeWholeDocument(wrong)
        identifier = types.VersionedTextDocumentIdentifier(stroke, uri)
        start = time.perf_counter()
        client.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))
        while (await shown.get()).version != stroke:
            pass
        times["errors"].append(time.perf_counter() - start)
        start = time.perf_counter()
        await client.text_document_hover_async(types.HoverParams(document, place))
        times["hover"].append(time.perf_counter() - start)
        start = time.perf_counter()
        await client.text_document_completion_async(types.CompletionParams(document, place))
        times["completion"].append(time.perf_counter() - start)
    for name, values in times.items():
        middle_time, worst = 1e3 * statistics.median(values), 1e3 * max(values)
        print(f"{name:11} median {middle_time:6.1f} ms, longest {worst:6.1f} ms")
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(measure(*(given or [500, 20])))
