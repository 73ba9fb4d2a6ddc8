// Opens the stream's socket while Streamlit's scripts still load: it is there when they ask for it,
// and if it fails, the page falls back that much sooner.

const UNUSED_MS = 30_000;

/** A socket that waits for Streamlit's page to ask for exactly this one. */
class EarlySocket {
  /** @type {string} */ #url;
  /** @type {string[]} */ #wanted;
  /** @type {Event[]} */ #events = [];
  #opened = performance.now();
  #native;

  /**
   * @param {string} url
   * @param {string[]} wanted the subprotocols that Streamlit will ask for
   * @param {string[]} proof the tokens to send with them
   */
  constructor(url, wanted, proof) {
    this.#url = url;
    this.#wanted = wanted;
    this.#native = new NativeWebSocket(url, [...wanted, ...proof]);
    this.#native.binaryType = "arraybuffer";
    for (const type of ["open", "message", "error", "close"]) {
      this.#native.addEventListener(type, this.#keep);
    }
    setTimeout(() => this.drop(), UNUSED_MS);
    window.addEventListener("pagehide", () => this.drop(), { once: true });
  }

  /** How long it has been trying, in ms. */
  get age() {
    return performance.now() - this.#opened;
  }

  /** Is it what Streamlit asks for? @param {string} url @param {string[]} wanted */
  fits(url, wanted) {
    const isSameUrl = new URL(url, window.location.href).href === this.#url;
    return isSameUrl && JSON.stringify(wanted) === JSON.stringify(this.#wanted);
  }

  /**
   * Hands the socket over, and replays its events once its new owner listens.
   * @returns {WebSocket}
   */
  take() {
    const native = this.#native;
    const events = this.#release();
    queueMicrotask(() => {
      for (const event of events) native.dispatchEvent(copyOfEvent(event));
    });
    return native;
  }

  /** Closes it, unless it was taken. */
  drop() {
    if (earlySocket !== this) return;
    this.#release();
    this.#native.close();
  }

  #release() {
    earlySocket = null;
    for (const type of ["open", "message", "error", "close"]) {
      this.#native.removeEventListener(type, this.#keep);
    }
    return this.#events;
  }

  #keep = (/** @type {Event} */ event) => {
    this.#events.push(event);
  };
}

/** @type {EarlySocket | null} */ let earlySocket = null;

/** @param {Event} event @returns {Event} */
function copyOfEvent(event) {
  if (event instanceof MessageEvent) return new MessageEvent("message", { data: event.data });
  if (event instanceof CloseEvent) {
    const { code, reason, wasClean } = event;
    return new CloseEvent("close", { code, reason, wasClean });
  }
  return new Event(event.type);
}

/**
 * The subprotocols with which Streamlit's page opens its first socket.
 * @returns {string[]}
 */
function firstSubprotocols() {
  const xsrf = /\b_streamlit_xsrf=([^;]*)\b/.exec(document.cookie)?.[1];
  return ["streamlit", xsrf ?? "PLACEHOLDER_AUTH_TOKEN"];
}
