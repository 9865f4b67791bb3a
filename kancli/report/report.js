// The table of jobs, or of jobs with seeds taken together: sorted, filtered, its columns chosen. What is shown is in the
// address after #, so that it can be kept or sent. Everything from the data goes into the page as text, never as HTML.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("table");
  const SYMBOLS = {
    pass: "✓", warn: "!", fail: "✗",
    complete: "✓", failed: "✗", damaged: "✗", running: "…", interrupted: "◐", missing: "○",
  };
  const WORDS = ["fail", "warn", "pass"];
  const collator = new Intl.Collator("en", { numeric: true });

  /** An element with text and, below it, children. */
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  /** Three digits, as kan-run itself prints them. */
  function number(value) {
    if (value === null) return "–";
    const [mantissa, exponent] = value.toExponential(2).split("e");
    if (Number(exponent) >= -4 && Number(exponent) < 3) return String(Number(Number(value).toPrecision(3)));
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${Number(mantissa)}e${exponent.startsWith("-") ? "-" : "+"}${size}`;
  }

  function chip(word, text) {
    const known = Object.hasOwn(SYMBOLS, word);
    const kind = known ? `is-${word}` : "is-damaged";
    return make("span", { class: `chip ${kind}` }, `${known ? SYMBOLS[word] : "?"} ${text}`);
  }

  // ---- columns: what each is called, shows, sorts by, and offers to the filter ----

  function textColumn(name, of, more = {}) {
    const show = (row) => [of(row) ?? "–"];
    return { name, show, key: of, text: (row) => of(row) ?? "", ...more };
  }

  function keyColumns(names, rows) {
    return names.map((name, at) => {
      const values = rows.map((row) => row.keys[at]).filter((value) => value !== null);
      const numeric = values.every((value) => value.trim() !== "" && Number.isFinite(Number(value)));
      const of = (row) => row.keys[at];
      const key = numeric ? (row) => (of(row) === null ? null : Number(of(row))) : of;
      return textColumn(name, of, { key, kind: numeric ? "number" : "", text: (row) => `${name}=${of(row) ?? ""}` });
    });
  }

  function statisticColumn(name, ofRow, show) {
    const at = data.statistics.indexOf(name);
    return { name, kind: "number", key: (row) => ofRow(row, at), show: (row) => show(row, at), text: (row) => number(ofRow(row, at)) };
  }

  function standing(row) {
    const found = [];
    for (const word of WORDS.slice(0, 2)) {
      data.judged.forEach((name, at) => {
        if (row.words[at] === word) found.push([word, `${word} ${name}`]);
      });
    }
    if (!found.length && row.words.includes("pass")) found.push(["pass", "all pass"]);
    return found;
  }

  function standingOfCell(cell) {
    const found = [];
    WORDS.slice(0, 2).forEach((word, which) => {
      data.judged.forEach((name, at) => {
        const counts = cell.words[at];
        if (counts[which]) found.push([word, `${word} ${name} ${counts[which]}/${counts[0] + counts[1] + counts[2]}`]);
      });
    });
    if (!found.length && cell.words.some((counts) => counts[2])) found.push(["pass", "all pass"]);
    return found;
  }

  /** Verdicts as a column: sorted by how bad they are. */
  function verdictColumn(of) {
    const chips = (row) => {
      const found = of(row);
      return found.length ? found.flatMap(([word, text]) => [chip(word, text), " "]) : ["–"];
    };
    const weight = (row) => {
      const found = of(row);
      return found.length ? found.reduce((sum, [word]) => sum + { fail: 1000, warn: 1, pass: 0 }[word], 0) : null;
    };
    return { name: "verdicts", kind: "verdicts", show: chips, key: weight, text: (row) => of(row).map(([, text]) => text).join(" ") };
  }

  function replay(row) {
    const button = make("button", { type: "button", "data-copy": row.replay, "aria-label": `copy the command of job ${row.job}` }, "copy");
    return [button, make("code", { title: row.replay }, row.replay)];
  }

  const ofJob = (row, at) => row.values[at];
  const ofCell = (row, at) => row.values[at]?.[0] ?? null;

  function showJob(row, at) {
    const judged = data.judged.indexOf(data.statistics[at]);
    const word = judged < 0 ? null : row.words[judged];
    return [word === null ? number(row.values[at]) : chip(word, number(row.values[at]))];
  }

  function showCell(cell, at) {
    const [mean, sd, low, high] = cell.values[at] ?? [null, null, null, null];
    if (mean === null) return ["–"];
    const shown = [number(mean) + (sd === null ? "" : ` ± ${number(sd)}`)];
    if (low !== null) shown.push(make("small", {}, `[${number(low)}, ${number(high)}]`));
    return shown;
  }

  const VIEWS = {
    jobs: {
      title: "jobs",
      rows: data.jobs,
      statuses: (row) => [row.status],
      words: (row, at) => (row.words[at] === null ? [] : [row.words[at]]),
      columns: (chosen) => [
        { name: "job", kind: "number", key: (row) => row.job, text: (row) => row.folder, show: (row) => [make("a", { href: row.link }, String(row.job))] },
        ...keyColumns(data.keys, data.jobs),
        { name: "status", key: (row) => row.status, text: (row) => row.status, show: (row) => [chip(row.status, row.status)] },
        verdictColumn(standing),
        ...chosen.map((name) => statisticColumn(name, ofJob, showJob)),
        { name: "seconds", kind: "number", key: (row) => row.seconds, text: () => "", show: (row) => [number(row.seconds)] },
        ...(data.jobs.some((row) => row.cause) ? [textColumn("cause", (row) => row.cause, { kind: "cause" })] : []),
        { name: "replay", kind: "replay", key: (row) => row.replay, text: (row) => row.replay, show: replay },
      ],
    },
    cells: {
      title: "combinations, seeds taken together",
      rows: data.cells,
      statuses: (row) => Object.keys(row.statuses),
      words: (row, at) => WORDS.filter((_, which) => row.words[at][which]),
      columns: (chosen) => [
        ...keyColumns(data.fixed, data.cells),
        {
          name: "jobs complete", kind: "number", key: (row) => row.complete, text: (row) => Object.keys(row.statuses).join(" "),
          show: (row) => [row.complete < row.jobs ? `${row.complete} of ${row.jobs}` : String(row.jobs)],
        },
        verdictColumn(standingOfCell),
        ...chosen.map((name) => statisticColumn(name, ofCell, showCell)),
      ],
    },
  };

  // ---- what is shown, and the address that says so ----

  const byDefault = { view: data.cells.length < data.jobs.length ? "cells" : "jobs", sort: "", order: "ascending", filter: "", status: "", verdict: "", columns: "" };
  const state = { ...byDefault };

  /** Take what the address says; false where it is only a section's. */
  function readAddress() {
    const hash = location.hash.slice(1);
    if (hash && !hash.includes("=")) return false;
    const words = new URLSearchParams(hash);
    for (const name of Object.keys(state)) state[name] = words.get(name) ?? byDefault[name];
    if (!Object.hasOwn(VIEWS, state.view)) state.view = byDefault.view;
    return true;
  }

  function writeAddress() {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(state)) if (value !== byDefault[name]) words.set(name, value);
    const hash = `#${words}`;
    try {
      history.replaceState(null, "", hash === "#" ? location.pathname + location.search : hash);
    } catch {
      location.hash = hash; // where the browser forbids the other for files
    }
  }

  function chosenColumns() {
    if (state.columns === "") return data.shown;
    const every = [...new Set([...data.shown, ...data.statistics])];
    return state.columns === "all" ? every : every.filter((name) => state.columns.split(",").includes(name));
  }

  // ---- filter and sort ----

  const found = new Map(); // what the filter looks through, by row

  function offered(row) {
    if (!found.has(row)) {
      const columns = VIEWS[state.view].columns(data.statistics);
      found.set(row, columns.map((column) => column.text(row).toLowerCase()));
    }
    return found.get(row);
  }

  /** Whether each word is found; one such as seed=1 must be all of a key and its value. */
  function passesFilter(row, words) {
    const keys = data.keys.map((key) => key.toLowerCase());
    return words.every((word) => {
      const whole = keys.includes(word.split("=")[0]) && word.includes("=");
      return offered(row).some((text) => (whole ? text === word : text.includes(word)));
    });
  }

  function passesChoices(row, view) {
    if (state.status && !view.statuses(row).includes(state.status)) return false;
    if (!state.verdict) return true;
    const words = data.judged.map((_, at) => view.words(row, at));
    const bad = (each) => each.includes("fail") || each.includes("warn");
    if (state.verdict === "fail") return words.some((each) => each.includes("fail"));
    if (state.verdict === "warn") return words.some(bad);
    if (state.verdict === "pass") return words.some((each) => each.length) && !words.some(bad);
    const at = data.judged.indexOf(state.verdict.replace(/^not:/, ""));
    return at >= 0 && bad(words[at]);
  }

  function compare(a, b) {
    return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
  }

  /** Rows in order; those without a value come last either way, and equal ones stay as they were. */
  function sorted(rows, column) {
    if (!column) return rows;
    const sign = state.order === "descending" ? -1 : 1;
    const keyed = rows.map((row) => [column.key(row) ?? null, row]);
    keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b)));
    return keyed.map(([, row]) => row);
  }

  // ---- the table ----

  function head(columns) {
    return make("tr", {}, ...columns.map((column) => {
      const now = column.name === state.sort ? state.order : "none";
      const button = make("button", { type: "button", "data-sort": column.name }, ...breakable(column.name));
      return make("th", { scope: "col", class: column.kind || null, "aria-sort": now, "data-name": column.name.replaceAll("_", "_\u200b") }, button);
    }));
  }

  /** A name that may be broken after each underscore, where it is printed. */
  function breakable(name) {
    return name.split("_").flatMap((part, at) => (at ? ["_", make("wbr"), part] : [part]));
  }

  function line(row, columns) {
    const element = document.createElement("tr");
    for (const column of columns) {
      const cell = document.createElement("td");
      if (column.kind) cell.className = column.kind;
      cell.append(...column.show(row));
      element.append(cell);
    }
    return element;
  }

  function lines(rows, columns) {
    const fragment = document.createDocumentFragment();
    for (const row of rows) fragment.append(line(row, columns));
    return fragment;
  }

  const AT_ONCE = 150; // rows that are there before the others
  let waiting = 0;
  let rest = null; // adds those others

  const table = make("table", { class: "results" }, make("thead"), make("tbody"));
  const count = make("p", { class: "count quiet", role: "status" });

  function render() {
    const view = VIEWS[state.view];
    const columns = view.columns(chosenColumns());
    const words = state.filter.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = view.rows.filter((row) => passesChoices(row, view) && passesFilter(row, words));
    const ordered = sorted(rows, columns.find((column) => column.name === state.sort));
    table.tHead.replaceChildren(head(columns));
    table.tBodies[0].replaceChildren(lines(ordered.slice(0, AT_ONCE), columns));
    rest = () => {
      rest = null;
      clearTimeout(waiting);
      table.tBodies[0].append(lines(ordered.slice(AT_ONCE), columns));
      document.body.dataset.whole = Math.round(performance.now());
    };
    clearTimeout(waiting);
    if (ordered.length > AT_ONCE) waiting = setTimeout(() => rest(), 50); // once these are on the screen
    else rest();
    const asked = [state.filter && `with “${state.filter}”`, state.status, state.verdict && `verdict: ${state.verdict}`];
    count.textContent = `${rows.length} of ${view.rows.length} ${view.title} ${asked.filter(Boolean).join(", ")}`.trim();
    document.body.dataset.rows = rows.length;
  }

  // ---- controls ----

  function select(name, label, options) {
    const element = make("select", { name }, ...options.map(([value, text]) => make("option", { value }, text)));
    element.addEventListener("change", () => change({ [name]: element.value }));
    return make("label", {}, label, element);
  }

  function controls() {
    const search = make("input", { type: "search", name: "filter", placeholder: "words, such as init=linear fail", autocomplete: "off", spellcheck: "false" });
    let typing = 0;
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => change({ filter: search.value }), 120);
    });
    const views = make("fieldset", { "aria-label": "rows" }, ...[["jobs", "by job"], ["cells", "seeds together"]].map(([value, text]) => {
      const radio = make("input", { type: "radio", name: "view", value });
      radio.addEventListener("change", () => change({ view: value, sort: "", order: "ascending" }));
      return make("label", {}, radio, text);
    }));
    const statuses = [...new Set(data.jobs.map((row) => row.status))].sort();
    const verdicts = [["", "any"], ["fail", "some fail"], ["warn", "some warn or fail"], ["pass", "all pass"], ...data.shown.filter((name) => data.judged.includes(name)).map((name) => [`not:${name}`, `${name} warns or fails`])];
    const columns = make("details", { class: "columns" }, make("summary", {}, "statistics shown"), boxes());
    const reset = make("button", { type: "button" }, "reset");
    reset.addEventListener("click", () => change({ ...byDefault, view: state.view }));
    return make("div", { class: "controls" }, views, make("label", {}, "filter: rows with all of these words", search), select("status", "status", [["", "any"], ...statuses.map((each) => [each, each])]), select("verdict", "verdicts", verdicts), reset, columns);
  }

  function boxes() {
    const every = make("button", { type: "button" }, "all");
    every.addEventListener("click", () => change({ columns: "all" }));
    const usual = make("button", { type: "button" }, "the usual");
    usual.addEventListener("click", () => change({ columns: "" }));
    return make("div", {}, every, usual, ...data.statistics.map((name) => {
      const box = make("input", { type: "checkbox", name: "column", value: name });
      box.addEventListener("change", () => {
        const chosen = new Set(chosenColumns());
        if (box.checked) chosen.add(name);
        else chosen.delete(name);
        change({ columns: [...chosen].join(",") || "none" });
      });
      return make("label", {}, box, name);
    }));
  }

  /** Make the controls say what is shown. */
  function settle() {
    const chosen = new Set(chosenColumns());
    for (const each of place.querySelectorAll("[name]")) {
      if (each.name === "column") each.checked = chosen.has(each.value);
      else if (each.name === "view") each.checked = each.value === state.view;
      else if (document.activeElement !== each || each.value === "") each.value = state[each.name];
    }
  }

  function change(what) {
    if (what.view && what.view !== state.view) found.clear();
    Object.assign(state, what);
    writeAddress();
    settle();
    render();
  }

  function sortBy(name) {
    // up, down, as planned
    const next = name !== state.sort ? [name, "ascending"] : state.order === "ascending" ? [name, "descending"] : ["", "ascending"];
    change({ sort: next[0], order: next[1] });
    for (const each of table.tHead.querySelectorAll("button")) if (each.dataset.sort === name) each.focus();
  }

  // ---- copying ----

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = make("textarea", { readonly: "" }); // where the browser keeps the clipboard from files
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    button.textContent = "copied";
    setTimeout(() => (button.textContent = "copy"), 1500);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.copy !== undefined) copy(button);
    else if (button?.dataset.sort !== undefined) sortBy(button.dataset.sort);
  });

  let folded = [];
  addEventListener("beforeprint", () => {
    rest?.();
    folded = [...document.querySelectorAll("details:not([open], .columns)")];
    for (const each of folded) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of folded) each.open = false;
  });

  document.documentElement.classList.add("scripted");
  if (place) {
    place.replaceChildren(controls(), count, make("div", { class: "box", tabindex: "0", role: "region", "aria-label": "results" }, table));
    readAddress();
    settle();
    render();
    addEventListener("hashchange", () => {
      if (!readAddress()) return;
      found.clear();
      settle();
      render();
    });
  }
  document.body.getBoundingClientRect(); // laid out, for the time told to be that of a page one can read
  document.body.dataset.rendered = Math.round(performance.now());
  if (!place) document.body.dataset.whole = document.body.dataset.rendered;
})();
