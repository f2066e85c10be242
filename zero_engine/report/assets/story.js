"use strict";
// A trace as a story: question, steps with their pictures, answer; all its drawings behind a click.

const dialog = document.getElementById("story");
const body = document.getElementById("story-body");
let current = null;

async function openTrace(group, page, position, step = null) {
  current = [group, page, position];
  const data = await load(group, page);
  const trace = data.items[position];
  const steps = await Promise.all(trace.steps.map((one) => stepNode(one, step === one.i)));
  if (current.join() !== [group, page, position].join()) return;
  fill(
    body,
    el("h2", { id: "story-title", dir: "auto" }, trace.id),
    el("p", { class: "question text", dir: "auto" }, trace.q === null ? "(the record has no question)" : trace.q),
    trace.whole ? el("p", { class: "problem", dir: "auto" }, el("b", {}, "Rejected"), ` at ${trace.whole[0]}: ${trace.whole[1]}`, trace.whole[2] ? `: ${trace.whole[2]}` : "") : null,
    el("ol", { class: "steps" }, steps),
    trace.left ? el("p", { class: "soft" }, `and ${many(trace.left, "more step")}`) : null,
    trace.whole ? null : el("p", { class: "answer", dir: "auto" }, "Answer: ", trace.a === null ? el("span", { class: "soft" }, "none found") : el("b", {}, trace.a)),
    lost(trace),
    el("p", { class: "soft small", dir: "auto" }, [trace.from, trace.rule && `cut by ${words(trace.rule)}`, ...trace.notes].filter(Boolean).join(" · ")),
    trace.record ? el("details", { open: !trace.steps.length }, el("summary", {}, "Input record"), el("pre", { dir: "auto", tabindex: 0 }, trace.record)) : null,
  );
  if (!dialog.open) dialog.showModal();
  const asked = body.querySelector("li.asked");
  if (asked) asked.scrollIntoView({ block: "center" });
  else dialog.scrollTop = 0;
}

function lost(trace) {
  if (!trace.out.length) return null;
  const line = ([step, stage, reason, detail]) => el("li", { dir: "auto" }, `step ${step + 1}, ${stage}: ${reason}${detail ? `: ${detail}` : ""}`);
  return el("details", {}, el("summary", {}, "Left out of this trace"), el("ul", {}, trace.out.map(line)));
}

async function stepNode(step, asked) {
  const drawings = await Promise.all(step.d.map(drawingAt));
  const kept = drawings.find((drawing) => drawing.wall === "kept");
  const attempts = drawings.reduce((sum, drawing) => sum + drawing.n.length, 0);
  const state = kept ? null : el("p", { class: "small" }, el("span", { class: "badge" }, words(step.v)), ` ${step.r ? words(step.r) : ""}`);
  return el(
    "li",
    { class: asked ? "asked" : null },
    el("div", { class: "step" },
      el("div", { class: "said" }, el("p", { class: "text", dir: "auto" }, step.x), step.p ? el("p", { class: "soft small text", dir: "auto" }, "Drawn from: ", step.p) : null, state),
      kept ? el("div", { class: "frame" }, image(kept.picture, `Drawing of: ${step.x}`, 1.25)) : null),
    drawings.length
      ? el("details", { open: asked && (!kept || drawings.length > 1) },
          el("summary", {}, `${many(attempts, "drawing")}${drawings.length < attempts ? `, ${drawings.length} distinct` : ""}`),
          el("div", { class: "candidates" }, drawings.map(candidateNode)))
      : null,
  );
}

function candidateNode(drawing) {
  const asks = (name) => name in about.gate.min || name in about.gate.max;
  const rows = scoreNames.map((name, i) => [name, drawing.v[i]]).filter(([, value]) => value !== null);
  return el(
    "figure",
    { class: drawing.wall in WALL_TEXT ? drawing.wall : "rejected" },
    el("div", { class: "frame" }, image(drawing.picture, `${wallName(drawing.wall)}, attempt ${drawing.n.join(", ")}`)),
    el("figcaption", {},
      el("span", { class: `badge ${drawing.wall in WALL_TEXT ? drawing.wall : "rejected"}` }, wallName(drawing.wall)),
      el("span", { class: "soft small" }, ` attempt${drawing.n.length > 1 ? "s" : ""} ${drawing.n.join(", ")}`),
      drawing.r.map((reason) => el("p", { class: "problem small" }, reason)),
      el("table", {}, el("tbody", {}, rows.map(([name, value]) => el("tr", { class: asks(name) ? "asked" : null }, el("th", { scope: "row" }, words(name)), el("td", {}, figure(value, 4))))))),
  );
}

/** Drawings with one picture, to choose from. */
function openMembers(picture, items) {
  current = null;
  const line = (item) => el("li", {}, el("button", { type: "button", class: "plain", dir: "auto", onclick: () => openTrace(...item.t, item.s) }, item.x, el("span", { class: "soft" }, ` ${item.id}${item.n.length > 1 ? ` ×${item.n.length}` : ""}`)));
  body.replaceChildren(
    el("h2", { id: "story-title" }, `One picture, ${many(items.length, "step")}`),
    el("div", { class: "frame" }, image(picture, "The picture", 1.25)),
    el("ul", { class: "members" }, items.map(line)),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** The trace before or after the one that is open. */
function turn(by) {
  if (!current) return;
  let [group, page, position] = current;
  const counts = about[group];
  position += by;
  if (position < 0 && page > 0) position = counts[--page] - 1;
  else if (position >= counts[page] && page + 1 < counts.length) (position = 0), page++;
  if (position >= 0 && position < counts[page]) openTrace(group, page, position);
}

document.getElementById("story-close").addEventListener("click", () => dialog.close());
document.getElementById("story-before").addEventListener("click", () => turn(-1));
document.getElementById("story-next").addEventListener("click", () => turn(1));
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("close", () => (current = null));
