// Starts the extension beside a text with an error, mends the error, asks what a name is, and stops.
// Prints what was shown, as JSON. Arguments: the folder of the extension, the text's file, the
// command of the server as JSON.
"use strict";

const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { stub, TextDocument, Uri, Position } = require("./vscode_stub.js");

const [folder, file, command] = process.argv.slice(2);
const text = fs.readFileSync(file, "utf8");
const document = new TextDocument(Uri.file(file), text);
const { vscode, shown, changed, offered, said } = stub({ "nncomp.command": JSON.parse(command) }, document);

const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));

/** What is shown next of the text. */
const next = () => new Promise((resolve) => {
  const listening = shown.event(([uri, found]) => {
    listening.dispose();
    resolve([uri.toString(), found.map((d) => [String(d.code), d.range.start.line, d.message])]);
  });
});

async function main() {
  const extension = require(path.join(folder, "extension.js"));
  const first = next();
  await extension.activate({ subscriptions: [] });
  const wrong = await first;
  const mended = next();
  document.version += 1;
  document.text = text.replace("rellu", "relu");
  await changed.fire({ document, contentChanges: [{ text: document.text }], reason: undefined });
  const right = await mended;
  const token = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose() {} }) };
  const hover = await offered.Hover.provideHover(document, new Position(2, 6), token);
  await extension.deactivate();
  console.log(JSON.stringify({ wrong, right, hover: hover.contents.map((part) => part.value), offered: Object.keys(offered) }));
}

main().catch((failure) => {
  console.error(failure, said);
  process.exit(1);
});
