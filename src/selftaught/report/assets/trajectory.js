// One trajectory as blocks: a block a span, cut further where code begins and ends and where the thinking closes.
const SOURCES = { p: "prompt", m: "model", h: "hint", t: "Python", c: "runner" };
const COLOURS = { p: "prompt", m: "model", h: "hint", t: "tool", c: "control" };
const LONG_TEXT = 24000;
/** A closing fence with a control token right behind it, such as ```<|im_end|>: the token is no part of the fence. */
const FENCE_THEN_TOKEN = /^[ \t]*```[ \t]*(?=<[^\s<>]{1,40}>)/;

/** Regions of the text after the prompt: prose, code (with its language) or tool output, by character offset. */
function regions(spans) {
  const found = [];
  let offset = 0, mode = "prose", language = "", begin = 0, lineStart = true;
  const close = (end) => { if (end > begin) found.push({ begin, end, mode, language }); begin = end; };
  for (const [source, text] of spans) {
    if (source === "p") continue;
    if (source === "t") {
      close(offset);
      mode = "output"; language = "";
      offset += text.length;
      close(offset);
      mode = "prose"; lineStart = text.endsWith("\n");
      continue;
    }
    let at = 0;
    while (at < text.length) {
      const cut = text.indexOf("\n", at);
      const end = cut < 0 ? text.length : cut + 1;
      const head = lineStart && end - at < 200 ? /^[ \t]*```([^`\n]*)/.exec(text.slice(at, end)) : null;
      if (head && mode === "prose") { close(offset + at); mode = "code"; language = head[1].trim(); }
      else if (head) {
        const token = FENCE_THEN_TOKEN.exec(text.slice(at, end));
        close(offset + (token ? at + token[0].length : end));
        mode = "prose"; language = "";
      }
      lineStart = cut >= 0;
      at = end;
    }
    offset += text.length;
  }
  close(offset);
  return found;
}

/** Pieces to draw: spans cut by regions and by the place where two trajectories part. */
function pieces(spans, split) {
  const out = [];
  const parts = regions(spans);
  let offset = 0, part = 0;
  spans.forEach((span, number) => {
    const [source, text] = span;
    if (source === "p") { out.push({ span, number, mode: "prompt", text, first: true }); return; }
    const end = offset + text.length;
    let first = true;
    while (part < parts.length && parts[part].begin < end) {
      const from = Math.max(parts[part].begin, offset), to = Math.min(parts[part].end, end);
      const cuts = split > from && split < to ? [from, split, to] : [from, to];
      for (let i = 0; i + 1 < cuts.length; i++) {
        out.push({ span, number, mode: parts[part].mode, language: parts[part].language, first, parts: cuts[i] === split,
          text: text.slice(cuts[i] - offset, cuts[i + 1] - offset), open: cuts[i] === parts[part].begin, close: cuts[i + 1] === parts[part].end });
        first = false;
      }
      if (parts[part].end > end) break;
      part++;
    }
    offset = end;
  });
  return out;
}

/** Offset at which two trajectories' texts after the prompt first differ, or -1. */
function firstDifference(a, b) {
  const text = (spans) => spans.filter((span) => span[0] !== "p").map((span) => span[1]).join("");
  const [left, right] = [text(a), text(b)];
  const size = Math.min(left.length, right.length);
  let at = 0;
  while (at < size && left[at] === right[at]) at++;
  if (at === left.length && at === right.length) return -1;
  while (at > 0 && /\S/.test(left[at - 1] || "")) at--;
  return at;
}

const INLINE = /(\\\$|\$\$[\s\S]{1,3000}?\$\$|\\\[[\s\S]{1,3000}?\\\]|\\\([\s\S]{1,1500}?\\\)|(?<![\\$\w])\$(?![\s$])(?:\\.|[^$\n\\]){1,400}?(?<!\s)\$(?![\w$])|\\boxed\{[^{}\n]{0,300}(?:\{[^{}\n]{0,200}\}[^{}\n]{0,200}){0,6}\}|`[^`\n]{1,200}`|\*\*[^*\n]{1,200}\*\*|<\|[a-z_]{1,30}\|>|<\/?think>)/g;

/** Prose with maths, inline code, bold and special tokens; anything else is plain text. */
function prose(text) {
  const out = document.createDocumentFragment();
  let last = 0;
  for (const found of text.matchAll(INLINE)) {
    out.append(text.slice(last, found.index));
    const whole = found[0];
    if (whole === "\\$") out.append("$");
    else if (whole.startsWith("$$") || whole.startsWith("\\[")) out.append(renderTex(whole.slice(2, -2), true));
    else if (whole.startsWith("\\(")) out.append(renderTex(whole.slice(2, -2), false));
    else if (whole.startsWith("$")) out.append(renderTex(whole.slice(1, -1), false));
    else if (whole.startsWith("\\boxed")) out.append(renderTex(whole, false));
    else if (whole.startsWith("`")) out.append(el("code", { class: "inline" }, whole.slice(1, -1)));
    else if (whole.startsWith("**")) out.append(el("strong", null, whole.slice(2, -2)));
    else out.append(el("span", { class: "special" }, whole));
    last = found.index + whole.length;
  }
  out.append(text.slice(last));
  return out;
}

/** Without blank lines at either end: the gap between blocks says the same; the exact text is one key away. */
const trimLines = (text) => text.replace(/^\n+|\n+$/g, "");

/** Draw `text` by `draw`; a long one in steps, so that no line of a megabyte stops the page. */
function inSteps(text, draw) {
  const holder = el("span", null);
  let at = 0;
  const step = () => {
    const end = Math.min(text.length, at + LONG_TEXT);
    holder.append(draw(text.slice(at, end)));
    at = end;
    if (at < text.length) {
      const left = (text.length - at).toLocaleString("en");
      const button = el("button", { class: "grow-text", type: "button", onclick: () => { button.remove(); step(); } }, `show more (${left} characters left)`);
      holder.append(button);
    }
  };
  step();
  return holder;
}

function codeBox(piece) {
  const lines = piece.text.split("\n");
  let text = piece.text;
  if (piece.open) text = lines.slice(1).join("\n");
  if (piece.close) text = text.replace(/\n?[ \t]*```[ \t]*\n?$/, "");
  text = text.replace(/\n$/, "");
  const python = /^(python|py|)$/i.test(piece.language);
  if (!text.trim()) return piece.open ? el("span", { class: "lang" }, `opens ${piece.language || "code"}`) : null;
  const label = piece.open || !python ? el("span", { class: "lang" }, piece.language || "code") : null;
  return el("code", { class: "code" }, label, inSteps(text, python ? highlight : (part) => document.createTextNode(part)));
}

function outputBox(piece) {
  const text = piece.text.replace(/^```output\n/, "").replace(/\n?```\n?$/, "");
  return el("code", { class: "code" }, inSteps(text || "(nothing printed)", (part) => document.createTextNode(part)));
}

/** Why a hint stands here, or how a call went: the line above a block's text. */
function reason(span) {
  const [source, , , , more] = span;
  if (!more) return null;
  if (source === "h") {
    const round = more.round ? `, round ${more.round}` : "";
    const gone = more.gone ? ` · ${more.gone} sampled token${more.gone > 1 ? "s" : ""} taken out before it` : "";
    return el("span", { class: "why" }, el("strong", null, more.id), ` · ${more.pos.replaceAll("_", " ")}${round} · ${more.why}${more.trig ? ` · fired by “${more.trig.trim()}”` : ""}${gone}`);
  }
  const words = [more.st, `${more.sec < 0.1 ? (more.sec * 1000).toFixed(1) + " ms" : more.sec.toFixed(2) + " s"}`];
  if (more.cut) words.push("output shortened");
  if (more.mem) words.push("from the cache");
  if (more.tier) words.push(`isolation: ${more.tier}`);
  return el("span", { class: "why" }, words.join(" · "));
}

function side(span) {
  const [source, , tokens, weight] = span;
  const loss = weight === null || weight === undefined ? null : el("span", { title: "weight of these tokens in the training loss" }, `loss ${weight}`);
  return el("div", { class: "side" }, el("b", null, SOURCES[source]), el("span", null, `${tokens.toLocaleString("en")} tok`), loss);
}

/** All blocks of one trajectory; `raw` shows the exact text without rendering. */
function drawSpans(spans, { raw, split }) {
  const out = document.createDocumentFragment();
  let block = null, text = null, thinking = true;
  const list = raw ? spans.map((span, number) => ({ span, number, mode: span[0] === "p" ? "prompt" : "raw", text: span[1], first: true })) : pieces(spans, split);
  for (const piece of list) {
    const [source, , , , more] = piece.span;
    if (piece.first) {
      const bad = source === "t" && more && more.st !== "ok";
      text = el("div", { class: "text" });
      block = el("div", { class: `block ${source}${bad ? " bad" : ""}`, "data-n": piece.number, tabindex: "-1" }, side(piece.span), text);
      out.append(block);
      const why = reason(piece.span);
      if (why) text.append(why);
    }
    if (piece.parts) text.append(el("span", { class: "mark split" }, "the two part here"));
    if (piece.mode === "prompt") text.append(el("details", null, el("summary", null, "chat template and question"), inSteps(piece.text, (part) => document.createTextNode(part))));
    else if (piece.mode === "raw") text.append(inSteps(piece.text, (part) => document.createTextNode(part)));
    else if (piece.mode === "output") text.append(outputBox(piece));
    else if (piece.mode === "code") { const box = codeBox(piece); if (box) text.append(box); }
    else {
      const cut = thinking ? piece.text.indexOf("</think>") : -1;
      if (cut < 0) { text.append(inSteps(trimLines(piece.text), prose)); }
      else {
        thinking = false;
        text.append(inSteps(trimLines(piece.text.slice(0, cut)), prose), el("span", { class: "mark" }, "thinking ends, the answer begins"),
          inSteps(trimLines(piece.text.slice(cut + 8)), prose));
      }
    }
  }
  return out;
}

/** The token ribbon: one stripe a span, wide as its share of tokens; a click goes there. */
function ribbon(spans, pane) {
  const bar = el("div", { class: "ribbon", "aria-label": "tokens by source" });
  spans.forEach(([source, , tokens, , more], number) => {
    const stripe = el("button", { type: "button", title: `${SOURCES[source]}: ${tokens.toLocaleString("en")} tokens`, onclick: () => pane.querySelector(`[data-n="${number}"]`)?.scrollIntoView({ block: "start", behavior: "smooth" }) });
    stripe.style.flex = `${Math.max(tokens, 1)} 1 0`;
    const bad = source === "t" && more && more.st !== "ok";
    stripe.style.background = `var(--${bad ? "o-wrong" : `p-${COLOURS[source]}`})`;
    bar.append(stripe);
  });
  return bar;
}
