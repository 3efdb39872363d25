// Two models: what differs, and which node of one is which of the other.

class DiffPane {
  constructor(page, host) {
    this.page = page;
    const { pairs, changes } = page.data.diff;
    const [a, b] = page.views;
    this.toB = new Map();
    this.toA = new Map();
    for (const [left, right, mark] of pairs) {
      if (left >= 0 && right >= 0) {
        this.toB.set(left, right);
        this.toA.set(right, left);
      }
      if (!mark) continue;
      if (left >= 0) a.marks.set(a.model.json.nodes.place[left], mark);
      if (right >= 0) b.marks.set(b.model.json.nodes.place[right], mark);
    }
    page.counterparts = (model, nodes) => {
      const to = model === a.model ? this.toB : this.toA;
      return nodes.map((node) => to.get(node)).filter((node) => node !== undefined);
    };
    const list = roving(make("ul", { className: "steps" }));
    for (const change of changes) list.append(this._change(change));
    if (!changes.length) list.append(make("li", { className: "hint", textContent: "The models are equal." }));
    host.append(list);
  }

  _change({ sign, kind, text, details, a, b }) {
    const button = make("button", { className: `step change is-${kind}` },
      make("span", { className: "sign", textContent: sign }),
      make("span", { textContent: shown(text) }),
      ...details.slice(0, 6).map((detail) => make("span", { className: "muted where", textContent: shown(detail) })));
    button.addEventListener("click", () => {
      const [view, node] = a >= 0 ? [this.page.views[0], a] : [this.page.views[1], b];
      if (node >= 0) this.page.goToNode(view, node);
    });
    button.nodes = [a, b];
    this.buttons = [...(this.buttons ?? []), button];
    return make("li", {}, button);
  }

  show() {}

  light(model, nodes) {
    const wanted = new Set(nodes);
    for (const button of this.buttons ?? []) {
      button.classList.toggle("lit", wanted.has(button.nodes[model.number]));
    }
  }
}
