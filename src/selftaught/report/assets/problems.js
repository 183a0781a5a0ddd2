// The list of problems: the mosaic, the filters, and rows that are drawn as the reader scrolls.
const PAGE_ROWS = 80;
/** Key of a problem in the index → field of the list's state. */
const FIELD = { b: "benchmark", g: "group", f: "family" };

/** One problem's row; under it, after a search through trajectories, where the words stand. */
function problemRow(index, problem, hits) {
  const open = (event) => { if (!event.target.closest("a")) location.hash = problemHash(problem); };
  const found = (hits || []).slice(0, 3).map(({ row, words }) => el("a", { class: "hit", href: problemHash(problem, [row.ref]) },
    el("b", null, row.ref), ` ${words}`));
  const more = hits && hits.length > 3 ? el("small", null, `and in ${count(hits.length - 3)} more`) : null;
  return el("tr", { onclick: open },
    el("td", { class: "q" }, el("a", { href: problemHash(problem) }, problem.q ? prose(problem.q) : problem.id),
      el("small", null, [problem.id, spaced(problem.f)].filter(Boolean).join(" · ")), found, more),
    el("td", { class: "w mono a" }, problem.a),
    problem.cells.map((cell, i) => el("td", { class: "c", "data-name": index.conditions[i] },
      cell ? sign(cell[1] >= 0 ? cell[1] : cell[0] > 0.5 ? 0 : 1, cell[0]) : sign(-1))));
}

/** A drop-down that sets one field of the list's state. */
function choose(name, label, values, refresh, words = spaced) {
  const options = values.map((value) => el("option", { value, selected: listState[name] === value }, words(value) || label));
  return el("select", { "aria-label": label, onchange: (event) => { listState[name] = event.target.value; refresh(); } }, options);
}

/** The row of filters above the list. */
function filterRow(index, refresh, search, count) {
  const { a, b } = listState;
  const shows = {
    all: "all problems", fixed: `wrong under ${a}, right under ${b}`, broken: `right under ${a}, wrong under ${b}`,
    neither: "wrong under both", errors: "with a failed call", unfinished: "without an answer somewhere",
  };
  if (a === b) for (const name of ["fixed", "broken", "neither"]) delete shows[name];
  if (index.rows.some((row) => row.outcome < 0)) shows.ungraded = "not graded yet";
  const values = (key) => ["", ...new Set(index.problems.map((p) => p[key]).filter(Boolean))];
  const wheres = { questions: "in questions, ids, answers", trajectories: "in all trajectories" };
  const few = (key, label) => (values(key).length > 2 ? choose(FIELD[key], label, values(key), refresh) : null);
  return el("div", { class: "filters" }, search, choose("where", "where to search", Object.keys(wheres), refresh, (value) => wheres[value]),
    choose("show", "all problems", Object.keys(shows), refresh, (value) => shows[value]),
    few("b", "all benchmarks"), few("g", "all kinds"), few("f", "all families"), count);
}



/** Search through trajectories where that is asked for; resolves when the hits stand in the state. False when overtaken. */
async function searchIfAsked(index, said) {
  const words = listState.text.trim();
  if (listState.where !== "trajectories" || words.length < 2) {
    searchNumber++;
    listState.hits = null;
    return true;
  }
  if (listState.hits?.words === words) return true;
  const hits = await searchTrajectories(index, words, (share) => { said.textContent = `searching … ${Math.round(share * 100)} %`; });
  if (hits === null) return false;
  hits.words = words;
  listState.hits = hits;
  return true;
}

async function showProblems(view) {
  const index = await loadIndex();
  listState.a ||= index.pair[0] || "";
  listState.b ||= index.pair[1] || "";
  const body = el("tbody", null), said = el("span", { class: "count", role: "status" }), mosaic = el("div", { class: "mosaic" });
  const more = el("div", { class: "more" }), wrap = el("div", { class: "gridwrap" });
  let list = [], drawn = 0;
  const draw = () => {
    for (const problem of list.slice(drawn, drawn + PAGE_ROWS)) body.append(problemRow(index, problem, listState.hits?.get(problem.i)));
    drawn += PAGE_ROWS;
    more.hidden = drawn >= list.length;
  };
  const refresh = async () => {
    if (!await searchIfAsked(index, said)) return;
    list = filtered(index, listState);
    drawn = 0;
    body.replaceChildren();
    const all = index.problems.length;
    said.textContent = list.length === all ? plural(all, "problem") : `${count(list.length)} of ${plural(all, "problem")}`;
    draw();
    drawMosaic(mosaic, index, list);
  };
  let waiting = 0;
  const typed = (event) => {
    listState.text = event.target.value;
    clearTimeout(waiting);
    waiting = setTimeout(refresh, listState.where === "trajectories" ? 350 : 0);
  };
  const search = el("input", { type: "search", placeholder: "search", value: listState.text, "aria-label": "search", oninput: typed });
  const head = el("tr", null, ["problem", "answer"].map((word) => el("th", { class: "w" }, word)),
    index.conditions.map((name) => el("th", { class: "c" }, name)));
  view.replaceChildren(
    el("h1", null, "Problems"),
    el("p", { class: "lead" }, "Each problem under each condition. A column of the mosaic is one problem. Click a problem to read its trajectories."),
    mosaic,
    el("div", { class: "key" }, OUTCOMES.map((name, i) => el("span", null, sign(i), ` ${WORDS[i]}`))),
    filterRow(index, refresh, search, said),
    wrap, more);
  wrap.append(el("table", { class: "grid" }, el("thead", null, head), body));
  await refresh();
  // Where the table is wider than the window, each row becomes a card.
  wrap.classList.toggle("cards", wrap.scrollWidth > wrap.clientWidth + 1);
  new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting) && drawn < list.length) draw(); }, { rootMargin: "600px" }).observe(more);
}
