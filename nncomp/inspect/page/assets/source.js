// The source pane: only the lines in sight are in the document.

const LINE = 19; // pixels

class SourcePane {
  constructor(page, host) {
    this.page = page;
    this.host = host;
    this.tabs = byId("tabs");
    this.texts = [];
    for (const model of page.models) {
      model.json.sources.forEach((source, number) => this._add(model, source, number));
    }
    this.inner = make("div", { className: "lines" });
    host.append(this.inner);
    this.caret = 0;
    this.lit = new Map(); // `model/source` -> line -> [[column, end], …]
    host.addEventListener("scroll", () => this.paint());
    host.addEventListener("click", (event) => this._click(event));
    host.addEventListener("keydown", (event) => this._key(event));
    new ResizeObserver(() => this.paint()).observe(host);
    this.open(0);
  }

  _add(model, source, number) {
    const lines = source.text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    const colours = Array.from({ length: lines.length }, () => []);
    const c = source.colours;
    for (let i = 0, line = 0; i < c.length; i += 4) {
      line += c[i];
      colours[line]?.push([c[i + 1], c[i + 1] + c[i + 2], c[i + 3]]);
    }
    const text = { model, number, name: source.name, lines, colours, at: 0 };
    const index = this.texts.push(text) - 1;
    const short = source.name.split("/").slice(-2).join("/");
    const tab = make("button", {
      role: "tab", className: "tab", id: `tab-${index}`, title: shown(source.name),
      textContent: shown(short, 48), "aria-selected": "false", "aria-controls": "source",
    });
    tab.addEventListener("click", () => this.open(index));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (index + step + this.texts.length) % this.texts.length;
      this.open(next);
      this.texts[next].tab.focus();
    });
    text.tab = tab;
    this.tabs.append(tab);
  }

  open(index) {
    if (this.text) this.text.at = this.host.scrollTop;
    this.text = this.texts[index];
    for (const text of this.texts) {
      text.tab.setAttribute("aria-selected", String(text === this.text));
      text.tab.tabIndex = text === this.text ? 0 : -1;
    }
    this.host.setAttribute("aria-labelledby", `tab-${index}`);
    this.text.tab.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    this.inner.style.height = `${this.text.lines.length * LINE + 16}px`;
    const longest = this.text.lines.reduce((most, line) => Math.max(most, Math.min(line.length, 2000)), 0);
    this.inner.style.minWidth = `${longest + 8}ch`;
    this.host.scrollTop = this.text.at;
    this.caret = Math.min(this.caret, this.text.lines.length - 1);
    this.paint(true);
  }

  _litLines() {
    return this.lit.get(`${this.text.model.number}/${this.text.number}`);
  }

  paint(isNew = false) {
    const first = Math.max(0, Math.floor(this.host.scrollTop / LINE) - 20);
    const last = Math.min(this.text.lines.length, first + Math.ceil(this.host.clientHeight / LINE) + 40);
    if (!isNew && first === this.first && last === this.lastLine) return;
    [this.first, this.lastLine] = [first, last];
    const rows = [];
    for (let line = first; line < last; line += 1) rows.push(this._row(line));
    this.inner.replaceChildren(...rows);
  }

  _row(line) {
    const lit = this._litLines()?.get(line);
    const row = make("div", { className: "row" });
    row.style.top = `${line * LINE + 8}px`;
    row.dataset.line = line;
    row.classList.toggle("lit", Boolean(lit));
    row.classList.toggle("caret", line === this.caret);
    row.append(make("span", { className: "number", textContent: line + 1 }));
    const code = make("code");
    const text = this.text.lines[line].slice(0, 2000);
    const cuts = new Set([0, text.length]);
    for (const [start, end] of [...this.text.colours[line], ...(lit ?? [])]) {
      if (start < text.length) cuts.add(start);
      if (end < text.length) cuts.add(end);
    }
    const places = [...cuts].sort((a, b) => a - b);
    for (let i = 1; i < places.length; i += 1) {
      const [start, end] = [places[i - 1], places[i]];
      const part = make("span", { textContent: shown(text.slice(start, end), 3000) });
      const colour = this.text.colours[line].find(([a, b]) => a <= start && end <= b);
      if (colour) part.className = `k-${this.page.kinds[colour[2]]}`;
      if (lit?.some(([a, b]) => a <= start && end <= b)) part.classList.add("marked");
      code.append(part);
    }
    row.append(code);
    return row;
  }

  /** Lights up spans of a model; scrolls to the first of the text that is open, or of the first. */
  light(model, spans, scroll = true) {
    this.lit = new Map();
    const places = [...spans].map((number) => model.span(number));
    for (const { source, line, column, lastLine, end } of places) {
      const key = `${model.number}/${source}`;
      if (!this.lit.has(key)) this.lit.set(key, new Map());
      const lines = this.lit.get(key);
      for (let l = line; l <= lastLine; l += 1) {
        if (!lines.has(l)) lines.set(l, []);
        lines.get(l).push([l === line ? column : 0, l === lastLine ? end : Infinity]);
      }
    }
    for (const text of this.texts) {
      text.tab.classList.toggle("lit", this.lit.has(`${text.model.number}/${text.number}`));
    }
    if (scroll && places.length) {
      if (!this._litLines()) {
        const text = this.texts.findIndex((t) => t.model === model && t.number === places[0].source);
        if (text >= 0) this.open(text);
      }
      const lines = [...(this._litLines()?.keys() ?? [])];
      if (lines.length) this._show(Math.min(...lines));
    }
    this.paint(true);
  }

  _show(line) {
    const top = line * LINE;
    const height = this.host.clientHeight;
    if (top < this.host.scrollTop + 10 || top > this.host.scrollTop + height - 2 * LINE) {
      this.host.scrollTop = Math.max(0, top - height / 3);
    }
  }

  _click(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    this.caret = Number(row.dataset.line);
    const column = event.target.closest(".number") ? -1 : columnAt(row, event);
    this._select(column);
  }

  _key(event) {
    const page = Math.max(1, Math.floor(this.host.clientHeight / LINE) - 2);
    const most = this.text.lines.length - 1;
    const next = {
      ArrowDown: this.caret + 1, ArrowUp: this.caret - 1, PageDown: this.caret + page,
      PageUp: this.caret - page, Home: 0, End: most,
    }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      this.caret = Math.min(most, Math.max(0, next));
      this._show(this.caret);
      this.paint(true);
      announce(`line ${this.caret + 1}: ${shown(this.text.lines[this.caret])}`);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this._select(-1);
    }
  }

  /** All that the line at the caret became; at a column, what is written there. */
  _select(column) {
    const { model, number } = this.text;
    const line = this.caret;
    const count = model.json.spans.length / 5;
    let chosen = [];
    let least = Infinity;
    for (let i = 0; i < count; i += 1) {
      const s = model.span(i);
      if (s.source !== number || line < s.line || line > s.lastLine) continue;
      if (column < 0) {
        if (s.line === line) chosen.push(i);
        continue;
      }
      const from = line === s.line ? s.column : 0;
      const to = line === s.lastLine ? s.end : Infinity;
      if (column < from || column >= to) continue;
      const size = (s.lastLine - s.line) * 1000 + s.end - s.column;
      if (size < least) [chosen, least] = [[i], size];
    }
    if (!chosen.length && column >= 0) {
      this._select(-1);
      return;
    }
    this.page.selectSpans(model, new Set(chosen), `line ${line + 1}`);
    this.paint(true);
  }
}

/** The column of a click in a row, in characters. */
function columnAt(row, event) {
  const at = document.caretPositionFromPoint?.(event.clientX, event.clientY);
  const range = at ? null : document.caretRangeFromPoint?.(event.clientX, event.clientY);
  const node = at?.offsetNode ?? range?.startContainer;
  const offset = at?.offset ?? range?.startOffset ?? 0;
  const part = node?.parentElement;
  const code = row.querySelector("code");
  if (!part || part.parentElement !== code) return -1;
  let column = offset;
  for (let before = part.previousSibling; before; before = before.previousSibling) {
    column += before.textContent.length;
  }
  return column;
}
