// One model: its nodes, values and places, and the graph after each pass.

const HIDDEN = 1;
const VIEW = 2;
const ONCE = 4;
const GIVEN = 8; // no node: what a body is given in each run
const NOTHING = [];

class Model {
  constructor(json, number) {
    this.json = json;
    this.number = number;
    this.strings = json.strings;
    const nodes = json.nodes;
    this.count = nodes.op.length;
    this.values = json.values.type.length;
    this.producer = new Int32Array(this.values).fill(-1);
    this.nodesAt = Array.from({ length: json.places }, () => []);
    for (let node = 0; node < this.count; node += 1) {
      const end = node + 1 < this.count ? nodes.result[node + 1] : this.values;
      this.producer.fill(node, nodes.result[node], end);
      this.nodesAt[nodes.place[node]].push(node);
    }
    this.parameters = new Map(json.parameters.map(([value, path, kind]) => [value, [path, kind]]));
    this.firstIn = new Int32Array(this.count).fill(-1);
    this.lastIn = new Int32Array(this.count).fill(-1);
    this.cache = [];
    this.paths = new Map();
    this._uses();
  }

  get last() {
    return this.json.snapshots.length - 1;
  }

  /** The operands that nodes have had (`had[node]`, lists), and who reads a value. */
  _uses() {
    this.had = Array.from({ length: this.count }, () => NOTHING);
    const readers = Array.from({ length: this.values }, () => NOTHING);
    this.json.snapshots.forEach((snapshot, step) => {
      const { inputs, order } = snapshot;
      for (let i = 0; i < inputs.length; i += 2) {
        const node = inputs[i];
        this.had[node] = this.had[node] === NOTHING ? [inputs[i + 1]] : [...this.had[node], inputs[i + 1]];
        for (const value of inputs[i + 1]) {
          if (value < 0) continue;
          if (readers[value] === NOTHING) readers[value] = [node];
          else if (readers[value].at(-1) !== node) readers[value].push(node);
        }
      }
      for (let i = 0; i < order.length; i += 2) {
        for (let node = order[i]; node < order[i] + order[i + 1]; node += 1) {
          if (this.firstIn[node] < 0) this.firstIn[node] = step;
          this.lastIn[node] = step;
        }
      }
    });
    this.readers = readers;
  }

  /** The graph after a pass. at: the node at each place, -1 where none is. */
  snapshot(step) {
    if (!this.cache[step]) {
      const { inputs: changed, order: runs } = this.json.snapshots[step];
      const inputs = step ? this.snapshot(step - 1).inputs.slice() : new Array(this.count).fill(NOTHING);
      for (let i = 0; i < changed.length; i += 2) inputs[changed[i]] = changed[i + 1];
      const order = [];
      const alive = new Uint8Array(this.count);
      const at = new Int32Array(this.json.places).fill(-1);
      for (let i = 0; i < runs.length; i += 2) {
        for (let node = runs[i]; node < runs[i] + runs[i + 1]; node += 1) {
          order.push(node);
          alive[node] = 1;
          at[this.json.nodes.place[node]] = node;
        }
      }
      this.cache[step] = { inputs, order, alive, at };
    }
    return this.cache[step];
  }

  text(column, node) {
    return this.strings[this.json.nodes[column][node]];
  }

  list(column, node) {
    return this.json.lists[this.json.nodes[column][node]].map((i) => this.strings[i]);
  }

  flag(node, flag) {
    return (this.json.nodes.flags[node] & flag) !== 0;
  }

  /** Whether it is one of the nodes that are counted. */
  counts(node) {
    return !this.flag(node, GIVEN);
  }

  /** The nodes that are drawn at a step, as a number. */
  drawnAt(step) {
    return this.snapshot(step).order.filter((node) => !this.flag(node, HIDDEN | GIVEN)).length;
  }

  /** [[name, family], …]: the operators that a node does the work of. */
  chips(node) {
    return this.text("chips", node).split("|").map((chip) => {
      const at = chip.lastIndexOf(":");
      return [chip.slice(0, at), chip.slice(at + 1)];
    });
  }

  title(node) {
    return this.chips(node).map(([name]) => name).join(" + ");
  }

  type(value) {
    return this.json.types[this.json.values.type[value]][0];
  }

  bytes(value) {
    return this.json.types[this.json.values.type[value]][1];
  }

  name(value) {
    return this.strings[this.json.values.name[value]];
  }

  results(node) {
    const { result } = this.json.nodes;
    const end = node + 1 < this.count ? result[node + 1] : this.values;
    return Array.from({ length: end - result[node] }, (_, i) => result[node] + i);
  }

  /** The blocks that a place is in, outermost first. */
  pathOf(place) {
    const scope = this.json.nodes.scope[this.nodesAt[place][0]];
    if (!this.paths.has(scope)) {
      const text = this.strings[scope];
      this.paths.set(scope, text ? text.split(".") : NOTHING);
    }
    return this.paths.get(scope);
  }

  /** The node to show at a place: the one there, else the last that was there, else none. */
  ghostAt(place, step) {
    let found = -1;
    for (const node of this.nodesAt[place]) if (this.firstIn[node] <= step) found = node;
    return found;
  }

  /** The rewrites that made and that took each node: [step, number] by node. */
  get lineage() {
    if (!this.made) {
      this.made = new Map();
      this.taken = new Map();
      this.json.snapshots.forEach(({ steps }, step) => steps.forEach(([, removed, made], i) => {
        for (const node of made) this.made.set(node, [step, i]);
        for (const node of removed) this.taken.set(node, [step, i]);
      }));
    }
    return this;
  }

  /** The rewrites, as `step/number`, that led to these nodes. */
  rewritesOf(nodes) {
    const { made } = this.lineage;
    const found = new Set();
    const pending = [...nodes];
    while (pending.length) {
      const at = made.get(pending.pop());
      if (!at || found.has(at.join("/"))) continue;
      found.add(at.join("/"));
      pending.push(...this.json.snapshots[at[0]].steps[at[1]][1]);
    }
    return found;
  }

  /** What stands at a step for a node of another one: what it was made of, or what it became. */
  heirs(node, step) {
    const { alive, at } = this.snapshot(step);
    const isBack = this.firstIn[node] > step;
    const { made, taken } = this.lineage;
    const found = new Set();
    const seen = new Set();
    const pending = [node];
    while (pending.length) {
      const next = pending.pop();
      if (seen.has(next)) continue;
      seen.add(next);
      if (alive[next]) {
        found.add(next);
        continue;
      }
      const rewrite = (isBack ? made : taken).get(next);
      if (rewrite) pending.push(...this.json.snapshots[rewrite[0]].steps[rewrite[1]][isBack ? 1 : 2]);
    }
    const here = at[this.json.nodes.place[node]];
    if (!found.size && here >= 0) found.add(here);
    return [...found];
  }

  // --- source ------------------------------------------------------------------------------------

  spansOf(node) {
    return this.json.spanLists[this.json.nodes.spans[node]];
  }

  span(number) {
    const s = this.json.spans;
    const i = 5 * number;
    return { source: s[i], line: s[i + 1], column: s[i + 2], lastLine: s[i + 3], end: s[i + 4] };
  }

  /** The drawn nodes of a step that have any of these spans; all, if no drawn one has. */
  nodesOf(spans, step) {
    const lists = new Uint8Array(this.json.spanLists.length);
    this.json.spanLists.forEach((list, i) => {
      if (list.some((span) => spans.has(span))) lists[i] = 1;
    });
    const { order } = this.snapshot(step);
    const found = order.filter((node) => lists[this.json.nodes.spans[node]]);
    const drawn = found.filter((node) => !this.flag(node, HIDDEN));
    return drawn.length ? drawn : found;
  }

  // --- figures -----------------------------------------------------------------------------------

  /** A figure of one node: flops, parameters, activations (bytes), traffic (bytes), latency (s). */
  figure(name, node) {
    const { nodes } = this.json;
    if (name === "parameters") return nodes.parameters[node];
    if (name === "owned") return nodes.owned[node]; // parameters that no node before it reads
    if (name === "latency") return this.json.latency ? this.json.latency[node] ?? 0 : 0;
    if (this.flag(node, ONCE)) return 0;
    if (name === "flops") return nodes.flops[node];
    if (name === "activations") return nodes.written[node];
    return nodes.read[node] + nodes.written[node];
  }
}
