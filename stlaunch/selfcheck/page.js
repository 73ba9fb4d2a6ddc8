// stlaunch's page script: the first script of the app's page, plain JavaScript, no build step.
//
// It does two things, and touches nothing else:
//   1. tells Streamlit where its server is, which ends the guessing of directly opened pages;
//   2. puts a facade in place of WebSocket for `_stcore/stream` alone. The facade adds the origin
//      proof to the handshake, and can change the native socket beneath it while it connects.
"use strict";
(() => {
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  const NativeWebSocket = window.WebSocket;
  const TOKEN_PREFIX = "stlaunch.";

  /** The public path of the app, without its final slash. @returns {string} */
  function findBase() {
    if (script.dataset.base !== undefined) return script.dataset.base;
    const known = /** @type {string[]} */ (JSON.parse(script.dataset.publicPaths ?? "[]"));
    const path = window.location.pathname;
    const base = known
      .filter((candidate) => path === candidate || path.startsWith(candidate + "/"))
      .sort((a, b) => b.length - a.length)[0];
    // Streamlit's pages are one segment long: the folder of the address is the base.
    return base ?? path.slice(0, path.lastIndexOf("/"));
  }

  const base = findBase();
  const streamPath = `${base}/_stcore/stream`;
  let tokens = (script.dataset.tokens ?? "").split(" ").filter(Boolean);

  // A host page's own value wins.
  const hosted = /** @type {any} */ (window).__streamlit;
  /** @type {any} */ (window).__streamlit = {
    BACKEND_BASE_URL: window.location.origin + (base || "/"),
    ...hosted,
  };

  /**
   * Asks for tokens that fit this browser's cookies: a page from a shared cache holds another
   * browser's, and a page from before a restart holds old ones.
   * @returns {Promise<boolean>} whether they differ from the ones at hand
   */
  async function renewTokens() {
    try {
      const response = await fetch(`${base}/_stlaunch/token`, {
        headers: { "X-Stlaunch": "1" },
        cache: "no-store",
        credentials: "same-origin",
      });
      if (!response.ok) return false;
      const fresh = /** @type {string[]} */ ((await response.json()).tokens);
      const isNew = fresh.join(" ") !== tokens.join(" ");
      tokens = fresh;
      return isNew;
    } catch {
      return false;
    }
  }

  /** Behaves like the WebSocket that Streamlit asked for. */
  class StreamSocket extends EventTarget {
    /** @param {string | URL} url @param {string | string[]} [protocols] */
    constructor(url, protocols = []) {
      super();
      this.url = String(url);
      this.extensions = "";
      this.onopen = this.onmessage = this.onerror = this.onclose = null;
      this.#wanted = typeof protocols === "string" ? [protocols] : [...protocols];
      this.#connect(tokens.length > 0);
    }

    /** @type {WebSocket | null} */ #native = null;
    /** @type {string[]} */ #wanted;
    /** @type {BinaryType} */ #binaryType = "blob";
    /** @type {number} */ #state = NativeWebSocket.CONNECTING;

    get readyState() {
      return this.#state === NativeWebSocket.OPEN && this.#native
        ? this.#native.readyState
        : this.#state;
    }
    get protocol() {
      return this.#native?.protocol ?? "";
    }
    get bufferedAmount() {
      return this.#native?.bufferedAmount ?? 0;
    }
    get binaryType() {
      return this.#binaryType;
    }
    set binaryType(value) {
      this.#binaryType = value;
      if (this.#native) this.#native.binaryType = value;
    }

    /** @param {string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBuffer>} data */
    send(data) {
      if (this.#state === NativeWebSocket.CONNECTING || !this.#native) {
        throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
      }
      this.#native.send(/** @type {any} */ (data));
    }

    /** @param {number} [code] @param {string} [reason] */
    close(code, reason) {
      if (this.#state === NativeWebSocket.CLOSED) return;
      this.#state = NativeWebSocket.CLOSING;
      if (this.#native && this.#native.readyState < NativeWebSocket.CLOSING) {
        code === undefined ? this.#native.close() : this.#native.close(code, reason);
      } else if (!this.#native) {
        this.#end(new CloseEvent("close", { code: 1006, wasClean: false }));
      }
    }

    /** @param {boolean} mayRenew whether a refusal may be due to old tokens */
    #connect(mayRenew) {
      const proof = tokens.map((token) => TOKEN_PREFIX + token);
      const native = new NativeWebSocket(this.url, [...this.#wanted, ...proof]);
      native.binaryType = this.#binaryType;
      this.#native = native;
      native.addEventListener("open", () => {
        if (this.#state === NativeWebSocket.CONNECTING) this.#state = NativeWebSocket.OPEN;
        this.#emit(new Event("open"));
      });
      native.addEventListener("message", (event) => {
        this.#emit(new MessageEvent("message", { data: event.data, origin: event.origin }));
      });
      native.addEventListener("close", (event) => {
        const wasConnecting = this.#state === NativeWebSocket.CONNECTING;
        if (wasConnecting && mayRenew) {
          this.#native = null;
          this.#retry(event);
          return;
        }
        if (wasConnecting) this.#emit(new Event("error"));
        this.#end(event);
      });
      native.addEventListener("error", () => {
        if (this.#state === NativeWebSocket.OPEN) this.#emit(new Event("error"));
      });
    }

    /** @param {CloseEvent} refusal */
    async #retry(refusal) {
      const isNew = await renewTokens();
      if (this.#state !== NativeWebSocket.CONNECTING) {
        this.#end(refusal);
      } else if (isNew) {
        this.#connect(false);
      } else {
        this.#emit(new Event("error"));
        this.#end(refusal);
      }
    }

    /** @param {CloseEvent} event */
    #end(event) {
      if (this.#state === NativeWebSocket.CLOSED) return;
      this.#state = NativeWebSocket.CLOSED;
      const { code, reason, wasClean } = event;
      this.#emit(new CloseEvent("close", { code, reason, wasClean }));
    }

    /** @param {Event} event */
    #emit(event) {
      const handler = /** @type {any} */ (this)[`on${event.type}`];
      if (typeof handler === "function") handler.call(this, event);
      this.dispatchEvent(event);
    }
  }
  for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
    Object.defineProperty(StreamSocket.prototype, name, { value });
  }

  /** Is this the address of the app's own stream? @param {string | URL} url @returns {boolean} */
  function isStream(url) {
    try {
      const { host, pathname } = new URL(url, window.location.href);
      return host === window.location.host && pathname === streamPath;
    } catch {
      return false;
    }
  }

  window.WebSocket = new Proxy(NativeWebSocket, {
    construct(target, args, newTarget) {
      return isStream(args[0])
        ? new StreamSocket(args[0], args[1])
        : Reflect.construct(target, args, newTarget);
    },
  });
})();
