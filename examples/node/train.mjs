// Trains LeNet-5 on digits in Node: the twenty-line loop of docs/step_graph.md.
//
//   npm ci --prefix examples/browser && python examples/browser/prepare.py
//   node examples/node/train.mjs out/browser 6
import { readFileSync } from "node:fs";
import * as ort from "../browser/node_modules/onnxruntime-web/dist/ort.node.min.mjs";

const [folder, epochs = 6, BATCH = 64, SIZE = 28] = process.argv.slice(2);
const manifest = JSON.parse(readFileSync(`${folder}/lenet5.train.json`));
const session = await ort.InferenceSession.create(readFileSync(`${folder}/lenet5.train.onnx`));
const weights = readFileSync(`${folder}/lenet5.init.safetensors`);
const header = Number(weights.readBigUInt64LE()) + 8;
const tensors = JSON.parse(weights.subarray(8, header));
const state = Object.fromEntries(
  manifest.state.map(({ path, input, shape }) => {
    const [start, end] = tensors[path].data_offsets.map((place) => header + place);
    const numbers = new Float32Array(Uint8Array.from(weights.subarray(start, end)).buffer);
    return [input, new ort.Tensor("float32", numbers, shape)];
  }),
);
const labels = JSON.parse(readFileSync(`${folder}/digits.json`)).train;
const pixels = Float32Array.from(readFileSync(`${folder}/digits.bin`), (level) => level / 255);

for (let epoch = 0, step = 0; epoch < epochs; epoch++) {
  let total = 0;
  for (let i = 0; i + BATCH <= labels.length; i += BATCH, step++) {
    const image = pixels.subarray(i * SIZE ** 2, (i + BATCH) * SIZE ** 2);
    const label = BigInt64Array.from(labels.slice(i, i + BATCH), BigInt);
    const feeds = {
      ...state,
      [manifest.batch.image.input]: new ort.Tensor("float32", image, [BATCH, 1, SIZE, SIZE]),
      [manifest.batch.label.input]: new ort.Tensor("int64", label, [BATCH]),
    };
    for (const { input, default: rate } of Object.values(manifest.hyperparameters))
      feeds[input] = new ort.Tensor("float32", [rate], []);
    if (manifest.step) feeds[manifest.step] = new ort.Tensor("int64", [BigInt(step)], []);
    if (manifest.seed) feeds[manifest.seed] = new ort.Tensor("int64", [0n], []);
    const results = await session.run(feeds);
    for (const { input, output } of manifest.state) if (output) state[input] = results[output];
    total += results[manifest.losses.loss].data[0];
  }
  console.log(`epoch ${epoch + 1}: loss ${(total / Math.floor(labels.length / BATCH)).toFixed(4)}`);
}
