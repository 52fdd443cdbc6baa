/**
 * Whose project a page shows on a server where every visitor has one of their own. The key lies in this browser's storage
 * and travels with each message; a tab may show the project that the owner of the server shares instead.
 */

const KEY = "textseg-visitor";
const PLACE = "textseg-visitor-place";
export const SHARED = "shared"; // what is sent for the key while the shared project is shown

/** This browser's key; "" without one, or where storage is forbidden. */
export function visitorKey() {
  return read("localStorage", KEY);
}

/** Keep the key of a new project, or forget it (""); answers whether this browser could. */
export function keepVisitorKey(key) {
  showShared(false);
  return write("localStorage", KEY, key) && visitorKey() === key;
}

/** What a message says of its visitor. */
export function visitor() {
  return atShared() ? SHARED : visitorKey();
}

/** Whether this tab shows the shared project. */
export function atShared() {
  return read("sessionStorage", PLACE) === SHARED;
}

/** @param {boolean} shared */
export function showShared(shared) {
  write("sessionStorage", PLACE, shared ? SHARED : "");
}

/**
 * @param {"localStorage"|"sessionStorage"} storage
 * @param {string} name
 */
function read(storage, name) {
  try {
    return window[storage].getItem(name) ?? "";
  } catch {
    return ""; // forbidden, as in frames of some browsers
  }
}

/**
 * @param {"localStorage"|"sessionStorage"} storage
 * @param {string} name
 * @param {string} value
 */
function write(storage, name, value) {
  try {
    if (value) window[storage].setItem(name, value);
    else window[storage].removeItem(name);
    return true;
  } catch {
    return false;
  }
}
