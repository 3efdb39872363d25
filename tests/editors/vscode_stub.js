// As much of the module `vscode` as an extension with a language client needs, without an editor:
// one open text, and what is shown of it. What nobody uses is an empty class.
"use strict";

class Disposable {
  constructor(act = () => {}) {
    this.dispose = act;
  }

  static from() {
    return new Disposable();
  }
}

class EventEmitter {
  constructor() {
    this.listeners = new Set();
    this.event = (listener, self) => {
      const bound = self ? listener.bind(self) : listener;
      this.listeners.add(bound);
      return new Disposable(() => this.listeners.delete(bound));
    };
  }

  fire(data) {
    return Promise.all([...this.listeners].map((listener) => listener(data)));
  }

  dispose() {}
}

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character });
  }
}

class Range {
  constructor(start, end, line, character) {
    const isFlat = typeof start === "number";
    this.start = isFlat ? new Position(start, end) : start;
    this.end = isFlat ? new Position(line, character) : end;
  }
}

class Uri {
  constructor(text) {
    this.text = text;
    this.scheme = text.split(":")[0];
    this.fsPath = decodeURIComponent(text.replace(/^file:\/\//, ""));
    this.path = this.fsPath;
  }

  static parse(text) {
    return new Uri(text);
  }

  static file(path) {
    return new Uri(`file://${path}`);
  }

  toString() {
    return this.text;
  }
}

class Diagnostic {
  constructor(range, message, severity) {
    Object.assign(this, { range, message, severity });
  }
}

class MarkdownString {
  constructor(value = "") {
    this.value = value;
  }

  appendMarkdown(text) {
    this.value += text;
    return this;
  }

  appendCodeblock(text) {
    this.value += text;
    return this;
  }
}

class Hover {
  constructor(contents, range) {
    Object.assign(this, { contents: [].concat(contents), range });
  }
}

class TextDocument {
  constructor(uri, text) {
    Object.assign(this, { uri, text, version: 1, languageId: "nn", isClosed: false });
    this.fileName = uri.fsPath;
  }

  getText() {
    return this.text;
  }
}

/** The module. settings: by name; document: the text that is open. shown: emits [uri, diagnostics];
 * offered: what is registered for the language, by kind; said: what would be shown to a person. */
function stub(settings, document) {
  const shown = new EventEmitter();
  const changed = new EventEmitter();
  const offered = {};
  const said = [];
  const never = () => new Disposable();
  const channel = {
    name: "nncomp", append: (text) => said.push(text), appendLine: (text) => said.push(text),
    replace() {}, clear() {}, show() {}, hide() {}, dispose() {},
    logLevel: 2, onDidChangeLogLevel: never,
    trace() {}, debug() {}, info: (text) => said.push(text), warn: (text) => said.push(text),
    error: (text) => said.push(text),
  };
  const events = (target) => new Proxy(target, {
    get: (of, name) => (name in of ? of[name] : /^on(Did|Will)/.test(String(name)) ? never : undefined),
  });
  const tell = (text) => {
    said.push(text);
    return Promise.resolve(undefined);
  };
  const languages = new Proxy({
    createDiagnosticCollection: () => ({
      set: (uri, found) => shown.fire([uri, found]), delete() {}, clear() {}, dispose() {},
      get: () => [], has: () => false, forEach() {},
    }),
    match: (selector) => ([].concat(selector).some((s) => s.language === "nn") ? 10 : 0),
  }, {
    get: (of, name) => of[name] ?? ((selector, provider) => {
      const [, kind] = /^register(\w+)Provider$/.exec(String(name)) ?? [];
      if (kind) offered[kind] = provider;
      return new Disposable();
    }),
  });
  const known = {
    Disposable, EventEmitter, Position, Range, Uri, Diagnostic, MarkdownString, Hover, languages,
    workspace: events({
      getConfiguration: (section) => ({
        get: (name, other) => settings[section ? `${section}.${name}` : name] ?? other,
        inspect: () => undefined,
      }),
      textDocuments: [document],
      workspaceFolders: undefined,
      notebookDocuments: [],
      onDidChangeTextDocument: changed.event,
      createFileSystemWatcher: () => events({ dispose() {} }),
    }),
    window: events({
      createOutputChannel: () => channel,
      showErrorMessage: tell, showWarningMessage: tell, showInformationMessage: tell,
      activeTextEditor: undefined, visibleTextEditors: [{ document }],
      tabGroups: events({ all: [] }),
    }),
    commands: { registerCommand: never, executeCommand: () => Promise.resolve() },
    env: { language: "en", appName: "stub", clipboard: {}, uriScheme: "stub" },
    version: "1.90.0",
    CancellationTokenSource: class {
      constructor() {
        this.token = { isCancellationRequested: false, onCancellationRequested: never };
      }

      cancel() {}

      dispose() {}
    },
    DiagnosticSeverity: { Error: 0, Warning: 1, Information: 2, Hint: 3 },
    LogLevel: { Off: 0, Trace: 1, Debug: 2, Info: 3, Warning: 4, Error: 5 },
    TextDocumentSaveReason: { Manual: 1, AfterDelay: 2, FocusOut: 3 },
  };
  const vscode = new Proxy(known, {
    get(of, name) {
      of[name] ??= class {};
      return of[name];
    },
  });
  return { vscode, shown, changed, offered, said };
}

module.exports = { stub, TextDocument, Uri, Position };
