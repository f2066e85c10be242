"use strict";
// Elements. Text only ever becomes text: nothing here, or after, parses markup.

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Replaces all that a node holds; what is null is nothing. */
function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

const view = document.getElementById("view");
const count = (n) => n.toLocaleString("en");
const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;
const share = (part) => (part === part ? `${(100 * part).toFixed(1)} %` : "–");
const words = (code) => code.replaceAll("_", " ");

/** An image of [source, width, height, hard edges]; `scale` enlarges it. */
function image([source, width, height, hard], alt, scale = 1) {
  const safe = source.startsWith("data:image/") ? source : "";
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  return el("img", { class: hard ? "hard" : null, src: safe, alt, decoding: "async", ...size });
}

/** Replaces what the view shows. A view that is no longer asked for is not shown. */
let wanted = 0;
async function show(make) {
  const mine = ++wanted;
  view.setAttribute("aria-busy", "true");
  let nodes;
  try {
    nodes = await make();
  } catch (error) {
    nodes = [el("p", { class: "problem", role: "alert" }, error.message)];
  }
  if (mine !== wanted) return;
  fill(view, nodes);
  view.removeAttribute("aria-busy");
}

/** Links to the page before and the one after, and a box to jump to any. Pages count from 0, people from 1. */
function pager(page, pages, href) {
  if (pages <= 1) return null;
  const link = (to, text, key) =>
    el("a", { class: "button", href: href(to), "data-key": key, "aria-disabled": to < 0 || to >= pages ? "true" : null }, text);
  const jump = el("input", { type: "number", min: 1, max: pages, value: page + 1, "aria-label": "Page" });
  jump.addEventListener("change", () => {
    const to = Math.min(pages, Math.max(1, Math.round(Number(jump.value) || 1)));
    location.hash = href(to - 1);
  });
  return el("nav", { class: "pager", "aria-label": "Pages" }, link(page - 1, "← Before", "before"), el("span", {}, "page ", jump, ` of ${count(pages)}`), link(page + 1, "Next →", "next"));
}
