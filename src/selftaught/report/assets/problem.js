// One problem: its statement, a strip of all its trajectories, and one or two of them to read.
// `refs` are the names of the trajectories that the reader chose; they stay chosen from problem to problem.
const reading = { panes: 2, raw: false, problem: null, refs: [], shown: [] };

/** What a trajectory is called: its condition, and in a curve over rounds its round. */
function rowName(index, row) {
  const curve = index.curves[row.condition];
  const of = curve && curve[1] !== "hints" ? ` of ${spaced(curve[1])}` : "";
  const name = curve ? `${curve[0]}, round ${row.round}${of}` : index.names[row.condition];
  return name + (row.sample > 0 ? `, sample ${row.sample}` : "");
}

const inOrder = (problem) => [...problem.rows].sort((a, b) => a.condition - b.condition || a.round - b.round || a.sample - b.sample);

/** The trajectories that a problem opens with: the pair of the report, or the first and the last. */
function firstChoice(index, problem) {
  const of = (name) => problem.rows.find((row) => index.names[row.condition] === name && row.sample === 0);
  const left = of(index.pair[0]) || problem.rows[0], right = of(index.pair[1]) || problem.rows[problem.rows.length - 1];
  return left === right ? [left] : [left, right];
}

/** The rows to show: those chosen, as far as this problem has them, else the first choice. */
function chosenRows(index, problem) {
  const found = reading.refs.map((ref) => problem.rows.find((row) => row.ref === ref)).filter(Boolean);
  if (found.length) return found.slice(0, 2);
  return problem.rows.length ? firstChoice(index, problem) : [];
}

/** Verdict, ending and cost of one trajectory. */
function verdictLine(entry, row, statement) {
  const items = [];
  const put = (name, ...value) => items.push(el("dt", null, name), el("dd", null, ...value));
  const grade = entry.g, box = (text) => el("code", { class: "inline" }, text);
  if (grade) {
    const isCode = statement?.kind === "code";
    put("extracted", grade.x === null ? "nothing" : isCode ? el("code", { class: "code" }, highlight(grade.x)) : box(grade.x));
    if (statement?.answer) put("reference", box(statement.answer));
    put("decided by", [grade.path, grade.why, grade.by].filter(Boolean).join(" · "));
  } else put("grade", "not graded yet");
  put("ended", `${spaced(entry.stop)} · ${count(row.tokens)} tokens after the prompt · ${plural(row.calls, "call")} · ${plural(row.hints, "hint")} · ${entry.sec.toFixed(1)} s`);
  if (entry.err) put("error", entry.err);
  if (entry.model) put("model", `${entry.model}, seed ${entry.seed}${entry.when ? `, ${entry.when.replace("T", " ").replace("Z", " UTC")}` : ""}`);
  return el("dl", { class: "verdict" }, items);
}

/** Tokens of each source, with its colour. */
function tokenKey(spans) {
  const totals = {};
  for (const [source, , tokens] of spans) totals[source] = (totals[source] || 0) + tokens;
  return el("div", { class: "key" }, Object.entries(totals).map(([source, tokens]) => {
    const mark = el("span", { class: "dot" });
    mark.style.background = `var(--p-${COLOURS[source]})`;
    return el("span", null, mark, `${SOURCES[source]} ${count(tokens)}`);
  }));
}

async function drawPane(index, row, statement, split, one) {
  const entry = await loadEntry(row.chunk, row.at);
  const pane = el("article", { class: `pane${one ? " one" : ""}` });
  const name = el("div", { class: "name" }, sign(row.outcome), el("span", null, rowName(index, row)),
    el("span", { class: "grow" }), takeAway(index, row, entry, statement));
  pane.append(el("header", null, name, el("div", { class: "id" }, row.id), verdictLine(entry, row, statement), ribbon(entry.s, pane), tokenKey(entry.s)));
  pane.append(drawSpans(entry.s, { raw: reading.raw, split }));
  return pane;
}

/** Put a trajectory into a pane: the right one, or the left one. */
function pickRow(problem, row, left) {
  const shown = reading.shown;
  let rows = [row];
  if (reading.panes === 2) rows = left ? [row, shown[1] || shown[0]] : [shown[0], row];
  location.hash = problemHash(problem, [...new Set(rows.filter(Boolean).map((one) => one.ref))]);
}

/** The n-th condition's first trajectory into a pane: what the keys 1 to 9 do. */
async function pickCondition(number, left) {
  const index = await loadIndex(), rows = inOrder(reading.problem);
  const names = [...new Set(rows.map((row) => index.names[row.condition]))];
  const row = rows.find((one) => index.names[one.condition] === names[number - 1]);
  if (row) pickRow(reading.problem, row, left);
}

/** The next or previous trajectory of the strip into the right pane. */
function pickNext(by) {
  const rows = inOrder(reading.problem), at = rows.indexOf(reading.shown[reading.shown.length - 1]);
  if (rows.length) pickRow(reading.problem, rows[(at + by + rows.length) % rows.length], false);
}

/** The next or previous problem of the filtered list, with the same trajectories side by side. */
async function stepProblem(by) {
  const next = neighbour(await loadIndex(), reading.problem, by);
  if (next) location.hash = problemHash(next, reading.refs);
}

async function redrawProblem() {
  if (reading.problem) await showProblem(byId("view"), reading.problem.b, reading.problem.id, reading.refs);
}

function toolbar(index, problem) {
  const list = filtered(index, listState), at = list.indexOf(problem);
  const button = (label, title, action) => el("button", { class: "quiet", type: "button", title, onclick: action }, label);
  const toggle = (label, pressed, action, title) => el("button", { class: "quiet", type: "button", "aria-pressed": String(pressed), title, onclick: () => { action(); redrawProblem(); } }, label);
  const where = at < 0 ? "not in the filtered list" : `${count(at + 1)} of ${count(list.length)}${list.length < index.problems.length ? " filtered" : ""}`;
  return el("div", { class: "crumb" }, el("a", { href: "#/problems" }, "Problems"), "›",
    el("span", null, [problem.b, problem.g, spaced(problem.f)].filter(Boolean).join(" · ")), el("span", { class: "count" }, where), el("span", { class: "grow" }),
    toggle("side by side", reading.panes === 2, () => { reading.panes = 3 - reading.panes; }, "one or two trajectories (s)"),
    toggle("exact text", reading.raw, () => { reading.raw = !reading.raw; }, "the spans as they are (r)"),
    button("‹ previous", "previous problem of the list (k)", () => stepProblem(-1)), button("next ›", "next problem of the list (j)", () => stepProblem(1)),
    button("?", "keys (?)", () => byId("help").showModal()));
}

/** All trajectories of the problem as buttons; conditions carry the digit that chooses them. */
function strip(index, problem, shown) {
  const seen = new Map();
  return el("div", { class: "strip" }, inOrder(problem).map((row) => {
    const first = !seen.has(row.condition);
    if (first) seen.set(row.condition, seen.size + 1);
    const number = seen.get(row.condition);
    const cost = `${count(row.tokens)} tokens, ${plural(row.calls, "call")}, ${row.seconds.toFixed(1)} s`;
    return el("button", { class: `pick${shown.includes(row) ? " on" : ""}`, type: "button", title: `${cost}. Click: show at the right; with Shift: at the left`,
      onclick: (event) => pickRow(problem, row, event.shiftKey) }, sign(row.outcome), rowName(index, row),
      first && number <= 9 ? el("kbd", null, String(number)) : null);
  }));
}

/** Every trajectory's tokens, calls and seconds as a table; folded away, and only where there are several. */
function costTable(index, problem) {
  if (problem.rows.length < 2) return null;
  const heads = ["trajectory", "verdict", "extracted", "tokens", "calls", "failed", "hints", "seconds"];
  const rows = inOrder(problem).map((row) => el("tr", null, el("td", { class: "w" }, el("a", { href: problemHash(problem, [row.ref]) }, rowName(index, row))),
    el("td", { class: "w" }, row.outcome < 0 ? "not graded" : WORDS[row.outcome]), el("td", { class: "w mono" }, row.extracted),
    [row.tokens, row.calls, row.bad, row.hints].map((value) => el("td", null, count(value))), el("td", null, row.seconds.toFixed(1))));
  const table = el("table", null, el("thead", null, el("tr", null, heads.map((word, i) => el("th", i < 3 ? { class: "w" } : null, word)))), el("tbody", null, rows));
  return el("details", { class: "costs" }, el("summary", null, `tokens and seconds of all ${count(problem.rows.length)} trajectories`), el("div", { class: "wide" }, table));
}

async function showProblem(view, benchmark, id, refs) {
  const index = await loadIndex(), problem = findProblem(index, benchmark, id);
  if (!problem) { view.replaceChildren(el("p", { class: "empty" }, "There is no such problem in this report.")); return; }
  if (refs.length) reading.refs = refs;
  reading.problem = problem;
  const rows = chosenRows(index, problem);
  const shown = reading.panes === 1 ? rows.slice(-1) : rows;
  reading.shown = rows;
  const statement = problem.at[0] >= 0 ? await loadEntry(...problem.at) : null;
  const entries = await Promise.all(shown.map((row) => loadEntry(row.chunk, row.at)));
  const split = shown.length === 2 && !reading.raw ? firstDifference(entries[0].s, entries[1].s) : -1;
  const panes = await Promise.all(shown.map((row) => drawPane(index, row, statement, split, shown.length === 1)));
  if (reading.problem !== problem) return; // another one was asked for meanwhile
  const withheld = index.withheld.includes(problem.b);
  const nothing = withheld ? "This benchmark asks that its questions are not published. Its text is left out of this page."
    : "This page carries no trajectory of this problem. The run folder has them all.";
  view.replaceChildren(toolbar(index, problem), el("h1", { class: "id" }, problem.id), question(statement, withheld), strip(index, problem, shown), costTable(index, problem) ?? "",
    problem.rows.length ? el("div", { class: `panes${shown.length === 2 ? " two" : ""}` }, panes) : el("p", { class: "empty" }, nothing));
  keyTargets.last = null;
  markWide(view);
  if (!view.contains(document.activeElement)) window.scrollTo(0, 0);
}

function testTable(statement) {
  if (!statement.tests.length) return null;
  const head = el("tr", null, ["input", "output", ""].map((word) => el("th", { class: "w" }, word)));
  const rows = statement.tests.map((test) => el("tr", null, el("td", { class: "w wrap mono" }, test.in), el("td", { class: "w wrap mono" }, test.out),
    el("td", { class: "w" }, test.pub ? "in the statement" : "held back")));
  const table = el("table", null, el("thead", null, head), el("tbody", null, rows));
  return el("details", null, el("summary", null, plural(statement.tests.length + statement.more, "test")), el("div", { class: "wide" }, table));
}

function question(statement, withheld) {
  if (!statement) return withheld ? "" : el("p", { class: "empty" }, "The problem's text is not in the run folder.");
  const facts = [];
  statement.choices.forEach((choice, i) => facts.push(el("dt", null, String.fromCharCode(65 + i)), el("dd", null, prose(choice))));
  if (statement.answer !== null) facts.push(el("dt", null, "reference answer"), el("dd", null, el("strong", null, prose(statement.answer))));
  if (statement.starter) facts.push(el("dt", null, "starter code"), el("dd", null, el("code", { class: "code" }, highlight(statement.starter))));
  return el("div", { class: "question" }, el("div", { class: "body" }, inSteps(statement.text, prose)), facts.length ? el("dl", { class: "plain" }, facts) : null, testTable(statement));
}

const keyTargets = { last: null };

/** Go to the next or previous block that matches, in the order in which they stand on the page. */
function jump(selector, by) {
  const all = [...document.querySelectorAll(selector)].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
  if (!all.length) return;
  const at = all.indexOf(keyTargets.last);
  const below = all.findIndex((node) => node.getBoundingClientRect().top > 90);
  const next = at >= 0 ? at + by : by > 0 ? Math.max(below, 0) : below < 0 ? all.length - 1 : below - 1;
  const target = all[(next + all.length) % all.length];
  document.querySelectorAll(".block.here").forEach((node) => node.classList.remove("here"));
  target.classList.add("here");
  target.scrollIntoView({ block: "start" });
  target.focus({ preventScroll: true });
  keyTargets.last = target;
}
