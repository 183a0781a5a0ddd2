// Small helpers and the data blocks. Everything that came from a model reaches the document through text nodes only.
const byId = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const spaced = (name) => name.replaceAll("_", " ");

/** Create an element; strings among the children become text nodes. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

async function inflate(id) {
  const packed = atob(byId(id).textContent.trim());
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const OUTCOMES = ["correct", "wrong", "no_answer", "truncated", "timed_out", "error"];
const SIGNS = ["✓", "✗", "∅", "…", "◷", "!"];
const WORDS = ["correct", "wrong", "no answer", "truncated", "timed out", "error"];

/** Name of a trajectory in an address: its condition, then ~sample and @round where there are several. */
function refOf(name, sample, round) {
  return name + (sample > 0 ? `~${sample}` : "") + (round >= 0 ? `@${round}` : "");
}

const rowsFrom = (raw) => raw.t.p.map((problem, i) => {
  const t = raw.t;
  return {
    i, problem, condition: t.c[i], outcome: t.o[i], sample: t.n[i], round: t.r[i], tokens: t.t[i], calls: t.k[i],
    bad: t.e[i], hints: t.h[i], extracted: t.x[i], id: t.id[i], seconds: t.s[i], chunk: t.ch[i], at: t.at[i],
    ref: refOf(raw.names[t.c[i]], t.n[i], t.r[i]),
  };
});

let indexPromise = null;

/** The index: conditions, problems, and one row of short facts a trajectory. */
function loadIndex() {
  indexPromise ||= inflate("index").then((raw) => {
    const rows = rowsFrom(raw), byKey = new Map();
    raw.problems.forEach((problem, i) => {
      problem.i = i;
      problem.rows = [];
      // A page is found by benchmark and id, or by the id alone.
      for (const key of [problem.id, `${problem.b}\n${problem.id}`]) if (!byKey.has(key)) byKey.set(key, problem);
    });
    for (const row of rows) raw.problems[row.problem].rows.push(row);
    return { ...raw, t: null, rows, byKey };
  });
  return indexPromise;
}

const findProblem = (index, benchmark, id) => index.byKey.get(`${benchmark}\n${id}`) || index.byKey.get(id);

/** encodeURIComponent, but "+", "@" and ":" stay readable; they have no meaning after "#". */
const encoded = (text) => encodeURIComponent(text).replace(/%2B|%40|%3A/g, decodeURIComponent);

/** Address of a problem's page; it depends on names only, so it holds when the data grows. */
function problemHash(problem, refs = []) {
  const shown = refs.length ? `/${refs.map(encoded).join(",")}` : "";
  return `#/p/${encoded(problem.b)}/${encoded(problem.id)}${shown}`;
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

const chunkCache = new Map();

/** Entry `at` of data block `chunk`; the last six blocks stay unpacked. */
async function loadEntry(chunk, at) {
  if (chunk < 0) return null;
  if (!chunkCache.has(chunk)) {
    if (chunkCache.size >= 6) chunkCache.delete(chunkCache.keys().next().value);
    chunkCache.set(chunk, inflate(`chunk-${chunk}`));
  }
  return (await chunkCache.get(chunk))[at];
}

/** The little coloured box of an outcome; `share` is written instead of the sign when several samples differ. */
function sign(outcome, share) {
  if (outcome === null || outcome === undefined || outcome < 0) return el("span", { class: "sign none", title: "not graded" }, "·");
  const mixed = share !== undefined && share > 0 && share < 1;
  const words = mixed ? `${Math.round(share * 100)} % of samples right` : WORDS[outcome];
  const node = el("span", { class: "sign", title: words }, mixed ? String(Math.round(share * 100)) : SIGNS[outcome]);
  node.style.background = `var(--o-${mixed ? (share >= 0.5 ? "correct" : "wrong") : OUTCOMES[outcome]})`;
  return node;
}
