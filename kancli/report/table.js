// The table of results: filtered, sorted, with a choice of columns. The address keeps the view after `#`.

const VIEWS = { jobs: JOBS, cells: CELLS };
const DEFAULTS = {
  view: data.cells.length < data.jobs.length ? "cells" : "jobs",
  sort: "", order: "ascending", filter: "", status: "", verdict: "",
  columns: "", // statistics joined by commas; "" for data.shown, or "all"
};
const FIRST_ROWS = 150; // rendered at once; the others follow after the first paint
const DELAY = 50; // ms
const TYPING_DELAY = 120; // ms

const table = document.querySelector(".results");
const controls = document.querySelector(".controls");
const state = { ...DEFAULTS };

// ---- state and address ----

/** Read the state from the address; return false if the address only names a section. */
function readAddress() {
  const hash = location.hash.slice(1);
  if (hash && !hash.includes("=")) return false;
  const parameters = new URLSearchParams(hash);
  for (const name of Object.keys(state)) state[name] = parameters.get(name) ?? DEFAULTS[name];
  if (!Object.hasOwn(VIEWS, state.view)) state.view = DEFAULTS.view;
  return true;
}

function writeAddress() {
  const changed = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  const hash = `#${new URLSearchParams(changed)}`;
  try {
    history.replaceState(null, "", hash === "#" ? location.pathname + location.search : hash);
  } catch {
    location.hash = hash; // some browsers forbid replaceState for local files
  }
}

function shownStatistics() {
  if (state.columns === "") return data.shown;
  const all = [...new Set([...data.shown, ...data.statistics])];
  return state.columns === "all" ? all : all.filter((name) => state.columns.split(",").includes(name));
}

// ---- filter and sort ----

const searchTexts = new WeakMap(); // of each row, a lower-case text for each column

function searchTextsOf(row, view) {
  if (!searchTexts.has(row)) {
    searchTexts.set(row, view.columns(data.statistics).map((column) => column.text(row).toLowerCase()));
  }
  return searchTexts.get(row);
}

/** Return a test for rows that contain all words of the filter; a word such as seed=1 must equal a key and its value. */
function filterTest(view) {
  const keys = data.keys.map((key) => key.toLowerCase());
  const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = words.map((word) => {
    const isKeyAndValue = word.includes("=") && keys.includes(word.split("=")[0]);
    return isKeyAndValue ? (text) => text === word : (text) => text.includes(word);
  });
  return (row) => tests.every((test) => searchTextsOf(row, view).some(test));
}

function matchesVerdict(row, view) {
  if (!state.verdict) return true;
  const verdicts = data.judged.map((_, index) => view.verdicts(row, index).filter(Boolean));
  const isBad = (list) => list.includes("fail") || list.includes("warn");
  if (["fail", "undecided"].includes(state.verdict)) return verdicts.some((list) => list.includes(state.verdict));
  if (state.verdict === "warn") return verdicts.some(isBad);
  if (state.verdict === "pass") {
    return verdicts.flat().length > 0 && verdicts.flat().every((verdict) => verdict === "pass");
  }
  const index = data.judged.indexOf(state.verdict.replace(/^not:/, ""));
  return index >= 0 && isBad(verdicts[index]);
}

const collator = new Intl.Collator("en", { numeric: true });

/** Sort rows by a column; rows without a value come last in either order. */
function sortRows(rows, column) {
  if (!column) return rows;
  const sign = state.order === "descending" ? -1 : 1;
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
  return rows
    .map((row) => [column.key(row) ?? null, row])
    .sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)))
    .map(([, row]) => row);
}

// ---- rendering ----

function header(column) {
  const label = column.label ?? column.name;
  const parts = label.split("_").flatMap((part, index) => (index ? ["_", element("wbr"), part] : [part]));
  const attributes = {
    scope: "col",
    class: column.kind,
    "aria-sort": column.name === state.sort ? state.order : "none",
    "data-name": label.replaceAll("_", "_\u200b"), // printed instead of the button
  };
  return element("th", attributes, element("button", { type: "button", "data-sort": column.name }, ...parts));
}

function appendRows(rows, columns) {
  const lines = rows.map((row) =>
    element("tr", {}, ...columns.map((column) => element("td", { class: column.kind }, ...column.content(row)))),
  );
  table.tBodies[0].append(...lines);
}

let pending = null; // a timer for the rows after the first ones
let renderPending = null;

function render() {
  const view = VIEWS[state.view];
  const columns = view.columns(shownStatistics());
  const matchesFilter = filterTest(view);
  const matchesStatus = (row) => !state.status || view.statuses(row).includes(state.status);
  const matches = view.rows.filter((row) => matchesStatus(row) && matchesVerdict(row, view) && matchesFilter(row));
  const rows = sortRows(matches, columns.find((column) => column.name === state.sort));
  const criteria = [state.filter && `with “${state.filter}”`, state.status, state.verdict && `verdict: ${state.verdict}`];
  const count = `${rows.length} of ${view.rows.length} ${view.title} ${criteria.filter(Boolean).join(", ")}`;
  document.querySelector(".count").textContent = count.trim();
  document.body.dataset.rows = rows.length;

  table.tHead.replaceChildren(element("tr", {}, ...columns.map(header)));
  table.tBodies[0].replaceChildren();
  appendRows(rows.slice(0, FIRST_ROWS), columns);
  renderPending = () => {
    clearTimeout(pending);
    renderPending = null;
    appendRows(rows.slice(FIRST_ROWS), columns);
    document.body.dataset.complete = Math.round(performance.now());
  };
  clearTimeout(pending);
  if (rows.length > FIRST_ROWS) pending = setTimeout(() => renderPending(), DELAY);
  else renderPending();
}

function update() {
  const shown = shownStatistics();
  for (const control of controls.querySelectorAll("[name]")) {
    if (control.name === "column") control.checked = shown.includes(control.value);
    else if (control.name === "view") control.checked = control.value === state.view;
    else control.value = state[control.name];
  }
  render();
}

// ---- events ----

function change(changes) {
  Object.assign(state, changes);
  writeAddress();
  update();
}

/** Sort ascending, then descending, then in the order of the plan. */
function sortBy(name) {
  if (name !== state.sort) change({ sort: name, order: "ascending" });
  else if (state.order === "ascending") change({ order: "descending" });
  else change({ sort: "", order: "ascending" });
  for (const button of table.tHead.querySelectorAll("button")) if (button.dataset.sort === name) button.focus();
}

function toggleColumn(box) {
  const names = shownStatistics().filter((name) => name !== box.value);
  if (box.checked) names.push(box.value);
  change({ columns: names.join(",") || "none" });
}

let typing = null;
controls.addEventListener("input", ({ target }) => {
  clearTimeout(typing);
  if (target.name === "filter") typing = setTimeout(() => change({ filter: target.value }), TYPING_DELAY);
  else if (target.name === "column") toggleColumn(target);
  else if (target.name === "view") change({ view: target.value, sort: "", order: "ascending" });
  else change({ [target.name]: target.value });
});
controls.addEventListener("click", ({ target }) => {
  if (target.dataset.columns !== undefined) change({ columns: target.dataset.columns });
  if (target.dataset.reset !== undefined) change({ ...DEFAULTS, view: state.view });
});
table.tHead.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-sort]");
  if (button) sortBy(button.dataset.sort);
});
addEventListener("hashchange", () => readAddress() && update());
addEventListener("beforeprint", () => renderPending?.());

readAddress();
update();
