// Uploads that pass a proxy's limit on request bodies: the file goes in pieces, and stlaunch
// streams them into one request to the app. Only an XMLHttpRequest that PUTs to the app's own
// upload address is touched, and only when its first attempt was refused for its size, or by
// something that blocks the address.

const UPLOAD_PIECE_BYTES = 512 * 1024;
const SMALLEST_PIECE_BYTES = 16 * 1024;
const LARGEST_PIECE_BYTES = 8 * 1024 * 1024;
const UPLOAD_ATTEMPTS = 5;
// What a rule against the address or the method answers. Where it was the app, it says the same to
// the pieces.
const BLOCKED = [403, 404, 405, 501, 503];

/** @param {string} base the app's public path */
function installUploads(base) {
  const front = `${base}/_stcore/upload_file/`;
  const Native = window.XMLHttpRequest;

  /** @param {string} method @param {string | URL} url */
  function uploadTarget(method, url) {
    const { origin, pathname } = new URL(url, window.location.href);
    const isUpload = method.toUpperCase() === "PUT" && pathname.startsWith(front);
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

  class UploadRequest extends Native {
    #target = "";
    /** Of the last answer: the one that the page is shown. */ #answerHeaders = new Headers();
    /** @type {Record<string, string>} */ #headers = {};
    /** @type {AbortController | null} */ #pieces = null;
    /** @type {XMLHttpRequest | null} */ #first = null;

    /** @param {string} method @param {string | URL} url @param {any[]} rest */
    open(method, url, ...rest) {
      this.#target = rest[0] === false ? "" : uploadTarget(method, url);
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
      if (!this.#target || !first || !(body instanceof FormData || body instanceof Blob)) {
        this.#target = "";
        super.send(body);
        return;
      }
      first.timeout = this.timeout;
      first.withCredentials = this.withCredentials;
      first.upload.onprogress = (event) => this.#progress(event.loaded, event.total);
      first.onload = () => {
        if (first.status === 413 || BLOCKED.includes(first.status)) {
          this.#sendPieces(body, first.status === 413);
        } else this.#done(first.status, first.statusText, first.responseText, headersOf(first));
      };
      first.onerror = () => this.#afterError(body);
      first.ontimeout = () => this.#fail("timeout");
      first.send(body);
    }

    abort() {
      if (!this.#target) return super.abort();
      this.#first?.abort();
      this.#pieces?.abort();
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

    /** Some proxies cut the connection instead of answering: then a small request still passes. */
    async #afterError(/** @type {FormData | Blob} */ body) {
      const url = `${base}/_stlaunch/upload/probe?offset=0`;
      const probe = { method: "PUT", headers: { "X-Stlaunch": "1" }, body: "x" };
      const answer = await fetch(url, probe).catch(() => null);
      if (answer && answer.status < 500) this.#sendPieces(body);
      else this.#fail("error");
    }

    /** @param {FormData | Blob} body @param {boolean} [isLimited] whether for its size */
    async #sendPieces(body, isLimited = true) {
      this.#pieces = new AbortController();
      const { signal } = this.#pieces;
      const serialized = new Response(body);
      // Not the blob's own type: that one is in lower case, and a boundary is not.
      const type = serialized.headers.get("Content-Type") ?? "";
      const whole = await serialized.blob();
      const url = `${base}/_stlaunch/upload`;
      const common = { cache: "no-store", credentials: "same-origin", signal };
      try {
        const opened = await fetch(url, {
          .../** @type {RequestInit} */ (common),
          method: "POST",
          headers: {
            ...this.#headers,
            "X-Stlaunch": "1",
            "X-Stlaunch-Target": this.#target,
            "X-Stlaunch-Size": String(whole.size),
            "X-Stlaunch-Type": type,
          },
        });
        if (!opened.ok) return await this.#doneWith(opened);
        const { id } = await opened.json();
        let offset = 0;
        let size = UPLOAD_PIECE_BYTES;
        // What is known of the limit, for the log; larger pieces mean fewer round trips.
        let passed = 0;
        let refused = whole.size;
        for (let failures = 0; failures < UPLOAD_ATTEMPTS; ) {
          const answer = await fetch(`${url}/${id}?offset=${offset}`, {
            .../** @type {RequestInit} */ (common),
            method: "PUT",
            headers: {
              "X-Stlaunch": "1",
              ...(isLimited ? { "X-Stlaunch-Limit": `${passed} ${refused}` } : {}),
              "Content-Type": "application/octet-stream",
            },
            body: whole.slice(offset, offset + size),
          }).catch((error) => {
            if (signal.aborted) throw error;
            return null;
          });
          // Some proxies cut the connection instead of answering 413.
          const isTooLarge = answer ? answer.status === 413 : size > passed;
          if (isTooLarge && size > SMALLEST_PIECE_BYTES) {
            refused = Math.min(refused, size);
            size = Math.max(passed, size / 2);
          } else if (answer?.ok) {
            const { expected, status, type, body: text } = await answer.json();
            if (status) {
              this.#progress(whole.size, whole.size);
              return this.#done(status, "", text, new Headers(type ? { "content-type": type } : {}));
            }
            failures = 0;
            passed = Math.max(passed, expected - offset);
            if (2 * size < refused && 2 * size <= LARGEST_PIECE_BYTES) size *= 2;
            offset = expected;
            this.#progress(offset, whole.size);
          } else if (answer && answer.status < 500) {
            return await this.#doneWith(answer);
          } else {
            failures += 1;
            await sleep(200 * 2 ** failures);
          }
        }
        this.#fail("error");
      } catch {
        if (!signal.aborted) this.#fail("error");
      }
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

    /** @param {Response} answer */
    async #doneWith(answer) {
      this.#done(answer.status, answer.statusText, await answer.text(), answer.headers);
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
