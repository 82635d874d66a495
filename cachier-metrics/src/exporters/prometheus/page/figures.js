// What the page shows of each function, from what the program says. Nothing here knows the page.

const OUTCOMES = ["hit", "stale", "coalesced", "miss", "bypass", "unavailable"];

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

const ratio = (part, whole) => (whole > 0 ? part / whole : undefined);

/** Of some counted calls. */
function lookups(calls) {
  const all = calls.hit + calls.stale + calls.coalesced + calls.miss;
  return { all, hit: ratio(calls.hit, all), served: ratio(all - calls.miss, all) };
}

/** A quantile of the calls with this outcome. */
const latency = (counted, outcome, quantile) => counted.call_duration[outcome]?.[quantile];

/** A function, or a group of them, as a row of the table. */
function row(of) {
  const { counted, held, activity } = of;
  const calls = sum(Object.values(counted.calls));
  const { all, hit, served } = lookups(counted.calls);
  return {
    function: of.function,
    backend: of.backend,
    hit,
    served,
    rate: ratio(calls, counted.seconds),
    p50: latency(counted, "hit", "p50"),
    p99: latency(counted, "hit", "p99"),
    miss: latency(counted, "miss", "p50"),
    compute: counted.compute_duration?.p50,
    saved: counted.time_saved_seconds === null ? undefined : ratio(counted.time_saved_seconds * 3600, counted.seconds),
    entries: held.entries,
    bytes: held.size_bytes,
    errors: counted.backend_errors,
    running: activity.inflight_computations,
    waiting: activity.waiting_calls,
    verdict: verdict({ calls, all, hit, unavailable: counted.calls.unavailable, counted, activity }),
  };
}

/** What a person should do about it, the worst first. */
function verdict({ calls, all, hit, unavailable, counted, activity }) {
  const { oldest_computation_age_seconds: oldest, waiting_calls: waiting } = activity;
  const told = (level, text) => ({ level, text });
  if (waiting > 0 && oldest > 60) return told("bad", `calls wait for a computation of ${duration(oldest)}`);
  if (unavailable > calls / 100) return told("bad", "its store fails: calls compute without it");
  if (counted.recalculation_failures > counted.recalculations / 2) return told("bad", "most computations fail");
  if (counted.backend_errors > 0) return told("warn", "errors of its store");
  if (all >= 100 && hit < 0.2) return told("warn", "hardly ever hit: is it worth caching?");
  if (calls === 0) return told("faint", "not called");
  return told("good", "works");
}

/** The columns: how each is called, read and shown. */
const COLUMNS = [
  { key: "function", name: "Function", text: (name) => name, word: true },
  { key: "verdict", name: "Verdict", text: (verdict) => verdict.text, word: true },
  { key: "backend", name: "Backend", text: (name) => name, word: true },
  { key: "spark", name: "Calls", unsorted: true },
  { key: "rate", name: "Calls per second", text: rate },
  { key: "hit", name: "Hit rate", text: percent },
  { key: "served", name: "Served", text: percent, title: "Lookups that did not have to compute" },
  { key: "p50", name: "Hit p50", text: duration },
  { key: "p99", name: "Hit p99", text: duration },
  { key: "miss", name: "Miss p50", text: duration },
  { key: "compute", name: "Computing p50", text: duration },
  { key: "saved", name: "Saved per hour", text: duration, title: "Estimated from the calls that are timed" },
  { key: "entries", name: "Entries", text: count },
  { key: "bytes", name: "Size", text: bytes },
  { key: "errors", name: "Errors", text: count },
  { key: "running", name: "Running", text: count },
  { key: "waiting", name: "Waiting", text: count },
];

const RANKS = ["bad", "warn", "good", "faint"];

/** Unknown figures come last, whichever way. */
function sorted(rows, { key, descending }) {
  const value = (row) => (key === "verdict" ? RANKS.indexOf(row.verdict.level) : row[key]);
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return (descending ? -order : order) || one.function.localeCompare(other.function);
  };
  return [...rows].sort(compare);
}

const found = (functions, text) => {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const matches = ({ function: name, backend }) => words.every((word) => `${name} ${backend}`.toLowerCase().includes(word));
  return functions.filter(matches);
};

const moduleOf = (name) => (name.includes("::") ? name.slice(0, name.lastIndexOf("::")) : "(none)");

/** The functions by what they have in common. */
function grouped(functions, by) {
  const groups = new Map();
  for (const one of functions) {
    const name = by === "module" ? moduleOf(one.function) : one.backend;
    groups.set(name, [...(groups.get(name) ?? []), one]);
  }
  return [...groups].sort(([one], [other]) => one.localeCompare(other));
}

/** All of them as one. Quantiles of several functions cannot be told from their own, so there are none. */
function added(functions) {
  const total = (figure) => sum(functions.map(figure));
  const known = (figure) => {
    const all = functions.map(figure).filter((value) => value !== undefined);
    return all.length > 0 ? sum(all) : undefined;
  };
  const counted = (key) => total((one) => one.counted[key]);
  const ages = functions.map((one) => one.activity.oldest_computation_age_seconds ?? 0);
  return {
    counted: {
      seconds: Math.max(0, ...functions.map((one) => one.counted.seconds)),
      calls: Object.fromEntries(OUTCOMES.map((outcome) => [outcome, total((one) => one.counted.calls[outcome])])),
      backend_errors: counted("backend_errors"),
      recalculations: counted("recalculations"),
      recalculation_failures: counted("recalculation_failures"),
      time_saved_seconds: known((one) => one.counted.time_saved_seconds ?? undefined) ?? null,
      call_duration: {},
      compute_duration: null,
    },
    held: { entries: known((one) => one.held.entries), size_bytes: known((one) => one.held.size_bytes) },
    activity: {
      inflight_computations: total((one) => one.activity.inflight_computations),
      waiting_calls: total((one) => one.activity.waiting_calls),
      oldest_computation_age_seconds: Math.max(0, ...ages),
    },
  };
}

/** What can be said of durations. */
function sampling(share) {
  if (share >= 1) return "Every call is timed.";
  if (share <= 0) return "Hits are not timed: their durations, and the time saved, are unknown.";
  return `Counts are exact. Durations rest on ${percent(share)} of the calls: percentiles and the time saved are estimates.`;
}

/** The points of several series of one function as one: counts only where there are several. */
function summed(series) {
  if (series.length < 2) return series[0]?.points ?? [];
  return series[0].points.map((_, place) => {
    const points = series.map(({ points }) => points[place]).filter(Boolean);
    return points.length > 0 ? added(points.map((counted) => ({ counted, held: {}, activity: {} }))).counted : null;
  });
}
