// The drawn places of a model as a tree of blocks.
//
// Places come in an order in which blocks stand together. A block of the tree is a run of
// neighbours in that order, so that any cut through the tree is an acyclic graph again. A block
// whose nodes do not stand together, as the forward and the backward half of a training step,
// appears once for each run.

const MOST_PARTS = 150; // of one block; more are put in bundles
const BUNDLES = 40;

class Item {
  constructor(kind, name, path, first) {
    this.kind = kind; // block, node, input, output
    this.name = name;
    this.path = path;
    this.first = first; // the places inside, as numbers in the order of what is drawn
    this.last = first;
    this.children = NOTHING;
    this.parent = null;
    this.place = -1;
    this.value = -1;
    this.key = "";
    this.level = null; // how the parts of a block lie, once it is open
    this.isOpen = false;
  }
}

class Tree {
  /** places: those to draw, in order. */
  constructor(model, places, outputs) {
    this.model = model;
    this.places = places;
    this.indexOf = new Int32Array(model.json.places).fill(-1);
    places.forEach((place, i) => { this.indexOf[place] = i; });
    this.root = this._blocks();
    this._shape(this.root);
    this._ends(outputs);
    this.byKey = new Map();
    this._name(this.root, new Map());
  }

  _blocks() {
    const root = new Item("block", this.model.json.name, "", 0);
    root.children = [];
    const stack = [root];
    this.places.forEach((place, i) => {
      const path = this.model.pathOf(place);
      let common = 0;
      while (common < path.length && common < stack.length - 1
        && stack[common + 1].name === path[common]) common += 1;
      stack.length = common + 1;
      for (let depth = common; depth < path.length; depth += 1) {
        const block = new Item("block", path[depth], path.slice(0, depth + 1).join("."), i);
        block.children = [];
        stack.at(-1).children.push(block);
        stack.push(block);
      }
      const leaf = new Item("node", "", path.join("."), i);
      leaf.place = place;
      stack.at(-1).children.push(leaf);
      for (const block of stack) block.last = i;
    });
    return root;
  }

  /** Blocks of one part are drawn as that part; of too many, in bundles. */
  _shape(block) {
    block.children = block.children.map((child) => {
      let part = child;
      while (part.children.length === 1) {
        const [inner] = part.children;
        inner.name = inner.name ? `${part.name}.${inner.name}` : part.name;
        part = inner;
      }
      return part;
    });
    if (block.children.length > MOST_PARTS) {
      const each = Math.max(MOST_PARTS / 3, Math.ceil(block.children.length / BUNDLES));
      const bundles = [];
      for (let i = 0; i < block.children.length; i += each) {
        const part = block.children.slice(i, i + each);
        const name = `nodes ${part[0].first + 1}–${part.at(-1).last + 1}`;
        const bundle = new Item("block", name, block.path, part[0].first);
        bundle.last = part.at(-1).last;
        bundle.children = part;
        bundles.push(bundle);
      }
      block.children = bundles;
    }
    for (const child of block.children) {
      child.parent = block;
      if (child.kind === "block") this._shape(child);
    }
  }

  /** Inputs and outputs of the graph are parts of the root. Settings of rank 0 are left out. */
  _ends(outputs) {
    const { model, root } = this;
    const end = (kind, name, value) => {
      const item = new Item(kind, name, "", -1);
      item.value = value;
      item.parent = root;
      return item;
    };
    const used = model.json.inputs.filter((v) => !/\[\]$/.test(model.type(v)) && model.readers[v].length);
    this.inputs = new Map(used.map((v) => [v, end("input", model.name(v), v)]));
    this.outputs = outputs.map(([name, value]) => end("output", name, value));
    root.children = [...this.inputs.values(), ...root.children, ...this.outputs];
    this.starts = null;
  }

  _name(block, seen) {
    const base = block.kind === "block" ? `${block.path}/${block.name}` : `${block.kind} ${block.place} ${block.name}`;
    const times = seen.get(base) ?? 0;
    seen.set(base, times + 1);
    block.key = `${base}#${times}`;
    this.byKey.set(block.key, block);
    for (const child of block.children) this._name(child, seen);
  }

  /** The part of a block that holds a place (by its number in the order), as its index. */
  partOf(block, index) {
    const parts = block.children;
    let low = block === this.root ? this.inputs.size : 0;
    let high = parts.length - 1 - (block === this.root ? this.outputs.length : 0);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (index <= parts[middle].last) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The leaf of a place. */
  leaf(place) {
    const index = this.indexOf[place];
    if (index < 0) return null;
    let item = this.root;
    while (item.kind === "block") item = item.children[this.partOf(item, index)];
    return item;
  }

  /** The innermost box around a place that is drawn: the leaf, or a closed block. */
  shownAt(place) {
    let item = this.leaf(place);
    if (!item) return null;
    for (let block = item.parent; block; block = block.parent) if (!block.isOpen) item = block;
    return item;
  }

  /** All blocks, each before its parts. */
  * blocks() {
    const pending = [this.root];
    while (pending.length) {
      const block = pending.pop();
      yield block;
      for (const child of block.children) if (child.kind === "block") pending.push(child);
    }
  }
}
