"""The extension for VS Code: it starts the server, shows errors, and can be packaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
EXTENSION = HERE.parents[1] / "editors" / "vscode"
FILES = ("package.json", "package-lock.json", "extension.js", "language-configuration.json")
NODE, NPM, NPX = (shutil.which(name) for name in ("node", "npm", "npx"))
TEXT = """model M {
  input x: f32[N, 3]
  y = x * 2
  output z = rellu(y)
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension with what it depends on."""
    if NODE is None or NPM is None:
        pytest.skip("node and npm are needed")
    copy = tmp_path_factory.mktemp("extension")
    for name in FILES:
        shutil.copy(EXTENSION / name, copy)
    shutil.copytree(EXTENSION / "syntaxes", copy / "syntaxes")
    subprocess.run([NPM, "ci", "--silent"], cwd=copy, check=True, timeout=300)
    return copy


def test_it_starts_the_server_and_shows_what_that_says(folder: Path, tmp_path: Path) -> None:
    assert NODE is not None
    path = tmp_path / "m.nn"
    path.write_text(TEXT, "utf-8")
    command = json.dumps([sys.executable, "-m", "nncomp", "lsp"])
    arguments = [NODE, HERE / "extension_test.js", folder, path, command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    uri, ((code, line, message),) = told["wrong"]
    assert uri == path.as_uri()
    assert (code, line) == ("NN0103", 3)
    assert "did you mean `relu`?" in message
    assert told["right"] == [uri, []]
    assert "x: f32[N, 3]" in told["hover"][0]
    wanted = {"CompletionItem", "Hover", "Definition", "DocumentSymbol", "DocumentFormattingEdit"}
    assert wanted <= set(told["offered"])


@pytest.mark.slow
def test_it_can_be_packaged(folder: Path) -> None:
    """With the tool that docs/editors.md names."""
    assert NPX is not None
    command = [NPX, "--yes", "@vscode/vsce", "package", "--allow-missing-repository"]
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (package,) = folder.glob("*.vsix")
    names = set(zipfile.ZipFile(package).namelist())
    for name in ("extension.js", "package.json", "syntaxes/nn.tmLanguage.json"):
        assert f"extension/{name}" in names
    assert any(name.startswith("extension/node_modules/vscode-languageclient/") for name in names)
