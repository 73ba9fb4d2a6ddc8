// The first script of the app's page: plain JavaScript, no build step.
//
//   1. tells Streamlit where its server is, so that directly opened pages need not guess, and how
//      it is configured, so that it needs no ping (configuration.js);
//   2. puts a facade in place of WebSocket for `_stcore/stream` alone: it adds the origin proof,
//      and carries the connection over HTTP (tunnel.js) if the WebSocket does not work;
//   3. opens that WebSocket while Streamlit's scripts still load (early_socket.js);
//   4. lets uploads pass a proxy's limits and rules (upload.js);
//   5. replaces a page of an old version, whose scripts are gone (old_page.js);
//   6. shows a notice instead of Streamlit's empty page if nothing connects, if a proxy signed the
//      visitor out (signed_out.js), or if files of the page come late (late_files.js);
//   7. reports what a Content-Security-Policy blocks (blocked.js);
//   8. preloads what this page of the app will need (preloads.js).

const pageScript = /** @type {HTMLScriptElement} */ (document.currentScript).src;
// Not the current one: that may have been loaded by start.js.
const script = /** @type {HTMLScriptElement} */ (document.querySelector("script[data-transport]"));
script.dataset.started = "";
const NativeWebSocket = window.WebSocket;
const TOKEN_PREFIX = "stlaunch.";
// Streamlit's page itself gives up after 15 s.
const HANGING_MS = 4000;
// An early socket had to share the line with the page's scripts.
const STILL_HANGING_MS = 1500;
const EARLY_MS = 5000;
// Once WebSockets have carried something, only this counts as "at once": a resumed session may be
// quiet for a while, and something on the way may cut it then.
const AT_ONCE_MS = 1000;
const NOTICE_MS = 10_000;
const POLICY_NOTICE_MS = 1500;
const REPLICA_CHANGES = 3;

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
const transport = script.dataset.transport ?? "auto";
let tokens = (script.dataset.tokens ?? "").split(" ").filter(Boolean);
// Whether an attempt hung before any WebSocket had carried something: reconnecting stays quick.
let webSocketHangs = false;
let webSocketCarries = false;
let replicaChanges = 0;
// The directive of a Content-Security-Policy that blocks the page's connection to its server.
let blockingDirective = "";
let isConnected = false;
// How often the page has connected.
let connections = 0;

const hostConfig = script.dataset.hostConfig;
configure(base, hostConfig);
const signIn = new SignIn(base);
answerPings(base, hostConfig, signIn);

/**
 * Asks for tokens that match this browser's cookies: a page from a shared cache holds another
 * browser's, and a page from before a restart holds old ones.
 * @returns {Promise<boolean>} whether they differ from the current ones
 */
async function renewTokens() {
  if (!tokens.length) return false;
  try {
    const asking = askApp(base, "token", { headers: { "X-Stlaunch": "1" } });
    const asked = await Promise.race([asking, sleep(HANGING_MS)]);
    if (!asked?.answer.ok) return false;
    const fresh = /** @type {string[]} */ ((await asked.answer.json()).tokens);
    // The first one belongs to the cookie that browsers keep on https only: it never fits on http.
    const own = window.location.protocol === "https:" ? 0 : 1;
    const isNew = fresh[own] !== tokens[own];
    tokens = fresh;
    return isNew;
  } catch {
    return false;
  }
}

function proof() {
  return tokens.map((token) => TOKEN_PREFIX + token);
}

/** Behaves like the WebSocket that Streamlit asked for, over whatever works. */
class StreamSocket extends EventTarget {
  /** @type {WebSocket | null} */ #native = null;
  /** @type {Tunnel | null} */ #tunnel = null;
  /** @type {string[]} */ #wanted;
  // If so, it says nothing about the page's own connection.
  /** @type {boolean} */ #isForUpload;
  /** @type {BinaryType} */ #binaryType = "blob";
  /** @type {number} */ #state = NativeWebSocket.CONNECTING;
  // Messages sent before anything came back: a proxy that accepts a socket and closes it at once
  // has not delivered them.
  /** @type {any[] | null} */ #early = [];
  #openedAt = 0;

  /** @param {string | URL} url @param {string | string[]} [protocols] */
  constructor(url, protocols = []) {
    super();
    this.url = String(url);
    this.extensions = "";
    this.onopen = this.onmessage = this.onerror = this.onclose = null;
    this.#wanted = typeof protocols === "string" ? [protocols] : [...protocols];
    this.#isForUpload = this.#wanted[0] === UPLOAD_PROTOCOL;
    window.addEventListener("pagehide", this.#leave);
    window.addEventListener("pageshow", this.#comeBack);
    if (transport === "http") this.#fallBack("is switched off");
    else if (webSocketHangs && transport === "auto") this.#fallBack("gets no answer");
    else this.#connect(true);
  }

  get readyState() {
    return this.#state;
  }
  get protocol() {
    return this.#native?.protocol ?? this.#tunnel?.protocol ?? "";
  }
  get bufferedAmount() {
    return this.#native?.bufferedAmount ?? this.#tunnel?.bufferedAmount ?? 0;
  }
  get binaryType() {
    return this.#binaryType;
  }
  set binaryType(value) {
    this.#binaryType = value;
    if (this.#native) this.#native.binaryType = value;
  }

  /** @param {any} data */
  send(data) {
    if (this.#state === NativeWebSocket.CONNECTING) {
      throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
    }
    this.#early?.push(data);
    // All of #early is sent once the tunnel is open.
    const tunnel = this.#early ? null : this.#tunnel;
    (this.#native ?? tunnel)?.send(data);
  }

  /** @param {number} [code] @param {string} [reason] */
  close(code, reason) {
    if (this.#state >= NativeWebSocket.CLOSING) return;
    const isWaiting = this.#state === NativeWebSocket.CONNECTING;
    // Streamlit has waited for 15 s: whatever hangs may never fail.
    if (isWaiting && !this.#isForUpload && !signIn.isOut) expectNotice();
    this.#state = NativeWebSocket.CLOSING;
    this.#early = null;
    this.#tunnel?.close();
    if (this.#native && this.#native.readyState < NativeWebSocket.CLOSING) {
      code === undefined ? this.#native.close() : this.#native.close(code, reason);
    } else {
      queueMicrotask(() => this.#end({ code: code ?? 1005, reason: reason ?? "", wasClean: true }));
    }
  }

  /** @param {boolean} mayRenew whether a refusal may be due to old tokens */
  #connect(mayRenew) {
    if (signIn.isOut) {
      this.#connectWhenSignedIn();
      return;
    }
    if (!earlySocket?.fits(this.url, this.#wanted)) earlySocket?.drop();
    const waited = earlySocket?.age ?? 0;
    const native =
      earlySocket?.take() ?? new NativeWebSocket(this.url, [...this.#wanted, ...proof()]);
    native.binaryType = this.#binaryType;
    this.#native = native;
    const giveUp = () => {
      webSocketHangs = !webSocketCarries;
      this.#native = null;
      native.close();
      if (this.#state === NativeWebSocket.CONNECTING) this.#fallBack("gets no answer");
    };
    const timer = transport === "auto"
      ? setTimeout(giveUp, Math.max(HANGING_MS - waited, STILL_HANGING_MS))
      : undefined;
    native.addEventListener("open", () => {
      clearTimeout(timer);
      if (this.#native === native) this.#opened();
    });
    native.addEventListener("message", (event) => {
      webSocketCarries = true;
      if (this.#native === native) this.#receive(event.data);
    });
    native.addEventListener("error", () => {
      const isOpen = this.#state === NativeWebSocket.OPEN;
      if (this.#native === native && isOpen && !this.#mayStillFallBack()) {
        this.#emit(new Event("error"));
      }
    });
    native.addEventListener("close", async (event) => {
      clearTimeout(timer);
      if (this.#native !== native) return;
      if (this.#state === NativeWebSocket.CONNECTING) {
        this.#native = null;
        const isNew = mayRenew && (await renewTokens());
        if (this.#state !== NativeWebSocket.CONNECTING) this.#end(event);
        else if (isNew) this.#connect(false);
        else this.#fallBack("does not open");
      } else if (this.#mayStillFallBack()) {
        this.#native = null;
        this.#fallBack("is closed at once");
      } else {
        this.#end(event);
      }
    });
  }

  /** @param {string} reason @returns {Promise<void>} */
  async #fallBack(reason, mayRenew = true) {
    if (transport === "websocket") return this.#giveUp();
    const tunnel = new Tunnel();
    this.#tunnel = tunnel;
    tunnel.onmessage = (data) => this.#receive(data);
    tunnel.onclose = (code, why, status) => {
      if (status === 409) countReplicaChange();
      this.#end({ code, reason: why, wasClean: code !== 1006 });
    };
    try {
      await tunnel.open(base, [...this.#wanted, ...proof()], reason);
    } catch (error) {
      const isRefused = error instanceof TunnelEnded && error.status === 403;
      if (isRefused && mayRenew && (await renewTokens())) return this.#fallBack(reason, false);
      return this.#giveUp();
    }
    const again = this.#early ?? [];
    this.#early = null;
    if (this.#state === NativeWebSocket.CONNECTING) this.#opened();
    for (const data of again) tunnel.send(data);
  }

  async #giveUp() {
    webSocketHangs = false;
    // One that looked open fails, so that Streamlit reconnects.
    const mayWait = this.#state === NativeWebSocket.CONNECTING;
    if (mayWait && (await signIn.isOver())) await this.#connectWhenSignedIn();
    else this.#fail();
  }

  async #connectWhenSignedIn() {
    await signIn.untilBack();
    this.#tunnel = null;
    if (this.#state === NativeWebSocket.CONNECTING) this.#connect(true);
  }

  #mayStillFallBack() {
    const limit = webSocketCarries ? AT_ONCE_MS : EARLY_MS;
    const isEarly = this.#early !== null && Date.now() - this.#openedAt < limit;
    return this.#state === NativeWebSocket.OPEN && isEarly && transport === "auto";
  }

  #opened() {
    if (this.#state !== NativeWebSocket.CONNECTING) return;
    this.#state = NativeWebSocket.OPEN;
    this.#openedAt = Date.now();
    if (!this.#isForUpload) {
      isConnected = true;
      connections += 1;
      blockingDirective = "";
      clearTimeout(noticeTimer);
      noticeTimer = undefined;
      hideNotice();
      forgetLimits();
    }
    this.#emit(new Event("open"));
  }

  /** @param {any} data */
  #receive(data) {
    this.#early = null;
    if (this.#state !== NativeWebSocket.OPEN) return;
    const isForBlob = this.#binaryType === "blob" && data instanceof ArrayBuffer;
    this.#emit(new MessageEvent("message", { data: isForBlob ? new Blob([data]) : data }));
  }

  #fail() {
    if (this.#state === NativeWebSocket.CLOSED) return;
    if (!this.#isForUpload) expectNotice();
    this.#emit(new Event("error"));
    this.#end({ code: 1006, reason: "", wasClean: false });
  }

  /** @param {{code: number, reason: string, wasClean: boolean}} event */
  #end({ code, reason, wasClean }) {
    if (this.#state === NativeWebSocket.CLOSED) return;
    this.#state = NativeWebSocket.CLOSED;
    if (!this.#isForUpload) isConnected = false;
    window.removeEventListener("pagehide", this.#leave);
    window.removeEventListener("pageshow", this.#comeBack);
    this.#emit(new CloseEvent("close", { code, reason, wasClean }));
  }

  /** @param {Event} event */
  #emit(event) {
    const handler = /** @type {any} */ (this)[`on${event.type}`];
    if (typeof handler === "function") handler.call(this, event);
    this.dispatchEvent(event);
  }

  #leave = () => this.#tunnel?.close();

  // A page restored from the browser's cache has lost its tunnel: Streamlit then reconnects.
  #comeBack = (/** @type {PageTransitionEvent} */ event) => {
    if (event.persisted && this.#tunnel) this.#end({ code: 1006, reason: "", wasClean: false });
  };
}
for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
  Object.defineProperty(StreamSocket.prototype, name, { value });
}

function streamUrl() {
  const url = new URL(streamPath, window.location.href);
  url.protocol = url.protocol.replace("http", "ws");
  return url.href;
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

/** @type {ReturnType<typeof setTimeout> | undefined} */ let noticeTimer;

/** Replaces the empty page if nothing has connected for a while. */
function expectNotice() {
  noticeTimer ??= setTimeout(
    () => {
      if (!blockingDirective) {
        showNoticeAt(base, "STL303", "This page cannot reach its server: neither a WebSocket nor plain requests get through. It tries again by itself.");
      } else {
        showNoticeAt(base, "STL810", `This page cannot work: its Content-Security-Policy (${blockingDirective}) keeps it from its own server.`);
      }
    },
    blockingDirective ? POLICY_NOTICE_MS : NOTICE_MS,
  );
}

/** @param {string} directive */
function onPolicy(directive) {
  if (isConnected) return;
  blockingDirective = directive;
  clearTimeout(noticeTimer);
  noticeTimer = undefined;
  expectNotice();
}

function countReplicaChange() {
  replicaChanges += 1;
  if (replicaChanges < REPLICA_CHANGES) return;
  showNoticeAt(base, "STL702", "Requests of this page reach different replicas of the app: the load balancer needs session affinity. It tries again by itself.");
}

window.WebSocket = new Proxy(NativeWebSocket, {
  construct(target, args, newTarget) {
    return isStream(args[0])
      ? new StreamSocket(args[0], args[1])
      : Reflect.construct(target, args, newTarget);
  },
});
if (transport !== "http" && isOwnServer(base)) {
  earlySocket = new EarlySocket(streamUrl(), firstSubprotocols(), proof());
}
installUploads(base, () => /** @type {any} */ (new StreamSocket(streamUrl(), [UPLOAD_PROTOCOL])));
replaceOldPage(base);
watchPolicy(pageScript, onPolicy);
preloadScripts(base, pageScript);
