"use strict";
// Walls of pictures: one for each verdict and each reason. Equal pictures of a page are one, with their count.

const scoreNames = about.scores.map((score) => score.name);
const wallOf = (key) => about.walls.find((wall) => wall.key === key);
const WALL_TEXT = {
  kept: ["kept", "The drawing that each step keeps."],
  passed: ["passed, not chosen", "They pass the gate; another drawing of the step was better, or the trace was rejected."],
};
const wallName = (key) => (WALL_TEXT[key] || [words(key)])[0];
const wallNote = (key) => (WALL_TEXT[key] || ["", "Rejected by the gate. A drawing that fails several thresholds is listed under the first."])[1];

/** One drawing of a wall, by its place: the item with its picture. */
async function drawingAt([wall, page, item]) {
  const data = await load(`wall${wall}`, page);
  const found = data.items[item];
  return { ...found, picture: data.pictures[found.p], wall: about.walls[wall].key };
}

/** A text that no line break divides. */
const whole = (text) => text.replaceAll(" ", "\u00a0");

/** The scores worth a line under a picture: the ones the gate asks about. */
function shortScores(item, most = 2) {
  const asked = [...Object.keys(about.gate.min), ...Object.keys(about.gate.max), ...Object.keys(about.gate.rank)];
  const names = [...new Set(asked)].filter((name) => item.v[scoreNames.indexOf(name)] != null).slice(0, most);
  return names.map((name) => whole(`${words(name)} ${figure(item.v[scoreNames.indexOf(name)])}`)).join(" · ");
}

/** A picture with its caption; `items` are drawings with that same picture. */
function tile(picture, items, caption = null) {
  const [first] = items, attempts = items.reduce((sum, item) => sum + item.n.length, 0);
  const open = () => (items.length === 1 ? openTrace(...first.t, first.s) : openMembers(picture, items));
  const badge = attempts > 1 ? el("span", { class: "count", title: `drawn ${attempts} times, for ${many(items.length, "step")}` }, `×${count(attempts)}`) : null;
  return el(
    "button",
    { class: "tile", type: "button", onclick: open },
    el("span", { class: "frame" }, image(picture, `Drawing of: ${first.x}`), badge),
    el("span", { class: "text", dir: "auto" }, first.x),
    el("span", { class: "soft" }, caption || first.r[0] || shortScores(first)),
  );
}

/** Tiles of one page: drawings with the same picture together, in the order of the corpus. */
function tiles(data) {
  const groups = new Map();
  for (const item of data.items) groups.set(item.p, [...(groups.get(item.p) || []), item]);
  return [...groups].map(([p, items]) => tile(data.pictures[p], items));
}

/** Tiles of drawings that lie anywhere, by their places. */
async function tilesAt(places, caption = () => null) {
  const drawings = await Promise.all(places.map(drawingAt));
  return drawings.map((drawing, i) => tile(drawing.picture, [drawing], caption(i, drawing)));
}

function chips(current) {
  return el(
    "nav",
    { class: "chips", "aria-label": "Drawings by verdict" },
    about.walls.filter((wall) => wall.count).map((wall) =>
      el("a", { href: `#pictures/${encodeURIComponent(wall.key)}/0`, class: `chip ${wall.key in WALL_TEXT ? wall.key : "rejected"}`, "aria-current": wall.key === current ? "true" : null },
        wallName(wall.key), el("b", {}, count(wall.count)))),
  );
}

async function wallView(key, page) {
  const wall = wallOf(key) || about.walls.find((one) => one.count);
  if (!wall || !wall.count) return [el("p", { class: "soft" }, "Nothing was drawn.")];
  const data = await load(`wall${about.walls.indexOf(wall)}`, Math.min(page, wall.pages.length - 1));
  const repeats = wall.drawings - wall.count;
  const more = repeats ? ` ${many(wall.count, "drawing")}; ${count(repeats)} more attempts drew the same again.` : "";
  return [
    chips(wall.key),
    el("p", { class: "soft" }, wallNote(wall.key) + more),
    el("div", { class: "wall" }, tiles(data)),
    pager(page, wall.pages.length, (to) => `#pictures/${encodeURIComponent(wall.key)}/${to}`),
  ];
}
