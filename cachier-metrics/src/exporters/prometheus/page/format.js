"use strict";

// Figures as people read them. What is unknown is a dash.

const UNKNOWN = "–";

const known = (figure, text) => (figure === undefined || figure === null || Number.isNaN(figure) ? UNKNOWN : text(figure));

/** Three digits, at most. */
function digits(number) {
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 100) return Math.round(number).toString();
  return Number(number.toPrecision(size < 0.01 ? 1 : 3)).toString();
}

/** The number in the largest unit that leaves at least 1 of it. */
function scaled(number, step, units) {
  let place = 0;
  while (Math.abs(number) >= step && place < units.length - 1) {
    number /= step;
    place += 1;
  }
  return `${digits(number)}${units[place]}`;
}

const count = (figure) => known(figure, (number) => scaled(number, 1000, ["", "k", "M", "G", "T"]));

const bytes = (figure) => known(figure, (number) => scaled(Math.round(number), 1024, [" B", " KB", " MB", " GB", " TB"]));

const percent = (figure) => known(figure, (share) => `${(100 * share).toFixed(share > 0.999 && share < 1 ? 2 : 1)} %`);

const rate = (figure) => known(figure, (number) => `${digits(number)}/s`);

function duration(figure) {
  return known(figure, (seconds) => {
    if (seconds === 0) return "0 s";
    if (seconds < 1) {
      return scaled(seconds * 1e9, 1000, [" ns", " µs", " ms"]);
    }
    if (seconds < 120) return `${digits(seconds)} s`;
    return seconds < 7200 ? `${digits(seconds / 60)} min` : `${digits(seconds / 3600)} h`;
  });
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
