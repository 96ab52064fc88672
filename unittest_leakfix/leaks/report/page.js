/* All that the page says is there without this. It adds filters, sorting, copying and the theme. */
const by = id => document.getElementById(id);
const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
const root = document.documentElement;

function made(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}
function say(text) {
  by("said").textContent = text;
}
function grouped(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ",");
}
function counted(number, noun) {
  return grouped(number) + " " + noun + (number === 1 ? "" : "s");
}
function amount(size) {     // as the text report writes it: 1 kB is 1000 B
  const sign = size < 0 ? "−" : "";
  size = Math.abs(size);
  if (size < 1000) return sign + Math.round(size) + " B";
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    size /= 1000;
    if (size < 999.5 || unit === "TB") return sign + size.toFixed(size >= 99.95 ? 0 : 1) + " " + unit;
  }
}

/* The theme: the system's, until another one is chosen. */
const theme = by("theme");
const THEMES = ["auto", "light", "dark"];
let chosen = "auto";
try { chosen = localStorage.getItem("leakfix-theme") || "auto"; } catch (error) { /* no storage */ }
function applyTheme() {
  if (chosen === "auto") delete root.dataset.theme; else root.dataset.theme = chosen;
  theme.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[chosen];
  theme.setAttribute("aria-label", "Theme: " + chosen);
}
if (!THEMES.includes(chosen)) chosen = "auto";
theme.hidden = false;
theme.addEventListener("click", () => {
  chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
  try { localStorage.setItem("leakfix-theme", chosen); } catch (error) { /* no storage */ }
  applyTheme();
});
applyTheme();

/* Copying. */
function copy(text, button) {
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  const done = ok => {
    button.textContent = ok ? "Copied" : "Not copied";
    say(ok ? "Copied" : "The browser does not let this page copy");
    setTimeout(() => { button.textContent = label; }, 1500);
  };
  const byHand = () => {      // a page from plain http has no clipboard of its own
    const area = made("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    let ok = false;
    try { ok = document.execCommand("copy"); } catch (error) { /* not allowed */ }
    area.remove();
    button.focus();
    done(ok);
  };
  if (navigator.clipboard && window.isSecureContext) {
    navigator.clipboard.writeText(text).then(() => done(true), byHand);
  } else {
    byHand();
  }
}
all("[data-copy]").forEach(button => { button.hidden = false; });
document.addEventListener("click", event => {
  const button = event.target.closest("[data-copy], [data-copy-link]");
  if (!button) return;
  if (button.dataset.copy === "code") {
    copy(button.parentElement.querySelector("code").textContent, button);
  } else if (button.dataset.copy === "text") {
    copy(button.parentElement.querySelector("pre.text").textContent, button);
  } else {
    copy(location.href.split("#")[0] + button.getAttribute("href"), button);
  }
});

/* What scrolls sideways can be scrolled by keys. */
function focusable() {
  all(".code, .text, .wide").forEach(element => {
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  });
}
document.addEventListener("toggle", focusable, true);
addEventListener("resize", focusable);
focusable();

/* The causes: found, chosen by kind, ordered. */
const causes = all(".cause");
const list = by("list");
const filters = by("filters");
const kinds = new Set();
const texts = new Map();
const inOrder = {
  size: causes.slice(),
  tests: causes.slice().sort((one, other) => other.dataset.tests - one.dataset.tests),
  number: causes.slice().sort((one, other) => (+one.dataset.number || 1e9) - (+other.dataset.number || 1e9)),
};
function textOf(cause) {
  if (!texts.has(cause)) texts.set(cause, cause.textContent.toLowerCase());
  return texts.get(cause);
}
function filter() {
  const words = by("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const fresh = by("new") && by("new").checked;
  let shown = 0;
  for (const cause of causes) {
    const fits = (!kinds.size || kinds.has(cause.dataset.kind)) &&
      !(fresh && "known" in cause.dataset) && words.every(word => textOf(cause).includes(word));
    cause.hidden = !fits;
    shown += fits;
  }
  by("nothing").hidden = shown > 0;
  by("shown").textContent = shown === causes.length ? "" :
    grouped(shown) + " of " + counted(causes.length, "cause");
}
function showAll() {
  by("find").value = "";
  if (by("new")) by("new").checked = false;
  kinds.clear();
  all(".chip").forEach(chip => chip.setAttribute("aria-pressed", "false"));
  filter();
}
function unfoldLabel() {
  const button = by("unfold");
  if (button) button.textContent = causes.some(cause => cause.open === false) ? "Unfold all" : "Fold all";
}
if (filters) {
  filters.hidden = false;
  filters.addEventListener("submit", event => event.preventDefault());
  by("find").addEventListener("input", filter);
  if (by("new")) by("new").addEventListener("change", filter);
  all(".chip").forEach(chip => chip.addEventListener("click", () => {
    const kind = chip.dataset.kind;
    if (!kinds.delete(kind)) kinds.add(kind);
    chip.setAttribute("aria-pressed", String(kinds.has(kind)));
    filter();
  }));
  by("order").addEventListener("change", () => list.append(...inOrder[by("order").value]));
  by("unfold").addEventListener("click", () => {
    const open = causes.some(cause => cause.open === false);
    causes.forEach(cause => { if ("open" in cause) cause.open = open; });
    unfoldLabel();
  });
  by("show-all").addEventListener("click", () => { showAll(); by("find").focus(); });
  list.addEventListener("toggle", unfoldLabel, true);
  unfoldLabel();
  filter();
}

/* A link to a cause unfolds it. */
function reveal() {
  let target = null;
  try { target = location.hash && by(decodeURIComponent(location.hash.slice(1))); } catch (error) { return; }
  const cause = target && target.closest(".cause");
  if (!cause) return;
  if (cause.hidden) showAll();
  if ("open" in cause) cause.open = true;
  cause.scrollIntoView({ block: "start" });
  const summary = cause.querySelector("summary");
  if (summary) summary.focus({ preventScroll: true });
}
addEventListener("hashchange", reveal);

/* Keys, where nothing is typed. */
function step(by_) {
  const there = causes.filter(cause => !cause.hidden);
  const sorted = Array.from(list ? list.children : []).filter(each => there.includes(each));
  const at = sorted.findIndex(cause => cause.contains(document.activeElement));
  const next = sorted[at < 0 ? 0 : Math.min(Math.max(at + by_, 0), sorted.length - 1)];
  if (!next) return;
  const summary = next.querySelector("summary") || next;
  if (summary === next) next.tabIndex = -1;
  summary.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", event => {
  const typing = /^(input|select|textarea)$/i.test(event.target.tagName);
  if (event.ctrlKey || event.metaKey || event.altKey || typing) {
    if (typing && event.key === "Escape" && event.target.id === "find") showAll();
    return;
  }
  if (event.key === "/" && filters) { by("find").focus(); event.preventDefault(); }
  if (event.key === "t" && by("scrub")) by("scrub").focus();
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
});
by("keys").hidden = false;

/* The table of tests, by any of its columns. */
const table = by("tests-table");
if (table) {
  all("th[data-sort]", table).forEach((head, column) => {
    const button = made("button", "sorts", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending" ||
        (!head.hasAttribute("aria-sort") && head.dataset.sort === "text");
      all("th[aria-sort]", table).forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sign = up ? 1 : -1;
      const value = row => head.dataset.sort === "text" ? row.cells[column].textContent :
        row.cells[column].dataset.value;
      const rows = Array.from(table.tBodies[0].rows).sort((one, other) => {
        const a = value(one), b = value(other);
        if (head.dataset.sort === "text") return sign * (a < b ? -1 : a > b ? 1 : 0);
        if (a === "" || b === "") return (a === "") - (b === "");     // unknown is last
        return sign * (a - b);
      });
      table.tBodies[0].append(...rows);
      say("Sorted by " + button.textContent + (up ? ", ascending" : ", descending"));
    });
  });
}

/* The timeline. */
const source = by("timeline-data");
if (source) timeline(JSON.parse(source.textContent));
// Once the browser has gone to the place itself, which takes the focus away.
if (location.hash) addEventListener("load", () => setTimeout(reveal));
