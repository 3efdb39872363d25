// Puts the panes together: what is selected in one lights up in all.

class Page {
  constructor(data) {
    this.data = data;
    this.kinds = data.kinds;
    this.documents = data.documents;
    this.overlay = "";
    this.active = 0; // the model that was selected in last
    this.models = data.models.map((json, number) => new Model(json, number));
    this.step = this.models[0].last;
    this.layouter = new Layouter();
    this.source = new SourcePane(this, byId("source"));
    this.details = new DetailsPane(this, byId("details"));
    this.views = this.models.map((model) => new GraphView(this, model, this._host(model)));
    this.story = data.diff ? new DiffPane(this, byId("story")) : new StoryPane(this, byId("story"));
    this.memory = new MemoryPane(this, byId("memory"));
    this.search = new Search(this);
    this._controls();
    this._keys();
  }

  async start() {
    document.body.classList.toggle("compares", this.models.length > 1);
    byId("steps").hidden = this.models[0].last === 0;
    this._told();
    for (const view of this.views) {
      view.openSome();
      await view.arrange();
      view.fitAll(true);
    }
    const scale = Math.min(...this.views.map((view) => view.scale)); // one for both
    for (const view of this.views) view.zoom(scale / view.scale, view.size[0] / 2, 0);
  }

  _host(model) {
    const host = make("div", { className: "canvas" });
    if (this.models.length > 1) {
      host.append(make("p", { className: "whose", textContent: shown(this.data.files[model.number], 80) }));
    }
    byId("graphs").append(host);
    return host;
  }

  _controls() {
    const slider = byId("slider");
    const { snapshots } = this.models[0].json;
    slider.max = snapshots.length - 1;
    slider.value = this.step;
    slider.addEventListener("input", () => this.goTo(Number(slider.value)));
    byId("previous").addEventListener("click", () => this.goTo(this.step - 1));
    byId("next").addEventListener("click", () => this.goTo(this.step + 1));
    const overlays = byId("overlay");
    for (const [name, [label]] of Object.entries(FIGURES)) {
      if (name === "latency" && !this.models.some((model) => model.json.latency)) continue;
      overlays.append(make("option", { value: name, textContent: label }));
    }
    overlays.addEventListener("change", () => {
      this.overlay = overlays.value;
      for (const view of this.views) view.refresh();
    });
    const all = (act) => () => this.views.forEach(act);
    byId("open-all").addEventListener("click", all((view) => view.openAll(true)));
    byId("close-all").addEventListener("click", all((view) => view.openAll(false)));
    byId("fit").addEventListener("click", all((view) => view.fitAll()));
    byId("zoom-in").addEventListener("click", all((view) => view.zoom(1.25)));
    byId("zoom-out").addEventListener("click", all((view) => view.zoom(0.8)));
    for (const [id, name] of [["compact", "isCompact"], ["shows-all", "showsAll"]]) {
      byId(id).addEventListener("change", (event) => {
        this.views.forEach((view) => view.setting(name, event.target.checked));
      });
    }
    byId("theme").addEventListener("click", () => this._theme());
    byId("help-button").addEventListener("click", () => byId("help").showModal());
    const close = () => byId("help").close();
    byId("help-close").addEventListener("click", close);
    for (const id of ["left", "right"]) divide(byId(`${id}-divider`), id);
  }

  _theme() {
    const isDark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    for (const view of this.views) {
      view.version += 1;
      view.refresh();
    }
  }

  _keys() {
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest?.("input[type=search], select, dialog");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = {
        "/": () => this.search.input.focus(),
        "[": () => this.goTo(this.step - 1),
        "]": () => this.goTo(this.step + 1),
        "?": () => byId("help").showModal(),
        g: () => this.views[this.active].svg.focus(),
        s: () => byId("source").focus(),
      }[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }

  // --- steps -------------------------------------------------------------------------------------

  async goTo(step) {
    const wanted = Math.min(this.models[0].last, Math.max(0, step));
    if (wanted !== this.step) {
      this.step = wanted;
      await this.views[0].goTo(wanted);
      if (this.views[0].lit.size) this._carry();
    }
    this._told();
  }

  /** What was selected in the step before, as it is now. */
  _carry() {
    const [view] = this.views;
    const nodes = [...view.lit].flatMap((node) => view.model.heirs(node, this.step));
    if (nodes.length) this.selectNodes(view.model, [...new Set(nodes)], "step");
  }

  _told() {
    const { snapshots } = this.models[0].json;
    const name = this.step ? snapshots[this.step].pass : "as written";
    const slider = byId("slider");
    slider.value = this.step;
    slider.setAttribute("aria-valuetext", `${this.step} of ${slider.max}: ${name}`);
    byId("step-name").textContent = this.step ? `${this.step}. ${name}` : name;
    byId("step-nodes").textContent = plural(this.models[0].drawnAt(this.step), "node");
    byId("previous").disabled = this.step === 0;
    byId("next").disabled = this.step === this.models[0].last;
    this.story.show(this.step);
    this.memory.show(this.step);
  }

  // --- what is selected --------------------------------------------------------------------------

  selectItem(view, item) {
    const nodes = view.nodesIn(item);
    this.select(view.model, nodes, "graph");
    this.details.showItem(view, item);
  }

  selectSpans(model, spans, what) {
    const nodes = model.nodesOf(spans, this.views[model.number].step);
    this.select(model, spans.size ? nodes : [], "source", spans);
    this.details.showNodes(this.views[model.number], nodes);
    announce(`${what}: ${plural(nodes.length, "node")}`);
  }

  selectNodes(model, nodes, from) {
    const view = this.views[model.number];
    this.select(model, nodes, from);
    this.details.showNodes(view, nodes);
    const boxes = view.boxesOf(nodes);
    if (boxes.length && from !== "step") view.show(boxes[0]);
    announce(plural(nodes.length, "node"));
  }

  /** Lights up nodes in every pane, and their counterparts in the other model. */
  select(model, nodes, from, spans = null) {
    this.active = model.number;
    const lit = nodes.length > 5000 ? nodes.slice(0, 5000) : nodes;
    for (const view of this.views) {
      if (view.model === model) view.light(lit);
      else view.light(this.counterparts ? this.counterparts(model, lit) : []);
    }
    const places = spans ?? new Set(lit.flatMap((node) => model.spansOf(node)));
    this.source.light(model, places, from !== "source");
    this.story.light(model, lit);
    this.memory.light(model, lit);
    if (from === "source") {
      const view = this.views[model.number];
      const boxes = view.boxesOf(lit);
      if (boxes.length) view.show(boxes[0]);
    }
  }

  clear() {
    for (const view of this.views) view.light([]);
    this.source.light(this.models[this.active], new Set(), false);
    this.story.light(this.models[this.active], []);
    this.memory.light(this.models[0], []);
    this.details.clear();
  }

  async goToNode(view, node) {
    const item = view.tree.leaf(view.model.json.nodes.place[node]);
    if (!item) return;
    await view.reveal(item);
    view.choose(item);
    this.selectItem(view, item);
  }
}

/** A divider between panes, moved by mouse or arrows. */
function divide(handle, side) {
  const main = byId("main");
  const sign = side === "left" ? 1 : -1;
  const set = (width) => {
    const chosen = Math.min(0.6 * main.clientWidth, Math.max(160, width));
    main.style.setProperty(`--${side}`, `${chosen}px`);
    handle.setAttribute("aria-valuenow", String(Math.round(chosen)));
  };
  const now = () => byId(`${side}-pane`).getBoundingClientRect().width;
  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = main.getBoundingClientRect();
    set(side === "left" ? event.clientX - box.left : box.right - event.clientX);
  });
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 24, ArrowLeft: -24 }[event.key];
    if (!step) return;
    event.preventDefault();
    set(now() + sign * step);
  });
}

const page = new Page(JSON.parse(byId("data").textContent));
window.nncomp = page; // for whoever looks from the console
page.ready = page.start();
