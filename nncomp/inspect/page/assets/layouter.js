// Asks the worker for layouts. Only levels that have changed are laid out: an opened block and
// those around it.

class Layouter {
  constructor() {
    const text = ["vendor", "worker"].map((id) => byId(id).textContent).join("\n");
    this.address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    this.worker = new Worker(this.address);
    this.worker.onmessage = ({ data }) => this._done(data);
    this.waiting = new Map();
    this.requests = 0;
  }

  /** Lays out all open levels of a view that need it; resolves when they are placed. */
  run(view) {
    const levels = [];
    const requests = [];
    const visit = (level) => {
      const inside = [];
      let changed = !level.result;
      level.items.forEach((item, i) => {
        if (item.kind !== "block" || !item.isOpen) return;
        const at = visit(view.levelOf(item, level));
        if (at >= 0) {
          inside.push([i, at]);
          changed = true;
        }
      });
      if (!changed && !level.isStale) return -1;
      level.isStale = false;
      levels.push(level);
      requests.push(level.request(inside));
      return levels.length - 1;
    };
    visit(view.rootLevel());
    if (!levels.length) return Promise.resolve();
    this.requests += 1;
    const request = this.requests;
    return new Promise((resolve) => {
      this.waiting.set(request, { levels, resolve });
      this.worker.postMessage({ request, levels: requests });
    });
  }

  _done({ request, levels: results }) {
    const { levels, resolve } = this.waiting.get(request);
    this.waiting.delete(request);
    levels.forEach((level, i) => level.place(results[i]));
    resolve();
  }
}
