// Routes, keys, theme.
// #/ results (already in the document) · #/problems · #/p/<benchmark>/<problem id>[/<trajectory>,<trajectory>] · #/about
const results = byId("results"), about = byId("about"), view = byId("view");

/** Benchmark, id and trajectories of a problem's address; with the id alone, any benchmark's. */
function problemAddress(parts) {
  const words = parts.map(decoded);
  if (words.length === 1) return ["", words[0], []];
  return [words[0], words[1], (parts[2] || "").split(",").filter(Boolean).map(decoded)];
}

async function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/");
  const place = parts[0] === "p" || parts[0] === "problems" ? "problems" : parts[0] === "about" ? "about" : "results";
  results.hidden = place !== "results";
  about.hidden = place !== "about";
  view.hidden = place !== "problems";
  for (const link of document.querySelectorAll(".bar nav a")) link.toggleAttribute("aria-current", link.dataset.place === place);
  try {
    if (parts[0] === "problems") { await showProblems(view); window.scrollTo(0, 0); }
    else if (parts[0] === "p") await showProblem(view, ...problemAddress(parts.slice(1)));
    else if (place === "results" && parts[0]) byId(parts[0])?.scrollIntoView();
    else window.scrollTo(0, 0);
  } catch (error) {
    view.hidden = false;
    view.replaceChildren(el("p", { class: "empty" }, `This part of the report could not be opened: ${error.message}`));
  }
  markWide(document);
  document.documentElement.dataset.ready = parts[0] || "results";
}

/** Links from problem ids in the results to their pages; the ids are looked up when one is clicked. */
async function openById(benchmark, id, pair) {
  const index = await loadIndex(), problem = findProblem(index, benchmark, id);
  if (!problem) return;
  const rows = pair.map((name) => problem.rows.find((row) => index.names[row.condition] === name)).filter(Boolean);
  reading.refs = [];
  location.hash = problemHash(problem, rows.map((row) => row.ref));
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-problem]");
  if (link) openById(link.dataset.benchmark, link.dataset.problem, (link.dataset.pair || "").split("\n").filter(Boolean));
  const tab = event.target.closest("[data-tab]");
  if (tab) selectTab(tab);
});

function selectTab(tab) {
  for (const other of tab.parentElement.children) {
    other.setAttribute("aria-pressed", String(other === tab));
    byId(other.dataset.tab).hidden = other !== tab;
  }
  markWide(document);
}
document.querySelectorAll(".tabs").forEach((tabs) => { tabs.hidden = false; selectTab(tabs.firstElementChild); });
document.querySelectorAll("[data-tex]").forEach((node) => node.replaceChildren(prose(node.textContent)));

/** Say of each wide table and chart that is cut by the window that it scrolls. */
function markWide(within) {
  for (const box of within.querySelectorAll(".wide")) box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 2);
}

const themes = ["auto", "light", "dark"];
byId("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme || "auto";
  const next = themes[(themes.indexOf(now) + 1) % 3];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  byId("theme-name").textContent = next;
  if (location.hash.startsWith("#/problems")) route();
});

const KEYS = {
  n: () => jump(".block.h", 1), p: () => jump(".block.h", -1),
  c: () => jump(".block.t", 1), C: () => jump(".block.t", -1),
  e: () => jump(".block.t.bad", 1), E: () => jump(".block.t.bad", -1),
  j: () => stepProblem(1), k: () => stepProblem(-1),
  "]": () => pickNext(1), "[": () => pickNext(-1),
  s: () => { reading.panes = 3 - reading.panes; redrawProblem(); },
  r: () => { reading.raw = !reading.raw; redrawProblem(); },
};

/** 1 to 9 choose a condition for the right pane, with Shift for the left one. */
function digit(event) {
  const found = /^Digit([1-9])$/.exec(event.code || "") || /^([1-9])$/.exec(event.key);
  return found ? Number(found[1]) : 0;
}

/** Do what a key asks for after the key before it has changed the page: a fast reader loses none. */
let turn = Promise.resolve();
function inTurn(action) {
  turn = turn.then(async () => {
    const before = location.hash;
    await action();
    if (location.hash === before) return;
    await new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }));
    await arrived;
  });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input,select,textarea")) return;
  const reads = location.hash.startsWith("#/p/") && reading.problem;
  if (event.key === "?") byId("help").showModal();
  else if (event.key === "g") location.hash = "#/problems";
  else if (event.key === "0") location.hash = "#/";
  else if (reads && KEYS[event.key]) inTurn(KEYS[event.key]);
  else if (reads && digit(event)) inTurn(() => pickCondition(digit(event), event.shiftKey));
  else return;
  event.preventDefault();
});
byId("close-help").addEventListener("click", () => byId("help").close());
let arrived = Promise.resolve();
window.addEventListener("hashchange", () => { arrived = route(); });
let resizing = 0;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => { if (location.hash.startsWith("#/problems")) route(); else markWide(document); }, 200);
});
route();
