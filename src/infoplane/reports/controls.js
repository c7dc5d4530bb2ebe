// The page's own controls: choices, slider, keyboard, play.

const byId = (id) => document.getElementById(id);
const seconds = () => Math.min(12, state.epochs.length / 2); // that a whole training plays
const drawn = []; // what is on the page: panel, its estimator, its elements

const state = {
  epoch: 0, estimator: "", hidden: new Set(), each: false, member: null, scale: "log",
  untrained: false, shuffled: false, bound: false, shown: new Set(), epochs: [0], playing: 0,
};

function make(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const unique = (names) => [...new Set(names)];
const usable = () => about.panels.map((_, place) => place).filter((place) => about.panels[place].estimators.length);
const shownPanels = () => [...state.shown].sort((one, other) => one - other).map((place) => about.panels[place]);
const isPrint = () => matchMedia("print").matches;

// By the name that was chosen, or by another name that says the same definition.
function measuredBy(panel) {
  const asked = about.panels.flatMap((one) => one.estimators).filter((one) => one.name === state.estimator).map((one) => one.noise);
  const here = panel.estimators;
  return here.find((one) => one.name === state.estimator) ?? here.find((one) => asked.includes(one.noise));
}

// ---- choices

function fillChoices() {
  const panels = usable().map((place) => about.panels[place]);
  for (const name of unique(panels.flatMap((panel) => panel.estimators.map((one) => one.name)))) {
    byId("estimator").append(make("option", name, { value: name }));
  }
  state.estimator = byId("estimator").value;
  const members = unique(panels.flatMap((panel) => (panel.estimators.some((one) => one.each) ? panel.members : [])));
  for (const member of members) byId("member").append(make("option", String(member), { value: member }));
  const single = members.length === 0;
  byId("member").closest("fieldset").hidden = single;
  unique(panels.flatMap((panel) => panel.layers)).forEach((name) => byId("layers").append(layerChoice(name, panels)));
  usable().forEach((place) => byId("shown").append(panelChoice(place)));
  byId("shown").hidden = panels.length < 2;
  byId("shuffled").closest("label").hidden = !panels.some((panel) => panel.shuffled !== null);
  byId("bound").closest("label").hidden = !panels.some((panel) => panel.bound);
  if (!panels.some((panel) => panel.plane)) withoutPlane();
}

// What was measured has no I(T;Y): the words and choices of the plane are not for it.
function withoutPlane() {
  byId("plane-heading").textContent = "The curves";
  document.querySelector("#plane .lead").textContent = "The information of each layer on the input, I(X;T). A click on a curve goes there.";
  byId("untrained").closest("fieldset").hidden = true;
  document.querySelector("input[name=scale][value=linear]").checked = true; // what is counted need not be training
}

function ticked(name, checked, onChange, ...before) {
  const label = make("label");
  const box = make("input", "", { type: "checkbox" });
  box.checked = checked;
  box.addEventListener("change", () => onChange(box.checked));
  const named = make("bdi", name, { class: "name" });
  label.append(box, ...before, named);
  return label;
}

function layerChoice(name, panels) {
  const swatch = make("span", "", { class: "swatch" });
  swatch.style.background = colourOf(Math.max(...panels.map((panel) => panel.layers.indexOf(name))));
  const toggle = (on) => {
    if (on) state.hidden.delete(name);
    else state.hidden.add(name);
    redraw();
  };
  return ticked(name, true, toggle, swatch);
}

function panelChoice(place) {
  const toggle = (on) => {
    if (on) state.shown.add(place);
    else state.shown.delete(place);
    rebuild();
  };
  return ticked(about.panels[place].title, state.shown.has(place), toggle);
}

// Two of one result that varies something; of several results one each, at most three.
function firstShown() {
  const places = usable();
  const sources = unique(places.map((place) => about.panels[place].source));
  const varied = places.filter((place) => !about.panels[place].title.endsWith("held-out inputs"));
  const one = (source) => varied.find((place) => about.panels[place].source === source) ?? places[0];
  const first = sources.length > 1 ? sources.slice(0, 3).map(one) : (varied.length ? varied : places).slice(0, 2);
  first.forEach((place) => state.shown.add(place));
}

function readChoices() {
  const picked = (name) => document.querySelector(`input[name=${name}]:checked`).value;
  state.estimator = byId("estimator").value;
  state.scale = picked("scale");
  state.each = picked("show") === "each";
  state.number = picked("show") === "one" ? Number(byId("member").value) : null;
  for (const id of ["untrained", "shuffled", "bound"]) state[id] = byId(id).checked;
}

function listen() {
  for (const one of document.querySelectorAll(".choices select, input[name=show], input[name=scale]")) {
    one.addEventListener("change", () => {
      if (one.id === "member") document.querySelector("input[name=show][value=one]").checked = true;
      readChoices();
      rebuild();
    });
  }
  for (const id of ["untrained", "shuffled", "bound"]) byId(id).addEventListener("change", () => (readChoices(), redraw()));
  byId("epoch").addEventListener("input", () => (pause(), goTo(state.epochs[Number(byId("epoch").value)])));
  byId("play").addEventListener("click", () => (state.playing ? pause() : play()));
  document.addEventListener("keydown", onKey);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", (print) => {
    if (print.matches) for (const one of document.querySelectorAll("details")) one.open = true;
  });
  byId("numbers").addEventListener("toggle", fillTables);
}

function onKey(event) {
  const target = event.target instanceof Element ? event.target : document.body;
  const own = target.closest("input, select, button, summary, a, pre, .scroll");
  if (own || event.altKey || event.ctrlKey || event.metaKey || byId("plane").hidden) return;
  const at = placeOf(state.epochs, state.epoch);
  const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: state.epochs.length - 1 };
  if (event.key === " ") {
    if (state.playing) pause();
    else play();
  } else if (event.key in moves) {
    pause();
    goTo(state.epochs[Math.min(Math.max(moves[event.key], 0), state.epochs.length - 1)]);
  } else return;
  event.preventDefault();
}

// ---- panels

// What state means for one panel: the place of the chosen network among its members.
function stateFor({ panel, of, plane }) {
  const member = state.number !== null && of.each ? panel.members.indexOf(state.number) : -1;
  const size = isPrint() ? [574, 340] : plane ? [plane.clientWidth - 66, plane.clientHeight - 60] : [1, 1]; // without the margins
  return { ...state, size, member: member < 0 ? null : member };
}

function rebuild() {
  for (const one of drawn.splice(0)) {
    one.watch.disconnect();
    for (const chart of [one.plane, one.curves]) if (chart) Plotly.purge(chart);
  }
  const panels = shownPanels();
  byId("panels").replaceChildren(...panels.map(buildPanel));
  byId("panels").dataset.count = panels.length;
  const epochs = unique(drawn.flatMap((one) => one.of.epochs)).sort((one, other) => one - other);
  state.epochs = epochs.length ? epochs : [0];
  byId("epoch").max = state.epochs.length - 1;
  byId("epoch").closest(".slider").hidden = state.epochs.length < 2;
  redraw();
}

function buildPanel(panel) {
  const box = make("article", "", { class: "panel" });
  const heading = make("h3");
  heading.append(make("bdi", panel.title, { class: "name" }));
  const of = measuredBy(panel);
  const note = make("p", of ? of.noise : `not measured by ${state.estimator}`, { class: "note" });
  box.append(heading, note);
  if (!of) return box;
  const charts = make("div", "", { class: panel.plane ? "charts" : "charts alone" });
  const plane = panel.plane ? make("div", "", { class: "chart plane", role: "img" }) : null;
  const curves = make("div", "", { class: panel.plane ? "chart curves" : "chart curves single", role: "img" });
  curves.setAttribute("aria-label", `Information of each layer against ${panel.unit}, in bits: ${brief(panel.title, 60)}`);
  charts.append(...[plane, curves].filter(Boolean));
  box.append(charts);
  const watch = new ResizeObserver((seen) => seen.forEach((one) => one.target.data && !isPrint() && Plotly.Plots.resize(one.target)));
  drawn.push({ panel, of, note, plane, curves, watch, moving: 0 });
  return box;
}

// The same axes for all panels, so that they can be compared; nothing moves them while the slider does.
function rangesOf() {
  const extents = [0, 1].map((variable) => {
    const ends = drawn.flatMap((one) => [
      ...(one.of.range[variable] ?? []), ...(variable ? [one.panel.hy, one.panel.ixy] : [one.panel.plane ? one.panel.hx : null]),
    ]);
    const known = [0, ...ends.filter((end) => end !== null && Number.isFinite(end))];
    return [Math.min(...known), Math.max(...known)];
  });
  return extents.map(([low, high]) => [low - 0.04 * (high - low || 1), high + 0.12 * (high - low || 1)]);
}

// On paper a chart has the width of the page, whatever the window's was.
const sized = (layout, height) => (isPrint() ? { ...layout, width: 640, height } : layout);

function redraw() {
  const ranges = rangesOf();
  state.ranges = ranges;
  for (const one of drawn) {
    const own = stateFor(one);
    if (one.plane) {
      const standing = standingTraces(one.panel, one.of, own);
      const moving = [...shuffledTraces(one.panel, own), ...movingTraces(one.panel, one.of, own)];
      one.moving = standing.length;
      Plotly.react(one.plane, [...standing, ...moving], sized(planeLayout(one.panel, ranges), 400), QUIET);
      one.watch.observe(one.plane);
    }
    const isNew = !one.curves.data;
    const layout = sized(curveLayout(one.panel, one.of, own, ranges), one.plane ? 360 : 260);
    Plotly.react(one.curves, curveTraces(one.panel, one.of, own), layout, QUIET);
    if (isNew) one.curves.on("plotly_click", (click) => (pause(), goTo(one.of.epochs[click.points[0].pointIndex])));
    one.watch.observe(one.curves);
  }
  tell();
}

// ---- the slider

function goTo(epoch) {
  state.epoch = epoch;
  for (const one of drawn) {
    const own = stateFor(one);
    if (one.plane) {
      const moving = [...shuffledTraces(one.panel, own), ...movingTraces(one.panel, one.of, own)];
      const changed = { x: moving.map((t) => t.x), y: moving.map((t) => t.y), hovertext: moving.map((t) => t.hovertext), text: moving.map((t) => t.text), textposition: moving.map((t) => t.textposition) };
      Plotly.restyle(one.plane, changed, moving.map((_, place) => one.moving + place));
    }
    const { x0, x1 } = markerAt(one.of, own);
    Plotly.relayout(one.curves, { "shapes[0].x0": x0, "shapes[0].x1": x1 });
  }
  tell();
}

function tell() {
  const at = placeOf(state.epochs, state.epoch);
  const units = unique(drawn.map((one) => one.panel.unit));
  const text = `${units.length === 1 ? units[0] : "epoch"} ${state.epochs[at]}`;
  byId("epoch").value = at;
  byId("epoch").setAttribute("aria-valuetext", text);
  byId("now").textContent = text;
  for (const one of drawn) {
    const own = one.of.epochs[placeOf(one.of.epochs, state.epoch)];
    const late = own !== state.epochs[at] ? `  ·  measured last at ${own}` : "";
    one.note.textContent = one.of.noise + late;
    if (one.plane) one.plane.setAttribute("aria-label", `Information plane at ${one.panel.unit} ${own}: ${brief(one.panel.title, 60)}`);
  }
  fillTables();
}

function fillTables() {
  if (byId("numbers").open) byId("tables").replaceChildren(...drawn.map(tableOf));
}

function tableOf(one) {
  const [{ panel, of }, own] = [one, stateFor(one)];
  const at = placeOf(of.epochs, state.epoch);
  const table = make("table");
  table.append(make("caption", `${brief(panel.title, 80)}, ${panel.unit} ${of.epochs[at]}, ${own.member === null ? ofMembers(panel, of, 0, at) : `network ${panel.members[own.member]}`}, in bits`));
  const head = make("tr");
  for (const text of ["layer", "I(X;T)", "interval", "I(T;Y)", "interval", "flags"]) head.append(make("th", text, { scope: "col" }));
  table.append(head);
  panel.layers.forEach((name, layer) => {
    const row = make("tr");
    const cells = [0, 1].flatMap((v) => [bits(valueAt(panel, of, layer, v, at, own.member)), intervalOf(panel, of, layer, v, at, own.member)]);
    for (const text of [brief(name, 60), ...cells, flagsOf(panel, of, layer, at, own.member)]) row.append(make("td", text));
    table.append(row);
  });
  const box = make("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Numbers at this epoch" });
  box.append(table);
  return box;
}

// ---- play

function play() {
  const last = state.epochs[state.epochs.length - 1];
  if (state.epochs.length < 2) return;
  if (state.epoch >= last) goTo(state.epochs[0]);
  const [low, high] = [state.epochs[0], last].map((epoch) => onScale(epoch, state.scale));
  const length = 1000 * seconds();
  const begun = performance.now() - ((onScale(state.epoch, state.scale) - low) / (high - low)) * length;
  byId("play").textContent = "❚❚";
  byId("play").setAttribute("aria-label", "Pause");
  const step = (time) => {
    const reached = low + ((time - begun) / length) * (high - low);
    const at = state.epochs.findLastIndex((epoch) => onScale(epoch, state.scale) <= reached + 1e-9);
    if (state.epochs[at] !== state.epoch && at >= 0) goTo(state.epochs[at]);
    if (state.epoch >= last) pause();
    else state.playing = requestAnimationFrame(step);
  };
  state.playing = requestAnimationFrame(step);
}

function pause() {
  cancelAnimationFrame(state.playing);
  state.playing = 0;
  byId("play").textContent = "▶";
  byId("play").setAttribute("aria-label", "Play");
}

// ---- begin

async function begin() {
  if (!usable().length) return;
  byId("plane").hidden = false;
  if (!("DecompressionStream" in window)) throw new Error("this browser is too old (it lacks DecompressionStream)");
  const [numbers] = await Promise.all([inflate("packed"), startPlotly()]);
  openNumbers(numbers);
  firstShown();
  fillChoices();
  readChoices();
  state.epoch = Math.max(...shownPanels().flatMap((panel) => panel.estimators[0].epochs));
  listen();
  rebuild();
  performance.mark("drawn");
  document.documentElement.dataset.drawn = "yes";
}

begin().catch((error) => {
  byId("trouble").hidden = false;
  byId("trouble").textContent = `The plane cannot be drawn: ${error.message}`;
});
