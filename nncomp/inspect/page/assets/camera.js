// Where one looks at a picture, and how closely.

const LEAST_FIRST = 0.85; // of a page that opens: its small print is 9 pixels high, and can be read

class Camera {
  constructor(host) {
    this.host = host;
    this.x = 0;
    this.y = 0;
    this.scale = 1;
  }

  get size() {
    return [this.host.clientWidth, this.host.clientHeight];
  }

  move(x, y, scale) {
    this.scale = Math.min(3, Math.max(0.004, scale));
    this.x = x;
    this.y = y;
    this.refresh();
  }

  zoom(factor, x = this.size[0] / 2, y = this.size[1] / 2) {
    const scale = Math.min(3, Math.max(0.004, this.scale * factor));
    const part = scale / this.scale;
    this.move(x - (x - this.x) * part, y - (y - this.y) * part, scale);
  }

  /** Everything in sight; a tall picture from its top, as large as can be read. */
  fitAll(isFirst = false) {
    const result = this.tree.root.level?.result;
    if (!result) return;
    const [width, height] = this.size;
    let scale = Math.min(width / result.width, height / result.height, 1.25);
    if (isFirst) scale = Math.max(scale, Math.min(LEAST_FIRST, width / result.width));
    const y = result.height * scale > height ? 0 : (height - result.height * scale) / 2;
    this.move((width - result.width * scale) / 2, y, scale);
  }

  centre(item) {
    const rect = this.rectOf(item);
    if (!rect) return;
    const [width, height] = this.size;
    const scale = Math.min(Math.max(this.scale, 0.8), 0.9 * width / rect[2], Math.max(0.3, 0.9 * height / rect[3]));
    this.move(width / 2 - (rect[0] + rect[2] / 2) * scale, height / 2 - (rect[1] + rect[3] / 2) * scale, scale);
  }

  /** Moves only as far as an item needs to be in sight. */
  show(item) {
    const rect = this.rectOf(item);
    if (!rect) return;
    const [width, height] = this.size;
    const [left, top] = [rect[0] * this.scale + this.x, rect[1] * this.scale + this.y];
    const [right, bottom] = [left + rect[2] * this.scale, top + rect[3] * this.scale];
    if (left >= 0 && top >= 0 && right <= width && bottom <= height) return;
    if (rect[2] * this.scale > width || rect[3] * this.scale > height) {
      if (right < 40 || left > width - 40 || bottom < 40 || top > height - 40) this.centre(item);
      return;
    }
    const dx = left < 0 || right > width ? width / 2 - (left + right) / 2 : 0;
    const dy = top < 0 || bottom > height ? height / 2 - (top + bottom) / 2 : 0;
    this.move(this.x + dx, this.y + dy, this.scale);
  }
}
