"""The server, driven by a real client over pipes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

import nncomp.cli.lsp
from nncomp.cli import main
from nncomp.lsp.convert import Positions, uri_of
from nncomp.lsp.texts import std_path
from nncomp.source import SourceFile, Span

LINEAR = """from std import Linear

model M {
  input x: f32[N, 3]
  output y = x |> Linear(4)
}
"""
TRAINED = """from std import Linear
from std.optim import SGD

model M {
  input x: f32[N, 3]
  output y = x |> Linear(4)

  train {
    input target: f32[N, 4]
    minimize mean((y - target) ** 2) by SGD(lr=0.1)
  }
}
"""
PATIENCE = 60  # seconds: a machine may be busy


class Client(LanguageClient):
    """Starts the server, opens one text, and keeps what it says of it."""

    def __init__(self, path: Path) -> None:
        super().__init__("test", "1")
        self.uri = path.as_uri()
        self.shown: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda p: self.shown.put_nowait(p))
        self.identifier = types.TextDocumentIdentifier(self.uri)

    async def start(self, text: str) -> types.InitializeResult:
        await self.start_io(sys.executable, "-m", "nncomp", "lsp")
        result = await self.initialize_async(
            types.InitializeParams(capabilities=types.ClientCapabilities())
        )
        self.initialized(types.InitializedParams())
        item = types.TextDocumentItem(self.uri, "nn", 1, text)
        self.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return result

    def type(self, text: str, version: int) -> None:
        identifier = types.VersionedTextDocumentIdentifier(version, self.uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.text_document_did_change(types.DidChangeTextDocumentParams(identifier, [change]))

    async def errors(self, version: int) -> list[types.Diagnostic]:
        """What is shown of a version of the text; older ones may be shown before."""
        while True:
            shown = await self.shown.get()
            if shown.version == version:
                return list(shown.diagnostics)

    def at(self, text: str, before: str) -> Any:
        position = Positions("utf-16").position(SourceFile("", text), text.index(before))
        return {"text_document": self.identifier, "position": position}


def talk(path: Path, text: str, conversation: Callable[[Client], Awaitable[None]]) -> None:
    """Starts a server on a text, and ends it in any case."""

    async def whole() -> None:
        client = Client(path)
        await client.start(text)
        try:
            await asyncio.wait_for(conversation(client), PATIENCE)
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            with suppress(asyncio.CancelledError):
                await client.stop()

    asyncio.run(whole())


def test_a_session(tmp_path: Path) -> None:
    path = tmp_path / "net.nn"  # which is not on disk
    wrong = LINEAR.replace("Linear(4)", "Linear(4) |> rellu")

    async def session(client: Client) -> None:
        assert await client.errors(1) == []
        hover = await client.text_document_hover_async(
            types.HoverParams(**client.at(LINEAR, "Linear(4)"))
        )
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert "→ f32[N, 4]" in hover.contents.value
        assert "`linear`: 16 parameters" in hover.contents.value
        found = await client.text_document_definition_async(
            types.DefinitionParams(**client.at(LINEAR, "Linear(4)"))
        )
        assert isinstance(found, types.Location)
        assert found.uri == std_path("linear").as_uri()
        symbols = await client.text_document_document_symbol_async(
            types.DocumentSymbolParams(client.identifier)
        )
        assert [s.name for s in symbols or ()] == ["M"]

        client.type(wrong, 2)
        (shown,) = await client.errors(2)
        assert shown.code == "NN0103"
        assert "did you mean `relu`?" in shown.message
        assert shown.range.start == types.Position(4, wrong.splitlines()[4].index("rellu"))
        client.type("model {", 3)
        assert [d.code for d in await client.errors(3)] == ["NN0105"]
        hover = await client.text_document_hover_async(
            types.HoverParams(client.identifier, types.Position(0, 3))
        )
        assert hover is None

        messy = LINEAR.replace("  input", "      input")
        client.type(messy, 4)
        edits = await client.text_document_formatting_async(
            types.DocumentFormattingParams(client.identifier, types.FormattingOptions(2, True))
        )
        assert [e.new_text for e in edits or ()] == [LINEAR]

    talk(path, LINEAR, session)


def test_completion_adds_the_import(tmp_path: Path) -> None:
    begun = LINEAR.replace("Linear(4)", "Linear(4) |> Drop")

    async def session(client: Client) -> None:
        client.type(begun, 2)
        position = types.Position(4, len(begun.splitlines()[4]))
        found = await client.text_document_completion_async(
            types.CompletionParams(client.identifier, position)
        )
        assert isinstance(found, types.CompletionList)
        (item,) = [i for i in found.items if i.label == "Dropout"]
        assert [e.new_text for e in item.additional_text_edits or ()] == [
            "from std.dropout import Dropout\n"
        ]
        assert item.kind == types.CompletionItemKind.Class

    talk(tmp_path / "net.nn", LINEAR, session)


def test_related_places_and_other_files(tmp_path: Path) -> None:
    """Two open files: what is typed in one is an error of the other. Columns are UTF-16 units."""
    (tmp_path / "parts.nn").write_text("fn part(x: float[N, D]) -> float[N, D] = x\n")
    text = (
        "from parts import part\n\nmodel M {\n  input x: f32[N, 3]\n  # 😀\n  y = part(x)\n"
        "  output z = y + zeros([4])\n}\n"
    )

    async def session(client: Client) -> None:
        (shown,) = await client.errors(1)
        assert shown.code == "NN0207"
        item = types.TextDocumentItem(
            (tmp_path / "parts.nn").as_uri(), "nn", 1, "fn part(x: float[N, D]) = x[:, 0]\n"
        )
        client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        while await client.errors(1):
            pass

    talk(tmp_path / "main.nn", text, session)


def test_errors_of_training_come_and_go(tmp_path: Path) -> None:
    """They are found later than those of the model, and are not forgotten meanwhile."""
    text = TRAINED.replace("mean(", "meen(")

    async def session(client: Client) -> None:
        while [d.code for d in await client.errors(1)] != ["NN0103"]:
            pass
        client.type(text + "\n", 2)
        assert [d.code for d in await client.errors(2)] == ["NN0103"]
        client.type(TRAINED, 3)
        assert await client.errors(3) == []
        hover = await client.text_document_hover_async(
            types.HoverParams(**client.at(TRAINED, "target) "))
        )
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert "target: f32[N, 4]" in hover.contents.value

    talk(tmp_path / "net.nn", text, session)


def test_saving_compiles_to_the_end(tmp_path: Path) -> None:
    text = (
        "from std.optim import SGD\n\nmodel M {\n  input x: f32[N, 3]\n  param w: f32[3] = ones()\n"
        "  output y = x * w\n  train {\n"
        "    minimize mean(onnx.Det(onnx.Unsqueeze(x * w, [1]))) by SGD(lr=0.1)\n  }\n}\n"
    )
    path = tmp_path / "net.nn"
    path.write_text("")

    async def session(client: Client) -> None:
        while not [d.code for d in await client.errors(1)]:
            pass

    talk(path, text, session)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_positions(encoding: str) -> None:
    source = SourceFile("a.nn", "a\n# é😀x\r\nb")
    positions = Positions(encoding)
    for offset in range(len(source.text) + 1):
        if source.text[offset - 1 : offset + 1] != "\r\n":
            position = positions.position(source, offset)
            assert positions.offset(source, position) == offset, position
    assert positions.offset(source, types.Position(1, 99)) == source.text.index("\r")
    assert positions.offset(source, types.Position(9, 0)) == len(source.text)
    expected = {"utf-8": 8, "utf-16": 5, "utf-32": 4}[encoding]
    assert positions.position(source, source.text.index("x")).character == expected


def test_a_file_of_the_library_has_an_address() -> None:
    source = SourceFile("std/conv.nn", "")
    assert Positions("utf-8").location(Span(source, 0, 0)).uri == std_path("conv").as_uri()
    assert uri_of("untitled:Untitled-1") == "untitled:Untitled-1"


def test_without_pygls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(nncomp.cli.lsp, "find_spec", lambda name: None)
    assert main(["lsp"]) == 1
    shown = capsys.readouterr().err
    assert "error[NN0010]" in shown
    assert "nncomp[lsp]" in shown
