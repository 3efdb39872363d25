// Asks workers for layouts. Only levels that have changed are laid out: an opened block and those
// around it, from inside out, those of one depth at the same time. Equal blocks look alike, and are
// laid out once.

const MOST_WORKERS = 4;
const FEW = 8; // levels that are not worth another worker

class Layouter {
  constructor() {
    const text = ["vendor", "worker"].map((id) => byId(id).textContent).join("\n");
    this.address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    this.workers = [];
    this.known = new Map(); // by what is laid out
    this.waiting = new Map();
    this.requests = 0;
    this.last = Promise.resolve();
  }

  /** Lays out all open levels of a view that need it, after what was asked for before; resolves
   * when they are placed. */
  run(view) {
    this.last = this.last.then(() => this._run(view));
    return this.last;
  }

  async _run(view) {
    const rounds = []; // of levels by what is open in them: nothing, blocks, blocks in blocks, …
    const visit = (level) => {
      const inside = [];
      let round = 0;
      level.items.forEach((item, i) => {
        if (item.kind !== "block" || !item.isOpen) return;
        const inner = visit(view.levelOf(item, level));
        if (inner) {
          inside.push([i, inner]);
          round = Math.max(round, inner.round + 1);
        }
      });
      if (level.result && !inside.length && !level.isStale) return null;
      level.isStale = false;
      const found = { level, inside, round, request: level.request(), result: null };
      (rounds[round] ??= []).push(found);
      return found;
    };
    visit(view.rootLevel());
    for (const round of rounds) await this._arrange(round);
    for (const { level, result } of rounds.flat()) level.place(result);
  }

  /** Gives each of a round its result. */
  async _arrange(round) {
    const wanted = new Map();
    for (const one of round) {
      const { sizes } = one.request;
      for (const [item, { result }] of one.inside) {
        sizes[2 * item] = result.width;
        sizes[2 * item + 1] = result.height;
      }
      one.key = JSON.stringify(Object.values(one.request));
      if (!this.known.has(one.key)) wanted.set(one.key, one.request);
    }
    const keys = [...wanted.keys()];
    const cores = navigator.hardwareConcurrency || 2;
    const count = Math.min(MOST_WORKERS, cores, Math.ceil(keys.length / FEW));
    const parts = Array.from({ length: count }, (_, i) => keys.filter((_, j) => j % count === i));
    await Promise.all(parts.map(async (part, i) => {
      const results = await this._ask(i, part.map((key) => wanted.get(key)));
      part.forEach((key, j) => this.known.set(key, results[j]));
    }));
    for (const one of round) one.result = this.known.get(one.key);
  }

  /** The results of a worker, which is started when it is needed. */
  _ask(number, levels) {
    if (!this.workers[number]) {
      const worker = new Worker(this.address);
      worker.onmessage = ({ data }) => this._done(data);
      this.workers[number] = worker;
    }
    this.requests += 1;
    const request = this.requests;
    return new Promise((resolve) => {
      this.waiting.set(request, resolve);
      this.workers[number].postMessage({ request, levels });
    });
  }

  _done({ request, levels }) {
    this.waiting.get(request)(levels);
    this.waiting.delete(request);
  }
}
