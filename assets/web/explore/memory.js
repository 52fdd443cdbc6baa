/**
 * What outlives a reload of the page: words and choices in the tab's own storage, photos in the browser's database.
 * Either may be forbidden; then nothing is remembered, and nothing breaks.
 */

const KEY = "textseg-explore";
const MOST = 12; // photos that are kept

/** @typedef {{key: string, words: string, sample?: string}} Kept a photo by its key in the address, and its words */

/** @param {Kept} kept */
export function remember(kept) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    return; // forbidden
  }
}

/** @returns {Kept|null} what this tab had in hand last */
export function recall() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    return typeof kept?.key === "string" && typeof kept.words === "string" ? kept : null;
  } catch {
    return null;
  }
}

/** Keep a photo's file under its key; the oldest of many leave. */
export async function keepFile(key, file) {
  await withPhotos("readwrite", (photos) => {
    photos.put({ key, file, at: Date.now() });
    photos.getAllKeys().onsuccess = ({ target }) => {
      if (target.result.length <= MOST) return;
      photos.index("at").openCursor().onsuccess = ({ target: { result: oldest } }) => oldest?.delete();
    };
  });
}

/** @returns {Promise<File|null>} */
export async function fileOf(key) {
  /** @type {IDBRequest|undefined} */
  let request;
  await withPhotos("readonly", (photos) => (request = photos.get(key)));
  return request?.result?.file ?? null;
}

/** Run `use` in one transaction of the photos and wait for its end; storage that is forbidden or full is no failure. */
async function withPhotos(mode, use) {
  const opening = await new Promise((resolve) => {
    try {
      const request = indexedDB.open(KEY, 1);
      request.onupgradeneeded = () =>
        request.result.createObjectStore("photos", { keyPath: "key" }).createIndex("at", "at");
      request.onsuccess = () => resolve(request.result);
      request.onerror = request.onblocked = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  if (!opening) return;
  await new Promise((resolve) => {
    const transaction = opening.transaction("photos", mode);
    transaction.oncomplete = transaction.onabort = transaction.onerror = resolve;
    use(transaction.objectStore("photos"));
  });
  opening.close();
}
