// Lays out levels, each the inside of one block: runs beside the page, with dagre above it.

"use strict";

const BETWEEN = 40; // pixels from rank to rank
// dagre halves the distance of ranks and doubles the length of lines, to have a rank in between for
// labels, of which there are none here: with lines of half the length it lays out half as much.
const GAP = { nodesep: 28, ranksep: 2 * BETWEEN, edgesep: 16, ranker: "tight-tree", marginx: 0, marginy: 0 };
const LENGTH = 0.5;
const PORT = 10; // from the border's lines to the first box

onmessage = ({ data: { request, levels } }) => {
  postMessage({ request, levels: levels.map(arrange) });
};

/**
 * sizes: width and height of each item; edges: pairs of items. After the items come the ports
 * where lines enter, then those where they leave.
 */
function arrange({ sizes, edges, entries, exits, least, padding, head }) {
  const items = sizes.length / 2;
  const total = items + entries + exits;
  const size = (i) => (i < items ? [sizes[2 * i], sizes[2 * i + 1]] : [2, 1]);
  const { x, y, routes } = asChain(total, size, edges, items, entries)
    ?? byDagre(total, size, edges, items, entries);
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < total; i += 1) {
    const [width, height] = size(i);
    left = Math.min(left, x[i] - width / 2);
    right = Math.max(right, x[i] + width / 2);
    if (i >= items) continue;
    top = Math.min(top, y[i] - height / 2);
    bottom = Math.max(bottom, y[i] + height / 2);
  }
  if (entries) top -= PORT;
  if (exits) bottom += PORT;
  for (const points of routes) {
    for (let i = 0; i < points.length; i += 2) {
      left = Math.min(left, points[i]);
      right = Math.max(right, points[i]);
    }
  }
  if (!items) [left, top, right, bottom] = [0, 0, 0, 0];
  const width = Math.max(right - left + 2 * padding, least);
  const dx = (width - (right - left)) / 2 - left;
  const dy = head - top;
  const across = (p) => Math.min(Math.max(p, top), bottom) + dy; // ports lie on the border
  return {
    width,
    height: bottom - top + head + padding,
    x: Float64Array.from({ length: total }, (_, i) => x[i] + dx),
    y: Float64Array.from({ length: total }, (_, i) => across(y[i])),
    routes: routes.map((points) => points.map((p, i) => (i % 2 ? across(p) : p + dx))),
  };
}

/** One item below the other, where each leads to the next; null where it is no such chain. */
function asChain(total, size, edges, items, entries) {
  if (edges.length !== 2 * (total - 1) || total < 2) return null;
  const next = new Int32Array(total).fill(-1);
  const before = new Int32Array(total).fill(-1);
  for (let i = 0; i < edges.length; i += 2) {
    if (next[edges[i]] >= 0 || before[edges[i + 1]] >= 0) return null;
    next[edges[i]] = edges[i + 1];
    before[edges[i + 1]] = edges[i];
  }
  let item = before.indexOf(-1);
  const x = new Float64Array(total);
  const y = new Float64Array(total);
  let at = 0;
  let placed = 0;
  for (; item >= 0; item = next[item]) {
    const [, height] = size(item);
    y[item] = at + height / 2;
    at += height + BETWEEN;
    placed += 1;
  }
  if (placed < total) return null;
  const routes = [];
  for (let i = 0; i < edges.length; i += 2) {
    const [a, b] = [edges[i], edges[i + 1]];
    routes.push([0, y[a] + size(a)[1] / 2, 0, y[b] - size(b)[1] / 2]);
  }
  return { x, y, routes };
}

function byDagre(total, size, edges, items, entries) {
  const g = new dagre.graphlib.Graph({ multigraph: false, compound: false });
  g.setGraph({ ...GAP });
  for (let i = 0; i < total; i += 1) {
    const [width, height] = size(i);
    g.setNode(String(i), { width, height });
  }
  for (let i = 0; i < edges.length; i += 2) {
    g.setEdge(String(edges[i]), String(edges[i + 1]), { weight: 1, minlen: LENGTH });
  }
  pinPorts(g, total, edges, items, entries);
  dagre.layout(g, { customOrder: bendless });
  const x = new Float64Array(total);
  const y = new Float64Array(total);
  for (let i = 0; i < total; i += 1) ({ x: x[i], y: y[i] } = g.node(String(i)));
  const routes = [];
  for (let i = 0; i < edges.length; i += 2) {
    const [a, b] = [edges[i], edges[i + 1]];
    const ends = [size(a), size(b), x[a], y[a], x[b], y[b]];
    const isNext = g.node(String(b)).rank === g.node(String(a)).rank + 1;
    routes.push(isNext ? straight(...ends) : route(g.edge(String(a), String(b)).points, ...ends));
  }
  return { x, y, routes };
}

/** Gives lines from one rank to the next, which have no bends, the one that dagre counts on. */
function bendless(graph, order) {
  for (const edge of graph.edges()) graph.edge(edge).points ??= [{ x: 0, y: 0 }];
  order(graph);
}

/** A line from rank to rank, between the points where one from centre to centre leaves the boxes. */
function straight([, heightA], [, heightB], xa, ya, xb, yb) {
  const slope = (xb - xa) / (yb - ya);
  const from = Math.max(-heightA, Math.min(heightA, (slope * heightA) / 2));
  const to = Math.max(-heightB, Math.min(heightB, (slope * heightB) / 2));
  return [xa + from, ya + heightA / 2, xb - to, yb - heightB / 2];
}

/** Lines leave a box at its lower edge and enter one at its upper edge. */
function route(points, [, heightA], [, heightB], xa, ya, xb, yb) {
  const found = points.flatMap((p) => [p.x, p.y]);
  if (ya < yb) {
    found[1] = ya + heightA / 2;
    found[found.length - 1] = yb - heightB / 2;
    if (Math.abs(found[0] - xa) > heightA) found[0] = xa;
    if (Math.abs(found[found.length - 2] - xb) > heightB) found[found.length - 2] = xb;
  }
  return found;
}

/** Ports where lines enter stand above the topmost item, those where they leave below the last. */
function pinPorts(g, total, edges, items, entries) {
  if (!items) return;
  const below = Array.from({ length: items }, () => []);
  const waiting = new Int32Array(items);
  for (let i = 0; i < edges.length; i += 2) {
    if (edges[i] < items && edges[i + 1] < items) {
      below[edges[i]].push(edges[i + 1]);
      waiting[edges[i + 1]] += 1;
    }
  }
  const order = [];
  for (let i = 0; i < items; i += 1) if (!waiting[i]) order.push(i);
  for (let i = 0; i < order.length; i += 1) {
    for (const next of below[order[i]]) {
      waiting[next] -= 1;
      if (!waiting[next]) order.push(next);
    }
  }
  const depth = new Int32Array(items);
  const height = new Int32Array(items);
  for (const item of order) for (const next of below[item]) depth[next] = Math.max(depth[next], depth[item] + 1);
  for (const item of order.toReversed()) {
    for (const next of below[item]) height[item] = Math.max(height[item], height[next] + 1);
  }
  const highest = height.indexOf(Math.max(...height));
  const deepest = depth.indexOf(Math.max(...depth));
  for (let port = items; port < total; port += 1) {
    const [a, b] = port < items + entries ? [port, highest] : [deepest, port];
    if (!g.hasEdge(String(a), String(b))) g.setEdge(String(a), String(b), { weight: 0, minlen: LENGTH });
  }
}
