// Gets uploads past whatever refuses them: a proxy's limit on request bodies, a rule against the
// method or the address, or something that removes cookies or headers. Only an XMLHttpRequest that
// PUTs to or DELETEs the app's own upload address is touched, and only when its first attempt was
// refused. pieces.js then carries it, and if that is refused as well, socket.js.

// The answers of a rule against the address or the method; 502 if the app answered before the proxy
// had sent it everything. If it was the app, it gives the pieces the same answer.
const BLOCKED = [403, 404, 405, 501, 502, 503];
// Streamlit's answer where the page's session is not connected.
const NO_SESSION = 400;
// How long an upload waits for a page that is cut off, as by a proxy that restarts.
const MAX_OUTAGE_MS = 60_000;

// A browser has few connections, and an app few places for uploads in pieces.
const UPLOADS_AT_ONCE = 3;

/** Runs a few uploads at a time, in their order. */
class UploadQueue {
  #free = UPLOADS_AT_ONCE;
  /** @type {(() => void)[]} */ #waiting = [];

  /** @template T @param {() => Promise<T>} upload @returns {Promise<T>} */
  async run(upload) {
    if (this.#free) this.#free -= 1;
    else await new Promise((go) => this.#waiting.push(() => go(undefined)));
    try {
      return await upload();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/**
 * Streamlit answers 204; any other success is a page that a proxy sent instead of the app.
 * @param {number} status
 */
function isNotOfApp(status) {
  return BLOCKED.includes(status) || (status >= 200 && status < 300 && status !== 204);
}

/**
 * @param {string} base the app's public path
 * @param {() => WebSocket} openSocket a connection to the app for one upload
 */
function installUploads(base, openSocket) {
  const front = `${base}/_stcore/upload_file/`;
  const Native = window.XMLHttpRequest;
  const queue = new UploadQueue();

  /** @param {string} method @param {string | URL} url */
  function uploadTarget(method, url) {
    const { origin, pathname } = new URL(url, window.location.href);
    const isUpload = ["PUT", "DELETE"].includes(method) && pathname.startsWith(front);
    return isUpload && origin === window.location.origin ? pathname.slice(front.length) : "";
  }

  /** @param {XMLHttpRequest} request */
  function headersOf(request) {
    const headers = new Headers();
    for (const line of request.getAllResponseHeaders().trim().split("\r\n")) {
      const [name, ...value] = line.split(": ");
      if (name) headers.append(name, value.join(": "));
    }
    return headers;
  }

  /** @param {XMLHttpRequest} request */
  function responseOf(request) {
    const { status, statusText, responseText } = request;
    return new Response(responseText, { status, statusText, headers: headersOf(request) });
  }

  class UploadRequest extends Native {
    #method = "";
    #target = "";
    #isAborted = false;
    /** Headers of the last answer, the one shown to the page. */ #answerHeaders = new Headers();
    /** @type {Record<string, string>} */ #headers = {};
    /** @type {AbortController | null} */ #carrying = null;
    /** @type {XMLHttpRequest | null} */ #first = null;
    /** How often the page had connected when the upload began. */ #connections = 0;

    /** @param {string} method @param {string | URL} url @param {any[]} rest */
    open(method, url, ...rest) {
      this.#method = method.toUpperCase();
      this.#target = rest[0] === false ? "" : uploadTarget(this.#method, url);
      this.#isAborted = false;
      this.#headers = {};
      this.#answerHeaders = new Headers();
      /** @type {any} */ (super.open)(method, url, ...rest);
      if (this.#target) {
        this.#first = new Native();
        /** @type {any} */ (this.#first.open)(method, url, ...rest);
      }
    }

    /** @param {string} name @param {string} value */
    setRequestHeader(name, value) {
      super.setRequestHeader(name, value);
      if (this.#target) {
        this.#headers[name] = value;
        this.#first?.setRequestHeader(name, value);
      }
    }

    /** @param {any} [body] */
    send(body) {
      const first = this.#first;
      const isFile = body instanceof FormData || body instanceof Blob;
      if (!this.#target || !first || !(isFile || this.#method === "DELETE")) {
        this.#target = "";
        super.send(body);
        return;
      }
      this.#connections = connections;
      const unreadable = () => this.#fail("error"); // a file that has changed on the disk, say
      const carry = (
        /** @type {{isLimited: boolean, refused: number}} */ why,
        /** @type {Response | null} */ answer = null,
      ) => this.#serialize(body, why).then((upload) => this.#carry(upload, answer)).catch(unreadable);
      first.timeout = this.timeout;
      first.withCredentials = this.withCredentials;
      first.upload.onprogress = (event) => this.#progress(event.loaded, event.total);
      first.onload = () => {
        const { status } = first;
        if (status === 413) carry({ isLimited: true, refused: 0 });
        else if (isNotOfApp(status)) carry({ isLimited: false, refused: status });
        else if (status === NO_SESSION) carry({ isLimited: false, refused: 0 }, responseOf(first));
        else this.#done(status, first.statusText, first.responseText, headersOf(first));
      };
      first.onerror = () => this.#afterError(body).catch(unreadable);
      first.ontimeout = () => this.#fail("timeout");
      // Without a WebSocket the page's own messages need one of the browser's connections.
      if (webSocketCarries) first.send(body);
      else queue.run(() => this.#sent(first, body));
    }

    /** @param {XMLHttpRequest} first @param {any} body @returns {Promise<void>} */
    #sent(first, body) {
      return new Promise((resolve) => {
        if (this.#isAborted) return resolve();
        first.addEventListener("loadend", () => resolve());
        first.send(body);
      });
    }

    abort() {
      if (!this.#target) return super.abort();
      this.#isAborted = true;
      this.#first?.abort();
      this.#carrying?.abort();
      this.#fail("abort");
    }

    /** @param {string} [name] */
    getResponseHeader(name = "") {
      if (!this.#target) return super.getResponseHeader(name);
      return this.#answerHeaders.get(name);
    }

    getAllResponseHeaders() {
      if (!this.#target) return super.getAllResponseHeaders();
      return [...this.#answerHeaders].map(([name, value]) => `${name}: ${value}\r\n`).join("");
    }

    /**
     * Some proxies cut the connection instead of answering: then a small request still passes, or
     * one with another method, or only a socket. If the proxy restarts, the page is cut off as well,
     * and nothing passes for a while.
     * @param {any} body
     */
    async #afterError(body) {
      const upload = await this.#serialize(body, { isLimited: false, refused: 0 });
      for (let failures = 0; failures < UPLOAD_ATTEMPTS; failures += 1) {
        const isLimited = this.#method === "PUT" && (await passes(base, "PUT"));
        if (isLimited || (await passes(base, "POST"))) {
          return this.#carry({ ...upload, isLimited: isLimited && !failures }, null);
        }
        const answer = await queue.run(() => sendOverSocket(upload, openSocket()));
        if (upload.signal.aborted) return;
        if (answer) return this.#carry(upload, answer);
        await sleep(400 * 2 ** failures);
        await untilConnected();
      }
      this.#show(null, upload.signal);
    }

    /**
     * A browser itself sends an upload again if the connection was cut: the first attempt too may
     * meet an app that the page has not come back to.
     * @param {Upload} upload @param {Response | null} answer of the first attempt, if it was the app's
     */
    async #carry(upload, answer) {
      answer ??= await queue.run(() => this.#carried(upload));
      for (let tries = 0; tries < UPLOAD_ATTEMPTS && (!answer || answer.status === NO_SESSION); tries += 1) {
        // The page may not have noticed yet that it is cut off, or the app that it is back.
        await sleep(400 * 2 ** tries);
        if (upload.signal.aborted || (isConnected && connections === this.#connections)) break;
        await untilConnected();
        answer = await queue.run(() => this.#carried(upload));
      }
      this.#show(answer, upload.signal);
    }

    /** @param {Upload} upload */
    async #carried(upload) {
      const answer = await sendInPieces(upload).catch(() => null);
      if (upload.signal.aborted || !this.#needsSocket(answer)) return answer;
      return (await sendOverSocket(upload, openSocket())) ?? answer;
    }

    /**
     * The app refuses a page that never sent its XSRF token; if the token was removed on the way,
     * or the page never got one, the app has no objection to the page itself.
     * @param {Response | null} answer
     */
    #needsSocket(answer) {
      const hadToken = !document.cookie.includes("_streamlit_xsrf=") || this.#headers["X-Xsrftoken"];
      return !answer || (BLOCKED.includes(answer.status) && hadToken);
    }

    /**
     * @param {any} body @param {{isLimited: boolean, refused: number}} why
     * @returns {Promise<Upload>}
     */
    async #serialize(body, why) {
      this.#carrying = new AbortController();
      const { signal } = this.#carrying;
      const serialized = new Response(body);
      return {
        ...why,
        base,
        method: this.#method,
        target: this.#target,
        headers: this.#headers,
        // Not the blob's own type: that is lower-cased, and a boundary is case-sensitive.
        type: serialized.headers.get("Content-Type") ?? "",
        whole: await serialized.blob(),
        signal,
        onProgress: (loaded, total) => this.#progress(loaded, total),
      };
    }

    /** @param {Response | null} answer @param {AbortSignal} signal */
    async #show(answer, signal) {
      const text = await answer?.text().catch(() => "");
      if (signal.aborted) return;
      if (answer) this.#done(answer.status, answer.statusText, text ?? "", answer.headers);
      else this.#fail("error");
    }

    /** @param {number} loaded @param {number} total */
    #progress(loaded, total) {
      const event = { lengthComputable: true, loaded, total };
      this.upload.dispatchEvent(new ProgressEvent("progress", event));
    }

    /**
     * Shows the answer as this object's own, and calls the listeners.
     * @param {number} status @param {string} statusText @param {string} text
     * @param {Headers} headers
     */
    #done(status, statusText, text, headers) {
      this.#answerHeaders = headers;
      let response = /** @type {any} */ (text);
      if (this.responseType === "json") {
        try {
          response = JSON.parse(text);
        } catch {
          response = null;
        }
      }
      const facts = { status, statusText, response, responseText: text, readyState: 4 };
      this.#finish(facts, "load");
    }

    /** @param {"error" | "abort" | "timeout"} kind */
    #fail(kind) {
      this.#finish({ status: 0, statusText: "", response: "", responseText: "", readyState: 4 }, kind);
    }

    /** @param {Record<string, any>} facts @param {string} kind */
    #finish(facts, kind) {
      for (const [name, value] of Object.entries(facts)) {
        Object.defineProperty(this, name, { value, configurable: true });
      }
      this.upload.dispatchEvent(new ProgressEvent(kind));
      this.dispatchEvent(new Event("readystatechange"));
      this.dispatchEvent(new ProgressEvent(kind));
      this.upload.dispatchEvent(new ProgressEvent("loadend"));
      this.dispatchEvent(new ProgressEvent("loadend"));
    }
  }

  window.XMLHttpRequest = UploadRequest;
}

/** Whatever cut an upload may have cut the page's connection, without which there is no session. */
async function untilConnected() {
  const until = Date.now() + MAX_OUTAGE_MS;
  while (!isConnected && Date.now() < until) await sleep(100);
}
