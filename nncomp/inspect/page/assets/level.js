// How the parts of one open block lie: its boxes, the ports on its border, the lines between them.

const PADDING = 14; // inside an open block
const HEAD = 34; // of an open block; its name stands there

class Level {
  /** parent: the level that the block is a part of; number: its own in the view. */
  constructor(view, block, parent, number) {
    this.view = view;
    this.model = view.model;
    this.tree = view.tree;
    this.block = block;
    this.parent = parent;
    this.number = number;
    this.items = block.children;
    this.index = parent ? parent.items.indexOf(block) : -1;
    this.isRoot = !parent;
    this.entries = new Map(); // id in the parent level -> port
    this.exits = new Map();
    this.exitCount = 0;
    this.result = null;
    this.alive = new Map(); // step -> edges
    this.edges = [...this._collect(view.isCompact ? view.step : null, true).values()];
    this.byPair = new Map(this.edges.map((edge) => [`${edge.a},${edge.b}`, edge]));
    this._bypass();
  }

  get total() {
    return this.items.length + this.entries.size + this.exitCount;
  }

  _within(index) {
    return index >= this.block.first && index <= this.block.last;
  }

  /** The item, or port, of this level from which a value comes; -1 for none that is drawn. */
  sourceOf(value, isNew) {
    const node = this.model.producer[value];
    if (node < 0) {
      const input = this.tree.inputs.get(value);
      if (!input) return -1;
      if (this.isRoot) return this.items.indexOf(input);
    } else {
      const index = this.tree.indexOf[this.model.json.nodes.place[node]];
      if (index < 0) return -1;
      if (this._within(index)) return this.tree.partOf(this.block, index);
      if (this.isRoot) return -1;
    }
    const outside = this._before(this.parent.sourceOf(value, false));
    if (outside < 0) return -1;
    if (isNew && !this.entries.has(outside)) {
      this.entries.set(outside, this.items.length + this.entries.size);
    }
    return this.entries.get(outside) ?? -1;
  }

  /** The item of this level, or the port, to which a reader outside leads. */
  _targetOf(place) {
    const index = this.tree.indexOf[place];
    if (index < 0) return -1;
    if (this._within(index)) return this.tree.partOf(this.block, index);
    return this.isRoot ? -1 : this.exits.get(this._behind(this.parent._targetOf(place))) ?? -1;
  }

  _outputOf(output) {
    if (this.isRoot) return this.items.indexOf(output);
    return this.exits.get(this._behind(this.parent._outputOf(output))) ?? -1;
  }

  /** Where lines from an item of the parent level come in from: the last of those they pass. */
  _before(source) {
    return this.parent.byPair.get(`${source},${this.index}`)?.via?.at(-1) ?? source;
  }

  /** Where lines to an item of the parent level leave for: the first of those they pass. */
  _behind(target) {
    return this.parent.byPair.get(`${this.index},${target}`)?.via?.[0] ?? target;
  }

  /**
   * The edges at a step, or of all steps (`null`): by `a,b`, with the values that they carry.
   * isNew: whether ports are made
   */
  _collect(step, isNew) {
    const { model, tree } = this;
    const graph = step === null ? null : model.snapshot(step);
    const found = new Map();
    const add = (a, b, value) => {
      if (a < 0 || b < 0 || a === b) return;
      const key = `${a},${b}`;
      const edge = found.get(key);
      if (!edge) found.set(key, { a, b, values: [value], via: null });
      else if (!edge.values.includes(value)) edge.values.push(value);
    };
    const leaving = new Map(); // target in the parent level -> the items from which
    const left = [];
    for (let index = this.block.first; index <= this.block.last; index += 1) {
      const item = tree.partOf(this.block, index);
      const place = tree.places[index];
      if (place === undefined) continue;
      for (const node of model.nodesAt[place]) {
        if (graph && !graph.alive[node]) continue;
        for (const inputs of graph ? [graph.inputs[node]] : model.had[node]) {
          for (const value of inputs) if (value >= 0) add(this.sourceOf(value, isNew), item, value);
        }
        if (this.isRoot) continue;
        for (const value of model.results(node)) {
          for (const reader of model.readers[value]) {
            const at = model.json.nodes.place[reader];
            if (this._within(tree.indexOf[at]) || tree.indexOf[at] < 0) continue;
            if (graph && !(graph.alive[reader] && graph.inputs[reader].includes(value))) continue;
            const target = this._behind(this.parent._targetOf(at));
            if (target >= 0) left.push([item, target, value]);
          }
          for (const output of tree.outputs) {
            if (output.value === value) {
              left.push([item, this._behind(this.parent._outputOf(output)), value]);
            }
          }
        }
      }
    }
    if (this.isRoot) {
      for (const output of tree.outputs) {
        add(this.sourceOf(output.value, false), this.items.indexOf(output), output.value);
      }
      return found;
    }
    if (isNew) {
      for (const [item, target] of left) {
        if (!leaving.has(target)) leaving.set(target, new Set());
        leaving.get(target).add(item);
      }
      const ports = new Map(); // targets that the same items lead to share a port
      for (const [target, items] of leaving) {
        const sign = [...items].sort((a, b) => a - b).join(",");
        if (!ports.has(sign)) {
          ports.set(sign, this.items.length + this.entries.size + ports.size);
        }
        this.exits.set(target, ports.get(sign));
      }
      this.exitCount = ports.size;
    }
    for (const [item, target, value] of left) add(item, this.exits.get(target) ?? -1, value);
    return found;
  }

  /** Later lines that only pass over nodes that are gone by then go through those, and are not
   * laid out. */
  _bypass() {
    const { model } = this;
    if (!model.last || this.view.isCompact) return;
    const first = this._collect(0, false);
    const below = new Map();
    for (const { a, b } of first.values()) {
      if (!below.has(a)) below.set(a, []);
      below.get(a).push(b);
    }
    const gone = this.items.map((item) => item.kind !== "input" && item.kind !== "output"
      && !this.view.isAlive(item, model.last));
    this.edges = this.edges.filter((edge) => {
      if (first.has(`${edge.a},${edge.b}`)) return true;
      edge.via = pathThrough(edge.a, edge.b, below, gone);
      return !edge.via;
    });
  }

  /** The edges of a step. */
  edgesAt(step) {
    if (!this.alive.has(step)) this.alive.set(step, [...this._collect(step, false).values()]);
    return this.alive.get(step);
  }

  /** What the layouter needs. */
  request() {
    const sizes = [];
    for (const item of this.items) {
      const [width, height] = this.view.sizeOf(item);
      sizes.push(width, height);
    }
    return {
      sizes,
      edges: this.edges.flatMap((edge) => [edge.a, edge.b]),
      entries: this.entries.size,
      exits: this.exitCount,
      least: this.isRoot ? 0 : this.view.headWidth(this.block),
      padding: PADDING,
      head: this.isRoot ? PADDING : HEAD,
    };
  }

  /** Takes what the layouter gives; sizes as they are now. */
  place(result) {
    this.result = result;
    this.sizes = this.items.map((item) => this.view.sizeOf(item));
    this.routes = new Map(this.edges.map((edge, i) => [`${edge.a},${edge.b}`, result.routes[i]]));
    this.drawn = new Map();
  }

  /** Left, top, width and height of an item inside the block. */
  rect(i) {
    const [width, height] = this.sizes[i];
    return [this.result.x[i] - width / 2, this.result.y[i] - height / 2, width, height];
  }

  /** The course of an edge of a step, with its ends at the ports of open blocks. */
  course(edge) {
    const key = `${edge.a},${edge.b}`;
    let points = this.routes.get(key);
    const via = this.byPair.get(key)?.via;
    if (!points) {
      points = via ? this._along(edge.a, via, edge.b) : this._straight(edge.a, edge.b);
    }
    points = points.slice();
    const [from, to] = [this.items[edge.a], this.items[edge.b]];
    if (from?.isOpen && from.level?.result) {
      const port = from.level.exits.get(via?.[0] ?? edge.b);
      if (port !== undefined) points[0] = this.rect(edge.a)[0] + from.level.result.x[port];
    }
    if (to?.isOpen && to.level?.result) {
      const port = to.level.entries.get(via?.at(-1) ?? edge.a);
      if (port !== undefined) points[points.length - 2] = this.rect(edge.b)[0] + to.level.result.x[port];
    }
    if (!this.isRoot) {
      if (edge.a >= this.items.length) points.unshift(points[0], 0);
      if (edge.b >= this.items.length) points.push(points.at(-2), this.result.height);
    }
    return points;
  }

  _along(a, via, b) {
    const points = [];
    const stops = [a, ...via, b];
    for (let i = 1; i < stops.length; i += 1) {
      const part = this.routes.get(`${stops[i - 1]},${stops[i]}`);
      points.push(...(part ?? this._straight(stops[i - 1], stops[i])));
    }
    return points;
  }

  _straight(a, b) {
    const { x, y } = this.result;
    const half = (i) => (i < this.items.length ? this.sizes[i][1] / 2 : 0);
    return [x[a], y[a] + half(a), x[b], y[b] - half(b)];
  }
}

/** Items from a to b that are all gone, without both; null if there is no such way. */
function pathThrough(a, b, below, gone) {
  const before = new Map([[a, -1]]);
  const pending = [a];
  while (pending.length) {
    const item = pending.shift();
    for (const next of below.get(item) ?? NOTHING) {
      if (next === b && item !== a) {
        const way = [];
        for (let i = item; i !== a; i = before.get(i)) way.unshift(i);
        return way;
      }
      if (gone[next] && !before.has(next)) {
        before.set(next, item);
        pending.push(next);
      }
    }
  }
  return null;
}
