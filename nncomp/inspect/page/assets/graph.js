// The picture of one model: boxes and lines as SVG. Only what is in sight is in the document.

const TEXT = 12.5;
const SMALL = 10.5;
const SIDE = 12;
const LEAST_OPEN = 46; // pixels: an open block smaller than that is drawn closed
const MOST_TEXT = 260;
const MOST_AT_FIRST = 28; // boxes that a page opens with, if its blocks allow a choice

class GraphView {
  constructor(page, model, host) {
    this.page = page;
    this.model = model;
    this.host = host;
    this.step = model.last;
    this.isCompact = false;
    this.showsAll = false;
    this.lit = new Set();
    this.chosen = null; // the item that the keyboard is at
    this.marks = new Map(); // place -> class, of a comparison
    this.drawn = new Map();
    this.sizes = new Map();
    this.x = 0;
    this.y = 0;
    this.scale = 1;
    this.version = 0; // of what the picture shows, wherever one looks
    this.svg = draw("svg", { class: "graph", role: "tree", tabindex: "0" });
    this.svg.setAttribute("aria-label", `graph of ${shown(model.json.name)}`);
    this.world = draw("g", { class: "world", role: "presentation" });
    this.lines = draw("g", { class: "lines", "aria-hidden": "true" });
    this.boxes = draw("g", { class: "boxes", role: "presentation" });
    this.world.append(this.boxes, this.lines);
    this.svg.append(this.world);
    host.append(this.svg);
    this.minimap = new Minimap(this, host);
    listenToGraph(this);
    new ResizeObserver(() => this.refresh()).observe(host);
    this.rebuild(new Set());
  }

  // --- the tree ----------------------------------------------------------------------------------

  /** Builds the tree anew; blocks with these keys are open. */
  rebuild(open) {
    const { model } = this;
    const places = [];
    const graph = model.snapshot(this.step);
    for (let place = 0; place < model.json.places; place += 1) {
      const nodes = model.nodesAt[place];
      const isDrawn = this.showsAll || nodes.some((node) => !model.flag(node, HIDDEN));
      if (isDrawn && (!this.isCompact || graph.at[place] >= 0)) places.push(place);
    }
    this.tree = new Tree(model, places, model.json.snapshots[this.step].outputs);
    this.numbers = 0;
    this.chosen = null;
    this.sizes.clear();
    this._sum();
    this.tree.root.isOpen = true;
    for (const key of open) {
      const block = this.tree.byKey.get(key);
      if (block?.kind === "block") block.isOpen = true;
    }
  }

  /** Opens blocks of blocks, from outside in, as long as what is drawn stays easy to survey. */
  openSome() {
    let boxes = this.tree.root.children.length;
    let level = [this.tree.root];
    while (level.length) {
      const holds = (item) => item.children.some((part) => part.kind === "block");
      const blocks = level.flatMap((block) => block.children.filter(holds));
      const more = blocks.reduce((sum, block) => sum + block.children.length, 0);
      if (!blocks.length || boxes + more > MOST_AT_FIRST) return;
      for (const block of blocks) block.isOpen = true;
      boxes += more;
      level = blocks;
    }
  }

  get openKeys() {
    const found = new Set();
    for (const block of this.tree.blocks()) if (block.isOpen) found.add(block.key);
    return found;
  }

  /** Sums over the drawn places at this step, so that those of any block are known at once. */
  _sum() {
    const { model, tree } = this;
    const graph = model.snapshot(this.step);
    const names = ["flops", "parameters", "activations", "traffic", "latency"];
    const total = tree.places.length + 1;
    this.aliveSums = new Int32Array(total);
    this.sums = Object.fromEntries(names.map((name) => [name, new Float64Array(total)]));
    tree.places.forEach((place, i) => {
      const node = graph.at[place];
      this.aliveSums[i + 1] = this.aliveSums[i] + (node >= 0);
      for (const name of names) {
        this.sums[name][i + 1] = this.sums[name][i] + (node >= 0 ? model.figure(name, node) : 0);
      }
    });
  }

  figure(name, item) {
    const sum = (which) => this.sums[which][item.last + 1] - this.sums[which][item.first];
    if (name !== "intensity") return sum(name);
    const traffic = sum("traffic");
    return traffic ? sum("flops") / traffic : 0;
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

  // --- sizes -------------------------------------------------------------------------------------

  headWidth(block) {
    return textWidth(fit(shown(block.name), TEXT, MOST_TEXT, 600), TEXT, 600) + 150;
  }

  sizeOf(item) {
    if (item.isOpen && item.level?.result) return [item.level.result.width, item.level.result.height];
    let size = this.sizes.get(item);
    if (!size) {
      size = this._measure(item);
      this.sizes.set(item, size);
    }
    return size;
  }

  _measure(item) {
    if (item.kind === "input" || item.kind === "output") {
      return [Math.max(56, textWidth(fit(shown(item.name), TEXT, MOST_TEXT, 600), TEXT, 600) + 2 * SIDE + 8), 28];
    }
    if (item.kind === "block") {
      const name = textWidth(fit(shown(item.name), TEXT, MOST_TEXT, 600), TEXT, 600) + 26;
      return [Math.max(132, name + 2 * SIDE), 56];
    }
    // of all nodes that stand here at some step, the largest
    let width = 92;
    let hasDetail = false;
    for (const node of this.model.nodesAt[item.place]) {
      const chips = this.model.chips(node);
      const top = chips.reduce((sum, [name]) => sum + textWidth(shown(name), TEXT, 600), 0);
      width = Math.max(width, top + (chips.length > 1 ? 17 * chips.length : 0) + 2 * SIDE);
      const detail = this._detail(item, node);
      hasDetail ||= detail !== "";
      const label = shortType(this.model.type(this.model.json.nodes.result[node]));
      width = Math.max(width, textWidth(fit(detail, SMALL, MOST_TEXT), SMALL) + 2 * SIDE,
        2 * Math.min(140, textWidth(label, SMALL)) + 20);
    }
    return [width, hasDetail ? 46 : 32];
  }

  _detail(item, node) {
    const detail = this.model.text("detail", node);
    return [item.name, detail].filter(Boolean).map((t) => shown(t)).join(" · ");
  }

  // --- layout ------------------------------------------------------------------------------------

  rootLevel() {
    return this.levelOf(this.tree.root, null);
  }

  levelOf(block, parent) {
    if (!block.level) {
      block.level = new Level(this, block, parent, this.numbers);
      this.numbers += 1;
    }
    return block.level;
  }

  /** Lays out what is open, and draws. keep: an item that stays where it is on the screen. */
  async arrange(keep = null) {
    const before = keep && this.rectOf(keep);
    await this.page.layouter.run(this);
    if (keep && before) {
      const after = this.rectOf(keep);
      if (after) {
        this.x += (before[0] - after[0]) * this.scale;
        this.y += (before[1] - after[1]) * this.scale;
      }
    }
    this.drawn.forEach((element) => element.remove());
    this.drawn.clear();
    this.version += 1;
    this.refresh();
  }

  /** Where an item lies in the picture: left, top, width, height; null while it is not drawn. */
  rectOf(item) {
    if (item === this.tree.root) {
      const result = item.level?.result;
      return result ? [0, 0, result.width, result.height] : null;
    }
    const level = item.parent.level;
    if (!level?.result || !item.parent.isOpen) return null;
    const around = this.rectOf(item.parent);
    if (!around) return null;
    const [x, y, width, height] = level.rect(level.items.indexOf(item));
    return [around[0] + x, around[1] + y, width, height];
  }

  async toggle(item, isOpen = !item.isOpen) {
    if (item.kind !== "block" || item === this.tree.root || item.isOpen === isOpen) return;
    item.isOpen = isOpen;
    for (let block = item.parent; block; block = block.parent) if (block.level) block.level.isStale = true;
    await this.arrange(item);
    announce(`${shown(item.name)} ${isOpen ? "opened" : "closed"}, ${plural(item.children.length, "part")}`);
  }

  async openAll(isOpen) {
    for (const block of this.tree.blocks()) {
      if (block !== this.tree.root) block.isOpen = isOpen;
      if (block.level) block.level.isStale = true;
    }
    await this.arrange();
    this.fitAll();
  }

  /** Opens all blocks around an item, and brings it into sight. */
  async reveal(item) {
    let changed = false;
    for (let block = item.parent; block; block = block.parent) {
      if (!block.isOpen) changed = true;
      block.isOpen = true;
    }
    if (changed) {
      for (let block = item.parent; block; block = block.parent) if (block.level) block.level.isStale = true;
      await this.arrange();
    }
    if (this.scale > 0.45) this.show(item);
    else this.centre(item);
  }

  /** Another step. In the picture of all places they stay as they are. */
  async goTo(step) {
    this.step = step;
    if (this.isCompact) {
      this.rebuild(this.openKeys);
      await this.arrange();
    } else {
      this._sum();
      this.litPlaces = null;
      this.version += 1;
      this.refresh();
    }
  }

  async setting(name, value) {
    this[name] = value;
    this.rebuild(this.openKeys);
    await this.arrange();
    this.fitAll();
  }

  // --- the camera --------------------------------------------------------------------------------

  get size() {
    return [this.host.clientWidth, this.host.clientHeight];
  }

  move(x, y, scale) {
    this.scale = Math.min(3, Math.max(0.004, scale));
    this.x = x;
    this.y = y;
    this.refresh();
  }

  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const scale = Math.min(3, Math.max(0.004, this.scale * factor));
    const part = scale / this.scale;
    this.move(x - (x - this.x) * part, y - (y - this.y) * part, scale);
  }

  /** Everything in sight; a tall picture from its top, as large as can be read. */
  fitAll(isFirst = false) {
    const result = this.tree.root.level?.result;
    if (!result) return;
    const [width, height] = this.size;
    let scale = Math.min(width / result.width, height / result.height, 1.25);
    if (isFirst) scale = Math.max(scale, Math.min(0.62, width / result.width));
    const y = result.height * scale > height ? 0 : (height - result.height * scale) / 2;
    this.move((width - result.width * scale) / 2, y, scale);
  }

  centre(item) {
    const rect = this.rectOf(item);
    if (!rect) return;
    const [width, height] = this.size;
    const scale = Math.min(Math.max(this.scale, 0.8), 0.9 * width / rect[2], Math.max(0.3, 0.9 * height / rect[3]));
    this.move(width / 2 - (rect[0] + rect[2] / 2) * scale, height / 2 - (rect[1] + rect[3] / 2) * scale, scale);
  }

  /** Moves only as far as an item needs to be in sight. */
  show(item) {
    const rect = this.rectOf(item);
    if (!rect) return;
    const [width, height] = this.size;
    const [left, top] = [rect[0] * this.scale + this.x, rect[1] * this.scale + this.y];
    const [right, bottom] = [left + rect[2] * this.scale, top + rect[3] * this.scale];
    if (left >= 0 && top >= 0 && right <= width && bottom <= height) return;
    if (rect[2] * this.scale > width || rect[3] * this.scale > height) {
      if (right < 40 || left > width - 40 || bottom < 40 || top > height - 40) this.centre(item);
      return;
    }
    const dx = left < 0 || right > width ? width / 2 - (left + right) / 2 : 0;
    const dy = top < 0 || bottom > height ? height / 2 - (top + bottom) / 2 : 0;
    this.move(this.x + dx, this.y + dy, this.scale);
  }

  // --- drawing -----------------------------------------------------------------------------------

  /** Draws soon, once. */
  refresh() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.paint();
    });
  }

  paint() {
    const root = this.tree.root.level;
    if (!root?.result) return;
    this.world.setAttribute("transform", `translate(${this.x} ${this.y}) scale(${this.scale})`);
    this.svg.classList.toggle("far", this.scale < 0.3);
    const [width, height] = this.size;
    const margin = 80;
    const sight = [
      (-this.x - margin) / this.scale, (-this.y - margin) / this.scale,
      (width - this.x + margin) / this.scale, (height - this.y + margin) / this.scale,
    ];
    const wanted = new Map();
    this._gather(root, 0, 0, 1, sight, wanted);
    for (const [key, element] of this.drawn) {
      if (!wanted.has(key)) {
        element.remove();
        this.drawn.delete(key);
      }
    }
    let after = null;
    for (const [key, { sign, build, layer }] of wanted) {
      let element = this.drawn.get(key);
      if (!element || element.sign !== sign) {
        const made = build();
        made.sign = sign;
        if (element) element.replaceWith(made);
        else if (layer === this.boxes) {
          if (after) after.after(made);
          else layer.prepend(made);
        } else layer.append(made);
        this.drawn.set(key, made);
        element = made;
      }
      if (layer === this.boxes) after = element;
    }
    this._activate();
    this.minimap.paint();
    this.hasPainted = true;
  }

  _gather(level, dx, dy, depth, sight, wanted) {
    level.items.forEach((item, i) => {
      const [x, y, width, height] = level.rect(i);
      const rect = [dx + x, dy + y, width, height];
      if (rect[0] > sight[2] || rect[1] > sight[3]) return;
      if (rect[0] + width < sight[0] || rect[1] + height < sight[1]) return;
      const isOpen = item.isOpen && item.level?.result && width * this.scale > LEAST_OPEN;
      const sign = `${rect.map(Math.round)} ${isOpen} ${this._state(item)}`;
      wanted.set(item.key, {
        sign, layer: this.boxes, build: () => drawBox(this, item, rect, depth, isOpen),
      });
      if (isOpen) this._gather(item.level, rect[0], rect[1], depth + 1, sight, wanted);
    });
    const labelled = new Set();
    for (const edge of level.edgesAt(this.step)) {
      const key = `${edge.a},${edge.b}`;
      if (!level.drawn.has(key)) {
        const points = level.course(edge);
        const xs = points.filter((_, i) => i % 2 === 0);
        const ys = points.filter((_, i) => i % 2 === 1);
        level.drawn.set(key, [points, Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]);
      }
      const [points, left, top, right, bottom] = level.drawn.get(key);
      const from = level.items[edge.a];
      const isFirst = from && !from.isOpen && !labelled.has(edge.a);
      labelled.add(edge.a);
      if (dx + left > sight[2] || dy + top > sight[3]) continue;
      if (dx + right < sight[0] || dy + bottom < sight[1]) continue;
      const isLit = this._isLitEdge(level, edge);
      const label = isFirst ? this._label(edge) : "";
      wanted.set(`${level.number}:${key}`, {
        sign: `${Math.round(dx)} ${Math.round(dy)} ${isLit} ${label}`,
        layer: this.lines,
        build: () => drawLine(this, level, edge, points, dx, dy, label, isLit),
      });
    }
  }

  _label(edge) {
    const types = new Set(edge.values.map((value) => this.model.type(value)));
    const [first] = types;
    return shortType(first) + (types.size > 1 ? ` +${types.size - 1}` : "");
  }

  _isLitEdge(level, edge) {
    if (!this.lit.size) return false;
    const isLit = (i) => {
      const item = level.items[i];
      return item && item.kind === "node" && this.lit.has(this.nodeOf(item));
    };
    return isLit(edge.a) || isLit(edge.b);
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

  _state(item) {
    const heat = this.page.overlay ? this.heat(item) : "";
    const node = item.kind === "node" ? this.nodeOf(item) : "";
    return `${node} ${this.isAlive(item)} ${this.litIn(item)} ${heat} ${this.markOf(item)} ${item.isOpen ? "" : this.aliveSums[item.last + 1] - this.aliveSums[item.first]}`;
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

  // --- what is lit, and where the keyboard is ----------------------------------------------------

  light(nodes) {
    this.lit = new Set(nodes);
    this.litPlaces = null;
    this.version += 1;
    this.refresh();
  }

  /** The drawn boxes that hold these nodes. */
  boxesOf(nodes) {
    const found = new Set();
    for (const node of nodes) {
      const item = this.tree.shownAt(this.model.json.nodes.place[node]);
      if (item) found.add(item);
    }
    return [...found];
  }

  choose(item) {
    this.chosen = item;
    if (item) this.show(item);
    this.paint();
  }

  _activate() {
    this.svg.querySelector(".chosen")?.classList.remove("chosen");
    const element = this.chosen && this.drawn.get(this.chosen.key);
    if (element) {
      element.classList.add("chosen");
      this.svg.setAttribute("aria-activedescendant", element.id);
    } else this.svg.removeAttribute("aria-activedescendant");
  }
}
