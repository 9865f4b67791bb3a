// Columns of the table of results. Each has a name, perhaps a label that is shown instead, a sort key, the text that the
// filter searches, and the content of its cells. Content is text or DOM nodes, never HTML, so nothing in the data becomes markup.

const data = JSON.parse(document.getElementById("data").textContent);

const SYMBOLS = data.symbols; // of verdicts and of statuses
const VERDICTS = data.verdicts; // worst first, as counted in data.cells

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function chip(word, text) {
  const known = Object.hasOwn(SYMBOLS, word);
  return element("span", { class: `chip is-${known ? word : "damaged"}` }, `${known ? SYMBOLS[word] : "?"} ${text}`);
}

/** Three significant digits, as Python's `.3g`. */
function formatNumber(value) {
  if (value === null) return "–";
  const [mantissa, exponent] = value.toExponential(2).split("e");
  if (Number(exponent) >= -4 && Number(exponent) < 3) return String(Number(value.toPrecision(3)));
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${Number(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function textColumn(name, key, kind = "") {
  return { name, kind, key, text: (row) => key(row) ?? "", content: (row) => [key(row) ?? "–"] };
}

function numberColumn(name, key, content = (row) => [formatNumber(key(row))]) {
  return { name, kind: "number", key, text: (row) => formatNumber(key(row)), content };
}

/** Columns of swept keys, which sort as numbers if all their values are numbers. */
function keyColumns(names, rows) {
  return names.map((name, index) => {
    const value = (row) => row.keys[index];
    const values = rows.map(value).filter((text) => text !== null);
    const isNumeric = values.every((text) => text.trim() !== "" && Number.isFinite(Number(text)));
    const column = { ...textColumn(name, value), text: (row) => `${name}=${value(row) ?? ""}` };
    if (!isNumeric) return column;
    return { ...column, kind: "number", key: (row) => (value(row) === null ? null : Number(value(row))) };
  });
}

/** Pairs of verdict and text: of each statistic that does not pass, or "all pass". */
function verdictLabels(view, row) {
  const labels = VERDICTS.filter((verdict) => verdict !== "pass").flatMap((verdict) =>
    data.judged
      .map((_, index) => [verdict, `${verdict}: ${data.statements[index]}${view.share(row, index, verdict)}`, index])
      .filter(([, , index]) => view.verdicts(row, index).includes(verdict)),
  );
  const passes = data.judged.some((_, index) => view.verdicts(row, index).includes("pass"));
  return labels.length || !passes ? labels : [["pass", "all pass"]];
}

/** The column of verdicts, which sorts by the number of failures, then of warnings, then of undecided ones. */
function verdictColumn(view) {
  const labels = (row) => verdictLabels(view, row);
  const weights = { fail: 1e6, warn: 1e3, undecided: 1, pass: 0 };
  return {
    name: "verdicts",
    kind: "verdicts",
    key: (row) => (labels(row).length ? labels(row).reduce((sum, [verdict]) => sum + weights[verdict], 0) : null),
    text: (row) => labels(row).map(([, text]) => text).join(" "),
    content: (row) => (labels(row).length ? labels(row).flatMap(([verdict, text]) => [chip(verdict, text), " "]) : ["–"]),
  };
}

/** A column headed by the statement that is judged, if the statistic is the number of a verdict. */
function statisticColumn(name, key, content) {
  const judged = data.judged.indexOf(name);
  return { ...numberColumn(name, key, content), label: judged < 0 ? name : data.statements[judged] };
}

function jobValue(name) {
  const index = data.statistics.indexOf(name);
  const judged = data.judged.indexOf(name);
  const value = (job) => job.values[index];
  return statisticColumn(name, value, (job) => {
    const verdict = judged < 0 ? null : job.words[judged];
    return [verdict === null ? formatNumber(value(job)) : chip(verdict, formatNumber(value(job)))];
  });
}

function cellValue(name) {
  const index = data.statistics.indexOf(name);
  return statisticColumn(name, (cell) => cell.values[index]?.[0] ?? null, (cell) => {
    const [mean, sd, low, high] = cell.values[index] ?? [null, null, null, null];
    const text = formatNumber(mean) + (sd === null ? "" : ` ± ${formatNumber(sd)}`);
    return low === null ? [text] : [text, element("small", {}, `[${formatNumber(low)}, ${formatNumber(high)}]`)];
  });
}

function replayContent(job) {
  const label = `copy the command of job ${job.job}`;
  const button = element("button", { type: "button", "data-copy": job.replay, "aria-label": label }, "copy");
  return [button, element("code", { title: job.replay }, job.replay)];
}

const JOBS = {
  title: "jobs",
  rows: data.jobs,
  statuses: (job) => [job.status],
  verdicts: (job, index) => [job.words[index]],
  share: () => "",
  columns: (statistics) => [
    {
      ...numberColumn("job", (job) => job.job, (job) => [element("a", { href: job.link }, String(job.job))]),
      text: (job) => job.folder,
    },
    ...keyColumns(data.keys, data.jobs),
    { ...textColumn("status", (job) => job.status), content: (job) => [chip(job.status, job.status)] },
    verdictColumn(JOBS),
    ...statistics.map(jobValue),
    { ...numberColumn("seconds", (job) => job.seconds), text: () => "" },
    ...(data.jobs.some((job) => job.cause) ? [textColumn("cause", (job) => job.cause, "cause")] : []),
    { ...textColumn("replay", (job) => job.replay, "replay"), content: replayContent },
  ],
};

const CELLS = {
  title: "combinations, averaged over seeds",
  rows: data.cells,
  statuses: (cell) => Object.keys(cell.statuses),
  verdicts: (cell, index) => VERDICTS.filter((_, which) => cell.words[index][which]),
  share: (cell, index, verdict) => {
    const counts = cell.words[index];
    return ` ${counts[VERDICTS.indexOf(verdict)]}/${counts.reduce((sum, count) => sum + count, 0)}`;
  },
  columns: (statistics) => [
    ...keyColumns(data.fixed, data.cells),
    {
      ...numberColumn("jobs complete", (cell) => cell.complete),
      text: (cell) => Object.keys(cell.statuses).join(" "),
      content: (cell) => [cell.complete < cell.jobs ? `${cell.complete} of ${cell.jobs}` : String(cell.jobs)],
    },
    verdictColumn(CELLS),
    ...statistics.map(cellValue),
  ],
};
