// Only in a page that `selftaught view` sends: ask the server now and then whether it has made a newer page.
const ASK_EVERY_MS = 3000;
const liveSign = byId("live");
let shownVersion = null;

/** Reading a trajectory or typing is not interrupted: then a button offers the newer page. */
const mayReload = () => !results.hidden && !byId("help").open && !document.querySelector("input:focus,select:focus");

function offerReload() {
  if (mayReload()) { location.reload(); return; }
  if (!byId("reload")) liveSign.replaceChildren(el("button", { id: "reload", class: "quiet", type: "button", onclick: () => location.reload() }, "newer data: reload"));
}

async function askForNews() {
  try {
    const state = await (await fetch("/state", { cache: "no-store" })).json();
    shownVersion ??= state.version;
    if (state.version !== shownVersion) offerReload();
    else liveSign.textContent = state.words;
  } catch { liveSign.textContent = "the server has stopped"; }
  setTimeout(askForNews, ASK_EVERY_MS);
}
askForNews();
