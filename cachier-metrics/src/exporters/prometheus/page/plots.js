// Plots, as SVG. Each says in words what it shows.

const WIDTH = 480;
const HEIGHT = 150;
const LEFT = 52;
const BOTTOM = 16;

const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function html(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const round = (number) => Math.round(number * 10) / 10;

/** The place of a moment and of a value, in a plot of so many points up to this value. */
function frame(points, low, high) {
  const width = WIDTH - LEFT;
  const height = HEIGHT - BOTTOM;
  return {
    x: (place) => round(LEFT + (width * place) / Math.max(1, points - 1)),
    y: (value) => round(2 + (height - 4) * (1 - (value - low) / (high - low || 1))),
  };
}

/** Runs of known values: a gap in what is known is one in the plot. */
function runs(values) {
  const all = [];
  values.forEach((value, place) => {
    if (value === undefined) return;
    const last = all.at(-1);
    if (last && last.at(-1)[0] === place - 1) last.push([place, value]);
    else all.push([[place, value]]);
  });
  return all;
}

const path = (points) => points.map(([x, y], place) => `${place ? "L" : "M"}${x} ${y}`).join("");

/** A point alone is a dash. */
const drawn = (run) => (run.length > 1 ? run : [run[0], [run[0][0] + 0.4, run[0][1]]]);

function axes(top, bottom, since) {
  const line = (y) => svg("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y, y2: y });
  const label = (x, y, text, anchor) => svg("text", { x, y, "text-anchor": anchor }, text);
  return [
    line(2),
    line(HEIGHT - BOTTOM - 2),
    label(LEFT - 4, 10, top, "end"),
    label(LEFT - 4, HEIGHT - BOTTOM - 2, bottom, "end"),
    label(LEFT, HEIGHT - 3, since, "start"),
    label(WIDTH, HEIGHT - 3, "now", "end"),
  ];
}

function figure(title, words, shown, key, values) {
  const names = key.map(([kind, name]) =>
    html("li", {}, svg("svg", { class: kind, viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { class: "area", width: 10, height: 10 })), name),
  );
  const parts = [html("figcaption", {}, title), shown, html("ul", { class: "key" }, ...names)];
  if (words) parts.push(html("p", {}, words));
  if (values) parts.push(values);
  return html("figure", {}, ...parts);
}

/** The figures of a plot for who reads rather than sees them. */
function numbers(title, head, lines) {
  const cell = (name, text) => html(name, name === "th" ? { scope: "col" } : {}, text);
  const table = html(
    "table",
    { "aria-label": title },
    html("thead", {}, html("tr", {}, ...head.map((text) => cell("th", text)))),
    html("tbody", {}, ...lines.map((line) => html("tr", {}, ...line.map((text) => cell("td", text))))),
  );
  const scroll = html("div", { class: "scroll", role: "region", "aria-label": `${title}, as a table`, tabindex: "0" }, table);
  return html("details", {}, html("summary", {}, "As a table"), scroll);
}

const ago = (points, step, place) => (place === points - 1 ? "now" : `${duration((points - 1 - place) * step)} ago`);

/** Values on top of each other: `layers` are a kind, its values, and a name if the kind is none. */
function stacked(title, layers, step, text) {
  const points = layers[0][1].length;
  const below = Array(points).fill(0);
  const tops = layers.map(([kind, values]) => {
    const shape = values.map((value, place) => (value === undefined ? undefined : [below[place], (below[place] += value)]));
    return [kind, shape];
  });
  const high = Math.max(...below);
  const { x, y } = frame(points, 0, high);
  const areas = tops.flatMap(([kind, shape]) =>
    runs(shape).map((run) => {
      const solid = drawn(run);
      const upper = solid.map(([place, [, top]]) => [x(place), y(top)]);
      const lower = solid.map(([place, [bottom]]) => [x(place), y(bottom)]).reverse();
      return svg("path", { class: `area ${kind}`, d: `${path([...upper, ...lower])}Z` });
    }),
  );
  const isKnown = layers[0][1].some((value) => value !== undefined);
  const words = isKnown ? `up to ${text(high)}, now ${text(below.at(-1))}` : "nothing is known yet";
  const shown = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${words}` },
    ...areas,
    ...axes(text(high), "0", ago(points, step, 0)),
  );
  const lines = below.map((total, place) => [ago(points, step, place), ...layers.map(([, values]) => known(values[place], text)), text(total)]);
  const names = layers.map(([kind, , name]) => [kind, name ?? kind]);
  const head = ["When", ...names.map(([, name]) => name), "all"];
  return figure(title, words, shown, names, numbers(title, head, lines.reverse()));
}

/** Durations on a logarithmic scale: `curves` are a kind, a name, whether it is the higher of two, and its values. */
function curves(title, all, step) {
  const points = all[0].values.length;
  const seen = all.flatMap(({ values }) => values).filter((value) => value > 0);
  const [low, high] = seen.length > 0 ? [Math.min(...seen), Math.max(...seen)] : [1e-6, 1];
  const scale = (value) => Math.log(Math.max(value, low));
  const { x, y } = frame(points, scale(low), Math.max(scale(high), scale(low) + 0.1));
  const lines = all.flatMap(({ kind, isHigh, values }) =>
    runs(values.map((value) => value ?? undefined)).map((run) =>
      svg("path", {
        class: `curve ${kind}${isHigh ? " high" : ""}`,
        d: path(drawn(run).map(([place, value]) => [x(place), y(scale(value))])),
      }),
    ),
  );
  const last = all.map(({ name, values }) => `${name} ${duration(values.at(-1))}`).join(", ");
  const words = seen.length > 0 ? `now ${last}; dashed: p99` : "nothing was timed";
  const shown = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${words}` },
    ...lines,
    ...axes(duration(high), duration(low), ago(points, step, 0)),
  );
  const key = all.filter(({ isHigh }) => !isHigh).map(({ kind }) => [kind, kind === "plain" ? "computing" : kind]);
  const rows = all[0].values.map((_, place) => [ago(points, step, place), ...all.map(({ values }) => duration(values[place]))]);
  return figure(title, words, shown, key, numbers(title, ["When", ...all.map(({ name }) => name)], rows.reverse()));
}

/** The same observations in buckets of a lower schema. */
function lowered({ schema, buckets }, to) {
  const pairs = 2 ** (schema - to);
  return { schema: to, buckets: buckets.map(([index, observed]) => [Math.ceil(index / pairs), observed]) };
}

/** A distribution by its buckets, whose upper bounds are powers of two to the power of `2^-schema`. */
function distribution(title, of, text) {
  const lowest = Math.min(...of.map(([, { schema }]) => schema));
  const layers = of.map(([kind, histogram]) => [kind, lowered(histogram, lowest)]);
  const buckets = layers.flatMap(([, { buckets }]) => buckets.map(([index]) => index));
  const bars = 40;
  const [first, last] = [Math.min(...buckets), Math.max(...buckets)];
  const wide = Math.max(1, Math.ceil((last - first + 1) / bars));
  const places = Math.ceil((last - first + 1) / wide);
  const bound = (index) => 2 ** (index / 2 ** lowest);
  const counts = layers.map(([kind, histogram]) => {
    const heights = Array(places).fill(0);
    for (const [index, observed] of histogram.buckets) heights[Math.floor((index - first) / wide)] += observed;
    return [kind, heights];
  });
  const totals = Array.from({ length: places }, (_, place) => sum(counts.map(([, heights]) => heights[place])));
  const high = Math.max(...totals);
  const width = (WIDTH - LEFT) / places;
  const tall = HEIGHT - BOTTOM - 4;
  const below = Array(places).fill(0);
  const shapes = counts.flatMap(([kind, heights]) =>
    heights.map((observed, place) => {
      const height = (tall * observed) / high;
      const top = HEIGHT - BOTTOM - 2 - below[place] - height;
      below[place] += height;
      return svg("rect", { class: `area ${kind}`, x: round(LEFT + width * place), y: round(top), width: round(Math.max(1, width - 1)), height: round(height) });
    }),
  );
  const all = sum(totals);
  const [low, top] = [text(bound(first - 1)), text(bound(last))];
  const words = `${count(all)}, from ${low} to ${top}`;
  const [upper, bottom, ...rest] = axes(count(high), "0", low);
  rest[3].textContent = top;
  const shown = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${words}` }, ...shapes, upper, bottom, ...rest);
  const rows = totals.map((total, place) => [`up to ${text(bound(first + (place + 1) * wide - 1))}`, ...counts.map(([, heights]) => count(heights[place])), count(total)]);
  return figure(title, words, shown, layers.map(([kind]) => [kind, kind === "plain" ? "all" : kind]), numbers(title, ["Value", ...layers.map(([kind]) => kind), "all"], rows));
}

/** Calls per second in a line of the table, and those among them that computed. */
function spark(points) {
  const rates = points.map((point) => (point ? sum(Object.values(point.calls)) / point.seconds : undefined));
  const misses = points.map((point) => (point ? (point.calls.miss + point.calls.unavailable) / point.seconds : undefined));
  const high = Math.max(...rates.filter((value) => value !== undefined), 1e-9);
  const [width, height] = [120, 24];
  const x = (place) => round((width * place) / Math.max(1, points.length - 1));
  const y = (value) => round(height - 1 - (height - 2) * (value / high));
  const area = (kind, values) =>
    runs(values).map((run) => {
      const solid = drawn(run);
      const [left, right] = [x(solid[0][0]), x(solid.at(-1)[0])];
      return svg("path", { class: `area ${kind}`, d: `${path(solid.map(([place, value]) => [x(place), y(value)]))}L${right} ${height}L${left} ${height}Z` });
    });
  const label = `up to ${rate(high < 1e-6 ? 0 : high)}`;
  const shape = [...area("hit", rates), ...area("miss", misses)];
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...shape);
}
