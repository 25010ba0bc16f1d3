// A run as it goes on: figures, and both bounds against time, drawn from its events.

import { follow } from "./stream.js";

const WIDTH = 720, HEIGHT = 250, LEFT = 116, RIGHT = 14, TOP = 12, BOTTOM = 30;
const REDRAW = 200; // ms between two drawings
const box = document.querySelector("[data-run]");
const at = (id) => document.getElementById(id);
const told = { npv_usd: [], bound_usd: [] };
let begin = null, now = 0, waiting = false, phase = "";

const number = (value, digits) => value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }).replace("-", "−");
function money(usd) {
  if (usd === null || usd === undefined) return "–";
  const [size, unit] = Math.abs(usd) >= 1e9 ? [1e9, " billion"] : Math.abs(usd) >= 1e6 ? [1e6, " million"] : [1, ""];
  return `${number(usd / size, unit ? 2 : 0)}${unit} USD`;
}

// A step of a scale that has three to five of them.
function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 2.5, 5, 10].map((k) => k * power).find((step) => most / step <= 5);
}

function ticks(low, high, step) {
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(n * step);
  return found;
}

function scale(usd, step) {
  const [size, unit] = Math.abs(usd) >= 1e9 ? [1e9, " billion"] : Math.abs(usd) >= 1e6 ? [1e6, " million"] : [1, ""];
  return `${number(usd / size, Math.max(0, -Math.floor(Math.log10(step / size) + 1e-9)))}${unit} USD`;
}

function element(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw() {
  waiting = false;
  const place = at("chart");
  if (!place) return; // the answer has come
  const every = [...told.npv_usd, ...told.bound_usd].map(([, value]) => value);
  if (every.length < 2) return;
  const low = Math.min(...every), high = Math.max(...every), end = Math.max(now, 0.1);
  const room = Math.max(0.06 * (high - low), 1e-4 * Math.abs(high), 1);
  const x = (t) => LEFT + ((WIDTH - LEFT - RIGHT) * t) / end;
  const y = (v) => TOP + ((HEIGHT - TOP - BOTTOM) * (high + room - v)) / (high - low + 2 * room);
  const svg = element("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "NPV and bound against time" });
  const step = nice(high - low + 2 * room), seconds = nice(end);
  for (const value of ticks(low - room, high + room, step)) {
    svg.append(element("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }));
    svg.append(element("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, scale(value, step)));
  }
  for (const t of ticks(0, end, seconds)) svg.append(element("text", { x: x(t), y: HEIGHT - 10, "text-anchor": "middle" }, `${number(t, seconds < 1 ? 2 : 0)} s`));
  for (const [name, line] of Object.entries(told)) {
    if (!line.length) continue;
    const steps = line.map(([t, v], i) => (i ? `H${x(t)}V${y(v)}` : `M${x(t)} ${y(v)}`));
    svg.append(element("path", { class: name === "npv_usd" ? "lower" : "upper", d: steps.join("") + `H${x(end)}` }));
  }
  place.replaceChildren(svg);
}

function take(kind, data) {
  const time = Date.parse(data.at) / 1000;
  begin ??= time;
  now = Math.max(now, time - begin);
  for (const name of ["npv_usd", "bound_usd"]) {
    const value = data[name], line = told[name];
    if (value === null || value === undefined) continue;
    const known = line.at(-1)?.[1]; // what is proven stays so, whichever news comes last
    if (known === undefined || (name === "npv_usd" ? value > known : value < known)) line.push([now, value]);
  }
  if (data.phase && data.phase !== phase) at("phase").textContent = phase = data.phase;
  if (data.state === "running") {
    const again = `It was taken up again after an interruption, attempt ${data.attempt}.`;
    at("verdict").textContent = data.attempt > 1 ? again : "It is being searched.";
  }
  at("elapsed").textContent = `${number(now, 1)} s`;
  at("npv").textContent = money(told.npv_usd.at(-1)?.[1]);
  at("bound").textContent = money(told.bound_usd.at(-1)?.[1]);
  if (data.gap !== null && data.gap !== undefined) at("gap").textContent = `${number(100 * data.gap, 2)} %`;
  if (kind === "incumbent") at("provisional").hidden = false;
  if (!waiting) {
    waiting = true;
    setTimeout(draw, REDRAW);
  }
}

follow(box.dataset.run, take);
