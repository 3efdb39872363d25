// The elements of boxes and lines.

const familyClass = (family) => `f-${family.replaceAll(" ", "-")}`;
let serial = 0;

function drawBox(view, item, [x, y, width, height], depth, isOpen) {
  const isAlive = view.isAlive(item);
  const lit = view.litIn(item);
  const mark = view.markOf(item);
  serial += 1;
  const group = draw("g", {
    id: `box-${serial}`, role: "treeitem", "aria-level": depth, class: `box ${item.kind}`,
    "data-name": shown(nameOf(view, item)), transform: `translate(${x} ${y})`,
  });
  group.item = item;
  group.classList.toggle("open", Boolean(isOpen));
  group.classList.toggle("gone", !isAlive);
  group.classList.toggle("lit", lit > 0 && !isOpen);
  if (mark) group.classList.add(`is-${mark}`);
  if (item.kind === "block") {
    group.setAttribute("aria-expanded", String(item.isOpen));
    (isOpen ? openBlock : closedBlock)(view, item, group, width, height, depth, lit);
  } else if (item.kind === "node") nodeBox(view, item, group, width, height);
  else terminal(view, item, group, width, height);
  const written = [...group.querySelectorAll("text")].map((text) => text.textContent).join(" ");
  const more = [item.kind === "node" ? "" : `${item.kind} ${shown(nameOf(view, item))}`,
    isAlive ? "" : "gone"].filter(Boolean).join(", ");
  group.setAttribute("aria-label", [written, more].filter(Boolean).join(", "));
  return group;
}

/** A block by its path, a node by what it does. */
function nameOf(view, item) {
  if (item.kind === "block") return item.path || item.name;
  if (item.kind !== "node") return item.name;
  const node = view.nodeOf(item);
  return node < 0 ? "" : view.model.title(node);
}

function frame(group, width, height, radius, classes) {
  group.append(draw("rect", { class: classes, width, height, rx: radius }));
}

function words(group, x, y, text, classes, anchor) {
  const element = draw("text", { x, y, class: classes }, text);
  if (anchor) element.setAttribute("text-anchor", anchor);
  group.append(element, " ");
}

function twist(group, x, y, isOpen) {
  const d = isOpen ? "M0 2.5h9l-4.5 5.5z" : "M2 0.5v9l5.5-4.5z";
  group.append(draw("path", { class: "twist", d, transform: `translate(${x} ${y})` }));
}

function terminal(view, item, group, width, height) {
  frame(group, width, height, height / 2, "frame terminal");
  words(group, width / 2, height / 2 + 4.5, fit(shown(item.name), TEXT, width - 16, 600), "name", "middle");
}

function nodeBox(view, item, group, width, height) {
  const { model, page } = view;
  const node = view.nodeOf(item);
  if (node < 0) return; // it is yet to come
  const chips = model.chips(node);
  const isFused = chips.length > 1;
  const isHeated = Boolean(page.overlay) && view.isAlive(item);
  const family = isFused || isHeated ? "card" : familyClass(chips[0][1]);
  frame(group, width, height, 7, `frame ${family}`);
  if (isHeated) warm(group, view.heat(item));
  const detail = view._detail(item, node);
  const figure = isHeated ? view.figure(page.overlay, item) : 0;
  const low = figure ? figureText(page.overlay, figure) : isHeated ? "" : detail;
  const isTall = height > 40;
  const y = low ? (isTall ? 19.5 : 14.5) : height / 2 + 4.5;
  if (isFused) chipRow(group, chips, width, y);
  else {
    const shade = isHeated ? "" : `${familyClass(chips[0][1])}-t`;
    words(group, width / 2, y, fit(shown(chips[0][0]), TEXT, width - 12, 600), `name ${shade}`, "middle");
  }
  if (low) words(group, width / 2, isTall ? 36.5 : 27, fit(low, SMALL, width - 12), "small", "middle");
}

function chipRow(group, chips, width, y) {
  const sizes = chips.map(([name]) => textWidth(shown(name), TEXT, 600) + 12);
  let x = (width - sizes.reduce((a, b) => a + b, 0) - 3 * (chips.length - 1)) / 2;
  chips.forEach(([name, family], i) => {
    group.append(draw("rect", {
      class: `frame chip ${familyClass(family)}`, x, y: y - 13.5, width: sizes[i], height: 18, rx: 5,
    }));
    words(group, x + sizes[i] / 2, y, shown(name), `name ${familyClass(family)}-t`, "middle");
    x += sizes[i] + 3;
  });
}

function closedBlock(view, item, group, width, height, depth, lit) {
  const { page } = view;
  group.append(draw("rect", { class: "frame card behind", x: 3, y: 3, width, height, rx: 9 }));
  frame(group, width, height, 9, "frame card");
  const alive = view.isAlive(item);
  if (page.overlay && alive) warm(group, view.heat(item));
  twist(group, 11, 10, false);
  words(group, 24, 19.5, fit(shown(item.name), TEXT, width - 34, 600), "name strong");
  const low = page.overlay && alive ? figureText(page.overlay, view.figure(page.overlay, item))
    : alive ? plural(view.nodeCount(item), "node") : "gone";
  words(group, 12, 35.5, fit(low, SMALL, width - 20), "small");
  strip(view, item, group, width);
  if (lit) badge(group, width, lit);
}

/** A row of small bars, one for each node of a closed block. */
function strip(view, item, group, width) {
  const most = Math.floor((width - 24) / 7);
  const { at } = view.model.snapshot(view.step);
  let x = 12;
  let shownBars = 0;
  for (let i = item.first; i <= item.last && shownBars < most; i += 1) {
    const node = at[view.tree.places[i]];
    if (node < 0 || !view.model.counts(node)) continue;
    const [[, family]] = view.model.chips(node);
    group.append(draw("rect", { class: `${familyClass(family)}-s`, x, y: 43, width: 5, height: 5, rx: 1 }));
    x += 7;
    shownBars += 1;
  }
}

function openBlock(view, item, group, width, height, depth, lit) {
  frame(group, width, height, 11, `frame ${depth % 2 ? "odd" : "even"}`);
  twist(group, 13, 13, true);
  words(group, 27, 22.5, fit(shown(item.name), TEXT, width - 120, 600), "name strong");
  const { overlay } = view.page;
  const right = overlay ? figureText(overlay, view.figure(overlay, item)) : plural(view.nodeCount(item), "node");
  words(group, width - 13, 22, right, "small", "end");
}

function badge(group, width, number) {
  const text = String(number);
  const size = Math.max(18, textWidth(text, SMALL, 600) + 10);
  group.append(draw("rect", { class: "badge", x: width - size + 6, y: -8, width: size, height: 17, rx: 8.5 }));
  words(group, width - size / 2 + 6, 4.2, text, "small onbadge", "middle");
}

function warm(group, heat) {
  group.classList.add("heated");
  group.style.setProperty("--heat", `${Math.round(heat * 100)}%`);
}

function drawLine(view, level, edge, points, dx, dy, label, isLit) {
  const group = draw("g", { class: isLit ? "line lit" : "line" });
  const at = points.map((p, i) => Math.round((p + (i % 2 ? dy : dx)) * 10) / 10);
  group.append(draw("path", { class: "course", d: courseOf(at) }));
  if (edge.b < level.items.length) {
    const [x, y] = at.slice(-2);
    group.append(draw("path", { class: "tip", d: `M${x - 3.6} ${y - 6.5}h7.2L${x} ${y}z` }));
  }
  if (label) {
    const [x, y] = at;
    group.append(draw("text", { class: "label", x: x + 6, y: y + 14 }, shown(label, 60)));
  }
  return group;
}

/** A smooth curve through the points, upright at both ends. */
function courseOf(p) {
  let d = `M${p[0]} ${p[1]}`;
  for (let i = 2; i < p.length; i += 2) {
    const [x0, y0, x1, y1] = [p[i - 2], p[i - 1], p[i], p[i + 1]];
    if (Math.abs(x0 - x1) < 0.5) d += `L${x1} ${y1}`;
    else {
      const middle = (y0 + y1) / 2;
      d += `C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}`;
    }
  }
  return d;
}
