// The numbers of the page: opened once, then read as typed arrays.

const about = JSON.parse(document.getElementById("about").textContent);
const VARIABLES = ["I(X;T)", "I(T;Y)"];

async function inflate(id) {
  const coded = atob(document.getElementById(id).textContent.trim());
  const bytes = new Uint8Array(coded.length);
  for (let n = 0; n < coded.length; n++) bytes[n] = coded.charCodeAt(n); // Uint8Array.from takes several times as long
  const opened = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(opened).arrayBuffer());
}

// Bytes of the same place in a number stand together; see pack.py.
function unpack(bytes, [start, count, kind]) {
  const size = Number(kind[1]);
  const whole = new Uint8Array(count * size);
  for (let place = 0; place < size; place++) {
    const plane = start + place * count;
    for (let n = 0; n < count; n++) whole[n * size + place] = bytes[plane + n];
  }
  const types = { f4: Float32Array, u2: Uint16Array, u4: Uint32Array };
  return new types[kind](whole.buffer);
}

function openNumbers(bytes) {
  for (const panel of about.panels) {
    for (const estimator of panel.estimators) {
      for (const key of ["mean", "half", "known", "each", "lower", "upper", "std_error", "flags"]) {
        if (estimator[key]) estimator[key] = unpack(bytes, estimator[key]);
      }
    }
  }
}

async function startPlotly() {
  const script = document.createElement("script");
  script.textContent = new TextDecoder().decode(await inflate("plotly"));
  document.head.append(script); // its hash is in the page's policy
}

// ---- what stands where: layer, variable, epoch, member

const meanAt = (values, of, layer, variable, at) => values[(layer * 2 + variable) * of.epochs.length + at];

function memberAt(panel, of, key, layer, variable, at, member) {
  const n = panel.members.length;
  return of[key][((layer * 2 + variable) * of.epochs.length + at) * n + member];
}

// The value that is shown of a layer: of the mean, or of one member.
function valueAt(panel, of, layer, variable, at, member) {
  if (member === null || !of.each) return meanAt(of.mean, of, layer, variable, at);
  return memberAt(panel, of, "each", layer, variable, at, member);
}

// Place of the last epoch measured by then; the first where there is none.
function placeOf(epochs, epoch) {
  let low = 0;
  let high = epochs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (epochs[middle] <= epoch) low = middle;
    else high = middle - 1;
  }
  return low;
}

// ---- numbers in words

// At most four significant digits and four decimals, as the tables of the package.
const bits = (value) => {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(4));
  if (Math.abs(rounded) < 0.00005) return "0";
  return rounded.toFixed(Math.min(Math.max(3 - Math.floor(Math.log10(Math.abs(rounded))), 0), 4));
};

// Names are text, but Plotly reads <b>, <a> and &lt; in text.
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const brief = (text, most = 28) => ([...text].length > most ? [...text].slice(0, most - 1).join("") + "…" : text);

function intervalOf(panel, of, layer, variable, at, member) {
  const alone = panel.members.length === 1;
  if (member === null && !alone) {
    const half = meanAt(of.half, of, layer, variable, at);
    return Number.isFinite(half) ? `± ${bits(half)}` : "";
  }
  const [low, high] = ["lower", "upper"].map((key) =>
    of[key] ? memberAt(panel, of, key, layer, variable, at, member ?? 0) : NaN,
  );
  if (Number.isFinite(low) && Number.isFinite(high)) return `between ${bits(low)} and ${bits(high)}`;
  const error = of.std_error ? memberAt(panel, of, "std_error", layer, variable, at, member ?? 0) : NaN;
  return Number.isFinite(error) ? `± ${bits(1.96 * error)}` : "";
}

function flagsOf(panel, of, layer, at, member) {
  if (!of.flags) return "";
  const asked = member === null ? panel.members.map((_, place) => place) : [member];
  const counts = about.flags.map((_, bit) =>
    asked.filter((one) => [0, 1].some((v) => (memberAt(panel, of, "flags", layer, v, at, one) >> bit) & 1)).length,
  );
  const told = (count) => (asked.length > 1 ? ` (${count} of ${asked.length})` : "");
  return about.flags.flatMap((flag, bit) => (counts[bit] ? [flag + told(counts[bit])] : [])).join(", ");
}

function hoverOf(panel, of, layer, at, member) {
  const who = member !== null ? `network ${panel.members[member]}` : ofMembers(panel, of, layer, at);
  const lines = [`<b>${plain(brief(panel.layers[layer], 60))}</b>`, `${who}, ${plain(panel.unit)} ${of.epochs[at]}`];
  VARIABLES.forEach((name, variable) => {
    const value = valueAt(panel, of, layer, variable, at, member);
    const interval = intervalOf(panel, of, layer, variable, at, member);
    if (Number.isFinite(value)) lines.push(`${name} ${bits(value)} ${interval} bits`);
  });
  const flags = flagsOf(panel, of, layer, at, member);
  return [...lines, ...(flags ? [flags] : [])].join("<br>");
}

function ofMembers(panel, of, layer, at) {
  if (panel.members.length === 1) return `network ${panel.members[0]}`;
  return `mean over ${meanAt(of.known, of, layer, 0, at)} of ${panel.members.length} networks`;
}
