// The page itself: asks the program, and shows what it says.

const WINDOWS = { minute: { poll: 2, step: 1 }, hour: { poll: 5, step: 60 }, day: { poll: 5, step: 900 } };

const element = (id) => document.getElementById(id);

/** What the person at the page has chosen; the function and the window are in the address. */
const chosen = { window: "hour", one: undefined, search: "", group: "", sort: { key: "rate", descending: true } };

let shown; // the last answer
let waiting; // the timer of the next request
let failures = 0;

/** Relative to the page, wherever it is mounted. */
async function ask(query) {
  const base = location.pathname.endsWith("/") ? location.pathname : `${location.pathname}/`;
  const answer = await fetch(`${base}stats.json?${new URLSearchParams(query)}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  return answer.json();
}

/** Shows the figures of now, and comes again. */
async function refresh() {
  clearTimeout(waiting);
  const { window, one } = chosen;
  try {
    const query = one ? { function: one, window } : { window };
    const answers = await Promise.all([ask(query), one && ask({ function: one, series: window })]);
    if (window !== chosen.window || one !== chosen.one) return;
    if (!shown && isYoung(answers[0]) && !location.hash.includes("window")) return setWindow("minute");
    failures = 0;
    element("trouble").hidden = true;
    show(...answers);
  } catch (error) {
    if (window !== chosen.window || one !== chosen.one) return;
    failures += 1;
    const since = shown ? ` The figures are those of ${clock(shown.time_seconds)}.` : "";
    element("trouble").textContent = `The program does not answer (${error.message}).${since} Trying again.`;
    element("trouble").hidden = false;
  }
  const pause = failures > 0 ? Math.min(2 ** failures, 15) : WINDOWS[window].poll;
  waiting = setTimeout(refresh, document.hidden ? 60_000 : pause * 1000);
}

/** Whether there is nothing to see yet in an hour. */
const isYoung = ({ functions }) => functions.every(({ counted }) => counted.seconds < 600);

function show(answer, details) {
  shown = answer;
  const labels = Object.entries(answer.labels).map(([name, value]) => `${name}=${value}`);
  element("program").textContent = labels.join(", ") || "cached functions of this program";
  element("told").textContent =
    `Figures of ${clock(answer.time_seconds)}, cachier ${answer.cachier}. A dash is a figure that is unknown. ` +
    "Sizes of shared stores are as of the last query.";
  element("all").hidden = Boolean(chosen.one);
  element("one").hidden = !chosen.one;
  if (chosen.one) showOne(answer, details);
  else showAll(answer);
}

function tiles(list, figures) {
  list.replaceChildren(...figures.map(([name, text, level]) => html("div", {}, html("dt", {}, name), html("dd", { class: level ?? "" }, text))));
}

function showAll({ functions, stores }) {
  const total = row(added(functions));
  const down = stores.filter((store) => store.breaker_open).length;
  tiles(element("sums"), [
    ["Functions", count(functions.length)],
    ["Calls per second", rate(total.rate)],
    ["Hit rate", percent(total.hit)],
    ["Served", percent(total.served)],
    ["Saved per hour", duration(total.saved)],
    ["Store errors", count(total.errors), total.errors > 0 ? "warn" : ""],
    ["Running", count(total.running)],
    ["Waiting", count(total.waiting)],
    ["Stores", down > 0 ? `${down} of ${stores.length} fail` : count(stores.length), down > 0 ? "bad" : ""],
  ]);
  showTable(functions);
  element("stores").tBodies[0].replaceChildren(...stores.map(storeLine));
}

const lines = new Map(); // by backend and function, so that a line stays the same element

function showTable(functions) {
  const matching = found(functions, chosen.search);
  const text = matching.length === functions.length ? "" : `${matching.length} of ${functions.length}`;
  if (element("shown").textContent !== text) element("shown").textContent = text;
  const inOrder = (some) => sorted(some.map(row), chosen.sort).map((one) => line(`${one.backend} ${one.function}`, one, "function"));
  const all = chosen.group
    ? grouped(matching, chosen.group).flatMap(([name, members]) => [
        line(`group ${name}`, { ...row(added(members)), function: name, backend: `${members.length}` }, "group"),
        ...inOrder(members),
      ])
    : inOrder(matching);
  const body = element("functions").tBodies[0];
  // Moving lines that stand where they should would take the focus from them.
  if (all.length !== body.rows.length || all.some((line, place) => body.rows[place] !== line)) body.replaceChildren(...all);
}

function line(key, figures, kind) {
  if (!lines.has(key)) lines.set(key, emptyLine(figures, kind));
  const made = lines.get(key);
  COLUMNS.forEach(({ key: column, text, unsorted }, place) => {
    if (unsorted || place === 0) return;
    const cell = made.cells[place];
    const now = text(figures[column]);
    if (cell.textContent !== now) cell.textContent = now;
    if (column === "verdict") cell.className = `word ${figures.verdict.level}`;
  });
  return made;
}

function emptyLine(figures, kind) {
  const cells = COLUMNS.map(({ name, word }, place) => {
    if (place > 0) return html("td", { "data-name": name, class: word ? "word" : "" });
    // Long names break between modules.
    const parts = figures.function.split(/(?<=::)/).flatMap((part, place) => (place > 0 ? [html("wbr", {}), part] : [part]));
    const link = html("a", { href: `#${new URLSearchParams({ function: figures.function })}` }, ...parts);
    return html("th", { scope: "row" }, kind === "group" ? figures.function : link);
  });
  const made = html("tr", kind === "group" ? { class: "group" } : { "data-function": figures.function, "data-backend": figures.backend }, ...cells);
  if (kind !== "group") visible.observe(made);
  return made;
}

// Plots in the table begin filled, one after the other, for the lines that can be seen.
const toFill = new Set();
const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) toFill.add(target);
    else toFill.delete(target);
  }
});

async function fill() {
  const { window } = chosen;
  const age = Math.max(10, WINDOWS[window].step) * 1000;
  const isDue = (line) => line.dataset.filled !== window || Date.now() - Number(line.dataset.filledAt) > age;
  const next = chosen.one || document.hidden || failures > 0 ? undefined : [...toFill].find(isDue);
  if (next) {
    Object.assign(next.dataset, { filled: window, filledAt: Date.now() });
    const { function: name, backend } = next.dataset;
    const answer = await ask({ function: name, series: window }).catch(() => undefined);
    const series = answer?.series.find(({ labels }) => labels.backend === backend);
    const place = COLUMNS.findIndex(({ key }) => key === "spark");
    if (series && window === chosen.window) next.cells[place].replaceChildren(spark(series.points));
  }
  setTimeout(fill, next ? 100 : 500);
}

function storeLine(store) {
  const { idle, busy, max } = store.connections;
  const used = idle === undefined && busy === undefined ? UNKNOWN : `${count(busy)} busy, ${count(idle)} idle, at most ${count(max)}`;
  const cell = (text, level) => html("td", level === undefined ? {} : { class: `word ${level}` }, text);
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, store.store),
    cell(store.backend, ""),
    store.breaker_open ? cell("open: calls do without the store", "bad") : cell("closed", "good"),
    cell(count(sum(Object.values(store.round_trips)))),
    cell(used),
    cell(duration(store.pool_wait?.p99)),
  );
}

function showOne({ functions }, { metrics, series }) {
  const name = chosen.one;
  element("one-title").textContent = name;
  if (functions.length === 0) {
    element("one-note").textContent = "There is no function of this name, or it has not been called yet.";
    return ["one-sums", "plots", "settings", "distributions", "counts"].forEach((id) => element(id).replaceChildren());
  }
  const figures = functions.length === 1 ? row(functions[0]) : row(added(functions));
  const backends = functions.map(({ backend }) => backend).join(", ");
  const rates = functions.map(({ sampling_ratio: ratio }) => ratio);
  element("one-note").textContent = `On ${backends}. ${sampling(Math.min(...rates))}`;
  const { verdict, ...rest } = figures;
  const figuresShown = COLUMNS.filter(({ key }) => key in rest && !["function", "backend"].includes(key));
  tiles(element("one-sums"), [["Verdict", verdict.text, verdict.level], ...figuresShown.map(({ key, name, text }) => [name, text(rest[key])])]);
  const settings = Object.entries(functions[0].settings);
  tiles(element("settings"), settings);
  element("no-settings").hidden = settings.length > 0;
  keepOpen(element("plots"), recentPlots(summed(series), series[0]?.step_seconds ?? 1));
  keepOpen(element("distributions"), distributions(metrics));
  keepOpen(element("counts"), counts(metrics));
}

/** Tables under plots stay open when the plots are drawn anew. */
function keepOpen(place, figures) {
  const open = [...place.children].map((figure) => figure.querySelector("details")?.open);
  figures.forEach((figure, number) => {
    const details = figure.querySelector("details");
    if (details && open[number]) details.open = true;
  });
  if (!place.contains(document.activeElement)) place.replaceChildren(...figures);
}

function recentPlots(points, step) {
  const figure = (read) => points.map((point) => (point ? read(point) : undefined));
  const each = (count) => figure((point) => count(point) / point.seconds);
  const quantile = (outcome, q) => figure(({ call_duration: of }) => of[outcome]?.[q]);
  const computed = (q) => figure(({ compute_duration: of }) => of?.[q]);
  const curve = (kind, name, values, isHigh) => ({ kind, name, values, isHigh });
  return [
    stacked("Calls per second", OUTCOMES.map((outcome) => [outcome, each(({ calls }) => calls[outcome])]), step, rate),
    curves(
      "How long calls take",
      ["hit", "miss"].flatMap((kind) => [
        curve(kind, `${kind} p50`, quantile(kind, "p50"), false),
        curve(kind, `${kind} p99`, quantile(kind, "p99"), true),
      ]),
      step,
    ),
    curves("How long computing takes", [curve("plain", "p50", computed("p50"), false), curve("plain", "p99", computed("p99"), true)], step),
    stacked(
      "Failures per second",
      [
        ["unavailable", each((point) => point.backend_errors), "errors of the store"],
        ["miss", each((point) => point.recalculation_failures), "failed computations"],
        ["bypass", each((point) => point.abandoned), "abandoned calls"],
      ],
      step,
      rate,
    ),
  ];
}

const samples = (metrics, name) => metrics.find((metric) => metric.name.endsWith(name))?.samples ?? [];

function distributions(metrics) {
  const of = (name, kind) => samples(metrics, name).map(({ labels, histogram }) => [kind ? labels[kind] : "plain", histogram]);
  const all = [
    ["Durations of calls", of("_call_duration_seconds", "outcome"), duration],
    ["Durations of computations", of("_compute_duration_seconds"), duration],
    ["Sizes of stored values", of("_entry_size_bytes"), bytes],
    ["Ages of served values", of("_entry_age_seconds"), duration],
  ];
  return all.filter(([, layers]) => layers.length > 0).map(([title, layers, text]) => distribution(title, layers, text));
}

/** Counters that say why. */
function counts(metrics) {
  const of = (title, name, ...kinds) => {
    const seen = samples(metrics, name).filter(({ value }) => value > 0);
    return [title, seen.map(({ labels, value }) => [kinds.map((kind) => labels[kind]).join(", "), count(value)])];
  };
  const all = [
    of("Errors of the store", "_backend_errors_total", "operation", "kind"),
    of("Computations, by reason", "_recalculations_total", "reason"),
    of("Failed computations", "_recalculation_failures_total", "result", "where"),
    of("Entries removed, by cause", "_removals_total", "cause"),
  ];
  return all.map(([title, rows]) => {
    const body = rows.map(([name, text]) => html("tr", {}, html("th", { scope: "row" }, name), html("td", {}, text)));
    const table = html("table", { "aria-label": title }, html("tbody", {}, ...body));
    return html("figure", {}, html("figcaption", {}, title), rows.length > 0 ? table : html("p", {}, "none"));
  });
}

function head() {
  const cells = COLUMNS.map(({ key, name, title, word, unsorted }) => {
    const button = html("button", { type: "button", ...(title ? { title } : {}) }, name);
    button.addEventListener("click", () => {
      const isSame = chosen.sort.key === key;
      chosen.sort = { key, descending: isSame ? !chosen.sort.descending : !word };
      markSorted();
      if (shown) showTable(shown.functions);
    });
    return html("th", { scope: "col", class: word ? "word" : "", "data-key": key }, unsorted ? name : button);
  });
  element("functions").tHead.rows[0].replaceChildren(...cells);
  markSorted();
}

function markSorted() {
  for (const cell of element("functions").tHead.rows[0].cells) {
    if (cell.dataset.key !== chosen.sort.key) cell.removeAttribute("aria-sort");
    else cell.setAttribute("aria-sort", chosen.sort.descending ? "descending" : "ascending");
  }
}

/** The address says what is shown, so that it can be sent to somebody. */
function follow() {
  const address = new URLSearchParams(location.hash.slice(1));
  const before = chosen.one;
  chosen.one = address.get("function") ?? undefined;
  if (Object.hasOwn(WINDOWS, address.get("window") ?? "")) chosen.window = address.get("window");
  for (const button of element("windows").children) {
    button.setAttribute("aria-pressed", String(button.dataset.window === chosen.window));
  }
  document.title = chosen.one ? `${chosen.one} – cachier` : "cachier";
  refresh().then(() => {
    if (before !== chosen.one && chosen.one) element("one-title").focus();
  });
}

function setWindow(window) {
  location.hash = new URLSearchParams({ ...(chosen.one ? { function: chosen.one } : {}), window });
}

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  const isDark = name ? name === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  element("theme").textContent = isDark ? "Light" : "Dark";
  element("theme").dataset.next = isDark ? "light" : "dark";
}

element("windows").addEventListener("click", ({ target }) => target.dataset.window && setWindow(target.dataset.window));
element("theme").addEventListener("click", ({ target }) => theme(target.dataset.next));
element("search").addEventListener("input", ({ target }) => {
  chosen.search = target.value;
  if (shown) showTable(shown.functions);
});
element("group").addEventListener("change", ({ target }) => {
  chosen.group = target.value;
  if (shown) showTable(shown.functions);
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
addEventListener("hashchange", follow);
theme();
head();
follow();
fill();
