/** Named cases of one module, and what they compare with. `test_units.py` runs them in Chromium, one by one. */

const cases = [];

/**
 * @param {string} name a statement about behaviour
 * @param {function(): (void|Promise<void>)} run throws when the statement is false
 */
export function test(name, run) {
  cases.push({ name, run });
}

/**
 * Run every case of a module.
 * @param {string} address of the module, relative to this one
 * @returns {Promise<Object<string, string>>} what went wrong by name, "" where nothing did
 */
export async function outcomes(address) {
  await import(address);
  const found = {};
  for (const { name, run } of cases) {
    found[name] = "";
    try {
      await run();
    } catch (error) {
      found[name] = error.stack ?? String(error);
    }
  }
  return found;
}

/** Numbers, strings, arrays (typed ones too), maps and plain objects are equal when what they hold is. */
export function equal(actual, expected) {
  const [got, wanted] = [actual, expected].map((value) => JSON.stringify(plain(value)));
  if (got !== wanted) throw new Error(`got ${got}, not ${wanted}`);
}

/** @param {number} tolerance greatest difference of two numbers, or of two arrays' elements */
export function close(actual, expected, tolerance = 1e-6) {
  const [got, wanted] = [actual, expected].map((value) => (typeof value === "number" ? [value] : [...value]));
  const near = got.length === wanted.length && got.every((value, i) => Math.abs(value - wanted[i]) <= tolerance);
  if (!near) throw new Error(`got ${JSON.stringify(got)}, not ${JSON.stringify(wanted)} within ${tolerance}`);
}

/** @param {function(): any} run must throw, or reject, with a message that `pattern` matches */
export async function refused(run, pattern) {
  try {
    await run();
  } catch (error) {
    if (pattern.test(error.message)) return;
    throw new Error(`refused with "${error.message}", which ${pattern} does not match`);
  }
  throw new Error("was not refused");
}

function plain(value) {
  if (ArrayBuffer.isView(value)) return [.../** @type {Uint8Array} */ (value)];
  if (value instanceof Map) return [...value.entries()].map(([key, inner]) => [key, plain(inner)]);
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).sort().map(([key, inner]) => [key, plain(inner)]));
  return value === undefined ? "undefined" : value;
}
