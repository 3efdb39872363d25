// Curves over steps, redrawn as they grow: the loss of each step on a logarithmic axis, faint, its
// running mean on top, and the test accuracy after each epoch.
const GRID = 4;

export class Chart {
  constructor(canvas) {
    this.canvas = canvas;
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear() {
    this.losses = [];
    this.accuracies = []; // [step, accuracy]
    this.draw();
  }

  add(loss) {
    this.losses.push(loss);
  }

  mark(accuracy) {
    this.accuracies.push([this.losses.length, accuracy]);
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [width * scale, height * scale];
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const color = (name) => {
      canvas.style.color = `var(${name})`; // resolves light and dark
      return getComputedStyle(canvas).color;
    };
    const [left, right, top, bottom] = [44, width - 44, 12, height - 24];
    const steps = Math.max(this.losses.length, 1);
    const seen = this.losses.filter((loss) => loss > 0);
    const high = Math.ceil(Math.log10(Math.max(...seen, 1)));
    const low = Math.min(high - 1, Math.floor(Math.log10(Math.min(...seen, 0.1))));
    const x = (step) => left + ((right - left) * step) / steps;
    const yLoss = (loss) =>
      top + ((bottom - top) * (high - Math.log10(Math.max(loss, 10 ** low)))) / (high - low);
    const yPart = (part) => bottom - (bottom - top) * part;

    pen.font = "12px system-ui, sans-serif";
    pen.strokeStyle = color("--grid");
    pen.textBaseline = "middle";
    const line = (y) => {
      pen.beginPath();
      pen.moveTo(left, y);
      pen.lineTo(right, y);
      pen.stroke();
    };
    pen.textAlign = "right";
    pen.fillStyle = color("--loss");
    for (let power = low; power <= high; power++) {
      line(yLoss(10 ** power));
      pen.fillText(power < 0 ? (10 ** power).toFixed(-power) : 10 ** power, left - 6, yLoss(10 ** power));
    }
    pen.textAlign = "left";
    pen.fillStyle = color("--accuracy");
    for (let i = 0; i <= GRID; i++) pen.fillText(`${(100 * i) / GRID} %`, right + 6, yPart(i / GRID));
    pen.textAlign = "center";
    pen.fillStyle = color("--ink");
    pen.fillText(`${this.losses.length} steps`, (left + right) / 2, bottom + 14);

    const curve = (points, name, alpha = 1, thick = 2) => {
      pen.strokeStyle = color(name);
      pen.globalAlpha = alpha;
      pen.lineWidth = thick;
      pen.beginPath();
      points.forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py)));
      pen.stroke();
      pen.globalAlpha = 1;
    };
    curve(this.losses.map((loss, i) => [x(i + 0.5), yLoss(loss)]), "--loss", 0.3, 1);
    let mean = this.losses[0];
    curve(
      this.losses.map((loss, i) => [x(i + 0.5), yLoss((mean += (loss - mean) * 0.1))]),
      "--loss",
    );
    curve(this.accuracies.map(([step, part]) => [x(step), yPart(part)]), "--accuracy");
    pen.fillStyle = color("--accuracy");
    for (const [step, part] of this.accuracies) {
      pen.beginPath();
      pen.arc(x(step), yPart(part), 3, 0, 2 * Math.PI);
      pen.fill();
    }
  }
}
