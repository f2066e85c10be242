"use strict";
// The gate of score/gate.py over columns of drawings (judged.py). Pure: no document, no request.

/** The first threshold that a drawing fails, by the name of the score, as a reason; null where it passes. */
function failure(data, gate, drawing) {
  for (const name of gate.names) {
    const column = data.scores[name];
    const value = column ? column[drawing] : NaN;
    const low = gate.min[name], high = gate.max[name];
    if (value !== value) {
      if (data.required.includes(name)) return `${name}_missing`;
    } else if (low !== undefined && !(value >= low)) return `${name}_low`;
    else if (high !== undefined && !(value <= high)) return `${name}_high`;
  }
  return null;
}

/** A gate with its scores in order. */
function gateOf(sections) {
  const names = [...new Set([...Object.keys(sections.min), ...Object.keys(sections.max)])].sort();
  return { ...sections, names };
}

/** What a run with this gate would write: counts, and the drawing kept for each step (-1 for none). */
function judge(data, gate) {
  const found = { traces: data.steps.length, rows: 0, rejected: {}, kept: 0, passing: 0, reasons: {} };
  const chosen = new Int32Array(data.drawings.length).fill(-1);
  const passes = new Uint8Array(data.attempt.length);
  const add = (counts, name) => (counts[name] = (counts[name] || 0) + 1);
  let step = 0, drawing = 0;
  for (const steps of data.steps) {
    let kept = 0, dropped = 0;
    for (const last = step + steps; step < last; step++) {
      const end = drawing + data.drawings[step];
      const drawn = end > drawing;
      for (; drawing < end; drawing++) {
        const reason = failure(data, gate, drawing);
        if (reason) add(found.reasons, reason);
        else {
          passes[drawing] = 1;
          found.passing++;
          if (chosen[step] < 0) chosen[step] = drawing;
        }
      }
      if (chosen[step] >= 0) kept++;
      else if (drawn && gate.on_reject !== "text_only") dropped++;
    }
    if (dropped && gate.on_reject === "drop_trace") add(found.rejected, "step_rejected");
    else if (dropped && dropped === steps) add(found.rejected, "all_steps_dropped");
    else if (kept < gate.min_pictures) add(found.rejected, "too_few_pictures");
    else {
      found.rows++;
      found.kept += kept;
    }
  }
  return { ...found, chosen, passes };
}

/** Steps whose drawing another gate changes: kept before and not after, the other way round, and other drawings. */
function flips(before, after) {
  const found = { lost: [], gained: [], changed: [] };
  before.chosen.forEach((was, step) => {
    const is = after.chosen[step];
    if (was >= 0 && is < 0) found.lost.push([was]);
    else if (was < 0 && is >= 0) found.gained.push([is]);
    else if (was !== is) found.changed.push([was, is]);
  });
  return found;
}

/** [label, drawings, share that passes] by attempt. */
function byAttempt(data, judged) {
  const drawn = [], passed = [];
  data.attempt.forEach((attempt, drawing) => {
    drawn[attempt] = (drawn[attempt] || 0) + 1;
    passed[attempt] = (passed[attempt] || 0) + judged.passes[drawing];
  });
  return drawn.map((count, attempt) => [`attempt ${attempt}`, count, passed[attempt] / count]).filter(Boolean);
}

/** [label, drawn steps, share with a drawing that passes] by the length of the step's text. */
function byLength(data, judged) {
  const ends = [20, 40, 80, 160, 320, Infinity], drawn = ends.map(() => 0), kept = ends.map(() => 0);
  data.drawings.forEach((count, step) => {
    if (!count) return;
    const bin = ends.findIndex((end) => data.length[step] <= end);
    drawn[bin]++;
    kept[bin] += judged.chosen[step] >= 0;
  });
  const label = (i) => (ends[i] === Infinity ? `over ${ends[i - 1]}` : `${i ? ends[i - 1] + 1 : 1} to ${ends[i]}`);
  return ends.map((_, i) => [`${label(i)} characters`, drawn[i], kept[i] / drawn[i]]).filter((row) => row[1]);
}

/** Values of a column that are there, ascending. */
function sorted(column) {
  return column.filter((value) => value === value).sort();
}

/** A threshold near a share of the sorted values, in digits that a person would write, never stricter than the value. */
function threshold(values, share, isMinimum) {
  const value = values[Math.min(values.length - 1, Math.floor(share * values.length))];
  if (value === 0) return 0;
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(value))) - 2);
  const rounded = (isMinimum ? Math.floor(value / unit) : Math.ceil(value / unit)) * unit;
  return Number(rounded.toPrecision(3));
}

/** Bars of a histogram: few values are bars of their own; skewed ones stand on a logarithmic scale. */
function histogram(values, most = 28) {
  const distinct = [];
  for (const value of values) {
    if (!distinct.length || distinct[distinct.length - 1][0] !== value) distinct.push([value, 0]);
    distinct[distinct.length - 1][1]++;
    if (distinct.length > 6) break;
  }
  if (distinct.length <= 6) {
    return { kind: "values", bars: distinct.map(([value, count]) => ({ low: value, high: value, count })) };
  }
  const low = values[0], high = values[values.length - 1];
  const fill = (forth, back) => {
    const from = forth(low), span = forth(high) - from || 1, counts = new Array(most).fill(0);
    for (const value of values) counts[Math.min(most - 1, Math.floor(((forth(value) - from) / span) * most))]++;
    return counts.map((count, i) => ({ low: back(from + (span * i) / most), high: back(from + (span * (i + 1)) / most), count }));
  };
  const plain = fill((v) => v, (v) => v);
  if (Math.max(...plain.map((bar) => bar.count)) < 0.6 * values.length) return { kind: "linear", bars: plain };
  const sizes = Array.from(values, Math.abs).sort((a, b) => a - b);
  const scale = sizes[Math.floor(sizes.length / 2)] || sizes[sizes.length - 1] || 1;
  const bars = fill((v) => Math.sign(v) * Math.log1p(Math.abs(v) / scale), (v) => Math.sign(v) * Math.expm1(Math.abs(v)) * scale);
  return { kind: "logarithmic", bars };
}

/** The best, the worst, and those nearest to the thresholds; drawings that are shown as one count once. */
function extremes(data, name, better, gate, most) {
  const column = data.scores[name], key = new Float64Array(column.length);
  const order = Uint32Array.from(column.keys()).filter((drawing) => column[drawing] === column[drawing]);
  const take = (distance) => {
    for (const drawing of order) key[drawing] = distance(column[drawing]);
    const found = [], seen = new Set();
    for (const drawing of order.sort((a, b) => key[a] - key[b] || a - b)) {
      const place = `${data.wall[drawing]}/${data.page[drawing]}/${data.item[drawing]}`;
      if (!seen.has(place)) found.push(drawing);
      seen.add(place);
      if (found.length === most) break;
    }
    return found;
  };
  const sign = better === "higher" ? 1 : -1;
  const bounds = [gate.min[name], gate.max[name]].filter((bound) => bound !== undefined);
  return {
    best: take((value) => -sign * value),
    worst: take((value) => sign * value),
    borderline: bounds.length ? take((value) => Math.min(...bounds.map((bound) => Math.abs(value - bound)))) : [],
  };
}

/** The gate as a pipeline's section. */
function asYaml(gate) {
  const map = (values) => `{${Object.entries(values).map(([name, value]) => `${name}: ${value}`).join(", ")}}`;
  return `gate:\n  rank: ${map(gate.rank)}\n  min: ${map(gate.min)}\n  max: ${map(gate.max)}\n  on_reject: ${gate.on_reject}\n  min_pictures: ${gate.min_pictures}\n`;
}

/** A number in `digits` significant digits, without an exponent where it can be read without. */
function figure(value, digits = 3) {
  if (value === null || value === undefined || value !== value) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e9) return value.toExponential(digits - 1);
  return Number(value.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits, useGrouping: size >= 10000 });
}
