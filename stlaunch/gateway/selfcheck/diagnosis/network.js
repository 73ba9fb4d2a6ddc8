// Requests and sockets of the self-check page, each with a time limit. It evaluates nothing.

const script = /** @type {HTMLScriptElement} */ (document.currentScript);
/** The app's public path as this browser sees it, without a final slash. */
const base = new URL(script.src).pathname.replace(/\/_stlaunch\/diagnosis\.js$/, "");
const REQUEST_MS = 15_000;
const HANDSHAKE_MS = 8000;
const POLICY_EVENT_MS = 100;
const TOKEN_KEY = "stlaunch self-check token";

class NeedsToken extends Error {}

/** The directives of a policy that something in between added, and that block this page. */
const blockedDirectives = new Set();
document.addEventListener("securitypolicyviolation", ({ disposition, effectiveDirective }) => {
  if (disposition === "enforce") blockedDirectives.add(effectiveDirective);
});

/** Why there is no answer, as far as this browser knows. */
const noAnswer = () =>
  blockedDirectives.has("connect-src") ? "blocked by Content-Security-Policy, connect-src" : "no answer";

/** @returns {string} */
function heldToken() {
  try {
    return sessionStorage.getItem(TOKEN_KEY) ?? "";
  } catch {
    return "";
  }
}

/** A link in the start-up banner may end with #token=...; it leaves the address bar at once. */
function takeTokenFromAddress() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return;
  keepToken(decodeURIComponent(found[1]));
  history.replaceState(null, "", location.pathname + location.search);
}

/** @param {string} token */
function keepToken(token) {
  try {
    sessionStorage.setItem(TOKEN_KEY, token);
  } catch {
    // Without storage the page asks for the token again on the next visit.
  }
}

/**
 * @param {string} path below the app's path: `/_stlaunch/echo`
 * @param {RequestInit & {timeoutMs?: number}} [options]
 * @returns {Promise<Response>}
 */
async function ask(path, options = {}) {
  const { timeoutMs = REQUEST_MS, ...rest } = options;
  const headers = new Headers(rest.headers);
  headers.set("X-Stlaunch", "1");
  if (heldToken()) headers.set("X-Stlaunch-Token", heldToken());
  const response = await fetch(base + path, {
    cache: "no-store",
    credentials: "same-origin",
    ...rest,
    headers,
    signal: AbortSignal.timeout(timeoutMs),
  }).catch(async (error) => {
    await sleep(POLICY_EVENT_MS); // a request fails a moment before its policy says why
    throw error;
  });
  if (response.status === 401 && path.startsWith("/_stlaunch/")) throw new NeedsToken();
  return response;
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
async function askJson(path, options) {
  const response = await ask(path, options);
  if (!response.ok) throw new Error(`${path} answers ${response.status}`);
  return response.json();
}

/** @param {string} name @returns {string | undefined} */
function readCookie(name) {
  const pairs = document.cookie.split("; ").map((pair) => pair.split("="));
  const found = pairs.find(([key]) => key === name);
  return found && found.slice(1).join("=");
}

/**
 * The result of one handshake: `open`, `refused` (an answer other than 101, or an invalid one),
 * `hangs`, `blocked` (this browser does not even try).
 * @typedef {{state: "open" | "refused" | "hangs" | "blocked", ms: number, socket?: ProbeSocket}} Attempt
 */

/** A WebSocket whose messages can be waited for. */
class ProbeSocket {
  /** @type {any[]} */ #messages = [];
  /** @type {(() => void)[]} */ #waiting = [];
  /** @type {number} */ openedAt = 0;
  /** @type {{code: number, ageMs: number} | null} */ ended = null;

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => (this.openedAt = performance.now()));
    socket.addEventListener("message", (event) => {
      this.#messages.push(event.data);
      this.#wake();
    });
    socket.addEventListener("close", (event) => {
      const ageMs = this.openedAt ? performance.now() - this.openedAt : 0;
      this.ended = { code: event.code, ageMs };
      this.#wake();
    });
  }

  #wake() {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** The next message; undefined if none comes in time or the socket ends. @param {number} ms */
  async next(ms) {
    const until = performance.now() + ms;
    while (!this.#messages.length && !this.ended && performance.now() < until) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, until - performance.now());
        this.#waiting.push(() => (clearTimeout(timer), resolve(undefined)));
      });
    }
    return this.#messages.shift();
  }

  /** Waits until the socket ends, but no longer than this. @param {number} ms */
  async end(ms) {
    const until = performance.now() + ms;
    while (!this.ended && performance.now() < until) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, until - performance.now());
        this.#waiting.push(() => (clearTimeout(timer), resolve(undefined)));
      });
    }
    return this.ended;
  }

  close() {
    this.socket.close();
  }
}

/**
 * @param {string} path @param {string[]} protocols @param {string} query
 * @returns {Promise<Attempt>}
 */
function openSocket(path, protocols, query) {
  const started = performance.now();
  const url = `${location.origin.replace(/^http/, "ws")}${base}${path}?${query}`;
  return new Promise((resolve) => {
    /** @type {WebSocket} */ let native;
    try {
      native = protocols.length ? new WebSocket(url, protocols) : new WebSocket(url);
    } catch {
      return resolve({ state: "blocked", ms: 0 });
    }
    const socket = new ProbeSocket(native);
    const done = (/** @type {Attempt["state"]} */ state) => {
      clearTimeout(timer);
      const ms = performance.now() - started;
      resolve(state === "open" ? { state, ms, socket } : { state, ms });
    };
    const timer = setTimeout(() => (done("hangs"), native.close()), HANDSHAKE_MS);
    native.addEventListener("open", () => done("open"));
    native.addEventListener("close", () => done("refused"));
  });
}

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
