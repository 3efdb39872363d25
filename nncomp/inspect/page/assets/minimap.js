// The whole picture, small, with a frame around what is in sight.

class Minimap {
  constructor(view, host) {
    this.view = view;
    this.canvas = make("canvas", { className: "minimap", "aria-hidden": "true", width: 320, height: 240 });
    this.ground = make("canvas", { width: 320, height: 240 }); // the boxes, drawn once
    this.version = -1;
    host.append(this.canvas);
    const go = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const x = (event.clientX - box.left) / this.scale - this.dx;
      const y = (event.clientY - box.top) / this.scale - this.dy;
      const [width, height] = view.size;
      view.move(width / 2 - x * view.scale, height / 2 - y * view.scale, view.scale);
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      go(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (this.canvas.hasPointerCapture(event.pointerId)) go(event);
    });
  }

  paint() {
    const { view, canvas } = this;
    const result = view.tree.root.level?.result;
    if (!result) return;
    const [width, height] = [160, 120];
    this.scale = Math.min(width / result.width, height / result.height);
    this.dx = (width / this.scale - result.width) / 2;
    this.dy = (height / this.scale - result.height) / 2;
    const [x, y, w, h] = [-view.x / view.scale, -view.y / view.scale,
      view.size[0] / view.scale, view.size[1] / view.scale];
    const isWhole = x <= 0 && y <= 0 && x + w >= result.width && y + h >= result.height;
    canvas.hidden = isWhole;
    if (isWhole) return;
    const colours = getComputedStyle(canvas);
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    this._boxes(colours);
    pen.drawImage(this.ground, 0, 0);
    this._scale(pen);
    pen.strokeStyle = colours.getPropertyValue("--accent");
    pen.lineWidth = 1.5 / this.scale;
    pen.strokeRect(x, y, w, h);
  }

  _scale(pen) {
    const { scale } = this;
    pen.setTransform(2 * scale, 0, 0, 2 * scale, 2 * this.dx * scale, 2 * this.dy * scale);
  }

  _boxes(colours) {
    const { view, ground } = this;
    if (this.version === view.version) return;
    this.version = view.version;
    const pen = ground.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, ground.width, ground.height);
    this._scale(pen);
    pen.lineWidth = 0.75 / this.scale;
    const [line, accent, shade] = ["--line", "--accent", "--shade"].map((n) => colours.getPropertyValue(n));
    pen.strokeStyle = line;
    this._level(pen, view.tree.root.level, 0, 0, accent, shade);
  }

  _level(pen, level, dx, dy, accent, shade) {
    level.items.forEach((item, i) => {
      const [x, y, width, height] = level.rect(i);
      if (width * this.scale < 1) return;
      const isLit = this.view.litIn(item) > 0;
      pen.fillStyle = isLit ? accent : shade;
      if (isLit || !item.isOpen) pen.fillRect(dx + x, dy + y, width, height);
      pen.strokeRect(dx + x, dy + y, width, height);
      if (item.isOpen && item.level?.result) {
        this._level(pen, item.level, dx + x, dy + y, accent, shade);
      }
    });
  }
}
