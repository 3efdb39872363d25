// What is known of what is selected: operands, results, origin, costs.

const FIGURES = {
  flops: ["FLOPs", count],
  parameters: ["parameters", count],
  activations: ["activations", bytes],
  intensity: ["FLOPs per byte", (x) => x.toFixed(x < 10 ? 2 : 0)],
  latency: ["latency", seconds],
};

function figureText(name, value) {
  return value ? FIGURES[name][1](value) : "–";
}

class DetailsPane {
  constructor(page, host) {
    this.page = page;
    this.host = host;
    this.clear();
  }

  clear() {
    this.host.replaceChildren(make("p", {
      className: "hint", textContent: "Select a box, a line of source or a rewrite.",
    }));
  }

  /** What a box is: of a block its sums, of a node all that is known. */
  showItem(view, item) {
    if (item.kind === "node") this.showNodes(view, [view.nodeOf(item)].filter((n) => n >= 0));
    else if (item.kind === "block") {
      const rows = [["nodes", String(view.nodeCount(item))]];
      for (const [name, [label]] of Object.entries(FIGURES)) {
        if (name === "latency" && !view.model.json.latency) continue;
        rows.push([label, figureText(name, view.figure(name, item))]);
      }
      this._fill(item.path || item.name, rows);
    } else this._fill(`${item.kind} ${item.name}`, [["type", view.model.type(item.value)]]);
  }

  showNodes(view, nodes) {
    if (nodes.length === 1) this._node(view, nodes[0]);
    else if (nodes.length) {
      const names = new Map();
      for (const node of nodes) names.set(view.model.title(node), (names.get(view.model.title(node)) ?? 0) + 1);
      const rows = [...names].slice(0, 12).map(([name, times]) => [name, `×${times}`]);
      this._fill(plural(nodes.length, "node"), rows);
    } else this.clear();
  }

  _node(view, node) {
    const { model } = view;
    const graph = model.snapshot(view.step);
    const step = graph.alive[node] ? view.step : model.lastIn[node];
    const rows = [];
    const named = (value) => {
      const parameter = model.parameters.get(value);
      const name = parameter ? parameter.map((s) => model.strings[s]).reverse().join(" ") : model.name(value);
      return `${name ? `${name}: ` : ""}${model.type(value)}`;
    };
    const attributes = model.list("attributes", node);
    if (attributes.length) rows.push(["attributes", attributes.join(", ")]);
    for (const value of model.snapshot(Math.max(step, 0)).inputs[node]) {
      if (value >= 0) rows.push(["operand", named(value), model.producer[value]]);
    }
    for (const value of model.results(node)) rows.push(["result", named(value)]);
    for (const [name, [label]] of Object.entries(FIGURES)) {
      const value = name === "intensity" ? view._intensity(node) : model.figure(name, node);
      if (value) rows.push([label, figureText(name, value)]);
    }
    for (const [operator, time, times, nodes] of model.json.kernels?.[node] ?? []) {
      const what = nodes === 0 ? ", for it" : nodes > 1 ? `, does ${nodes} nodes` : "";
      rows.push(["runs as", `${operator}${times > 1 ? ` ×${times}` : ""}: ${seconds(time)}${what}`]);
    }
    for (const number of model.spansOf(node).slice(0, 12)) {
      const { source, line } = model.span(number);
      const name = model.json.sources[source].name.split("/").slice(-2).join("/");
      rows.push(["from", `${name}:${line + 1}`]);
    }
    for (const rewrite of model.list("history", node)) rows.push(["made by", rewrite]);
    if (!graph.alive[node]) {
      const next = model.json.snapshots[model.lastIn[node] + 1];
      rows.push(["gone", next && model.lastIn[node] < view.step ? `since ${next.pass}` : "not there yet"]);
    }
    const scope = model.text("scope", node);
    this._fill(model.title(node), rows, scope ? `in ${scope}` : "");
  }

  _fill(title, rows, below = "") {
    const list = make("dl", {});
    for (const [label, text, node] of rows) {
      const cell = make("dd", { textContent: shown(text) });
      if (node >= 0) {
        const link = make("button", { className: "link", textContent: shown(text) });
        link.addEventListener("click", () => this.page.selectNodes(this.page.models[this.page.active], [node], "details"));
        cell.replaceChildren(link);
      }
      list.append(make("dt", { textContent: label }), cell);
    }
    this.host.replaceChildren(make("h2", { textContent: shown(title, 120) }));
    if (below) this.host.append(make("p", { className: "muted", textContent: shown(below) }));
    this.host.append(list);
  }
}
