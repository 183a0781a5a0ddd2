// The mosaic of the problems page: a column is one problem, a row one condition, a colour one verdict.
const MOSAIC_ROW = 19, MOSAIC_TOP = 20;

const numRight = (problem) => problem.cells.reduce((sum, cell) => sum + (cell ? cell[0] : 0), 0);
const groupRank = (group) => { const at = ["hard", "easy", "code", "choice"].indexOf(group); return at < 0 ? 9 : at; };
const mosaicOrder = (list) => [...list].sort((a, b) => a.b.localeCompare(b.b) || groupRank(a.g) - groupRank(b.g)
  || a.f.localeCompare(b.f) || numRight(b) - numRight(a) || a.i - b.i);

/** A canvas of the holder's width with sharp pixels; returns it with its pen. */
function sharpCanvas(width, height) {
  const canvas = el("canvas", { role: "img", "aria-label": "verdict of every problem under every condition" });
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = `12.5px ${getComputedStyle(document.body).fontFamily}`;
  return { canvas, pen, ratio };
}

/** One condition's row: its name, then a box a problem; samples that differ are paler the closer to half they are. */
function mosaicRow(pen, place, order, row, colours) {
  const { left, step, ratio } = place, top = MOSAIC_TOP + row * MOSAIC_ROW;
  order.forEach((problem, column) => {
    const cell = problem.cells[row];
    if (!cell) return;
    const [share, outcome] = cell, mixed = share > 0 && share < 1;
    pen.fillStyle = colours[mixed || outcome < 0 ? (share > 0.5 ? 0 : 1) : outcome];
    pen.globalAlpha = mixed ? 0.35 + 0.65 * Math.abs(share - 0.5) * 2 : 1;
    const x0 = Math.round((left + column * step) * ratio) / ratio, x1 = Math.round((left + (column + 1) * step) * ratio) / ratio;
    pen.fillRect(x0, top, Math.max(x1 - x0 - (step > 4 ? 1 : 0), 1 / ratio), MOSAIC_ROW - 3);
    pen.globalAlpha = 1;
  });
}

/** Names of the groups above their columns, and a gap after each. */
function mosaicGroups(pen, place, order, colour, height) {
  let start = 0;
  order.forEach((problem, column) => {
    const last = column + 1 === order.length;
    if (!last && order[column + 1].g === problem.g) return;
    pen.fillStyle = colour("muted");
    const room = (column + 1 - start) * place.step;
    if (room > 34 && problem.g) pen.fillText(problem.g, place.left + start * place.step + 2, 13, room - 4);
    pen.fillStyle = colour("paper");
    if (!last) pen.fillRect(Math.round(place.left + (column + 1) * place.step) - 1, MOSAIC_TOP, 2, height - MOSAIC_TOP);
    start = column + 1;
  });
}

function drawMosaic(holder, index, list) {
  const width = holder.clientWidth || 1000, height = MOSAIC_TOP + MOSAIC_ROW * index.conditions.length + 4;
  const { canvas, pen, ratio } = sharpCanvas(width, height);
  const tip = el("div", { class: "tip", hidden: true });
  holder.replaceChildren(canvas, tip);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const widest = Math.max(0, ...index.conditions.map((name) => pen.measureText(name).width));
  const left = Math.min(Math.ceil(widest) + 14, Math.round(width * 0.36));
  const order = mosaicOrder(list), step = (width - left) / Math.max(order.length, 1), place = { left, step, ratio };
  const colours = OUTCOMES.map((name) => colour(`o-${name}`));
  index.conditions.forEach((name, row) => {
    pen.fillStyle = colour("ink");
    pen.textAlign = "right";
    pen.fillText(name, left - 10, MOSAIC_TOP + row * MOSAIC_ROW + 13, left - 12);
    mosaicRow(pen, place, order, row, colours);
  });
  pen.textAlign = "left";
  mosaicGroups(pen, place, order, colour, height);
  const at = (event) => order[Math.floor((event.offsetX - left) / step)];
  canvas.addEventListener("click", (event) => { const problem = at(event); if (problem) location.hash = problemHash(problem); });
  canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
  canvas.addEventListener("mousemove", (event) => {
    const problem = at(event);
    tip.hidden = !problem || event.offsetX < left;
    if (tip.hidden) return;
    tip.textContent = [problem.id, spaced(problem.f), problem.q.slice(0, 60)].filter(Boolean).join(" · ");
    tip.style.left = `${Math.max(0, Math.min(event.offsetX + 12, width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${event.offsetY + 18}px`;
  });
}
