"use strict";
// Lists of traces: rows, rejected ones by reason, and what a search finds.

const SCREEN = 50, FOUND = 200;

/** Screens of a group: [page, first item, items] each. */
function screens(counts) {
  return counts.flatMap((items, page) =>
    Array.from({ length: Math.ceil(items / SCREEN) }, (_, i) => [page, i * SCREEN, Math.min(SCREEN, items - i * SCREEN)]));
}

function traceNode(trace, group, page, position) {
  const strip = el("span", { class: "strip" });
  const isKept = ([wall]) => about.walls[wall].key === "kept";
  const kept = trace.steps.flatMap((step) => step.d.filter(isKept));
  const shown = trace.whole ? trace.steps.flatMap((step) => step.d.slice(0, 1)) : kept;
  Promise.all(shown.slice(0, 5).map(drawingAt)).then((drawings) => strip.replaceChildren(...drawings.map((one) => image(one.picture, `Drawing of: ${one.x}`, 0.5))), () => {});
  const state = trace.whole ? `${trace.whole[0]}: ${words(trace.whole[1])}` : `${many(trace.steps.length, "step")}, ${many(kept.length, "picture")}`;
  return el("li", {},
    el("button", { class: "row", type: "button", onclick: () => openTrace(group, page, position) },
      el("span", { class: "text", dir: "auto" }, trace.q === null ? trace.id : trace.q),
      el("span", { class: "soft small", dir: "auto" }, `${trace.id} · `, el("span", { class: trace.whole ? "problem" : null }, state), trace.a === null ? null : ` · answer ${trace.a}`),
      shown.length ? strip : null));
}

async function tracesView(group, screen) {
  const all = screens(about[group]);
  if (!all.length) return [el("p", { class: "soft" }, group === "rows" ? "There are no rows." : "No trace was rejected.")];
  const [page, first, items] = all[Math.min(screen, all.length - 1)];
  const data = await load(group, page);
  const nodes = data.items.slice(first, first + items).map((trace, i) => traceNode(trace, group, page, first + i));
  const name = group === "rows" ? "traces" : "rejected";
  return [
    group === "rejected" ? reasonChips(null) : el("p", { class: "soft" }, many(about.rows.reduce((a, b) => a + b, 0), "row")),
    el("ul", { class: "rows" }, nodes),
    pager(screen, all.length, (to) => `#${name}/${to}`),
  ];
}

function reasonChips(chosen) {
  const all = about.rejected.reduce((a, b) => a + b, 0);
  const chip = (href, name, n, on) => el("a", { class: "chip rejected", href, "aria-current": on ? "true" : null }, words(name), el("b", {}, count(n)));
  return el("nav", { class: "chips", "aria-label": "Rejected traces by reason" },
    chip("#rejected/0", "all", all, chosen === null),
    Object.entries(about.whole).map(([reason, n]) => chip(`#rejected/${encodeURIComponent(reason)}`, reason, n, chosen === reason)));
}

/** Goes through the pages of groups and lists the traces that fit, as they are found. */
function scanned(groups, fits, head) {
  const list = el("ul", { class: "rows" }), told = el("p", { class: "soft", role: "status" }, "Searching …");
  const mine = wanted;
  (async () => {
    let seen = 0, found = 0;
    for (const group of groups) {
      for (let page = 0; page < about[group].length && found < FOUND; page++) {
        for (let ahead = page + 1; ahead < Math.min(page + AT_ONCE, about[group].length); ahead++) load(group, ahead).catch(() => {});
        const data = await load(group, page);
        if (mine !== wanted) return;
        data.items.forEach((trace, i) => {
          if (found < FOUND && fits(trace)) {
            found++;
            list.append(traceNode(trace, group, page, i));
          }
        });
        seen += data.items.length;
        told.textContent = `${count(found)} found in ${many(seen, "trace")} …`;
      }
    }
    told.textContent = found >= FOUND ? `The first ${FOUND}; narrow the search to see others.` : `${count(found)} found in ${many(seen, "trace")}.`;
    told.setAttribute("data-done", "");
  })().catch((error) => (told.textContent = error.message));
  return [head, told, list];
}

async function rejectedView(reason) {
  return scanned(["rejected"], (trace) => trace.whole[0] + ": " + trace.whole[1].split(":")[0] === reason, reasonChips(reason));
}

async function searchView(query) {
  const terms = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (trace) => {
    const text = [trace.id, trace.q, trace.a, ...(trace.whole || []), ...trace.steps.map((step) => step.x)].join("\n").toLowerCase();
    return terms.every((term) => text.includes(term));
  };
  return scanned(["rows", "rejected"], fits, el("h2", { dir: "auto" }, `“${query}”`));
}
