// Mouse, touch and keys on a graph.

function listenToGraph(view) {
  const { svg } = view;
  const itemAt = (event) => event.target.closest?.(".box")?.item ?? null;
  const pointers = new Map();
  let moved = 0;

  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = svg.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey || !event.shiftKey && Math.abs(event.deltaX) < 1) {
      const step = event.deltaMode === 1 ? 30 * event.deltaY : event.deltaY;
      view.zoom(Math.exp(-step / 400), event.clientX - box.left, event.clientY - box.top);
    } else view.move(view.x - event.deltaX, view.y - event.deltaY, view.scale);
  }, { passive: false });

  svg.addEventListener("pointerdown", (event) => {
    if (event.button > 1) return;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    moved = 0;
  });
  svg.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    moved += Math.abs(dx) + Math.abs(dy);
    if (moved > 4 && !svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
      const now = Math.hypot(event.clientX - other[0], event.clientY - other[1]);
      const box = svg.getBoundingClientRect();
      view.zoom(now / Math.max(1, before), (event.clientX + other[0]) / 2 - box.left,
        (event.clientY + other[1]) / 2 - box.top);
    } else if (moved > 4) view.move(view.x + dx, view.y + dy, view.scale);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    svg.addEventListener(name, (event) => pointers.delete(event.pointerId));
  }

  // `dblclick` would come to another element: the first click may have the box drawn anew
  let last = { item: null, time: -Infinity };
  svg.addEventListener("click", (event) => {
    if (moved > 4) return;
    const item = itemAt(event);
    const isSecond = last.item === item && event.timeStamp - last.time < 450;
    last = { item, time: isSecond ? -Infinity : event.timeStamp };
    if (!item) {
      if (isSecond) view.fitAll();
      else view.page.clear();
      return;
    }
    view.choose(item);
    if (isSecond || event.target.closest(".twist")) view.toggle(item);
    else view.page.selectItem(view, item);
  });
  svg.addEventListener("keydown", (event) => graphKey(view, event));
  svg.addEventListener("focus", () => {
    if (!view.chosen && svg.matches(":focus-visible")) view.choose(firstItem(view));
  });
}

function firstItem(view) {
  return view.tree.root.children.find((item) => view.isAlive(item)) ?? null;
}

function graphKey(view, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const item = view.chosen ?? firstItem(view);
  const act = {
    ArrowDown: () => view.choose(nextItem(view, item, 0, 1)),
    ArrowUp: () => view.choose(nextItem(view, item, 0, -1)),
    ArrowLeft: () => view.choose(nextItem(view, item, -1, 0)),
    ArrowRight: () => view.choose(nextItem(view, item, 1, 0)),
    Enter: () => (item.kind === "block" ? view.toggle(item) : view.page.selectItem(view, item)),
    " ": () => view.page.selectItem(view, item),
    Escape: () => {
      view.page.clear();
      if (item.parent && item.parent !== view.tree.root) view.choose(item.parent);
    },
    Home: () => view.choose(firstItem(view)),
    End: () => view.choose(view.tree.root.children.at(-1)),
    "+": () => view.zoom(1.25),
    "=": () => view.zoom(1.25),
    "-": () => view.zoom(0.8),
    0: () => view.fitAll(),
    o: () => view.openAll(true),
    c: () => view.openAll(false),
  }[event.key];
  if (!act || !item) return;
  event.preventDefault();
  act();
}

/** The nearest drawn box in a direction; into open blocks, and out of them. */
function nextItem(view, from, dx, dy) {
  const start = view.rectOf(from);
  if (!start) return from;
  const edge = (rect, side) => [
    rect[0] + rect[2] / 2 + (side * dx * rect[2]) / 2,
    rect[1] + rect[3] / 2 + (side * dy * rect[3]) / 2,
  ];
  const inside = from.isOpen && dy > 0;
  const [x0, y0] = inside ? [start[0] + start[2] / 2, start[1]] : edge(start, 1);
  let best = from;
  let least = Infinity;
  const visit = (block) => {
    for (const item of block.children) {
      if (item === from && !inside) continue;
      const rect = view.rectOf(item);
      if (!rect) continue;
      const within = rect[0] < start[0] + 0.5 && rect[1] < start[1] + 0.5
        && rect[0] + rect[2] > start[0] + start[2] - 0.5 && rect[1] + rect[3] > start[1] + start[3] - 0.5;
      if (!within && item !== from && view.isAlive(item)) {
        const [x, y] = edge(rect, -1);
        const along = (x - x0) * dx + (y - y0) * dy;
        const aside = Math.abs((x - x0) * dy) + Math.abs((y - y0) * dx);
        const distance = along + 2 * aside;
        if (along > -1 && distance < least) [best, least] = [item, distance];
      }
      if (item.isOpen && item.level?.result) visit(item);
    }
  };
  visit(view.tree.root);
  return best;
}
