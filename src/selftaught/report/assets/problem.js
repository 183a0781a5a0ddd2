// One problem: its statement, a strip of all its trajectories, and one or two of them to read.
const reading = { panes: 2, raw: false, problem: -1, shown: [] };

/** What a trajectory is called: its condition, and in a curve over rounds its round. */
function rowName(index, row) {
  const parts = /^(.*) by rounds \((.*)\)$/.exec(index.names[row.condition]);
  const name = parts ? `${parts[1]}, round ${row.round}${parts[2] === "hints" ? "" : ` of ${parts[2].replaceAll("_", " ")}`}` : index.names[row.condition];
  return name + (row.sample > 0 ? `, sample ${row.sample}` : "");
}

/** The two trajectories that a problem opens with: base and START, or the first and the last. */
function firstChoice(index, problem) {
  const of = (name) => problem.rows.find((row) => index.names[row.condition] === name && row.sample === 0);
  const left = of("base") || problem.rows[0], right = of("start") || problem.rows[problem.rows.length - 1];
  return left === right ? [left] : [left, right];
}

function verdictLine(entry, row, statement) {
  const items = [];
  const put = (name, ...value) => items.push(el("dt", null, name), el("dd", null, ...value));
  const grade = entry.g;
  if (grade) {
    put("extracted", grade.x === null ? "nothing" : statement?.kind === "code" ? el("code", { class: "code" }, highlight(grade.x)) : el("code", { class: "inline" }, grade.x));
    if (statement?.answer) put("reference", el("code", { class: "inline" }, statement.answer));
    put("decided by", [grade.path, grade.why, grade.by].filter(Boolean).join(" · "));
  } else put("grade", "not graded");
  put("ended", `${entry.stop.replaceAll("_", " ")} · ${row.tokens.toLocaleString("en")} tokens after the prompt · ${row.calls} call${row.calls === 1 ? "" : "s"} · ${row.hints} hint${row.hints === 1 ? "" : "s"} · ${entry.sec.toFixed(1)} s`);
  if (entry.err) put("error", entry.err);
  if (entry.model) put("model", `${entry.model}, seed ${entry.seed}`);
  return el("dl", { class: "verdict" }, items);
}

async function drawPane(index, row, statement, split, one) {
  const entry = await loadEntry(row.chunk, row.at);
  const pane = el("article", { class: `pane${one ? " one" : ""}` });
  const totals = {};
  for (const [source, , tokens] of entry.s) totals[source] = (totals[source] || 0) + tokens;
  const name = el("span", null, rowName(index, row));
  pane.append(el("header", null, el("div", { class: "name" }, sign(row.outcome), name, el("span", { class: "id" }, row.id)), verdictLine(entry, row, statement), ribbon(entry.s, pane),
    el("div", { class: "key" }, Object.entries(totals).map(([source, tokens]) => { const mark = el("span", { class: "dot" }); mark.style.background = `var(--p-${COLOURS[source]})`; return el("span", null, mark, `${SOURCES[source]} ${tokens.toLocaleString("en")}`); }))));
  pane.append(drawSpans(entry.s, { raw: reading.raw, split }));
  return pane;
}

async function showProblem(view, number, wanted) {
  const index = await loadIndex();
  const problem = index.problems[number];
  if (!problem) { view.replaceChildren(el("p", { class: "empty" }, "There is no such problem in this report.")); return; }
  if (reading.problem !== number || wanted.length) reading.shown = wanted.map((i) => index.rows[i]).filter((row) => row && row.problem === number);
  if (!reading.shown.length) reading.shown = problem.rows.length ? firstChoice(index, problem) : [];
  reading.problem = number;
  const statement = problem.at[0] >= 0 ? await loadEntry(...problem.at) : null;
  const shown = reading.panes === 1 ? reading.shown.slice(-1) : reading.shown.slice(0, 2);
  const entries = await Promise.all(shown.map((row) => loadEntry(row.chunk, row.at)));
  const split = shown.length === 2 && !reading.raw ? firstDifference(entries[0].s, entries[1].s) : -1;
  const panes = await Promise.all(shown.map((row) => drawPane(index, row, statement, split, shown.length === 1)));
  const step = (by) => { const next = number + by; if (index.problems[next]) location.hash = `#/p/${next}`; };
  const go = (rows) => { location.hash = `#/p/${number}/${rows.map((row) => row.i).join(",")}`; };
  const pick = (row, event) => go(event.shiftKey || reading.panes === 1 || reading.shown.length < 2 ? (reading.panes === 1 ? [row] : [row, reading.shown[1] || reading.shown[0]]) : [reading.shown[0], row]);
  const toggle = (label, pressed, action, title) => el("button", { class: "quiet", type: "button", "aria-pressed": String(pressed), title, onclick: () => { action(); showProblem(view, number, []); } }, label);
  const ordered = [...problem.rows].sort((a, b) => a.condition - b.condition || a.round - b.round || a.sample - b.sample);
  view.replaceChildren(
    el("div", { class: "crumb" }, el("a", { href: "#/problems" }, "Problems"), "›", el("span", null, [problem.b, problem.g, problem.f.replaceAll("_", " ")].filter(Boolean).join(" · ")), el("span", { class: "grow" }),
      toggle("side by side", reading.panes === 2, () => { reading.panes = 3 - reading.panes; }, "one or two trajectories (s)"), toggle("exact text", reading.raw, () => { reading.raw = !reading.raw; }, "the spans as they are (r)"),
      el("button", { class: "quiet", type: "button", onclick: () => step(-1), title: "previous problem (k)" }, "‹ previous"), el("button", { class: "quiet", type: "button", onclick: () => step(1), title: "next problem (j)" }, "next ›"),
      el("button", { class: "quiet", type: "button", onclick: () => byId("help").showModal(), title: "keys (?)" }, "?")),
    el("h1", { class: "id" }, problem.id), question(statement, index.withheld.includes(problem.b)),
    el("div", { class: "strip" }, ordered.map((row) => el("button", { class: `pick${shown.includes(row) ? " on" : ""}`, type: "button", title: "click: show at the right; with Shift: at the left", onclick: (event) => pick(row, event) }, sign(row.outcome), rowName(index, row)))),
    problem.rows.length ? el("div", { class: `panes${shown.length === 2 ? " two" : ""}` }, panes) : el("p", { class: "empty" }, index.withheld.includes(problem.b) ? "This benchmark asks that its questions are not published; its text is left out of this page." : "No trajectory of this problem is carried by this page; the run folder has them all."));
  keyTargets.last = null;
  if (!view.contains(document.activeElement)) window.scrollTo(0, 0);
}

function question(statement, withheld) {
  if (!statement) return withheld ? null : el("p", { class: "empty" }, "The problem's text is not in the run folder.");
  const facts = [];
  statement.choices.forEach((choice, i) => facts.push(el("dt", null, String.fromCharCode(65 + i)), el("dd", null, prose(choice))));
  if (statement.answer !== null) facts.push(el("dt", null, "reference answer"), el("dd", null, el("strong", null, prose(statement.answer))));
  if (statement.starter) facts.push(el("dt", null, "starter code"), el("dd", null, el("code", { class: "code" }, highlight(statement.starter))));
  const tests = statement.tests.length ? el("details", null, el("summary", null, `${statement.tests.length + statement.more} tests`),
    el("table", null, el("thead", null, el("tr", null, ["input", "output", ""].map((word) => el("th", { class: "w" }, word)))), el("tbody", null, statement.tests.map((test) => el("tr", null, el("td", { class: "w wrap mono" }, test.in), el("td", { class: "w wrap mono" }, test.out), el("td", { class: "w" }, test.pub ? "in the statement" : "held back")))))) : null;
  return el("div", { class: "question" }, el("div", { class: "body" }, inSteps(statement.text, prose)), facts.length ? el("dl", { class: "plain" }, facts) : null, tests);
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
