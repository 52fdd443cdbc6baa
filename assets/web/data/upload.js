/** Files of any size on their way to the server, in pieces; folders keep their paths. */

import { t } from "../shared/language.js";

const PIECE = 8 * 2 ** 20; // bytes

/** @typedef {{path: string, file: File}} Item */

/**
 * Send files; the last answer is `{ok: true, upload}` or what the server refused.
 * @param {function(Object): Promise<import("../shared/server.js").Reply>} stage sends one piece
 * @param {Item[]} items
 * @param {function(number, number): void} progress bytes sent, bytes in all
 * @param {function(): boolean} stopped
 */
export async function upload(stage, items, progress, stopped) {
  const all = items.reduce((sum, { file }) => sum + file.size, 0);
  let token = "",
    sent = 0;
  for (const { path, file } of items) {
    for (let offset = 0; offset === 0 || offset < file.size; offset += PIECE) {
      if (stopped()) return { ok: false, error: t("Stopped; nothing was taken in.") };
      const piece = new File([file.slice(offset, offset + PIECE)], "piece");
      const reply = await stage({ upload: token, path, offset, piece });
      if (!reply.ok) return reply;
      token = reply.upload;
      sent += piece.size;
      progress(sent, all);
    }
  }
  return { ok: true, upload: token };
}

/**
 * What a file input holds; of a folder every file with its path in it.
 * @param {FileList} files
 * @returns {Item[]}
 */
export const chosen = (files) =>
  [...files].filter(visible).map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/**
 * What was dropped, folders read to their last file.
 * @param {DataTransfer} transfer
 * @returns {Promise<Item[]>}
 */
export async function dropped(transfer) {
  // Entries must be taken while the event is on; they can be read later.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found.filter(({ file }) => visible(file));
}

async function walk(entry, above, found) {
  const path = above + entry.name;
  if (entry.isFile) {
    found.push({ path, file: await new Promise((done, failed) => entry.file(done, failed)) });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed)); // at most 100 at a time
    if (!some.length) return;
    for (const inner of some) await walk(inner, `${path}/`, found);
  }
}

/** Systems leave files about folders in them. */
const visible = (file) => ![".DS_Store", "Thumbs.db", "desktop.ini"].includes(file.name);
