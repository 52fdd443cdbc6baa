/** Numbers as a person reads them, in the language of the page. */

import { heard, language, t } from "./language.js";

/** A number with this many digits after the point, or the comma. @param {number} n */
export const number = (n, digits = 0) => n.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A share 0..1 as per cent; never 0 % for what is there. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return `< ${number(0.1, 1)} %`;
  return `${number(100 * share, share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

/** A share 0..1 as whole per cents that it reaches: 89.8 % is not yet 90 %. */
export const atLeast = (share) => `${number(Math.floor(100 * share + 1e-9))} %`;

/** Two decimals, with a real minus. */
export const decimal = (value) => number(value, 2).replace("-", "−");

/**
 * What is said of one, or of any other number: `plural(n, "{n} photo", "{n} photos")`.
 * @param {number} n
 * @param {string} one
 * @param {string} many
 * @param {Object<string, string|number>} [values]
 */
export const plural = (n, one, many, values = {}) => t(n === 1 ? one : many, { ...values, n: number(n) });

/** Things beside each other: `a, b and c`. @param {string[]} words */
export const listed = (words) => new Intl.ListFormat(language, { type: "conjunction" }).format(words);

/** Bytes in the unit that leaves one to three digits. */
export function bytes(n) {
  const units = [t("bytes"), "KB", "MB", "GB"];
  let k = 0;
  while (n >= 1000 && k < units.length - 1) {
    n /= 1000;
    k += 1;
  }
  return `${number(n, n < 10 && k ? 1 : 0)} ${units[k]}`;
}

/** A time span, to the second, the minute above two of them. */
export function duration(seconds) {
  if (seconds < 120) return `${number(Math.max(1, seconds))} s`;
  if (seconds < 7200) return `${number(seconds / 60)} min`;
  return `${number(seconds / 3600)} h`;
}

/** How far a job is: what it does, how much of it is done, and how long it will take if that is known. */
export function progress({ what, done, all, left }) {
  if (!all) return heard(what);
  const far = { what: heard(what), done: number(done), all: number(all) };
  if (left == null || left <= 2) return t("{what}: {done} of {all}", far);
  return t("{what}: {done} of {all}, about {left} left", { ...far, left: duration(left) });
}
