// The charts of a page: each is drawn by Vega-Lite from the data that stands beside it.
(() => {
const tip = document.getElementById("tip");
const HOUR = 3600000;
const DAY = 24 * HOUR;
const FEWEST = 7;
const LEAST_DAYS = 14;
const TOGETHER = 10 * 60000;
const charts = [];

const read = (figure, what) => figure.querySelector(`script[data-${what}]`).textContent;
const pad = (shown) => shown.toISOString().slice(0, 16).replace("T", " ");
const moment = (at, daily) => daily ? pad(new Date(at)).slice(0, 10) : `${pad(new Date(at))} UTC`;

function colours(spec) {
  const style = getComputedStyle(document.documentElement);
  return JSON.parse(spec, (_, value) =>
    typeof value === "string" && value.startsWith("--") ? style.getPropertyValue(value).trim() : value);
}

// What is told of each time, or of each row of names, and from where to where it is told.
function hits(chart) {
  const found = [];
  const place = (row) => chart.timed ? row.at : row.row;
  for (const row of chart.rows.filter((one) => one.said).sort((one, other) => place(one) - place(other))) {
    let hit = found[found.length - 1];
    // The two sides of a pair are read one after the other: they are told together.
    if (!hit || place(row) - place(hit) > (chart.timed ? TOGETHER : 0) || hit.series.has(row.series)) {
      hit = {at: row.at, row: row.row, from: row.from, until: row.until, series: new Set(), lines: [], note: ""};
      found.push(hit);
    }
    hit.series.add(row.series);
    hit.lines.push(`${chart.names[row.series]}: ${row.said}`);
    hit.note = row.note || hit.note;
  }
  found.forEach((hit, n) => {
    const before = found[n - 1], after = found[n + 1];
    hit.n = n;
    hit.from ??= before ? (before.at + hit.at) / 2 : hit.at - (after ? (after.at - hit.at) / 2 : HOUR / 2);
    hit.until ??= after ? (after.at + hit.at) / 2 : hit.at + (before ? (hit.at - before.at) / 2 : HOUR / 2);
    const head = chart.timed ? moment(hit.at, chart.daily) : chart.heads[hit.row];
    hit.tip = [head, ...hit.lines, ...(hit.note ? [hit.note] : [])].join("\n");
  });
  return found;
}

// The ends of the axis of values for what is shown from one time until another.
function ends(chart, from, until) {
  const [fromZero, baseline, least, share] = chart.axis;
  const shown = chart.rows.filter((row) =>
    !chart.timed || ((row.until ?? row.at) >= from && (row.from ?? row.at) <= until));
  let levels = shown.flatMap((row) => row.low === undefined ? [row.top ?? row.value] : [row.low, row.high]);
  levels = levels.filter((level) => typeof level === "number");
  if (!levels.length) levels = [0, 1];
  if (fromZero) levels.push(0);
  if (baseline !== null) levels.push(baseline);
  let low = levels.reduce((a, b) => Math.min(a, b)), high = levels.reduce((a, b) => Math.max(a, b));
  const middle = (low + high) / 2;
  const room = Math.max(least, share * Math.abs(middle), 1e-12) - (high - low);
  if (room > 0) {
    if (!fromZero && low !== baseline) low -= high === baseline ? room : room / 2;
    if (high !== baseline || fromZero) high += fromZero || low === baseline ? room : room / 2;
  }
  const margin = (high - low) * 0.05;
  return [fromZero && low === 0 ? 0 : low - margin, high + margin];
}

function extent(chart) {
  const first = chart.hits[0], last = chart.hits[chart.hits.length - 1];
  const margin = Math.max((last.at - first.at) * 0.02, 60000);
  const until = Math.max(last.until, last.at) + margin;
  // One column alone is no wall.
  return [Math.min(first.from - margin, first.at - margin, until - FEWEST * (chart.step || 0)), until];
}

// The times that the chosen range shows of a chart; by days at least two weeks of them.
function chosen(chart) {
  const [first, last] = extent(chart);
  const picked = document.querySelector("input[name=range]:checked");
  const hours = picked ? Number(picked.value) : 0;
  if (!hours) return [first, last];
  const length = chart.daily ? Math.max(hours * HOUR, LEAST_DAYS * DAY) : hours * HOUR;
  return [Math.max(first, last - length), last];
}

function show(chart, [from, until]) {
  chart.view.signal("zoom_from", [from, until]);
  return refit(chart, from, until);
}

async function refit(chart, from, until) {
  chart.shown = [from, until];
  const [low, high] = ends(chart, from, until);
  chart.plot.setAttribute("aria-busy", "true");
  await chart.view.signal("low", low).signal("high", high).runAsync();
  chart.plot.removeAttribute("aria-busy");
}

function zoom(chart, by) {
  const [from, until] = chart.shown, [first, last] = extent(chart);
  const middle = (from + until) / 2, half = Math.max(((until - from) / 2) * by, 60000);
  return show(chart, [Math.max(first, middle - half), Math.min(last, middle + half)]);
}

function light(chart, n, x, y) {
  const hit = chart.hits[n];
  tip.hidden = !hit;
  if (chart.lit !== n) chart.view.signal("lit", hit ? n : -1).runAsync();
  chart.lit = n;
  if (!hit) return;
  tip.textContent = hit.tip;
  const most = document.documentElement.clientWidth - tip.offsetWidth - 4;
  tip.style.left = `${window.scrollX + Math.max(4, Math.min(x - tip.offsetWidth / 2, most))}px`;
  tip.style.top = `${window.scrollY + Math.max(4, y - tip.offsetHeight - 14)}px`;
}

// By the arrow keys from one time to the next, as far as it is shown.
function step(chart, by) {
  const box = chart.plot.getBoundingClientRect();
  const [from, until] = chart.shown;
  let n = chart.lit >= 0 ? chart.lit + by : by > 0 ? 0 : chart.hits.length - 1;
  if (chart.timed && chart.lit < 0) {
    while (chart.hits[n] && (chart.hits[n].at < from || chart.hits[n].at > until)) n += by;
  }
  if (!chart.hits[n]) return;
  const x = chart.timed ? chart.view.scale("x")(chart.hits[n].at) + chart.view.origin()[0] : box.width / 2;
  light(chart, n, box.left + x, box.top + 20);
}

function download(name, address) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

const named = (chart, ending) =>
  `${chart.figure.dataset.title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}.${ending}`;

// A spreadsheet must run nothing of it.
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const said = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said;
}

function csv(chart) {
  const more = chart.fields.filter((field) => !["at", "series", "dot", "row", "from", "until", "foot", "top", "hollow", "said"].includes(field));
  const heads = [chart.timed ? "time_utc" : "name", "series", ...more, "shown"];
  const rows = chart.rows.filter((row) => row.said).map((row) => [
    chart.timed ? new Date(row.at).toISOString() : chart.heads[row.row], chart.names[row.series],
    ...more.map((field) => row[field]), row.said,
  ].map(cell).join(","));
  return [heads.join(","), ...rows, ""].join("\n");
}

const DOES = {
  in: (chart) => zoom(chart, 0.5),
  out: (chart) => zoom(chart, 2),
  reset: (chart) => show(chart, chosen(chart)),
  csv: (chart) => {
    const address = URL.createObjectURL(new Blob([csv(chart)], {type: "text/csv"}));
    download(named(chart, "csv"), address);
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  },
  png: (chart) => chart.view.toImageURL("png", 2).then((address) => download(named(chart, "png"), address)),
};

async function draw(chart) {
  const spec = colours(chart.spec);
  const [from, until] = chart.timed ? chart.shown || chosen(chart) : [0, 0];
  const [low, high] = ends(chart, from, until);
  const [first, last] = chart.timed ? extent(chart) : [0, 0];
  const values = {low, high, first, last};
  for (const param of spec.params) if (param.name in values) param.value = values[param.name];
  spec.datasets = {
    ...spec.datasets,
    rows: chart.rows,
    hits: chart.hits.map(({n, from, until, row}) => ({n, from, until, row})),
    gaps: (chart.gaps || []).map(([from, until]) => ({from, until})),
  };
  if (chart.view) chart.view.finalize();
  const options = {mode: "vega-lite", ast: true, actions: false, defaultStyle: false, tooltip: false, renderer: "svg"};
  chart.view = (await vegaEmbed(chart.plot, spec, options)).view;
  chart.lit = -1;
  chart.view.addEventListener("pointermove", (event, item) => {
    const n = item && item.datum && item.datum.n;
    if (n === undefined) light(chart, -1);
    else light(chart, n, event.clientX, event.clientY);
  });
  chart.view.addEventListener("pointerout", () => light(chart, -1));
  if (!chart.timed) return;
  chart.view.addSignalListener("zoom_from", (_, value) => {
    const [from, until] = value && value.length === 2 ? value.map(Number) : chosen(chart);
    if (from !== chart.shown[0] || until !== chart.shown[1]) {
      if (value && value.length === 2) refit(chart, from, until);
      else show(chart, chosen(chart));
    }
  });
  await show(chart, [from, until]);
}

function prepare(figure) {
  const chart = {figure, plot: figure.querySelector(".plot"), spec: read(figure, "spec"), ...JSON.parse(read(figure, "data"))};
  chart.rows = chart.rows.map((row) => Object.fromEntries(chart.fields.map((field, n) => [field, row[n]])));
  chart.hits = hits(chart);
  figure.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) DOES[button.dataset.do](chart);
  });
  chart.plot.addEventListener("keydown", (event) => {
    const by = {ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1}[event.key];
    if (by) step(chart, by);
    else if (event.key === "+" && chart.timed) zoom(chart, 0.5);
    else if (event.key === "-" && chart.timed) zoom(chart, 2);
    else if (event.key === "Escape") light(chart, -1);
    else return;
    event.preventDefault();
  });
  chart.plot.addEventListener("blur", () => light(chart, -1));
  charts.push(chart);
}

async function drawAll() {
  for (const chart of charts) await draw(chart);
  document.documentElement.dataset.drawn = charts.length;
}

document.querySelectorAll("figure.chart").forEach(prepare);
document.querySelectorAll("input[name=range]").forEach((input) => input.addEventListener("change", () => {
  for (const chart of charts) if (chart.timed && chart.view) show(chart, chosen(chart));
}));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
drawAll();
})();
