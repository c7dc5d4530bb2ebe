// What Plotly draws: the plane and the curves of one panel.

const QUIET = { displayModeBar: false, doubleClick: false, scrollZoom: false, plotlyServerURL: "" };
const TICKS = [0, 1, 10, 100, 1000, 10000, 100000, 1000000];
const colourOf = (layer) => about.colours[layer % about.colours.length];

function theme() {
  const css = getComputedStyle(document.documentElement);
  const read = (name) => css.getPropertyValue(name).trim();
  return { ink: read("--ink"), grey: read("--grey"), line: read("--line"), paper: read("--paper") };
}

// Epoch 0 stands half a decade below epoch 1.
const onScale = (epoch, scale) => (scale === "linear" ? epoch : epoch < 1 ? epoch / 2 : 0.5 + Math.log10(epoch));

const faint = (colour, opacity) => {
  const [red, green, blue] = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgba(${red},${green},${blue},${opacity})`;
};

function layoutOf(colours) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: colours.ink },
    margin: { l: 52, r: 14, t: 14, b: 46 },
    showlegend: false,
    dragmode: false,
    hovermode: "closest",
    hoverlabel: { align: "left", bgcolor: colours.paper, bordercolor: colours.grey, font: { color: colours.ink } },
  };
}

function axisOf(colours, title, range) {
  return {
    title: { text: title, standoff: 8, font: { size: 13, color: colours.grey } },
    range,
    fixedrange: true,
    zeroline: false,
    gridcolor: faint("#888888", 0.16),
    linecolor: colours.line,
    tickcolor: colours.line,
    tickfont: { color: colours.grey, size: 12 },
    showline: true,
  };
}

// ---- the plane

function pathOf(panel, of, layer, upTo, member) {
  const places = of.epochs.map((_, at) => at).slice(0, upTo + 1);
  return [0, 1].map((variable) => places.map((at) => valueAt(panel, of, layer, variable, at, member)));
}

function nodeOf(panel) {
  return panel.hx !== null && panel.ixy !== null ? [[panel.hx], [panel.ixy]] : [[], []];
}

// Traces that follow the slider, at one epoch; `state.member` is null for the mean.
function movingTraces(panel, of, state) {
  const at = placeOf(of.epochs, state.epoch);
  const layers = panel.layers.map((_, layer) => layer).filter((layer) => !state.hidden.has(panel.layers[layer]));
  const [nodeX, nodeY] = nodeOf(panel);
  const now = layers.map((layer) => [0, 1].map((v) => valueAt(panel, of, layer, v, at, state.member)));
  const colours = theme();
  const traces = [];
  if (panel.chain) {
    traces.push({
      meta: { role: "chain" }, x: [...nodeX, ...now.map((one) => one[0])], y: [...nodeY, ...now.map((one) => one[1])],
      mode: "lines", line: { color: colours.grey, width: 1 }, opacity: 0.6, hoverinfo: "skip",
    });
  }
  layers.forEach((layer) => {
    const [x, y] = pathOf(panel, of, layer, at, state.member);
    const line = { color: colourOf(layer), width: 2.5 };
    traces.push({ meta: { role: "trail", layer: panel.layers[layer] }, x, y, mode: "lines", line, hoverinfo: "skip" });
  });
  if (state.each && of.each) layers.forEach((layer) => traces.push(eachTrace(panel, of, layer, at)));
  const names = namesOf(panel, layers, now, state);
  const stands = standsOf(panel, names, now, state);
  layers.forEach((layer, place) => {
    traces.push({
      meta: { role: "now", layer: panel.layers[layer] }, x: [now[place][0]], y: [now[place][1]],
      mode: "markers+text", text: [plain(names[place])], textposition: stands[place],
      textfont: { size: 12, color: colours.ink }, cliponaxis: false,
      marker: { color: colourOf(layer), size: 11, line: { color: colours.paper, width: 1.5 } },
      hoverinfo: "text", hovertext: [hoverOf(panel, of, layer, at, state.member)],
    });
  });
  return traces;
}

// Layers whose points cover each other share one name, beside the first of them.
function namesOf(panel, layers, now, state) {
  const near = (one, other) =>
    [0, 1].every((v) => Math.abs(one[v] - other[v]) * state.size[v] < 14 * (state.ranges[v][1] - state.ranges[v][0]));
  const names = layers.map(() => []);
  layers.forEach((layer, place) => {
    const first = now.findIndex((one, before) => before <= place && names[before].length + (before === place) && near(one, now[place]));
    names[first < 0 ? place : first].push(brief(panel.layers[layer], 20));
  });
  const most = Math.max(12, Math.min(44, Math.floor((0.8 * state.size[0]) / LETTER)));
  return names.map((shared) => inRow(shared, most));
}

// "hidden1, hidden2, hidden3" is "hidden1–3"; a long list is "layer1.0 … layer4.1 (8)".
function inRow(names, most) {
  if (names.length < 2) return brief(names.join(""), most);
  const parts = names.map((name) => /^(.*?)([0-9]{1,4})$/.exec(name));
  const follows = (part, place) => part && part[1] === parts[0][1] && Number(part[2]) === Number(parts[0][2]) + place;
  if (parts[0] && parts.every(follows)) return brief(`${names[0]}–${parts[parts.length - 1][2]}`, most);
  const listed = names.join(", ");
  if (names.length <= 3 && listed.length <= Math.min(most, 28)) return listed;
  const each = Math.max(4, Math.floor((most - 4 - `(${names.length})`.length) / 2));
  return `${brief(names[0], each)} … ${brief(names[names.length - 1], each)} (${names.length})`;
}

const LETTER = 7.2; // average width of a letter of a name, in pixels
const CROWDED = 30; // square pixels of points and names that a name may cover when there are many
const ALL_NAMED = 3; // labels up to which each is written, wherever it stands
const PLACES = ["top center", "top left", "top right", "bottom center", "bottom left", "bottom right"];

// Where each name stands beside its point: the first place where it is whole and crosses no point and no other name.
// Of many names, those without such a place are left out; the text under the pointer still names the layer.
function standsOf(panel, names, now, state) {
  const [width, height] = state.size;
  const pixels = (one) => one.map((value, v) => ((value - state.ranges[v][0]) / (state.ranges[v][1] - state.ranges[v][0])) * [width, height][v]);
  const points = now.map(pixels);
  const taken = points.map(([x, y]) => (Number.isFinite(x + y) ? [x - 6, x + 6, y - 6, y + 6] : [0, 0, 0, 0]));
  if (panel.hx !== null && panel.ixy !== null) taken.push(boxOf("bottom right", pixels([panel.hx, panel.ixy]), 36));
  const outside = ([left, right, low, high]) => Math.max(0, -left) + Math.max(0, right - width) + Math.max(0, -low) + Math.max(0, high - height);
  const shared = (one, other) => Math.max(0, Math.min(one[1], other[1]) - Math.max(one[0], other[0])) * Math.max(0, Math.min(one[3], other[3]) - Math.max(one[2], other[2]));
  const many = names.filter((text) => text).length > ALL_NAMED;
  const stands = names.map(() => PLACES[0]);
  for (const place of inTurn(names.length)) {
    const text = names[place];
    if (!text) continue;
    const boxes = PLACES.map((where) => boxOf(where, points[place], LETTER * [...text].length));
    const costs = boxes.map((box) => 20 * outside(box) + taken.reduce((sum, one, at) => sum + (at === place ? 0 : shared(box, one)), 0));
    const best = Math.max(costs.indexOf(Math.min(...costs)), 0); // none where a point has no value
    stands[place] = PLACES[best];
    if (many && !(costs[best] < CROWDED)) names[place] = "";
    else if (Number.isFinite(costs[best])) taken.push(boxes[best]);
  }
  return stands;
}

// Places in the order in which they are given room: the first, the last, then every middle between two of these.
function inTurn(count) {
  const turn = [0, count - 1].slice(0, count);
  for (let step = count - 1; step > 1; step = Math.ceil(step / 2)) {
    for (let place = 0; place < count; place += Math.ceil(step / 2)) if (!turn.includes(place)) turn.push(place);
  }
  return turn;
}

function boxOf(where, [x, y], length) {
  const left = where.endsWith("center") ? x - length / 2 : where.endsWith("left") ? x - 6 - length : x + 6;
  const low = where.startsWith("top") ? y + 6 : y - 20;
  return [left, left + length, low, low + 14];
}

function eachTrace(panel, of, layer, at) {
  const members = panel.members.map((_, place) => place);
  const [x, y] = [0, 1].map((v) => members.map((one) => memberAt(panel, of, "each", layer, v, at, one)));
  return {
    meta: { role: "each", layer: panel.layers[layer] }, x, y, mode: "markers",
    marker: { color: colourOf(layer), size: 5, opacity: 0.55 },
    hoverinfo: "text", hovertext: members.map((one) => hoverOf(panel, of, layer, at, one)),
  };
}

function standingTraces(panel, of, state) {
  const colours = theme();
  const shown = panel.layers.map((_, layer) => layer).filter((layer) => !state.hidden.has(panel.layers[layer]));
  const traces = shown.map((layer) => {
    const [x, y] = pathOf(panel, of, layer, of.epochs.length - 1, state.member);
    const line = { color: faint(colourOf(layer), 0.3), width: 1.5 };
    return { meta: { role: "path", layer: panel.layers[layer] }, x, y, mode: "lines", line, hoverinfo: "skip" };
  });
  const [x, y] = nodeOf(panel);
  traces.push({
    meta: { role: "input" }, x, y, mode: "markers+text", text: ["input"], textposition: "bottom right", cliponaxis: false,
    textfont: { size: 12, color: colours.grey }, marker: { symbol: "square", size: 9, color: colours.ink },
    hoverinfo: "text", hovertext: [`input<br>H(X) ${bits(panel.hx)} bits<br>I(X;Y) ${bits(panel.ixy)} bits`],
  });
  if (state.untrained) traces.push(...shown.map((layer) => beside(panel, of, layer, 0, "untrained", "diamond-open")));
  if (state.bound && panel.bound) traces.push(boundTrace(panel, colours));
  return traces;
}

function beside(panel, of, layer, at, role, symbol) {
  return {
    meta: { role, layer: panel.layers[layer] }, mode: "markers",
    x: [meanAt(of.mean, of, layer, 0, at)], y: [meanAt(of.mean, of, layer, 1, at)],
    marker: { symbol, size: 10, color: colourOf(layer), line: { width: 2, color: colourOf(layer) } },
    hoverinfo: "text", hovertext: [`${role}<br>${hoverOf(panel, of, layer, at, null)}`],
  };
}

function boundTrace(panel, colours) {
  const [x, y] = panel.bound;
  const line = { color: colours.ink, width: 1.5, dash: "dot" };
  const hovertext = x.map((one, place) => `bound<br>I(X;T) ${bits(one)} bits<br>I(T;Y) ${bits(y[place])} bits`);
  return { meta: { role: "bound" }, x, y, mode: "lines", line, hoverinfo: "text", hovertext };
}

function shuffledTraces(panel, state) {
  const other = state.shuffled && panel.shuffled !== null ? about.panels[panel.shuffled] : null;
  const of = other && other.estimators.find((one) => one.name === state.estimator);
  if (!of) return [];
  const at = placeOf(of.epochs, state.epoch);
  const shown = other.layers.map((_, layer) => layer).filter((layer) => !state.hidden.has(other.layers[layer]));
  return shown.map((layer) => beside(other, of, layer, at, "shuffled labels", "x-thin"));
}

function planeLayout(panel, ranges) {
  const colours = theme();
  const dashed = { type: "line", line: { color: colours.grey, width: 1, dash: "dash" }, layer: "below" };
  const word = { showarrow: false, font: { size: 11, color: colours.grey } };
  const shapes = [];
  const annotations = [];
  if (panel.hx !== null) {
    shapes.push({ ...dashed, x0: panel.hx, x1: panel.hx, yref: "paper", y0: 0, y1: 1 });
    annotations.push({ ...word, x: panel.hx, y: 0, yref: "paper", xanchor: "right", yanchor: "bottom", text: "H(X) " });
  }
  if (panel.hy !== null) {
    shapes.push({ ...dashed, y0: panel.hy, y1: panel.hy, xref: "paper", x0: 0, x1: 1 });
    annotations.push({ ...word, x: 0, xref: "paper", y: panel.hy, xanchor: "left", yanchor: "bottom", text: " H(Y)" });
  }
  const axes = [axisOf(colours, "I(X;T) (bits)", ranges[0]), axisOf(colours, "I(T;Y) (bits)", ranges[1])];
  return { ...layoutOf(colours), xaxis: axes[0], yaxis: axes[1], shapes, annotations };
}

// ---- the curves

function curveTraces(panel, of, state) {
  const x = of.epochs.map((epoch) => onScale(epoch, state.scale));
  const traces = [];
  const variables = panel.plane ? [0, 1] : [0];
  for (const variable of variables) {
    const yaxis = variable ? "y2" : "y";
    panel.layers.forEach((name, layer) => {
      if (state.hidden.has(name)) return;
      const colour = colourOf(layer);
      if (state.member === null && panel.members.length > 1) traces.push(bandTrace(panel, of, layer, variable, x, state.each, yaxis));
      traces.push({
        meta: { role: "curve", layer: name, variable: VARIABLES[variable] }, x, yaxis,
        y: of.epochs.map((_, at) => valueAt(panel, of, layer, variable, at, state.member)),
        mode: of.epochs.length > 1 ? "lines" : "markers", line: { color: colour, width: 2 }, marker: { color: colour },
        hoverinfo: "text", hovertext: of.epochs.map((_, at) => hoverOf(panel, of, layer, at, state.member)),
      });
    });
  }
  return traces;
}

// The 95 % interval over members, or from the smallest to the largest member.
function bandTrace(panel, of, layer, variable, x, each, yaxis) {
  const ends = of.epochs.map((_, at) => {
    if (each && of.each) {
      const all = panel.members.map((_, one) => memberAt(panel, of, "each", layer, variable, at, one));
      const known = all.filter(Number.isFinite);
      return known.length ? [Math.min(...known), Math.max(...known)] : [NaN, NaN];
    }
    const [mean, half] = [of.mean, of.half].map((values) => meanAt(values, of, layer, variable, at));
    return [mean - half, mean + half];
  });
  const known = ends.map((_, at) => at).filter((at) => ends[at].every(Number.isFinite));
  const back = [...known].reverse();
  return {
    meta: { role: "band", layer: panel.layers[layer], variable: VARIABLES[variable] }, yaxis,
    x: [...known, ...back].map((at) => x[at]),
    y: [...known.map((at) => ends[at][1]), ...back.map((at) => ends[at][0])],
    mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: faint(colourOf(layer), 0.2), hoverinfo: "skip",
  };
}

function curveLayout(panel, of, state, ranges) {
  const colours = theme();
  const last = of.epochs[of.epochs.length - 1];
  const title = panel.unit;
  const x = axisOf(colours, plain(title), [onScale(of.epochs[0], state.scale), onScale(last, state.scale)]);
  const room = 0.02 * (x.range[1] - x.range[0] || 1);
  x.range = [x.range[0] - room, x.range[1] + room];
  if (state.scale === "log") {
    const named = [...TICKS.filter((tick) => tick >= of.epochs[0] && tick * 2.5 <= last), last];
    Object.assign(x, { tickvals: named.map((tick) => onScale(tick, "log")), ticktext: named.map(String) });
  }
  const layout = { ...layoutOf(colours), xaxis: x, shapes: [markerAt(of, state)] };
  if (!panel.plane) return { ...layout, yaxis: axisOf(colours, "I(X;T) (bits)", ranges[0]) };
  return {
    ...layout,
    xaxis: { ...x, anchor: "y2" },
    yaxis: { ...axisOf(colours, "I(X;T) (bits)", ranges[0]), domain: [0.54, 1] },
    yaxis2: { ...axisOf(colours, "I(T;Y) (bits)", ranges[1]), domain: [0, 0.46], anchor: "x" },
  };
}

function markerAt(of, state) {
  const x = onScale(of.epochs[placeOf(of.epochs, state.epoch)], state.scale);
  return { type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color: theme().grey, width: 1.5 } };
}
