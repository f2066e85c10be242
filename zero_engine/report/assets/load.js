"use strict";
// Data pages: each is shown in a hidden frame, whose script hands over its text. See pages.py. The frames have no sandbox:
// a browser starts a process for each that has, and the page's own policy lets no script run but that one.

const about = JSON.parse(document.getElementById("about").textContent);
const CACHED = 64, AT_ONCE = 4, PATIENCE_MS = 15000;
const cache = new Map();
const queue = [];
let loading = 0;

/** The items of a data page, and what stands beside them. Pages that were asked for lately are kept. */
function load(group, number) {
  const name = `${about.edition}-${group}-${String(number).padStart(5, "0")}.html`;
  const known = cache.get(name);
  cache.delete(name);
  const promise = known || fetchPage(name);
  cache.set(name, promise);
  promise.catch(() => cache.delete(name));
  if (cache.size > CACHED) cache.delete(cache.keys().next().value);
  return promise;
}

/** Frames are opened a few at a time, so that each has the browser's attention. */
async function fetchPage(name) {
  if (loading >= AT_ONCE) await new Promise((resolve) => queue.push(resolve));
  loading++;
  try {
    return await framed(name);
  } finally {
    loading--;
    const next = queue.shift();
    if (next) next();
  }
}

function framed(name) {
  return new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.hidden = true;
    const end = () => {
      clearTimeout(timer);
      removeEventListener("message", heard);
      frame.remove();
    };
    const heard = (event) => {
      if (event.source !== frame.contentWindow) return;
      end();
      resolve(JSON.parse(event.data.text));
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error(`${about.folder}/${name} cannot be opened. Keep the folder "${about.folder}" beside this page.`));
    }, PATIENCE_MS);
    addEventListener("message", heard);
    frame.src = `${about.folder}/${name}`;
    document.body.append(frame);
  });
}

/** A column of base64: little-endian 32-bit numbers. */
function numbers(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Kind(bytes.buffer);
}
