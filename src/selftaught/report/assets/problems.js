// The list of problems: a mosaic of all verdicts, filters, and rows that are drawn as the reader scrolls.
const PAGE_ROWS = 80;

/** Which problems the filters leave. */
function filtered(index, state) {
  const words = state.text.toLowerCase();
  const column = (name) => index.conditions.indexOf(name);
  const right = (problem, name) => { const cell = problem.cells[column(name)]; return cell ? cell[0] > 0.5 : null; };
  const tests = {
    all: () => true,
    fixed: (p) => right(p, state.a) === false && right(p, state.b) === true,
    broken: (p) => right(p, state.a) === true && right(p, state.b) === false,
    neither: (p) => right(p, state.a) === false && right(p, state.b) === false,
    errors: (p) => p.rows.some((row) => row.bad > 0),
    unfinished: (p) => p.cells.some((cell) => cell && cell[1] >= 2),
  };
  return index.problems.filter((p) => tests[state.show](p) && (!state.group || p.g === state.group) && (!state.family || p.f === state.family) && (!state.benchmark || p.b === state.benchmark)
    && (!words || p.id.toLowerCase().includes(words) || p.q.toLowerCase().includes(words) || p.a.toLowerCase() === words));
}

function drawMosaic(holder, index, list) {
  const canvas = el("canvas", { role: "img", "aria-label": "verdict of every problem under every condition" });
  const tip = el("div", { class: "tip", hidden: true });
  holder.replaceChildren(canvas, tip);
  const rowHeight = 19, left = 118, top = 20;
  const width = holder.clientWidth || 1000;
  const order = [...list].sort((a, b) => a.b.localeCompare(b.b) || groupRank(a.g) - groupRank(b.g) || a.f.localeCompare(b.f) || numRight(b) - numRight(a) || a.i - b.i);
  const ratio = window.devicePixelRatio || 1;
  const height = top + rowHeight * index.conditions.length + 4;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const step = (width - left) / Math.max(order.length, 1);
  pen.font = `12.5px ${getComputedStyle(document.body).fontFamily}`;
  const colours = OUTCOMES.map((name) => colour(`o-${name}`));
  index.conditions.forEach((name, row) => {
    pen.fillStyle = colour("ink");
    pen.textAlign = "right";
    pen.fillText(name, left - 10, top + row * rowHeight + 13, left - 14);
    order.forEach((problem, column) => {
      const cell = problem.cells[row];
      if (!cell) return;
      pen.fillStyle = cell[0] > 0 && cell[0] < 1 ? colours[cell[0] > 0.5 ? 0 : 1] : cell[1] >= 0 ? colours[cell[1]] : colours[cell[0] > 0.5 ? 0 : 1];
      pen.globalAlpha = cell[0] > 0 && cell[0] < 1 ? 0.35 + 0.65 * Math.abs(cell[0] - 0.5) * 2 : 1;
      const x0 = Math.round((left + column * step) * ratio) / ratio, x1 = Math.round((left + (column + 1) * step) * ratio) / ratio;
      pen.fillRect(x0, top + row * rowHeight, Math.max(x1 - x0 - (step > 4 ? 1 : 0), 1 / ratio), rowHeight - 3);
      pen.globalAlpha = 1;
    });
  });
  pen.textAlign = "left";
  let start = 0;
  order.forEach((problem, column) => {
    const last = column + 1 === order.length;
    if (!last && order[column + 1].g === problem.g) return;
    pen.fillStyle = colour("muted");
    const room = (column + 1 - start) * step;
    if (room > 34 && problem.g) pen.fillText(problem.g, left + start * step + 2, 13, room - 4);
    pen.fillStyle = colour("paper");
    if (!last) pen.fillRect(Math.round(left + (column + 1) * step) - 1, top, 2, height - top);
    start = column + 1;
  });
  const at = (event) => order[Math.floor((event.offsetX - left) / step)];
  canvas.addEventListener("click", (event) => { const problem = at(event); if (problem) location.hash = `#/p/${problem.i}`; });
  canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
  canvas.addEventListener("mousemove", (event) => {
    const problem = at(event);
    tip.hidden = !problem || event.offsetX < left;
    if (tip.hidden) return;
    tip.textContent = [problem.id, problem.f.replaceAll("_", " "), problem.q.slice(0, 60)].filter(Boolean).join(" · ");
    tip.style.left = `${Math.min(event.offsetX + 12, width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.offsetY + 18}px`;
  });
}

const numRight = (problem) => problem.cells.reduce((sum, cell) => sum + (cell ? cell[0] : 0), 0);
const groupRank = (group) => { const at = ["hard", "easy", "code", "choice"].indexOf(group); return at < 0 ? 9 : at; };

const listState = { text: "", group: "", family: "", benchmark: "", show: "all", a: "base", b: "start" };

async function showProblems(view) {
  const index = await loadIndex();
  const body = el("tbody", null), count = el("span", { class: "count" }), mosaic = el("div", { class: "mosaic" });
  const more = el("div", { class: "more" });
  let list = [], drawn = 0;
  const draw = () => {
    for (const problem of list.slice(drawn, drawn + PAGE_ROWS)) {
      body.append(el("tr", { onclick: (event) => { if (!event.target.closest("a")) location.hash = `#/p/${problem.i}`; } },
        el("td", { class: "q" }, el("a", { href: `#/p/${problem.i}` }, problem.q ? prose(problem.q) : problem.id), el("small", null, [problem.id, problem.f.replaceAll("_", " ")].filter(Boolean).join(" · "))),
        el("td", { class: "w mono a" }, problem.a),
        problem.cells.map((cell) => el("td", { class: "c" }, cell ? sign(cell[1] >= 0 ? cell[1] : cell[0] > 0.5 ? 0 : 1, cell[0]) : sign(-1)))));
    }
    drawn += PAGE_ROWS;
    more.hidden = drawn >= list.length;
  };
  const refresh = () => {
    list = filtered(index, listState);
    drawn = 0;
    body.replaceChildren();
    count.textContent = list.length === index.problems.length ? `${list.length.toLocaleString("en")} problems` : `${list.length.toLocaleString("en")} of ${index.problems.length.toLocaleString("en")} problems`;
    draw();
    drawMosaic(mosaic, index, list);
  };
  const choose = (name, label, values, words = (value) => value.replaceAll("_", " ")) => el("select", { "aria-label": label, onchange: (event) => { listState[name] = event.target.value; refresh(); } },
    values.map((value) => el("option", { value, selected: listState[name] === value }, words(value) || label)));
  const values = (key) => ["", ...new Set(index.problems.map((p) => p[key]).filter(Boolean))];
  for (const [name, fallback] of [["a", 0], ["b", index.conditions.length - 1]]) if (!index.conditions.includes(listState[name])) listState[name] = index.conditions[fallback];
  const shows = { all: "all problems", fixed: `wrong under ${listState.a}, right under ${listState.b}`, broken: `right under ${listState.a}, wrong under ${listState.b}`, neither: `wrong under both`, errors: "with a failed call", unfinished: "without an answer somewhere" };
  const search = el("input", { type: "search", placeholder: "search question, id or reference answer", value: listState.text, "aria-label": "search", oninput: (event) => { listState.text = event.target.value; refresh(); } });
  view.replaceChildren(
    el("h1", null, "Problems"),
    el("p", { class: "lead" }, "Every problem under every condition: a column of the mosaic is one problem. Click a problem to read its trajectories."),
    mosaic,
    el("div", { class: "key" }, OUTCOMES.map((name, i) => el("span", null, sign(i), ` ${WORDS[i]}`))),
    el("div", { class: "filters" }, search, choose("show", "all problems", Object.keys(shows), (value) => shows[value]),
      values("b").length > 2 ? choose("benchmark", "all benchmarks", values("b")) : null, choose("group", "all kinds", values("g")), choose("family", "all families", values("f")), count),
    el("div", { class: "gridwrap" }, el("table", { class: "grid" }, el("thead", null, el("tr", null, ["problem", "answer"].map((word) => el("th", { class: "w" }, word)), index.conditions.map((name) => el("th", { class: "c" }, name)))), body)), more);
  refresh();
  new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting) && drawn < list.length) draw(); }, { rootMargin: "600px" }).observe(more);
}
