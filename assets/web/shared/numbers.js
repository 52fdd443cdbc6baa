/** Numbers as a person reads them. */

/** A share 0..1 as per cent; never 0 % for what is there. */
export function percent(share) {
  if (share > 0 && share < 0.0005) return "< 0.1 %";
  return `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
}

/** Two decimals, with a real minus. */
export const decimal = (value) => value.toFixed(2).replace("-", "−");

/** A number with its noun: `1 photo`, `2,400 photos`. */
export const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** Bytes in the unit that leaves one to three digits. */
export function bytes(n) {
  const units = ["bytes", "KB", "MB", "GB"];
  let k = 0;
  while (n >= 1000 && k < units.length - 1) {
    n /= 1000;
    k += 1;
  }
  return `${n < 10 && k ? n.toFixed(1) : Math.round(n)} ${units[k]}`;
}

/** A time span, to the second, the minute above two of them. */
export function duration(seconds) {
  if (seconds < 120) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** How far a job is: what it does, how much of it is done, and how long it will take if that is known. */
export function progress({ what, done, all, left }) {
  if (!all) return what;
  const long = left != null && left > 2 ? `, about ${duration(left)} left` : "";
  return `${what}: ${done.toLocaleString("en")} of ${all.toLocaleString("en")}${long}`;
}
