// Starts `nncomp lsp` and lets it speak with the editor.
"use strict";

const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const [command, ...args] = workspace.getConfiguration("nncomp").get("command");
  client = new LanguageClient(
    "nncomp",
    "nncomp",
    { command, args },
    { documentSelector: [{ language: "nn" }] },
  );
  return client.start();
}

function deactivate() {
  return client && client.stop();
}

module.exports = { activate, deactivate };
