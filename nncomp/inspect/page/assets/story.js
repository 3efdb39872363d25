// The story pane: what each pass took away, made, and why; and what did not happen.

const MOST_STEPS = 60; // of a pass, before one asks for more

class StoryPane {
  constructor(page, host) {
    this.page = page;
    this.host = host;
    this.model = page.models[0];
    this.sections = [];
    this.model.json.snapshots.forEach((snapshot, step) => {
      if (step) host.append(this._section(snapshot, step));
    });
    if (!this.model.last) {
      host.append(make("p", { className: "hint", textContent: "No pass changed this graph." }));
    }
  }

  _section(snapshot, step) {
    const [before, after] = [step - 1, step].map((at) => this.model.drawnAt(at));
    const section = make("section", { className: "pass" });
    const head = make("button", {
      className: "pass-head", "aria-expanded": "false", title: "the graph after this pass",
    }, make("span", { className: "pass-name", textContent: snapshot.pass }),
    make("span", {
      className: "muted pass-count", textContent: `${before.toLocaleString("en")} → ${plural(after, "node")}`,
    }));
    const body = make("div", { className: "pass-body", hidden: true });
    head.addEventListener("click", () => {
      const isOpen = head.getAttribute("aria-expanded") === "true";
      if (isOpen && this.page.step === step) this._fold(this.sections[step], true);
      else this.page.goTo(step);
    });
    section.append(make("h3", {}, head), body);
    this.sections[step] = { section, head, body, step, isFilled: false };
    return section;
  }

  _fold(entry, isFolded) {
    if (!isFolded && !entry.isFilled) {
      entry.isFilled = true;
      this._fill(entry);
    }
    entry.head.setAttribute("aria-expanded", String(!isFolded));
    entry.body.hidden = isFolded;
  }

  _fill({ body, step }) {
    const { json, strings } = this.model;
    const snapshot = json.snapshots[step];
    const about = this.page.documents[snapshot.pass];
    if (about) body.append(make("p", { className: "about", textContent: about.text }));
    for (const [rule, times] of snapshot.rules) {
      const line = make("p", { className: "rule" }, make("b", { textContent: rule }), ` ×${times}`);
      if (about?.rules[rule]) line.append(make("span", { className: "muted", textContent: ` ${about.rules[rule]}` }));
      body.append(line);
    }
    const list = roving(make("ul", { className: "steps" }));
    body.append(list);
    this._more(list, step, 0);
    if (snapshot.unread.length) {
      const drawn = snapshot.unread.filter((node) => !this.model.flag(node, HIDDEN));
      const button = make("button", { className: "step" },
        make("span", { textContent: `${plural(snapshot.unread.length, "node")} needed no longer` }));
      button.addEventListener("click", () => this.page.selectNodes(this.model, drawn.length ? drawn : snapshot.unread, "story"));
      list.append(make("li", {}, button));
    }
    for (const { nodes, rule, reason } of this._refusals(snapshot)) {
      const times = nodes.length > 1 ? ` ×${nodes.length}` : "";
      const button = make("button", { className: "step refusal" },
        make("span", { textContent: `${shown(this.model.title(nodes[0]))}: not ${rule}${times}` }),
        make("span", { className: "muted", textContent: shown(reason) }));
      button.addEventListener("click", () => this.page.selectNodes(this.model, nodes, "story"));
      list.append(make("li", {}, button));
    }
  }

  /** What did not happen, with the nodes at which it did not for one reason. */
  _refusals(snapshot) {
    const found = new Map();
    for (const [node, rule, reason] of snapshot.refusals) {
      const key = `${this.model.title(node)} ${rule} ${reason}`;
      const [name, why] = [this.model.strings[rule], this.model.strings[reason]];
      if (!found.has(key)) found.set(key, { nodes: [], rule: name, reason: why });
      found.get(key).nodes.push(node);
    }
    return [...found.values()].slice(0, MOST_STEPS);
  }

  _more(list, step, from) {
    const { steps } = this.model.json.snapshots[step];
    steps.slice(from, from + MOST_STEPS).forEach((entry, i) => {
      list.append(this._step(entry, `${step}/${from + i}`));
    });
    const left = steps.length - from - MOST_STEPS;
    if (left > 0) {
      const more = make("button", { className: "more", textContent: `${left} more` });
      const item = make("li", {}, more);
      more.addEventListener("click", () => {
        item.remove();
        this._more(list, step, from + MOST_STEPS);
      });
      list.append(item);
    }
  }

  _step([rules, removed, made], at) {
    const { model } = this;
    const drawn = (nodes) => {
      const found = nodes.filter((node) => !model.flag(node, HIDDEN));
      return found.length ? found : nodes;
    };
    const names = (nodes) => {
      const seen = new Map();
      for (const node of drawn(nodes)) seen.set(model.title(node), (seen.get(model.title(node)) ?? 0) + 1);
      const texts = [...seen].map(([name, times]) => shown(name) + (times > 1 ? ` ×${times}` : ""));
      return texts.slice(0, 6).join(" · ") + (texts.length > 6 ? " …" : "");
    };
    const where = [...removed, ...made].map((node) => model.text("scope", node)).find(Boolean) ?? "";
    const button = make("button", { className: "step", title: rules.map((r) => model.strings[r]).join(", ") },
      make("span", { className: "removed", textContent: names(removed) || "nothing" }),
      " → ", make("span", { className: "made", textContent: made.length ? names(made) : "nothing" }),
      make("span", { className: "muted where", textContent: shown(where, 60) }));
    button.nodes = [...removed, ...made];
    button.at = at;
    button.addEventListener("click", () => this.page.selectNodes(model, button.nodes, "story"));
    return make("li", {}, button);
  }

  /** Opens the section of a step, and closes the others. */
  show(step) {
    for (const entry of this.sections) {
      if (!entry) continue;
      const isHere = entry.step === step;
      entry.section.classList.toggle("here", isHere);
      entry.section.classList.toggle("later", entry.step > step);
      this._fold(entry, !isHere);
      if (isHere) entry.section.scrollIntoView?.({ block: "nearest" });
    }
  }

  /** Marks the rewrites in which any of these nodes took part. */
  light(model, nodes) {
    const few = model === this.model && nodes.length < 400 ? nodes : [];
    const wanted = new Set(few);
    const told = this.model.rewritesOf(few);
    for (const node of few) {
      const taken = this.model.lineage.taken.get(node);
      if (taken) told.add(taken.join("/"));
    }
    for (const entry of this.sections) {
      if (!entry) continue;
      const touches = [...told].some((at) => at.startsWith(`${entry.step}/`));
      entry.section.classList.toggle("lit", touches);
      for (const button of entry.body.querySelectorAll(".step")) {
        if (button.at) {
          button.classList.toggle("lit", told.has(button.at));
          continue;
        }
        button.classList.toggle("lit", Boolean(button.nodes?.some((node) => wanted.has(node))));
      }
    }
  }
}
