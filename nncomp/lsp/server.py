"""The language server: requests of the protocol to functions of this package."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from nncomp.errors import CompileError
from nncomp.lsp.analysis import Analysis
from nncomp.lsp.complete import Item, complete, in_tree
from nncomp.lsp.convert import Positions, name_of, uri_of
from nncomp.lsp.desk import Desk
from nncomp.lsp.hover import hover, knows
from nncomp.lsp.outline import Entry, outline
from nncomp.lsp.places import definition, place_at
from nncomp.lsp.whole import compile_errors
from nncomp.source import SourceFile
from nncomp.syntax.formatter import format_source

_COMPLETIONS: Mapping[str, types.CompletionItemKind] = {
    "fn": types.CompletionItemKind.Function,
    "block": types.CompletionItemKind.Class,
    "operator": types.CompletionItemKind.Function,
    "argument": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.Variable,
    "dim": types.CompletionItemKind.TypeParameter,
    "module": types.CompletionItemKind.Module,
    "keyword": types.CompletionItemKind.Keyword,
    "type": types.CompletionItemKind.Struct,
    "parameter": types.CompletionItemKind.Field,
}
_SYMBOLS: Mapping[str, types.SymbolKind] = {
    "model": types.SymbolKind.Class,
    "block": types.SymbolKind.Class,
    "fn": types.SymbolKind.Function,
    "constant": types.SymbolKind.Constant,
    "section": types.SymbolKind.Namespace,
    "input": types.SymbolKind.Field,
    "output": types.SymbolKind.Property,
    "state": types.SymbolKind.Field,
    "value": types.SymbolKind.Object,
}
_FIRST = {"argument": "0", "value": "1", "dim": "2", "parameter": "2"}  # others come after


class Server(LanguageServer):
    """The server with its open texts."""

    def __init__(self, version: str) -> None:
        super().__init__("nncomp", version, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        self.desk = Desk(self._open_texts, self._publish)

    @property
    def positions(self) -> Positions:
        return Positions(self.workspace.position_encoding or "utf-16")

    def _open_texts(self) -> Mapping[str, str]:
        documents = self.workspace.text_documents
        return {name_of(uri): document.source for uri, document in documents.items()}

    async def _publish(self, name: str, found: Analysis) -> None:
        self.publish(name, found)

    def publish(self, name: str, found: Analysis) -> None:
        """Shows what is wrong with a text."""
        uri = self.uri(name)
        shown = [self.positions.diagnostic(d, found.source) for d in found.diagnostics]
        version = self.workspace.get_text_document(uri).version
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, shown, version))

    def uri(self, name: str) -> str:
        """The address by which the client knows an open text."""
        known = (uri for uri in self.workspace.text_documents if name_of(uri) == name)
        return next(known, None) or uri_of(name)

    async def at(
        self,
        document: types.TextDocumentIdentifier,
        position: types.Position,
        *,
        whole: bool = False,
    ) -> tuple[Analysis, int] | None:
        """The analysis that tells of a position in a text, and the character there. Of a text
        that cannot be parsed, that of the last version that could."""
        name = name_of(document.uri)
        found = await self.desk.analysis(name, whole=whole)
        if found is None:
            return None
        offset = self.positions.offset(found.source, position)
        if found.tree is not None:
            return found, offset
        good = self.desk.good(name)
        return None if good is None else (good, in_tree(good, found.source.text, offset))


def make_server(version: str) -> Server:
    """The server with its features; `start_io` runs it."""
    server = Server(version)

    @server.feature(types.INITIALIZED)
    async def on_initialized(ls: Server, params: types.InitializedParams) -> None:
        ls.desk.warm_up()

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    async def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
        name = name_of(params.text_document.uri)
        ls.desk.changed(name)
        await _check_all(ls, name)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    async def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
        ls.desk.changed(name_of(params.text_document.uri))

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    async def did_save(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
        await _check_all(ls, name_of(params.text_document.uri))

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    async def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        ls.desk.closed(name_of(uri))
        ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    async def on_hover(ls: Server, params: types.HoverParams) -> types.Hover | None:
        at = await ls.at(params.text_document, params.position)
        if at is not None and not at[0].whole and not knows(*at):  # a name of the training, perhaps
            at = await ls.at(params.text_document, params.position, whole=True)
        found = hover(*at) if at is not None else None
        if found is None:
            return None
        span, text = found
        content = types.MarkupContent(types.MarkupKind.Markdown, text)
        return types.Hover(content, ls.positions.range(span))

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    async def on_definition(ls: Server, params: types.DefinitionParams) -> types.Location | None:
        at = await ls.at(params.text_document, params.position)
        if at is None or at[0].tree is None:
            return None
        place = place_at(at[0].tree, at[1])
        found = definition(at[0], place) if place is not None else None
        return ls.positions.location(found.span) if found is not None else None

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION,
        types.CompletionOptions(trigger_characters=[".", "(", ","]),
    )
    async def on_completion(
        ls: Server, params: types.CompletionParams
    ) -> types.CompletionList | None:
        name = name_of(params.text_document.uri)
        if ls.desk.good(name) is None:  # else the last version that could be parsed tells enough
            await ls.desk.analysis(name)
        source = SourceFile(name, ls.workspace.get_text_document(params.text_document.uri).source)
        offset = ls.positions.offset(source, params.position)
        items = complete(ls.desk.good(name), source.text, offset)
        return types.CompletionList(False, [_completion(item, source) for item in items])

    @server.feature(types.TEXT_DOCUMENT_FORMATTING)
    async def on_formatting(
        ls: Server, params: types.DocumentFormattingParams
    ) -> list[types.TextEdit] | None:
        document = ls.workspace.get_text_document(params.text_document.uri)
        source = SourceFile(name_of(document.uri), document.source)
        try:
            formatted = format_source(source)
        except CompileError:  # which is on show as a diagnostic
            return None
        if formatted == source.text:
            return []
        end = ls.positions.position(source, len(source.text))
        return [types.TextEdit(types.Range(types.Position(0, 0), end), formatted)]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def on_symbols(
        ls: Server, params: types.DocumentSymbolParams
    ) -> list[types.DocumentSymbol]:
        name = name_of(params.text_document.uri)
        found = await ls.desk.analysis(name)
        if found is None or found.tree is None:
            found = ls.desk.good(name)
        tree = found.tree if found is not None else None
        return [] if tree is None else _symbols(ls.positions, outline(tree))

    return server


async def _check_all(ls: Server, name: str) -> None:
    """Shows, too, what only compiling to the end finds. Nothing if the text changes meanwhile."""
    version = ls.desk.version(name)
    found = await ls.desk.analysis(name, whole=True)
    if found is None or found.has_errors:
        return
    loop = asyncio.get_running_loop()
    more = await loop.run_in_executor(None, compile_errors, found)
    if more and ls.desk.version(name) == version:
        ls.publish(name, found.with_more(more))


def _completion(item: Item, source: SourceFile) -> types.CompletionItem:
    imports = None
    if item.home is not None:  # imports stand at the top, behind the version of the language
        top = types.Position(1 if source.text.startswith("nn ") else 0, 0)
        imports = [types.TextEdit(types.Range(top, top), f"from {item.home} import {item.label}\n")]
    doc = types.MarkupContent(types.MarkupKind.Markdown, item.doc) if item.doc else None
    return types.CompletionItem(
        item.label,
        kind=_COMPLETIONS[item.kind],
        detail=item.detail or None,
        documentation=doc,
        insert_text=item.insert,
        additional_text_edits=imports,
        sort_text=_FIRST.get(item.kind, "5" if item.home is None else "7") + item.label,
    )


def _symbols(positions: Positions, entries: Iterable[Entry]) -> list[types.DocumentSymbol]:
    return [
        types.DocumentSymbol(
            entry.name,
            _SYMBOLS[entry.kind],
            positions.range(entry.whole),
            positions.range(entry.name_span),
            detail=entry.detail or None,
            children=_symbols(positions, entry.children) or None,
        )
        for entry in entries
    ]
