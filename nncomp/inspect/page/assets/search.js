// Finding nodes by operator, block, name, type or attribute.

const MOST_FOUND = 80;

class Search {
  constructor(page) {
    this.page = page;
    this.input = byId("search");
    this.list = byId("found");
    this.found = [];
    this.at = -1;
    this.input.addEventListener("input", () => this.run());
    this.input.addEventListener("focus", () => this.run());
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.input.addEventListener("keydown", (event) => this._key(event));
  }

  texts(model) {
    model.searched ??= Array.from({ length: model.count }, (_, node) => {
      const values = model.results(node).map((value) => `${model.name(value)} ${model.type(value)}`);
      return [model.text("op", node), model.title(node), model.text("scope", node), model.text("detail", node),
        ...values, ...model.list("attributes", node)].join(" ").toLowerCase();
    });
    return model.searched;
  }

  run() {
    const wanted = this.input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    this.found = [];
    this.total = 0;
    if (wanted.length) {
      for (const view of this.page.views) {
        const texts = this.texts(view.model);
        const { alive } = view.model.snapshot(view.step);
        for (let node = 0; node < texts.length; node += 1) {
          if (!alive[node] || view.model.flag(node, HIDDEN)) continue;
          if (!wanted.every((word) => texts[node].includes(word))) continue;
          this.total += 1;
          if (this.found.length < MOST_FOUND) this.found.push([view, node]);
        }
      }
    }
    this.at = this.found.length ? 0 : -1;
    this._paint(wanted.length > 0);
  }

  _paint(isOpen) {
    this.list.replaceChildren(...this.found.map(([view, node], i) => {
      const where = [view.model.text("scope", node), view.model.text("detail", node)];
      const row = make("li", { role: "option", id: `found-${i}`, "aria-selected": String(i === this.at) },
        make("span", { className: "hit", textContent: shown(view.model.title(node)) }),
        make("span", { className: "muted", textContent: shown(where.filter(Boolean).join(" · "), 90) }));
      row.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.at = i;
        this.go();
      });
      return row;
    }));
    if (isOpen && !this.found.length) {
      this.list.append(make("li", { role: "option", "aria-selected": "false", className: "muted", textContent: "nothing found" }));
    }
    this.list.hidden = !isOpen;
    this.input.setAttribute("aria-expanded", String(isOpen));
    byId("hits").textContent = isOpen ? String(this.total) : "";
    this._mark();
  }

  _mark() {
    [...this.list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === this.at)));
    if (this.at >= 0) {
      this.input.setAttribute("aria-activedescendant", `found-${this.at}`);
      this.list.children[this.at].scrollIntoView?.({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  _key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.at = (this.at + step + this.found.length) % this.found.length;
      this._mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.go();
    } else if (event.key === "Escape") {
      this.input.value = "";
      this.run();
      this.close();
    }
  }

  async go() {
    const [view, node] = this.found[this.at] ?? [];
    if (!view) return;
    this.close();
    await this.page.goToNode(view, node);
    view.svg.focus();
  }
}
