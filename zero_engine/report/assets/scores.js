"use strict";
// Scores and thresholds: what another gate would keep, and which drawings it would change.

let columns = null;
const FLIPS_SHOWN = 24, EXTREMES = 8;
const asked = { ...about.gate, min: { ...about.gate.min }, max: { ...about.gate.max } };
const KINDS = { lost: "no picture any more", gained: "a picture now", changed: "another drawing" };

/** All columns in one, read once. */
function allColumns() {
  columns = columns || (async () => {
    const parts = [];
    for (let page = 0; page < about.columns; page++) parts.push((await load("columns", page)).items[0]);
    const join = (get, Kind) => {
      const arrays = parts.map((part) => numbers(get(part), Kind));
      const whole = new Kind(arrays.reduce((sum, array) => sum + array.length, 0));
      arrays.reduce((at, array) => (whole.set(array, at), at + array.length), 0);
      return whole;
    };
    const data = { scores: {}, required: about.required };
    for (const name of ["steps", "index", "length", "drawings", "attempt", "wall", "page", "item"]) data[name] = join((part) => part[name], Uint32Array);
    for (const { name } of about.scores) data.scores[name] = join((part) => part.scores[name], Float32Array);
    return data;
  })();
  return columns;
}

const placeOf = (data, drawing) => [data.wall[drawing], data.page[drawing], data.item[drawing]];

async function scoresView(name) {
  const usable = about.scores;
  if (!about.columns || !usable.length) return [el("p", { class: "soft" }, "Nothing was drawn, so there are no scores.")];
  const data = await allColumns();
  const score = usable.find((one) => one.name === name) || usable.find((one) => one.name in about.gate.min) || usable[0];
  const before = judge(data, gateOf(about.gate));
  const result = el("section", { class: "result", "aria-live": "polite" }), flipped = el("div");
  const code = el("pre", { tabindex: 0, "aria-label": "The gate as a section of a pipeline" });
  const side = score.better === "higher" ? "min" : "max";
  const values = sorted(data.scores[score.name]);
  const chart = el("div", { class: "chart" });
  const tables = el("div", { class: "tables" });
  let shown = 0;
  const update = async () => {
    const mine = ++shown, gate = gateOf(asked), after = judge(data, gate), changes = flips(before, after);
    chart.replaceChildren(chartOf(values, asked.min[score.name], asked.max[score.name]));
    result.replaceChildren(...resultNodes(before, after));
    code.textContent = asYaml(asked);
    tables.replaceChildren(
      rateTable("Drawings that pass, by attempt", byAttempt(data, after)),
      rateTable("Steps with a picture, by length of the step", byLength(data, after)),
      rateTable("Steps with a picture, by guidance", [[`guidance ${about.guidance ?? "not known"}`, data.drawings.filter(Boolean).length, after.chosen.filter((one) => one >= 0).length / data.drawings.filter(Boolean).length]]));
    const sections = await flipNodes(data, changes);
    if (mine === shown) flipped.replaceChildren(...sections);
  };
  const controls = el("div", { class: "controls" }, thresholdNode(score, side, values, update), thresholdNode(score, side === "min" ? "max" : "min", values, update));
  const seen = extremes(data, score.name, score.better, about.gate, 2 * EXTREMES);
  const row = (title, drawings) => {
    if (!drawings.length) return null;
    const node = el("div", { class: "wall small-tiles" });
    fillRow(node, drawings).catch((error) => node.replaceChildren(error.message));
    return [el("h3", {}, title), node];
  };
  const fillRow = async (node, drawings) => {
    const found = await Promise.all(drawings.map((drawing) => drawingAt(placeOf(data, drawing))));
    const unlike = found.filter((one, i) => found.findIndex((other) => other.picture[0] === one.picture[0]) === i).slice(0, EXTREMES);
    const value = (one) => `${words(score.name)} ${figure(one.v[scoreNames.indexOf(score.name)], 4)}`;
    fill(node, unlike.map((one) => tile(one.picture, [one], value(one))));
  };
  await update();
  return [
    el("nav", { class: "chips", "aria-label": "Scores" }, usable.map((one) => el("a", { class: "chip", href: `#scores/${encodeURIComponent(one.name)}`, "aria-current": one === score ? "true" : null }, words(one.name)))),
    el("p", { class: "soft" }, `${score.meaning}. ${score.better === "higher" ? "Higher" : "Lower"} is better. ${many(values.length, "drawing")} ${values.length === 1 ? "has" : "have"} it.`),
    el("div", { class: "panel" }, el("div", {}, chart, controls), result),
    flipped,
    ...[row("Nearest to the threshold", seen.borderline), row("Best", seen.best), row("Worst", seen.worst)].flat(),
    el("h3", {}, "Keep rates with this gate"), tables,
    el("h3", {}, "This gate, to paste into a pipeline"), code,
    el("button", { type: "button", class: "button", onclick: () => { asked.min = { ...about.gate.min }; asked.max = { ...about.gate.max }; show(() => scoresView(score.name)); } }, "Back to the run's gate"),
    el("p", { class: "soft small" }, agreement(before), about.redraws ? " This pipeline draws on what the gate keeps: a run with another gate draws anew, and its figures differ." : ""),
  ];
}

/** A slider over the values, and a box for an exact threshold. */
function thresholdNode(score, side, values, update) {
  const id = `threshold-${side}`, now = asked[side][score.name];
  const below = (value) => { let low = 0, high = values.length; while (low < high) { const mid = (low + high) >> 1; values[mid] < value ? (low = mid + 1) : (high = mid); } return low / values.length; };
  const none = side === "min" ? 0 : 1000;
  const slider = el("input", { type: "range", id, min: 0, max: 1000, value: now === undefined ? none : Math.round(1000 * below(now)), "aria-label": `gate.${side}.${score.name}` });
  const exact = el("input", { type: "number", step: "any", value: now === undefined ? null : now, placeholder: "none", "aria-label": `gate.${side}.${score.name}, exactly` });
  const set = (value) => {
    if (value === undefined) delete asked[side][score.name];
    else asked[side][score.name] = value;
    update();
  };
  slider.addEventListener("input", () => {
    const at = Number(slider.value), value = at === none ? undefined : threshold(values, at / 1000, side === "min");
    exact.value = value === undefined ? "" : value;
    set(value);
  });
  exact.addEventListener("change", () => {
    const value = exact.value === "" ? undefined : Number(exact.value);
    slider.value = value === undefined ? none : Math.round(1000 * below(value));
    set(value);
  });
  return el("div", { class: "threshold" }, el("label", { for: id }, side === "min" ? "at least" : "at most"), slider, exact);
}

function resultNodes(before, after) {
  const line = (label, was, is) => {
    const by = is - was, sign = by > 0 ? "+" : "−";
    return el("tr", {}, el("th", { scope: "row" }, words(label)), el("td", { "data-count": label }, count(is)), el("td", { class: "soft" }, by ? `${sign}${count(Math.abs(by))}` : ""));
  };
  const names = (a, b) => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  const drawn = after.chosen.length, kept = after.chosen.filter((one) => one >= 0).length;
  return [
    el("p", { class: "big" }, el("b", { "data-count": "rate" }, share(after.passes.length ? after.passing / after.passes.length : NaN)), " of drawings pass; ", el("b", {}, share(drawn ? kept / drawn : NaN)), " of steps get a picture"),
    el("table", {}, el("tbody", {},
      line("rows", before.rows, after.rows),
      line("pictures in rows", before.kept, after.kept),
      names(before.rejected, after.rejected).map((name) => line(`traces: ${name}`, before.rejected[name] || 0, after.rejected[name] || 0)),
      names(before.reasons, after.reasons).map((name) => line(`drawings: ${name}`, before.reasons[name] || 0, after.reasons[name] || 0)))),
  ];
}

/** The drawings that flip, with both sides where a step gets another drawing. */
async function flipNodes(data, changes) {
  const nodes = [];
  for (const [kind, found] of Object.entries(changes)) {
    if (!found.length) continue;
    const some = found.slice(0, FLIPS_SHOWN), left = found.length - some.length;
    const tilesOf = await tilesAt(some.flat().map((drawing) => placeOf(data, drawing)), (i) => (kind === "changed" ? ["before", "after"][i % 2] : null));
    nodes.push(el("h3", { "data-flips": kind }, `${many(found.length, "step")}: ${KINDS[kind]}`), el("div", { class: "wall small-tiles" }, tilesOf), left ? el("p", { class: "soft" }, `and ${many(left, "more step")}`) : null);
  }
  return nodes.length ? nodes.filter(Boolean) : [el("p", { class: "soft" }, "With this gate no step has another picture than in the run. Move a slider to see which drawings flip.")];
}

function rateTable(title, rows) {
  return el("table", { class: "rates" }, el("caption", {}, title), el("tbody", {}, rows.map(([label, n, rate]) => el("tr", {}, el("th", { scope: "row" }, label), el("td", {}, count(n)), el("td", {}, share(rate)), el("td", { class: "meter" }, el("meter", { min: 0, max: 1, value: rate === rate ? rate : 0 }))))));
}

function chartOf(values, low, high) {
  const { kind, bars } = histogram(values);
  const most = Math.max(...bars.map((bar) => bar.count)), width = 360, height = 120, each = width / bars.length;
  const inside = (bar) => (low === undefined || bar.high >= low) && (high === undefined || bar.low <= high);
  const drawn = bars.map((bar, i) => {
    const tall = bar.count ? Math.max(2, (height * bar.count) / most) : 0;
    const node = svg("rect", { x: i * each + 1, y: height - tall, width: Math.max(1, each - 2), height: tall, rx: 1.5, class: inside(bar) ? "in" : "out" });
    node.append(svg("title", {}, `${figure(bar.low)}${bar.low === bar.high ? "" : ` to ${figure(bar.high)}`}: ${count(bar.count)}`));
    return node;
  });
  const label = (x, text, anchor) => svg("text", { x, y: height + 14, "text-anchor": anchor }, text);
  const labels = kind === "values" ? bars.map((bar, i) => label((i + 0.5) * each, figure(bar.low), "middle")) : [label(0, figure(bars[0].low), "start"), label(width, figure(bars[bars.length - 1].high), "end"), ...(kind === "logarithmic" ? [label(width / 2, "logarithmic", "middle")] : [])];
  return svg("svg", { viewBox: `0 0 ${width} ${height + 18}`, role: "img", "aria-label": "How often each value occurs" }, ...drawn, ...labels);
}

/** Whether the page's own figures are those of the run. */
function agreement(before) {
  const same = (a, b) => JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
  const { rows, kept, rejected, reasons } = about.found;
  const agrees = rows === before.rows && kept === before.kept && same(rejected, before.rejected) && same(reasons, before.reasons);
  return agrees ? "With the run's own gate these figures are the run's." : "With the run's own gate these figures are not the run's: another version wrote its rows.";
}
