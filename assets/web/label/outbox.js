/**
 * Gestures that no server has yet, kept by this browser (IndexedDB), so that they outlive a closed tab. Where storage is
 * forbidden nothing is kept, and nothing else changes.
 */

const NAME = "textseg-outbox";
const TAB = "textseg-tab-";

/**
 * What one tab has waiting on one photo.
 * @typedef {Object} Parcel
 * @property {string} id
 * @property {string} tab
 * @property {string} project key of the project
 * @property {string} projectName
 * @property {number} photo
 * @property {string} photoName
 * @property {number} revision that the first gesture was drawn on
 * @property {{name: string, message: Object}[]} gestures in the order they were drawn
 */

export class Outbox {
  /** @param {{indexedDB?: IDBFactory, locks?: LockManager}} [browser] */
  constructor({ indexedDB = window.indexedDB, locks = navigator.locks } = {}) {
    this.tab = `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;
    this.locks = locks;
    /** Whether the last thing to be kept was. */
    this.works = true;
    this.database = opened(indexedDB).catch(() => null);
    // Held as long as this tab lives, so that no other one sends what this one is still sending.
    locks?.request(TAB + this.tab, () => new Promise(() => {})).catch(() => {});
  }

  /** @param {{key: string, name: string}} project @param {{photo: number, name: string}} photo */
  parcel(project, photo, revision, gestures) {
    return {
      id: `${project.key}/${photo.photo}/${this.tab}`,
      tab: this.tab,
      project: project.key,
      projectName: project.name,
      photo: photo.photo,
      photoName: photo.name,
      revision,
      gestures: gestures.map(({ name, message }) => ({ name, message })),
    };
  }

  /** Keep a parcel, in place of the one before; an empty one is dropped. @param {Parcel} parcel */
  async keep(parcel) {
    await this.act("readwrite", (store) => (parcel.gestures.length ? store.put(parcel) : store.delete(parcel.id)));
  }

  /** @param {string} id */
  async drop(id) {
    await this.act("readwrite", (store) => store.delete(id));
  }

  /** Parcels that no living tab is sending, by project and photo. @returns {Promise<Parcel[]>} */
  async left() {
    const parcels = (await this.act("readonly", (store) => store.getAll())) ?? [];
    const { held } = (await this.locks?.query().catch(() => null)) ?? { held: [] };
    const living = new Set(held.map(({ name }) => name));
    return parcels.filter(({ tab }) => !living.has(TAB + tab));
  }

  /** @param {function(IDBObjectStore): IDBRequest} what @returns {Promise<any>} undefined where storage is forbidden */
  async act(mode, what) {
    const database = await this.database;
    try {
      const result = await settled(what(database.transaction("parcels", mode).objectStore("parcels")));
      this.works = true;
      return result;
    } catch {
      this.works = false; // forbidden, or full: gestures still wait in the page
      return undefined;
    }
  }
}

/** @param {IDBFactory} factory @returns {Promise<IDBDatabase>} */
async function opened(factory) {
  const request = factory.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore("parcels", { keyPath: "id" });
  return new Promise((resolve, reject) => {
    request.onblocked = () => reject(new Error("Another tab holds an older store open."));
    settled(request).then(resolve, reject);
  });
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
