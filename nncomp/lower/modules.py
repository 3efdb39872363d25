"""Files and imports: reading `.nn` files, the standard library, and what a file sees."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from nncomp import files
from nncomp.errors import CompileError, Note, did_you_mean, error
from nncomp.lower.builtins import BUILTINS
from nncomp.lower.context import Module
from nncomp.lower.elsewhere import module_help, name_help
from nncomp.lower.recovery import POISON, PoisonError
from nncomp.lower.values import Factory, Function, Namespace
from nncomp.source import SourceFile, Span
from nncomp.syntax import ast
from nncomp.syntax.parser import parse

MAX_IMPORTS = 16  # files importing files
LANGUAGE_VERSION = 1
Read = Callable[[Path, Span | None], SourceFile]


def read_source(path: Path, span: Span | None = None) -> SourceFile:
    """The text of a `.nn` file. An error without a place of its own is at the import, `span`."""
    try:
        return files.read_source(path)
    except CompileError as failure:
        raise failure.at(span) from None


class Loader:
    """Loads the files of one program, each once.

    constant: evaluates a constant of a file, `NAME = expr`, when all before it have values
    report: takes an error, after which the file is read on; or raises it
    read: gives the text of a file, for the import at a span
    """

    def __init__(
        self,
        constant: Callable[[Module, ast.ConstDecl], Any],
        report: Callable[[CompileError], None],
        read: Read = read_source,
    ) -> None:
        self._constant, self._report, self._read = constant, report, read
        self._modules: dict[str, Module] = {}
        self._trees: dict[str, ast.File] = {}
        self._loading: list[str] = []

    def load(self, source: SourceFile) -> tuple[Module, ast.File]:
        """The module of a source, with its imports resolved."""
        return self._load(source, parse(source), is_std=False)

    def _load(self, source: SourceFile, tree: ast.File, is_std: bool) -> tuple[Module, ast.File]:
        if tree.version is not None and tree.version > LANGUAGE_VERSION:
            raise error(
                "NN0007",
                f"{source.name} is written in version {tree.version} of the language, "
                f"this compiler knows {LANGUAGE_VERSION}",
                tree.span,
            )
        module = Module(source.name, is_std=is_std)
        self._modules[source.name] = module
        self._loading.append(source.name)
        try:
            for imported in tree.imports:
                self._import(module, source, imported)
        finally:
            self._loading.pop()
        spans = {n.text: n.span for statement in tree.imports for n in _imported_names(statement)}
        for declaration in tree.declarations:
            name = declaration.name.text
            if name in spans:
                again = error(
                    "NN0104",
                    f"`{name}` is declared twice",
                    declaration.name.span,
                    notes=[Note("the other one", spans[name])],
                )
                self._report(again)
            spans[name] = declaration.name.span
            try:
                _check_parameters(declaration)
            except CompileError as failure:
                self._report(failure)
            if not isinstance(declaration, ast.ConstDecl):
                module.names[name] = _value(declaration, module)
        for declaration in tree.declarations:
            if isinstance(declaration, ast.ConstDecl):
                make = partial(self._constant, module, declaration)
                self._define(module, declaration.name.text, make)
        return module, tree

    def _import(self, module: Module, source: SourceFile, statement: ast.Import) -> None:
        if statement.names is None:
            assert not isinstance(statement.module, str)
            alias = statement.alias.text if statement.alias else statement.module[-1]
            make = partial(self._namespace, source, statement)
            self._define(module, alias, make)
            return
        for item in statement.names:
            alias = (item.alias or item.name).text
            if alias in module.names:
                self._report(error("NN0104", f"`{alias}` is imported twice", item.span))
            self._define(module, alias, partial(self._imported, source, statement, item.name))

    def _define(self, module: Module, name: str, make: Callable[[], Any]) -> None:
        """Gives a name of the file its value, or poison where that fails."""
        module.names[name] = POISON
        try:
            module.names[name] = make()
        except CompileError as failure:
            self._report(failure)
        except PoisonError:
            pass

    def _namespace(self, source: SourceFile, statement: ast.Import) -> Namespace:
        text = ".".join(statement.module)
        if statement.module[0] == "std":
            home = _std_file(statement)
            names = [n for n, file in std_index().items() if home in (None, file)]
            return Namespace(text, lambda n: std_value(n) if n in names else None, lambda: names)
        module = self._file(source, statement)
        return Namespace(text, module.names.get, lambda: list(module.names))

    def _imported(self, source: SourceFile, statement: ast.Import, name: ast.Name) -> Any:
        if not isinstance(statement.module, str) and statement.module[0] == "std":
            home = _std_file(statement)
            known = [n for n, file in std_index().items() if home in (None, file)]
            if name.text in known:
                return std_value(name.text)
            near = name_help(name.text, known)
            text = ".".join(statement.module)
            raise error("NN0006", f"`{text}` has no `{name.text}`", name.span, help=near)
        module = self._file(source, statement)
        if name.text not in module.names:
            near = did_you_mean(name.text, module.names)
            raise error("NN0006", f"{module.name} has no `{name.text}`", name.span, help=near)
        return module.names[name.text]

    def _file(self, source: SourceFile, statement: ast.Import) -> Module:
        folder = Path(source.name).parent
        if isinstance(statement.module, str):
            path = folder / statement.module
        else:
            path = folder.joinpath(*statement.module).with_suffix(".nn")
        name = str(path)
        if name in self._loading:
            chain = " → ".join([*self._loading[self._loading.index(name) :], name])
            raise error("NN0006", f"files import each other: {chain}", statement.span)
        if name in self._modules:
            return self._modules[name]
        if len(self._loading) >= MAX_IMPORTS:
            raise error(
                "NN0006", f"imports are nested more than {MAX_IMPORTS} deep", statement.span
            )
        try:
            imported = self._read(path, statement.span)
        except CompileError as failure:
            raise failure.helped(module_help(str(statement.module[0]))) from None
        return self._load(imported, parse(imported), is_std=False)[0]


def _imported_names(statement: ast.Import) -> list[ast.Name]:
    if statement.names is not None:
        return [item.alias or item.name for item in statement.names]
    return [statement.alias] if statement.alias else []


def _check_parameters(declaration: ast.Decl) -> None:
    """No name twice in a signature."""
    formals: tuple[ast.Parameter, ...] = ()
    if isinstance(declaration, ast.FnDecl):
        formals = declaration.parameters
    elif isinstance(declaration, ast.BlockDecl):
        formals = declaration.hyperparameters + declaration.tensors
    elif isinstance(declaration, ast.ModelDecl):
        formals = declaration.hyperparameters
    spans: dict[str, Span] = {}
    for parameter in formals:
        name = parameter.name
        if name.text in spans:
            raise error(
                "NN0104",
                f"`{declaration.name.text}` has two parameters `{name.text}`",
                name.span,
                notes=[Note("the other one", spans[name.text])],
            )
        spans[name.text] = name.span


def _value(declaration: ast.Decl, module: Module) -> Any:
    if isinstance(declaration, ast.FnDecl):
        return Function(declaration, module)
    if isinstance(declaration, ast.BlockDecl):
        return Factory(declaration, module)
    return declaration


# --- the standard library --------------------------------------------------------------------

_DECLARATION = re.compile(r"^(block|fn|optimizer)[ \t]+(\w+)", re.MULTILINE)


@cache
def _std_texts() -> dict[str, str]:
    folder = resources.files("nncomp.std")
    return {
        entry.name.removesuffix(".nn"): entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".nn")
    }


@cache
def std_index() -> dict[str, str]:
    """Which file of the standard library declares a name; found without parsing."""
    return {
        match[2]: file
        for file, text in _std_texts().items()
        for match in _DECLARATION.finditer(text)
    }


@cache
def _std_fns() -> frozenset[str]:
    return frozenset(
        match[2]
        for text in _std_texts().values()
        for match in _DECLARATION.finditer(text)
        if match[1] == "fn"
    )


def _std_file(statement: ast.Import) -> str | None:
    """The file that `std.optim` names; None for `std` itself, which is all of them."""
    if len(statement.module) == 1:
        return None
    file = statement.module[1] if len(statement.module) == 2 else "/"
    if file not in _std_texts():
        text = ".".join(statement.module)
        near = did_you_mean(file, _std_texts())
        raise error("NN0006", f"there is no module `{text}`", statement.span, help=near)
    return file


def _raise(failure: CompileError) -> None:
    raise failure


def _no_constant(module: Module, declaration: ast.ConstDecl) -> Any:
    raise AssertionError(f"{module.name} declares the constant {declaration.name.text}")


@cache
def _std_module(file: str) -> Module:
    source = SourceFile(f"std/{file}.nn", _std_texts()[file])
    try:
        return Loader(_no_constant, _raise)._load(source, parse(source), is_std=True)[0]
    except CompileError as failure:  # a defect of the library, not of the user's program
        raise AssertionError(f"std/{file}.nn: {failure}") from failure


def std_value(name: str) -> Any:
    return _std_module(std_index()[name]).names[name]


class StandardPrelude:
    """Names that need no import: the compiler's functions and every fn of the library."""

    def __contains__(self, name: object) -> bool:
        return name in BUILTINS or name in _std_fns()

    def __getitem__(self, name: str) -> Any:
        return BUILTINS[name] if name in BUILTINS else std_value(name)

    def __iter__(self) -> Iterator[str]:
        yield from BUILTINS
        yield from _std_fns()

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return self[name]

    def home(self, name: str) -> str | None:
        file = std_index().get(name)
        return None if file is None else f"std.{file}"

    def imports(self) -> Mapping[str, str]:
        return {name: f"std.{file}" for name, file in std_index().items() if name not in self}
