// A model in training: one step graph, its evaluation, and the state that goes from step to step.
// Nothing here knows which network it is; the manifests say it all (docs/step_graph.md).
import * as ort from "./ort.wasm.min.mjs";

ort.env.wasm.numThreads = 1; // more need a server that isolates the page

const DTYPES = {
  F32: ["float32", Float32Array],
  F64: ["float64", Float64Array],
  I32: ["int32", Int32Array],
  I64: ["int64", BigInt64Array],
  BOOL: ["bool", Uint8Array],
};

const scalar = (type, value) =>
  type === "int64"
    ? new ort.Tensor("int64", BigInt64Array.of(BigInt(value)), [])
    : new ort.Tensor(type, Float32Array.of(value), []);

// Tensors by path: eight bytes with the header's length, the header as JSON, the numbers.
function readSafetensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  return new Map(
    Object.entries(header).map(([path, { dtype, shape, data_offsets: [start, end] }]) => {
      const [type, Numbers] = DTYPES[dtype];
      const numbers = new Numbers(buffer.slice(8 + length + start, 8 + length + end));
      return [path, new ort.Tensor(type, numbers, shape)];
    }),
  );
}

const fetched = async (file) => {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file}: ${response.status} ${response.statusText}`);
  return response;
};

export class Trainee {
  static async load(name) {
    const self = new Trainee();
    [self.train, self.eval, self.state] = await Promise.all([
      Graph.load(`${name}.train`),
      Graph.load(`${name}.eval`),
      fetched(`${name}.init.safetensors`).then((r) => r.arrayBuffer()).then(readSafetensors),
    ]);
    self.initial = new Map(self.state);
    self.steps = 0;
    return self;
  }

  reset() {
    this.state = new Map(this.initial);
    this.steps = 0;
  }

  // One step: numbers by name, of the losses and metrics.
  async step(batch, seed = 0) {
    const { manifest } = this.train;
    const results = await this.train.run(this.state, batch, { step: this.steps, seed });
    for (const entry of manifest.state)
      if (entry.output) this.state.set(entry.path, results[entry.output]);
    this.steps += 1;
    return this.train.numbers(results);
  }

  // Losses and metrics as numbers, the model's outputs as tensors; nothing is learnt.
  async evaluate(batch) {
    const results = await this.eval.run(this.state, batch, { step: this.steps, seed: 0 });
    const { outputs } = this.eval.manifest;
    const tensors = Object.entries(outputs).map(([name, output]) => [name, results[output]]);
    return { ...this.eval.numbers(results), ...Object.fromEntries(tensors) };
  }
}

class Graph {
  static async load(name) {
    const self = new Graph();
    [self.manifest, self.session] = await Promise.all([
      fetched(`${name}.json`).then((response) => response.json()),
      ort.InferenceSession.create(`${name}.onnx`),
    ]);
    return self;
  }

  run(state, batch, counters) {
    const { manifest } = this;
    const feeds = {};
    for (const entry of manifest.state) feeds[entry.input] = state.get(entry.path);
    for (const [name, entry] of Object.entries(manifest.batch)) feeds[entry.input] = batch[name];
    for (const entry of Object.values(manifest.hyperparameters))
      feeds[entry.input] = scalar("float32", entry.default);
    for (const [name, value] of Object.entries(counters))
      if (name in manifest) feeds[manifest[name]] = scalar("int64", value);
    return this.session.run(feeds);
  }

  numbers(results) {
    const { losses, metrics } = this.manifest;
    const named = Object.entries({ ...losses, ...metrics });
    return Object.fromEntries(named.map(([name, output]) => [name, Number(results[output].data[0])]));
  }
}

export class Digits {
  static SIZE = 28;

  static async load() {
    const [labels, pixels] = await Promise.all([
      fetched("digits.json").then((response) => response.json()),
      fetched("digits.bin").then((response) => response.arrayBuffer()),
    ]);
    const all = Float32Array.from(new Uint8Array(pixels), (level) => level / 255);
    const end = labels.train.length * Digits.SIZE ** 2;
    return {
      train: new Digits(all.slice(0, end), labels.train),
      test: new Digits(all.slice(end), labels.test),
    };
  }

  constructor(pixels, labels) {
    const size = Digits.SIZE ** 2;
    this.samples = labels.map((label, i) => ({
      label,
      image: pixels.subarray(i * size, (i + 1) * size),
    }));
  }

  // Batches in an order of their own for each epoch: the same in every run.
  *batches(size, epoch) {
    const order = this.samples.map((_, i) => i);
    let random = (epoch + 1) * 2654435761;
    for (let i = order.length - 1; i > 0; i--) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      const j = random % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    for (let i = 0; i < order.length; i += size)
      yield Digits.batch(order.slice(i, i + size).map((place) => this.samples[place]));
  }

  static batch(samples) {
    const count = samples.length;
    const image = new Float32Array(count * Digits.SIZE ** 2);
    samples.forEach((sample, i) => image.set(sample.image, i * Digits.SIZE ** 2));
    const label = BigInt64Array.from(samples, (sample) => BigInt(sample.label));
    return {
      image: new ort.Tensor("float32", image, [count, 1, Digits.SIZE, Digits.SIZE]),
      label: new ort.Tensor("int64", label, [count]),
    };
  }
}
