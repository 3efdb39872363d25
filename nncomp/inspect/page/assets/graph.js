// The picture of one model: boxes and lines as SVG. Only what is in sight is in the document.

const TEXT = 12.5;
const SMALL = 10.5;
const SIDE = 12;
const LEAST_OPEN = 46; // pixels: an open block smaller than that is drawn closed
const MOST_TEXT = 260;
const MOST_AT_FIRST = 28; // boxes that a page opens with, if its blocks allow a choice

class GraphView extends Figures {
  constructor(page, model, host) {
    super(host);
    this.page = page;
    this.model = model;
    this.step = model.last;
    this.isCompact = false;
    this.showsAll = false;
    this.lit = new Set();
    this.chosen = null; // the item that the keyboard is at
    this.marks = new Map(); // place -> class, of a comparison
    this.drawn = new Map();
    this.sizes = new Map();
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

  _state(item) {
    const heat = this.page.overlay ? this.heat(item) : "";
    const node = item.kind === "node" ? this.nodeOf(item) : "";
    const inside = item.isOpen ? "" : this.aliveSums[item.last + 1] - this.aliveSums[item.first];
    return [node, this.isAlive(item), this.litIn(item), heat, this.markOf(item), inside].join(" ");
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
