// One trajectory to take away: as text for the clipboard, as JSON for a file.

/** The text after the prompt, as the page shows it. */
const sampleText = (entry) => entry.s.filter((span) => span[0] !== "p").map((span) => span[1]).join("");

/** Everything that the page knows of one trajectory. */
function sampleRecord(index, row, entry, statement) {
  const problem = index.problems[row.problem];
  return {
    benchmark: problem.b,
    problem_id: problem.id,
    question: statement ? statement.text : null,
    reference: statement ? statement.answer : null,
    trajectory_id: row.id,
    condition: index.names[row.condition],
    sample: row.sample,
    round: row.round < 0 ? null : row.round,
    model: entry.model,
    seed: entry.seed,
    created_at: entry.when,
    seconds: entry.sec,
    tokens_after_prompt: row.tokens,
    stop_reason: entry.stop,
    outcome: row.outcome < 0 ? null : OUTCOMES[row.outcome],
    extracted: entry.g ? entry.g.x : null,
    decided_by: entry.g ? [entry.g.path, entry.g.why, entry.g.by].filter(Boolean).join(" · ") : null,
    spans: entry.s.map(([source, text, tokens, weight, more]) => ({ source: SOURCES[source], text, tokens, loss_weight: weight, ...(more ? { details: more } : {}) })),
  };
}

/** Put text on the clipboard; the older way where the newer one is not allowed. */
async function copyText(text) {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed here */ }
  const area = el("textarea", { class: "offscreen" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function saveFile(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

/** The two buttons of a pane. */
function takeAway(index, row, entry, statement) {
  const copy = el("button", { class: "quiet tiny", type: "button", title: "copy the text after the prompt" }, "copy");
  copy.addEventListener("click", async () => {
    copy.textContent = (await copyText(sampleText(entry))) ? "copied" : "not allowed";
    setTimeout(() => { copy.textContent = "copy"; }, 1500);
  });
  const name = `${index.problems[row.problem].id}-${row.ref}`.replace(/[^\w.+@~-]+/g, "_").slice(0, 120);
  const save = () => saveFile(`${name}.json`, JSON.stringify(sampleRecord(index, row, entry, statement), null, 2));
  const file = el("button", { class: "quiet tiny", type: "button", title: "save this trajectory as JSON", onclick: save }, "download");
  return el("span", { class: "takeaway" }, copy, file);
}
