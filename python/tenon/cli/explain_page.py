"""The page of `tenon explain --html`: the graph of kernels as one file that loads nothing.

Names come from models that anyone may have written. They reach the page in one JSON block, with every '<' written as an
escape, and the script puts them there as text only; the page's policy runs no script but this one.
"""
import base64
import hashlib
import html
import json

STYLE = """
:root { color-scheme: light dark; --line: #8885; --dim: #888; --bar: #4477aa; --good: #228833; --fair: #b8860b; --poor: #cc3311; }
body { margin: 0; font: 14px/1.4 system-ui, sans-serif; display: flex; flex-direction: column; height: 100vh; }
header { padding: .6em 1em; border-bottom: 1px solid var(--line); }
h1 { font-size: 1.15em; margin: 0 0 .2em; overflow-wrap: anywhere; } h2 { font-size: 1em; margin: .8em 0 .2em; overflow-wrap: anywhere; }
header label { margin-right: 1.5em; } .dim { color: var(--dim); }
main { flex: 1; display: flex; min-height: 0; }
#graph { flex: 3; overflow: auto; } #side { flex: 2; overflow: auto; padding: 0 1em 1em; border-left: 1px solid var(--line); min-width: 18em; }
svg text { font: 12px ui-monospace, monospace; fill: currentColor; dominant-baseline: central; }
svg .row { cursor: pointer; } svg .row:hover .back, svg .chosen .back { fill: #8883; } svg .back { fill: transparent; }
svg .edge { fill: none; stroke: var(--dim); stroke-opacity: .5; } svg .edge.lit { stroke: var(--poor); stroke-opacity: 1; stroke-width: 2; }
svg .load { opacity: .55; } svg .port circle { fill: none; stroke: currentColor; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top; padding: .1em .6em .1em 0; overflow-wrap: anywhere; }
th { white-space: nowrap; } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
#longest tr { cursor: pointer; } #longest tr:hover { background: #8883; } .meter { background: #8882; height: .6em; min-width: 5em; } .meter div { height: 100%; }
"""

SCRIPT = r"""
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg", ROW = 22, LANE = 9, LANES = 16;
const at = id => document.getElementById(id);
const put = (parent, tag, attributes = {}, text = null, space = null) => {
  const made = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
};
const colour = share => share >= 0.6 ? "var(--good)" : share >= 0.3 ? "var(--fair)" : "var(--poor)";
const ms = value => value >= 100 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(3) : value.toPrecision(2);
// Rows: the inputs, the dispatches, the outputs; each knows the rows that it reads.
const place = new Map(data.inputs.map((input, i) => [input.name, i])), first = data.inputs.length;
const where = source => typeof source === "number" ? first + source : place.get(source);
const rows = [
  ...data.inputs.map(input => ({ port: "input", title: input.name, note: input.type, from: [] })),
  ...data.dispatches.map((dispatch, i) => ({ ...dispatch, number: i, title: dispatch.kernel, from: dispatch.from.map(where) })),
  ...data.outputs.map(output => ({ port: "output", title: output.name, note: output.type, from: output.from.map(where) })),
];
const into = rows.map(() => []);
rows.forEach((row, i) => row.from.forEach(source => into[source].push(i)));
const sites = new Map();
data.dispatches.forEach(d => sites.set(d.kernel, (sites.get(d.kernel) || 0) + 1));
rows.forEach(row => { if (!row.port) { row.info = data.kernels[row.kernel] || {}; row.ms = (row.info.ms || 0) / sites.get(row.kernel); } });
const longest = Math.max(1e-9, ...rows.map(row => row.ms || 0)), total = Math.max(1e-9, data.ms);
let chosen = -1;

function visible() {
  const least = Number(at("least").value) / 100 * total, text = at("find").value.toLowerCase(), load = at("load").checked;
  return rows.map(row => row.port ? !text : (load || !row.at_load) && (row.at_load ? load : row.ms >= least) &&
    (!text || [row.kernel, ...row.nodes, ...(row.info.ops || [])].some(name => name.toLowerCase().includes(text))));
}

// A hidden row's edges lead on to the rows that it reads, so that what is shown stays connected.
function sourcesOf(shown) {
  const through = [];
  return rows.map((row, i) => {
    const found = new Set();
    for (const source of row.from) if (shown[source]) found.add(source); else if (source < i) through[source].forEach(s => found.add(s));
    through[i] = found;
    return found;
  });
}

function draw() {
  const shown = visible(), sources = sourcesOf(shown), lines = [];
  rows.forEach((_, i) => { if (shown[i]) lines.push(i); });
  const y = new Map(lines.map((row, line) => [row, ROW * (line + 0.5)])), edges = [], free = [];
  for (const i of lines) for (const source of sources[i]) edges.push([source, i]);
  edges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const left = 10 + LANE * LANES, holder = at("graph");
  holder.replaceChildren();
  const svg = put(holder, "svg", { height: ROW * lines.length + 4, width: "100%", role: "img", "aria-label": "kernels in the order in which they run" }, null, SVG);
  svg.style.minWidth = left + 640 + "px";
  for (const i of lines) {
    const row = rows[i], group = put(svg, "g", { class: `row${row.port ? " port" : row.at_load ? " load" : ""}`, "data-row": i, tabindex: 0 }, null, SVG), mid = y.get(i);
    put(group, "rect", { class: "back", x: 0, y: mid - ROW / 2, width: "100%", height: ROW }, null, SVG);
    put(group, "circle", { cx: left, cy: mid, r: 4, fill: row.port ? "none" : row.at_load ? "var(--dim)" : colour(row.info.roofline || 0) }, null, SVG);
    if (!row.port) put(group, "rect", { class: "time", x: left + 12, y: mid - 7, width: Math.max(1, 110 * row.ms / longest), height: 14, fill: "var(--bar)" }, null, SVG);
    const figures = row.port ? row.port : row.at_load ? "at load" : `${ms(row.ms)} ms`;
    put(group, "text", { x: left + 130, y: mid }, figures, SVG);
    if (!row.port && !row.at_load) put(group, "text", { x: left + 215, y: mid }, `${Math.round(100 * (row.info.roofline || 0))}%`, SVG);
    const label = row.port ? `${row.title}: ${row.note}` : `${row.title}  ${row.results.join(", ")}`;
    put(group, "text", { x: left + 260, y: mid }, label.length > 140 ? label.slice(0, 139) + "\u2026" : label, SVG);
  }
  for (const [source, target] of edges) {
    const top = y.get(source), bottom = y.get(target);
    let path = `M${left} ${top + 4}V${bottom - 4}`;
    if (bottom - top > ROW) {  // past other rows: in the nearest lane that is free by then
      let lane = free.findIndex(until => until <= top);
      if (lane < 0) lane = Math.min(free.length, LANES - 1);
      free[lane] = bottom;
      const x = left - 8 - LANE * lane;
      path = `M${left - 4} ${top}C${x} ${top} ${x} ${top} ${x} ${top + ROW / 2}V${bottom - ROW / 2}C${x} ${bottom} ${x} ${bottom} ${left - 4} ${bottom}`;
    }
    put(svg, "path", { class: "edge", d: path, "data-from": source, "data-to": target }, null, SVG);
  }
  at("count").textContent = `${lines.filter(i => !rows[i].port).length} of ${data.dispatches.length} shown`;
  mark();
}

function mark() {
  document.querySelectorAll("#graph .row").forEach(g => g.classList.toggle("chosen", Number(g.dataset.row) === chosen));
  document.querySelectorAll("#graph .edge").forEach(e => e.classList.toggle("lit", Number(e.dataset.from) === chosen || Number(e.dataset.to) === chosen));
}

function link(parent, i) {
  const row = rows[i];
  if (row.port) return put(parent, "div", {}, `${row.port} ${row.title}`);
  put(put(parent, "div"), "a", { href: `#kernel-${row.number}` }, row.title);
}

function list(parent, title, values) {
  if (!values.length) return;
  put(parent, "h2", {}, title);
  const items = put(parent, "details", values.length > 12 ? {} : { open: "" });
  put(items, "summary", {}, `${values.length}`);
  for (const value of values) typeof value === "number" ? link(items, value) : put(put(items, "div"), "code", {}, value);
}

function show(i) {
  chosen = i;
  mark();
  const row = rows[i], side = at("chosen");
  side.replaceChildren();
  put(side, "h2", {}, row.title);
  if (row.port) {
    put(side, "p", {}, `${row.port} ${row.note}`);
  } else {
    const info = row.info, table = put(side, "table"), fact = (name, value) => { const line = put(table, "tr"); put(line, "th", {}, name); put(line, "td", {}, value); };
    if (row.at_load) fact("runs", "once, when the model is loaded: its result depends on weights alone");
    else {
      fact("time", `${ms(info.ms || 0)} ms of ${ms(total)} (${(100 * (info.ms || 0) / total).toFixed(1)} %), ${Math.round(info.calls || 0)} calls from ${sites.get(row.kernel)} places`);
      fact("rate", `${(info.gflops || 0).toFixed(1)} GFLOP/s, ${(info.gbs || 0).toFixed(1)} GB/s`);
      const line = put(table, "tr"), meter = (put(line, "th", {}, "roofline"), put(put(line, "td", {}, `${Math.round(100 * (info.roofline || 0))} % `), "div", { class: "meter" }));
      const bar = put(meter, "div");
      bar.style.width = `${Math.min(100, 100 * (info.roofline || 0))}%`;
      bar.style.background = colour(info.roofline || 0);
    }
    fact("algorithm", info.algorithm || "");
    const how = put(table, "tr");
    put(how, "th", {}, "schedule");
    put(put(how, "td"), "code", {}, info.schedule || "");
    list(side, "result", row.results);
    list(side, row.nodes.length > 1 ? "the model's nodes that were fused" : "the model's node", row.nodes);
    list(side, "operations", info.ops || []);
    const own = new Set(row.nodes), why = data.remarks.filter(remark => own.has(remark.node)).map(remark => `${remark.node}: ${remark.message}`);
    list(side, "not fused, because", why);
  }
  list(side, "reads", row.from);
  list(side, "feeds", into[i]);
}

function follow() {
  const number = /^#kernel-(\d+)$/.exec(location.hash);
  if (!number || Number(number[1]) >= data.dispatches.length) return;
  const i = first + Number(number[1]);
  if (!visible()[i]) { at("least").value = 0; at("find").value = ""; at("load").checked = at("load").checked || rows[i].at_load; draw(); }
  show(i);
  const line = document.querySelector(`#graph .row[data-row="${i}"]`);
  if (line) line.scrollIntoView({ block: "center" });
}

const choose = event => {
  const group = event.target.closest(".row");
  if (!group) return;
  const i = Number(group.dataset.row);
  rows[i].port ? show(i) : location.hash === `#kernel-${rows[i].number}` ? show(i) : location.hash = `kernel-${rows[i].number}`;
};
at("graph").addEventListener("click", choose);
at("graph").addEventListener("keydown", event => { if (event.key === "Enter") choose(event); });
for (const id of ["least", "find", "load"]) at(id).addEventListener("input", draw);
addEventListener("hashchange", follow);
const table = at("longest");
for (const [name, info] of Object.entries(data.kernels).filter(([, info]) => info.ms).sort((a, b) => b[1].ms - a[1].ms)) {
  const line = put(table, "tr"), number = data.dispatches.findIndex(dispatch => dispatch.kernel === name);
  put(line, "td", {}, name);
  put(line, "td", { class: "number" }, ms(info.ms));
  const bar = put(put(put(line, "td"), "div", { class: "meter" }), "div");
  bar.style.width = `${100 * info.ms / total}%`;
  bar.style.background = colour(info.roofline);
  put(line, "td", { class: "number" }, `${Math.round(100 * info.roofline)} %`);
  if (number >= 0) line.addEventListener("click", () => { location.hash = `kernel-${number}`; });
}
if (!data.remarks.length) at("apart").hidden = true;
for (const remark of data.remarks) { const line = put(at("remarks"), "tr"); put(line, "td", {}, remark.node); put(line, "td", {}, remark.message); }
if (data.dispatches.length > 150) at("least").value = 0.2;
draw();
follow();
"""

BODY = """<header><h1>{name}</h1>
<div>{facts}</div>
<div><label>hide kernels below <input id="least" type="number" min="0" max="100" step="0.1" value="0" size="4"> % of the time</label>
<label>find <input id="find" type="search" placeholder="kernel, node or operation"></label>
<label><input id="load" type="checkbox"> what runs when the model is loaded</label> <span id="count" class="dim"></span></div></header>
<main><div id="graph"></div><div id="side"><div id="chosen"><p class="dim">Kernels run from top to bottom; lines show what feeds what. Bars are
time; colours and the percentages say how near a kernel comes to what this machine's peaks allow. A click shows a kernel.</p></div>
<details open><summary><b>kernels by time</b> (ms, share of the roofline)</summary><table id="longest"></table></details>
<details id="apart" open><summary><b>not fused, and why</b></summary><table id="remarks"></table></details></div></main>
<noscript>This page draws itself with a script.</noscript>"""


def _embedded(value):
    """JSON that no HTML parser can take for anything else."""
    text = json.dumps(value)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def page(name, manifest, rows, threads, peaks, shapes):
    """The page's text.

    manifest  of the compiled model
    rows      of Model.profile
    peaks     (flops per second, bytes per second)
    shapes    {input name: its shape in that run}
    """
    graph = manifest.get("graph", {"dispatches": [], "outputs": []})
    total = sum(row["ms"] for row in rows)
    bound = sum(row["roofline"] * row["ms"] for row in rows)
    kernels = {kernel["name"]: dict(kernel) for kernel in manifest["kernels"]}
    for row in rows:
        seconds = row["ms"] / 1e3
        kernels.setdefault(row["name"], {}).update(ms=row["ms"], calls=row["calls"], gflops=row["gflops"], roofline=row["roofline"],
                                                   gbs=row["bytes"] / seconds / 1e9 if seconds else 0.0)
    shape = lambda value: "x".join("?" if dim is None else str(dim) for dim in value["shape"]) or "scalar"
    data = {"ms": total, "kernels": kernels, "dispatches": graph["dispatches"], "remarks": manifest.get("remarks", []),
            "inputs": [{"name": value["name"], "type": f"{value['dtype']} {shapes.get(value['name'], shape(value))}"} for value in manifest["inputs"]],
            "outputs": [{"name": value["name"], "type": f"{value['dtype']} {shape(value)}", "from": sources}
                        for value, sources in zip(manifest["outputs"], graph["outputs"])]}
    facts = (f"{total:.2f} ms in {len(rows)} kernels on {threads} thread{'s' if threads > 1 else ''}; roofline {bound:.2f} ms "
             f"({bound / max(total, 1e-9):.0%} reached) from {peaks[0] / 1e9:.0f} GFLOP/s and {peaks[1] / 1e9:.1f} GB/s, measured then; "
             f"{manifest['target']['cpu']}, tenon {manifest['tenon_version']}")
    digest = lambda text: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
    policy = f"default-src 'none'; script-src {digest(SCRIPT)}; style-src {digest(STYLE)}"
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
            f'<meta name="viewport" content="width=device-width"><title>{html.escape(name)} - tenon explain</title><style>{STYLE}</style></head>\n<body>'
            f"{BODY.format(name=html.escape(name), facts=html.escape(facts))}\n"
            f'<script type="application/json" id="data">{_embedded(data)}</script>\n<script>{SCRIPT}</script>\n</body></html>\n')
