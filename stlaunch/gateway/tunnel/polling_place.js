// Decides which tabs of a browser may hold a request open; the others poll now and then.

// Over HTTP/1.1 all tabs share six connections to a host; three stay free.
const POLLING_TABS = 3;
const NOTE_MS = 40_000;

/**
 * One of the few places from which a tab may hold a request open. Web Locks know when a tab is
 * gone; they exist on https and localhost only. Elsewhere a place is an entry in localStorage that
 * expires: two tabs may take the same one at the same moment, which costs a connection.
 */
class PollingPlace {
  #isHeld = false;
  #name = Math.random().toString(36).slice(2);
  #note = "";
  /** @type {() => void} */ #release = () => {};

  get isHeld() {
    return this.#isHeld;
  }

  /** Takes a place if one is free, or keeps the one it has. */
  async take() {
    if (!navigator.locks) {
      this.#isHeld = this.#takeNote();
      return;
    }
    for (let index = 0; index < POLLING_TABS && !this.#isHeld; index += 1) {
      await new Promise((resolve) => {
        const name = `stlaunch-poll-${index}`;
        navigator.locks
          .request(name, { ifAvailable: true }, (lock) => {
            if (!lock) return resolve(undefined);
            this.#isHeld = true;
            resolve(undefined);
            return new Promise((release) => (this.#release = () => release(undefined)));
          })
          .catch(resolve);
      });
    }
  }

  leave() {
    this.#isHeld = false;
    this.#release();
    if (this.#note) localStorage.removeItem(this.#note);
    this.#note = "";
  }

  #takeNote() {
    try {
      for (let index = 0; index < POLLING_TABS; index += 1) {
        const key = this.#note || `stlaunch-poll-${index}`;
        const [owner, until] = (localStorage.getItem(key) ?? "").split(" ");
        if (owner === this.#name || !(Number(until) > Date.now())) {
          localStorage.setItem(key, `${this.#name} ${Date.now() + NOTE_MS}`);
          this.#note = key;
          return true;
        }
        this.#note = "";
      }
      return false;
    } catch {
      return true; // no storage here: nothing to share with other tabs either
    }
  }
}
