// Bytes of activations that live while the graph runs in its order: an area over time.

class MemoryPane {
  constructor(page, host) {
    this.page = page;
    this.host = host;
    this.svg = draw("svg", { class: "memory", role: "img" });
    host.append(this.svg);
    this.label = make("span", { className: "muted" });
    byId("memory-label").append(this.label);
    new ResizeObserver(() => this.paint()).observe(host);
    this.svg.addEventListener("click", (event) => {
      const box = this.svg.getBoundingClientRect();
      const at = Math.floor(((event.clientX - box.left) / box.width) * this.nodes.length);
      const node = this.nodes[Math.min(this.nodes.length - 1, Math.max(0, at))];
      if (node !== undefined) this.page.goToNode(this.page.views[0], node);
    });
  }

  /** After each node that runs, the bytes that are still needed. Views share their operand's. */
  static timeline(model, step) {
    const { order, inputs } = model.snapshot(step);
    const nodes = order.filter((node) => !model.flag(node, ONCE));
    const owner = new Map(); // of views
    const own = (value) => owner.get(value) ?? value;
    const lastUse = new Map();
    const kept = new Set(model.json.snapshots[step].outputs.map(([, value]) => value));
    for (const [, value] of model.json.snapshots[step].updates) kept.add(value);
    nodes.forEach((node, i) => {
      for (const value of inputs[node]) if (value >= 0) lastUse.set(own(value), i);
      if (model.flag(node, VIEW) && inputs[node].length) {
        owner.set(model.json.nodes.result[node], own(inputs[node][0]));
      } else for (const value of model.results(node)) lastUse.set(value, i);
    });
    for (const value of kept) lastUse.set(own(value), nodes.length);
    const freed = new Float64Array(nodes.length + 1);
    const made = new Set();
    for (const value of model.json.inputs) {
      made.add(value);
      freed[lastUse.get(value) ?? 0] += model.bytes(value);
    }
    let live = model.json.inputs.reduce((sum, value) => sum + model.bytes(value), 0);
    const bytes_ = new Float64Array(nodes.length);
    nodes.forEach((node, i) => {
      if (!model.flag(node, VIEW)) {
        for (const value of model.results(node)) {
          if (!model.readers[value].length && !kept.has(value)) continue;
          live += model.bytes(value);
          freed[lastUse.get(value)] += model.bytes(value);
        }
      }
      bytes_[i] = live;
      live -= freed[i];
    });
    return { nodes, bytes: bytes_ };
  }

  show(step) {
    const model = this.page.models[0];
    const { nodes, bytes: live } = MemoryPane.timeline(model, step);
    [this.nodes, this.live] = [nodes, live];
    this.most = live.reduce((a, b) => Math.max(a, b), 0);
    const at = nodes[live.indexOf(this.most)];
    this.label.textContent = nodes.length
      ? `peak ${bytes(this.most)} at ${shown(model.title(at), 40)}` : "";
    this.svg.setAttribute("aria-label", `memory over time, ${this.label.textContent}`);
    this.paint();
  }

  paint() {
    if (!this.nodes) return;
    const [width, height] = [this.host.clientWidth, this.host.clientHeight];
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.replaceChildren();
    const n = this.nodes.length;
    if (!n || !this.most) return;
    const columns = Math.min(n, Math.max(1, Math.floor(width)));
    let d = `M0 ${height}`;
    for (let i = 0; i < columns; i += 1) {
      const [from, to] = [Math.floor((i * n) / columns), Math.max(Math.floor(((i + 1) * n) / columns), 1)];
      let value = 0;
      for (let j = from; j < to; j += 1) value = Math.max(value, this.live[j]);
      const y = height - (value / this.most) * (height - 4);
      d += `L${(i * width) / columns} ${y}L${((i + 1) * width) / columns} ${y}`;
    }
    this.svg.append(draw("path", { class: "area", d: `${d}L${width} ${height}z` }));
    for (const node of this.lit ?? []) {
      const i = this.nodes.indexOf(node);
      if (i >= 0) {
        this.svg.append(draw("rect", {
          class: "now", x: (i * width) / n, y: 0, width: Math.max(2, width / n), height,
        }));
      }
    }
  }

  light(model, nodes) {
    this.lit = model === this.page.models[0] && nodes.length < 200 ? nodes : [];
    this.paint();
  }
}
