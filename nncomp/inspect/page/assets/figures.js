// What is known of the boxes of a picture at its step: nodes, sums, colours, marks.

class Figures extends Camera {
  /** Sums over the drawn places at this step, so that those of any block are known at once. */
  _sum() {
    const { model, tree } = this;
    const graph = model.snapshot(this.step);
    const names = ["flops", "owned", "activations", "traffic", "latency"];
    const total = tree.places.length + 1;
    this.aliveSums = new Int32Array(total);
    this.nodeSums = new Int32Array(total); // of those, the ones that count as nodes
    this.sums = Object.fromEntries(names.map((name) => [name, new Float64Array(total)]));
    tree.places.forEach((place, i) => {
      const node = graph.at[place];
      this.aliveSums[i + 1] = this.aliveSums[i] + (node >= 0);
      this.nodeSums[i + 1] = this.nodeSums[i] + (node >= 0 && model.counts(node));
      for (const name of names) {
        this.sums[name][i + 1] = this.sums[name][i] + (node >= 0 ? model.figure(name, node) : 0);
      }
    });
  }

  figure(name, item) {
    const sum = (which) => this.sums[which][item.last + 1] - this.sums[which][item.first];
    if (name === "parameters") { // of a block each once, whichever of its nodes read it
      return item.kind === "node" && this.isAlive(item) ? this.model.figure(name, this.nodeOf(item)) : sum("owned");
    }
    if (name !== "intensity") return sum(name);
    const traffic = sum("traffic");
    return traffic ? sum("flops") / traffic : 0;
  }

  /** How many nodes a box holds at this step. */
  nodeCount(item) {
    return this.nodeSums[item.last + 1] - this.nodeSums[item.first];
  }

  isAlive(item, step = this.step) {
    if (item.kind === "input" || item.kind === "output") return true;
    if (step === this.step) return this.aliveSums[item.last + 1] > this.aliveSums[item.first];
    const { at } = this.model.snapshot(step);
    for (let i = item.first; i <= item.last; i += 1) if (at[this.tree.places[i]] >= 0) return true;
    return false;
  }

  /** The node of a leaf: the one that stands there, else the last that did, else -1. */
  nodeOf(item) {
    const here = this.model.snapshot(this.step).at[item.place];
    return here >= 0 ? here : this.model.ghostAt(item.place, this.step);
  }

  /** The nodes in a box at this step. */
  nodesIn(item) {
    if (item.kind === "input" || item.kind === "output") return [];
    const { at } = this.model.snapshot(this.step);
    const found = [];
    for (let i = item.first; i <= item.last; i += 1) {
      const node = at[this.tree.places[i]];
      if (node >= 0) found.push(node);
    }
    if (!found.length && item.kind === "node" && this.nodeOf(item) >= 0) return [this.nodeOf(item)];
    return found;
  }

  /** How many lit nodes are in a box. */
  litIn(item) {
    if (!this.lit.size || item.first < 0) return 0;
    if (!this.litPlaces) {
      const places = [...this.lit].map((node) => this.tree.indexOf[this.model.json.nodes.place[node]]);
      this.litPlaces = places.filter((i) => i >= 0).sort((a, b) => a - b);
    }
    return this.litPlaces.filter((i) => i >= item.first && i <= item.last).length;
  }

  /** 0 to 1: an item's part of the largest figure of a drawn node. */
  heat(item) {
    const name = this.page.overlay;
    if (item.kind === "input" || item.kind === "output") return 0;
    if (this.heatOf !== `${name} ${this.step}`) {
      this.heatOf = `${name} ${this.step}`;
      const { at } = this.model.snapshot(this.step);
      const all = this.tree.places.map((place) => (at[place] < 0 ? 0
        : name === "intensity" ? this._intensity(at[place]) : this.model.figure(name, at[place])));
      this.most = all.reduce((a, b) => Math.max(a, b), 0);
      this.whole = all.reduce((a, b) => a + b, 0);
    }
    const scale = item.kind === "block" && name !== "intensity" ? this.whole : this.most;
    return scale ? Math.min(1, Math.sqrt(this.figure(name, item) / scale)) : 0;
  }

  _intensity(node) {
    const traffic = this.model.figure("traffic", node);
    return traffic ? this.model.figure("flops", node) / traffic : 0;
  }

  markOf(item) {
    if (!this.marks.size) return "";
    if (item.kind === "node") return this.marks.get(item.place) ?? "";
    for (let i = item.first; i >= 0 && i <= item.last; i += 1) {
      if (this.marks.has(this.tree.places[i])) return item.isOpen ? "" : "differs";
    }
    return "";
  }
}
