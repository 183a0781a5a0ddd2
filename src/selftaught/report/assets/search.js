// Which problems are shown: filters over the index, and a search through the text of every trajectory.
const listState = { text: "", where: "questions", group: "", family: "", benchmark: "", show: "all", a: "", b: "", hits: null };

/** Which problems the filters leave, in their order. */
function filtered(index, state) {
  const words = state.text.trim().toLowerCase();
  const column = (name) => index.conditions.indexOf(name);
  const right = (problem, name) => { const cell = problem.cells[column(name)]; return cell ? cell[0] > 0.5 : null; };
  const shows = {
    all: () => true,
    fixed: (p) => right(p, state.a) === false && right(p, state.b) === true,
    broken: (p) => right(p, state.a) === true && right(p, state.b) === false,
    neither: (p) => right(p, state.a) === false && right(p, state.b) === false,
    errors: (p) => p.rows.some((row) => row.bad > 0),
    unfinished: (p) => p.cells.some((cell) => cell && cell[1] >= 2),
    ungraded: (p) => p.rows.some((row) => row.outcome < 0),
  };
  const says = (p) => {
    if (!words || (state.where === "trajectories" && words.length < 2)) return true;
    if (state.where === "trajectories") return Boolean(state.hits?.has(p.i));
    return p.id.toLowerCase().includes(words) || p.q.toLowerCase().includes(words) || p.a.toLowerCase() === words;
  };
  return index.problems.filter((p) => shows[state.show](p) && (!state.group || p.g === state.group)
    && (!state.family || p.f === state.family) && (!state.benchmark || p.b === state.benchmark) && says(p));
}

/** The next problem in the filtered list, `by` steps from `current`; null at either end. */
function neighbour(index, current, by) {
  const list = filtered(index, listState);
  const at = list.indexOf(current);
  if (at >= 0) return list[at + by] || null;
  // The shown problem is not in the list: go to the nearest one on that side.
  const side = list.filter((problem) => (by > 0 ? problem.i > current.i : problem.i < current.i));
  return (by > 0 ? side[0] : side[side.length - 1]) || null;
}

const SNIPPET = 60;

/** The words around the first hit in a text, on one line. */
function snippet(text, at, length) {
  const from = Math.max(0, at - SNIPPET), to = Math.min(text.length, at + length + SNIPPET);
  return (from > 0 ? "…" : "") + text.slice(from, to).replace(/\s+/g, " ") + (to < text.length ? "…" : "");
}

let searchNumber = 0;

/**
 * Problem number → the trajectories that hold the words, each with a snippet; null when a newer search has begun.
 * Every data block is opened once; `progress` hears the share that is done.
 */
async function searchTrajectories(index, words, progress) {
  const mine = ++searchNumber, wanted = words.trim().toLowerCase(), hits = new Map(), byChunk = new Map();
  for (const row of index.rows) {
    if (!byChunk.has(row.chunk)) byChunk.set(row.chunk, []);
    byChunk.get(row.chunk).push(row);
  }
  let done = 0;
  for (const [chunk, rows] of byChunk) {
    const entries = await inflate(`chunk-${chunk}`);
    if (mine !== searchNumber) return null;
    for (const row of rows) {
      const text = sampleText(entries[row.at]);
      const at = text.toLowerCase().indexOf(wanted);
      if (at < 0) continue;
      if (!hits.has(row.problem)) hits.set(row.problem, []);
      hits.get(row.problem).push({ row, words: snippet(text, at, wanted.length) });
    }
    progress(++done / byChunk.size);
  }
  return hits;
}
