// What the page does: trains, draws the curve, and guesses what is drawn.
import { Chart } from "./chart.js";
import { Digits, Trainee } from "./training.js";

const BATCH = 64;
const PEN = 2.1; // of the drawing's 28 pixels
const $ = (id) => document.getElementById(id);
const chart = new Chart($("curve"));
// for whoever drives the page: what was measured so far
const history = (window.history_of_training = []);
let trainee, digits, running;

async function main() {
  [trainee, digits] = await Promise.all([Trainee.load("lenet5"), Digits.load()]);
  $("status").textContent =
    `${digits.train.samples.length} digits to train on, ${digits.test.samples.length} to test. ` +
    "All of it runs in this tab.";
  $("train").disabled = false;
  await guess();
}

$("train").addEventListener("click", async () => {
  if (running) {
    running = false;
    return;
  }
  running = true;
  $("train").textContent = "Stop";
  try {
    await train(Number($("epochs").value));
  } finally {
    running = false;
    $("train").textContent = "Train";
  }
});

$("reset").addEventListener("click", () => {
  running = false;
  trainee.reset();
  history.length = 0;
  chart.clear();
  show({});
  guess();
});

async function train(epochs) {
  for (let epoch = 0; epoch < epochs && running; epoch++) {
    const began = performance.now();
    let samples = 0;
    for (const batch of digits.train.batches(BATCH, history.length)) {
      if (!running) return;
      const { loss } = await trainee.step(batch);
      samples += batch.label.dims[0];
      chart.add(loss);
      if (trainee.steps % 4 === 0) {
        chart.draw();
        await new Promise(requestAnimationFrame); // lets the page be seen and used
      }
    }
    const rate = (1000 * samples) / (performance.now() - began);
    const { accuracy, loss } = await trainee.evaluate(Digits.batch(digits.test.samples));
    history.push({ epoch: history.length + 1, loss, accuracy, rate });
    chart.mark(accuracy);
    show(history.at(-1));
    await guess();
  }
}

function show({ epoch, loss, accuracy, rate }) {
  $("epoch").textContent = epoch ?? "–";
  $("loss").textContent = loss?.toFixed(4) ?? "–";
  $("accuracy").textContent = accuracy === undefined ? "–" : `${(100 * accuracy).toFixed(1)} %`;
  $("rate").textContent = rate?.toFixed(0) ?? "–";
}

// --- drawing ---

const board = $("board");
const pen = board.getContext("2d", { willReadFrequently: true });

function erase() {
  pen.fillStyle = "black";
  pen.fillRect(0, 0, board.width, board.height);
  guess();
}

function place(event) {
  const box = board.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * board.width) / box.width,
    ((event.clientY - box.top) * board.height) / box.height,
  ];
}

let last;
board.addEventListener("pointerdown", (event) => {
  board.setPointerCapture(event.pointerId);
  last = place(event);
});
board.addEventListener("pointermove", (event) => {
  if (!last) return;
  const next = place(event);
  pen.strokeStyle = "white";
  pen.lineCap = "round";
  pen.lineWidth = (PEN * board.width) / Digits.SIZE;
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(...next);
  pen.stroke();
  last = next;
});
board.addEventListener("pointerup", () => {
  last = undefined;
  guess();
});
$("erase").addEventListener("click", erase);

// The drawing in the digits' size, each pixel the mean of those that it covers.
function drawn() {
  const { data } = pen.getImageData(0, 0, board.width, board.height);
  const step = board.width / Digits.SIZE;
  const image = new Float32Array(Digits.SIZE ** 2);
  for (let y = 0; y < board.height; y++)
    for (let x = 0; x < board.width; x++)
      image[Math.floor(y / step) * Digits.SIZE + Math.floor(x / step)] +=
        data[4 * (y * board.width + x)] / 255 / step ** 2;
  return image;
}

async function guess() {
  if (!trainee) return;
  const { logits } = await trainee.evaluate(Digits.batch([{ image: drawn(), label: 0 }]));
  const highest = Math.max(...logits.data);
  const likely = Array.from(logits.data, (logit) => Math.exp(logit - highest));
  const total = likely.reduce((sum, part) => sum + part, 0);
  bars.forEach((bar, digit) => {
    bar.style.setProperty("--part", likely[digit] / total);
    bar.title = `${((100 * likely[digit]) / total).toFixed(1)} %`;
  });
}

// A click on a bar says what the drawing is: it joins the digits to train on.
const bars = Array.from({ length: 10 }, (_, digit) => {
  const bar = document.createElement("button");
  bar.innerHTML = `<span></span>${digit}`;
  bar.setAttribute("aria-label", `this is a ${digit}: train on it, too`);
  bar.addEventListener("click", () => {
    digits.train.samples.push({ image: drawn(), label: digit });
    $("status").textContent =
      `The drawing is now one of ${digits.train.samples.length} digits to train on, a ${digit}.`;
    erase();
  });
  $("bars").append(bar);
  return bar;
});

erase();
main().catch((failure) => {
  $("status").textContent = `${failure}`;
  $("status").classList.add("failed");
});
