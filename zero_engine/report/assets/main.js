"use strict";
// What the address asks for, and the keyboard.

const search = document.getElementById("search");
const keys = document.getElementById("keys");

function route() {
  const plain = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text; // an address that somebody typed, with a lone %
    }
  };
  const [tab, ...rest] = location.hash.slice(1).split("/").map(plain);
  const number = (text) => Math.max(0, Math.floor(Number(text) || 0));
  const views = {
    pictures: () => wallView(rest[0], number(rest[1])),
    traces: () => tracesView("rows", number(rest[0])),
    rejected: () => (rest[0] && !/^\d+$/.test(rest[0]) ? rejectedView(rest.join("/")) : tracesView("rejected", number(rest[0]))),
    scores: () => scoresView(rest[0]),
    search: () => searchView(rest.join("/")),
    run: async () => [document.getElementById("run").content.cloneNode(true)],
  };
  const known = tab in views ? tab : "pictures";
  document.body.dataset.view = known;
  for (const link of document.querySelectorAll("#tabs a")) {
    if (link.hash.slice(1).split("/")[0] === known) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (known !== "search") search.value = "";
  show(views[known]);
}

let typing = 0;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    const query = search.value.trim();
    location.hash = query ? `#search/${encodeURIComponent(query)}` : "#pictures";
  }, 250);
});

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const writing = event.target.matches("input, textarea, select");
  if (writing && event.key === "Escape") event.target.blur();
  if (writing) return;
  const follow = (key) => {
    const link = document.querySelector(`#view [data-key="${key}"]:not([aria-disabled])`);
    if (link) location.hash = link.hash;
    return Boolean(link);
  };
  const tabs = [...document.querySelectorAll("#tabs a")];
  let done = true;
  if (event.key === "ArrowRight") done = dialog.open ? (turn(1), true) : follow("next");
  else if (event.key === "ArrowLeft") done = dialog.open ? (turn(-1), true) : follow("before");
  else if (event.key === "/" && !dialog.open) search.focus();
  else if (event.key === "?") keys.open ? keys.close() : keys.showModal();
  else if (/^[1-9]$/.test(event.key) && tabs[event.key - 1] && !dialog.open) location.hash = tabs[event.key - 1].hash;
  else done = false;
  if (done) event.preventDefault();
});

addEventListener("hashchange", () => {
  route();
  if (!location.hash.startsWith("#search") && !location.hash.startsWith("#scores")) scrollTo(0, 0);
});
document.getElementById("keys-open").addEventListener("click", () => keys.showModal());
document.getElementById("keys-close").addEventListener("click", () => keys.close());
keys.addEventListener("click", (event) => event.target === keys && keys.close());
route();
