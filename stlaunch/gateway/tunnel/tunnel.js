// The page's end of the HTTP transport: a WebSocket's messages over plain requests.
//
// Messages are cut into numbered frames, resent until acknowledged, and taken in order: nothing is
// lost or duplicated, whatever happens to a single request. The other end is
// endpoint.py; the format of a frame is in frames.py.

const FRAME_HEADER_BYTES = 9;
const FINAL = 1;
const TEXT = 2;
const CLOSE = 4;
const HELLO = 8;
// Small enough for a proxy that accepts 1 MB bodies (nginx's default).
const FRAGMENT_BYTES = 256 * 1024;
const BATCH_BYTES = 512 * 1024;
// The server takes no more frames from one request.
const BATCH_FRAMES = 256;
const ACKNOWLEDGE_BYTES = 1024 * 1024;
const BRIEF_POLL_MS = 700;
const HELLO_WAIT_MS = 1500;
const MAX_TROUBLE_MS = 30_000;
// A request that ends sooner was not cut for being silent.
const SHORTEST_SILENCE_MS = 1500;

/** @typedef {{number: number, flags: number, payload: Uint8Array}} Frame */

/** @param {Frame[]} frames @returns {Uint8Array<ArrayBuffer>} */
function encodeFrames(frames) {
  const size = frames.reduce((sum, frame) => sum + FRAME_HEADER_BYTES + frame.payload.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let position = 0;
  for (const { number, flags, payload } of frames) {
    view.setUint32(position, number);
    view.setUint8(position + 4, flags);
    view.setUint32(position + 5, payload.length);
    bytes.set(payload, position + FRAME_HEADER_BYTES);
    position += FRAME_HEADER_BYTES + payload.length;
  }
  return bytes;
}

/** Reads frames from bytes that arrive in arbitrary chunks; keeps incomplete ones for later. */
class FrameReader {
  /** @type {Uint8Array} */ #rest = new Uint8Array();

  /** @param {Uint8Array} chunk @returns {Frame[]} */
  read(chunk) {
    const bytes = this.#rest.length ? concatenate([this.#rest, chunk]) : chunk;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const frames = [];
    let position = 0;
    while (bytes.length - position >= FRAME_HEADER_BYTES) {
      const end = position + FRAME_HEADER_BYTES + view.getUint32(position + 5);
      if (end > bytes.length) break;
      frames.push({
        number: view.getUint32(position),
        flags: view.getUint8(position + 4),
        payload: bytes.subarray(position + FRAME_HEADER_BYTES, end),
      });
      position = end;
    }
    this.#rest = bytes.slice(position);
    return frames;
  }
}

/** @param {Uint8Array[]} parts @returns {Uint8Array<ArrayBuffer>} */
function concatenate(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}

/** The end of the tunnel itself, as opposed to trouble with its carrier. */
class TunnelEnded extends Error {
  /** @param {number} status */
  constructor(status) {
    super(`the tunnel has ended (${status})`);
    this.status = status;
  }
}

/** A connection to the app over HTTP. Callbacks: `onmessage(data)`, `onclose(code, reason)`. */
class Tunnel {
  // Whether this path passes a response on as it is written; detected once per page.
  /** @type {boolean | undefined} */
  static streams;
  // The silence after which requests are cut here: the last one, and, if two agree, how long they
  // may be quiet, in seconds. The server then answers in time.
  static lastSilenceMs = 0;
  static cutSeconds = 0;

  /** @type {(data: ArrayBuffer | string) => void} */ onmessage = () => {};
  /** @type {(code: number, reason: string, status?: number) => void} */ onclose = () => {};
  protocol = "";
  #url = "";
  #isOver = false;
  #heardAt = 0;
  #place = new PollingPlace();
  #abort = new AbortController();
  // Receiving.
  #received = 0;
  #unacknowledgedBytes = 0;
  /** @type {Uint8Array[]} */ #partial = [];
  // Sending.
  #numbered = 0;
  /** @type {Frame[]} */ #unsent = [];
  #isSending = false;

  get bufferedAmount() {
    return this.#unsent.reduce((sum, frame) => sum + frame.payload.length, 0);
  }

  /**
   * @param {string} base the app's public path
   * @param {string[]} protocols
   * @param {string} reason why there is no WebSocket, for the log
   */
  async open(base, protocols, reason) {
    const { answer, url, isApps } = await askApp(base, "tunnel", {
      method: "POST",
      headers: {
        "X-Stlaunch": "1",
        "X-Stlaunch-Protocols": protocols.join(", "),
        "X-Stlaunch-Reason": reason,
      },
      signal: this.#abort.signal,
    }, true);
    if (!answer.ok || !isApps) throw new TunnelEnded(answer.status);
    const { id, protocol } = await answer.json();
    this.protocol = protocol;
    this.#url = `${url}/${id}`;
    if (this.#isOver) {
      this.#sayGoodbye();
      throw new TunnelEnded(0);
    }
    this.#receive();
  }

  /** @param {ArrayBuffer | ArrayBufferView | string} data */
  send(data) {
    const isText = typeof data === "string";
    const bytes = isText ? new TextEncoder().encode(data) : copyOf(data);
    for (let start = 0; start === 0 || start < bytes.length; start += FRAGMENT_BYTES) {
      const isLast = start + FRAGMENT_BYTES >= bytes.length;
      this.#numbered += 1;
      this.#unsent.push({
        number: this.#numbered,
        flags: (isLast ? FINAL : 0) | (isText ? TEXT : 0),
        payload: bytes.subarray(start, start + FRAGMENT_BYTES),
      });
    }
    this.#flush();
  }

  /** Ends the tunnel; `onclose` is not called. */
  close() {
    if (this.#isOver) return;
    this.#finish();
    this.#sayGoodbye();
  }

  #sayGoodbye() {
    if (!this.#url) return;
    const headers = { "X-Stlaunch": "1" };
    // Outlives the page: its session ends now, not when the server gives up waiting.
    fetch(`${this.#url}?mode=end`, { method: "POST", headers, keepalive: true }).catch(() => {});
  }

  #finish() {
    this.#isOver = true;
    this.#place.leave();
    this.#abort.abort();
  }

  /** @param {number} code @param {string} [reason] @param {number} [status] */
  #end(code, reason = "", status = undefined) {
    if (this.#isOver) return;
    this.#finish();
    this.onclose(code, reason, status);
  }

  /**
   * Makes one request to the tunnel.
   * @param {string} query @param {RequestInit} [options]
   */
  async #request(query, options = {}) {
    const response = await fetch(`${this.#url}?ack=${this.#received}${query}`, {
      ...options,
      headers: { "X-Stlaunch": "1" },
      cache: "no-store",
      credentials: "same-origin",
      redirect: "manual",
      signal: options.signal ?? this.#abort.signal,
    });
    // The tunnel's own answers; anything else comes from the proxy and may be temporary.
    if ([403, 409, 410].includes(response.status)) throw new TunnelEnded(response.status);
    // A proxy that wants the visitor to sign in again: retrying does not help.
    const isHtml = response.headers.get("content-type")?.startsWith("text/html");
    const isRefused = response.type === "opaqueredirect" || response.status === 401;
    if (isRefused || (response.ok && isHtml)) throw new TunnelEnded(401);
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    return response;
  }

  /** Repeats `work` until the tunnel ends, despite temporary trouble on the path. */
  async #persist(/** @type {() => Promise<boolean>} */ work) {
    let troubleSince = 0;
    for (let pause = 100; !this.#isOver; ) {
      try {
        if (!(await work())) return;
        troubleSince = 0;
        pause = 100;
      } catch (error) {
        if (this.#isOver) return;
        if (error instanceof TunnelEnded) return this.#end(1006, error.message, error.status);
        troubleSince ||= Date.now();
        if (Date.now() - troubleSince > MAX_TROUBLE_MS) return this.#end(1006, "no answer");
        await sleep(pause);
        pause = Math.min(pause * 2, 3000);
      }
    }
  }

  #receive() {
    return this.#persist(async () => {
      await this.#place.take();
      this.#heardAt = Date.now();
      try {
        await this.#receiveOnce();
        // One that was quiet for longer has ended well: it was not quiet requests that were cut.
        if (Date.now() - this.#heardAt > Tunnel.lastSilenceMs) Tunnel.lastSilenceMs = 0;
      } catch (error) {
        if (!(error instanceof TunnelEnded)) this.#noteSilence(Date.now() - this.#heardAt);
        throw error;
      }
      return !this.#isOver;
    });
  }

  async #receiveOnce() {
    const cut = Tunnel.cutSeconds ? `&cut=${Tunnel.cutSeconds}` : "";
    if (!this.#place.isHeld) {
      const isEmpty = !(await this.#poll("&mode=brief"));
      if (isEmpty) await sleep(BRIEF_POLL_MS);
    } else if (Tunnel.streams === false) {
      await this.#poll(cut);
    } else {
      await this.#stream(cut);
    }
  }

  /** If two requests in a row fail after the same silence, something cuts quiet requests. */
  #noteSilence(/** @type {number} */ silence) {
    if (this.#isOver || silence < SHORTEST_SILENCE_MS) return;
    const last = Tunnel.lastSilenceMs;
    Tunnel.lastSilenceMs = silence;
    const isAlike = last && Math.abs(last - silence) <= Math.max(1000, last / 20);
    if (isAlike) Tunnel.cutSeconds = Math.max(1, Math.round(Math.min(last, silence) / 1000));
  }

  /** @param {string} mode @returns {Promise<boolean>} whether anything came */
  async #poll(mode) {
    const before = this.#received;
    const response = await this.#request(mode);
    await this.#read(response, () => {});
    return this.#received > before;
  }

  /** Reads a response as it is written. If it starts out silent, something buffers it. */
  async #stream(/** @type {string} */ cut) {
    const patience = new AbortController();
    const giveUp = () => patience.abort();
    this.#abort.signal.addEventListener("abort", giveUp);
    let isBuffered = false;
    const timer = setTimeout(() => {
      isBuffered = Tunnel.streams === undefined;
      if (isBuffered) giveUp();
    }, HELLO_WAIT_MS);
    try {
      const response = await this.#request(`&mode=stream${cut}`, { signal: patience.signal });
      await this.#read(response, () => {
        clearTimeout(timer);
        if (!isBuffered) Tunnel.streams = true;
      });
    } catch (error) {
      if (!isBuffered) throw error;
      Tunnel.streams = false;
    } finally {
      clearTimeout(timer);
      this.#abort.signal.removeEventListener("abort", giveUp);
    }
  }

  /** @param {Response} response @param {() => void} onHello */
  async #read(response, onHello) {
    const reader = new FrameReader();
    const body = response.body?.getReader();
    while (body) {
      const { done, value } = await body.read();
      if (done || this.#isOver) return;
      this.#heardAt = Date.now();
      for (const frame of reader.read(value)) {
        if (frame.flags & HELLO) onHello();
        else if (this.#take(frame)) await nextTask();
      }
      if (this.#unacknowledgedBytes > ACKNOWLEDGE_BYTES) this.#flush(true);
    }
  }

  /** @param {Frame} frame @returns {boolean} whether it was the end of a message */
  #take({ number, flags, payload }) {
    if (this.#isOver || number !== this.#received + 1) return false;
    this.#received = number;
    this.#unacknowledgedBytes += payload.length;
    this.#partial.push(payload);
    if (!(flags & FINAL)) return false;
    const message = concatenate(this.#partial);
    this.#partial = [];
    if (flags & CLOSE) {
      const code = message.length >= 2 ? message[0] * 256 + message[1] : 1005;
      this.#end(code, new TextDecoder().decode(message.subarray(2)));
    } else {
      this.onmessage(flags & TEXT ? new TextDecoder().decode(message) : message.buffer);
    }
    return true;
  }

  /** Sends the waiting frames; with `always` an acknowledgement even if there are none. */
  async #flush(always = false) {
    if (this.#isSending || !this.#url) return;
    this.#isSending = true;
    await this.#persist(async () => {
      const batch = [];
      let size = 0;
      for (const frame of this.#unsent) {
        if (size && size + frame.payload.length > BATCH_BYTES) break;
        if (batch.length >= BATCH_FRAMES) break;
        batch.push(frame);
        size += frame.payload.length;
      }
      if (!batch.length && !always) return false;
      always = false;
      this.#unacknowledgedBytes = 0;
      const response = await this.#request("", { method: "POST", body: encodeFrames(batch) });
      const { ack } = await response.json();
      this.#unsent = this.#unsent.filter((frame) => frame.number > ack);
      return this.#unsent.length > 0;
    });
    this.#isSending = false;
    if (this.#unsent.length && !this.#isOver) this.#flush();
  }
}

/** @param {ArrayBuffer | ArrayBufferView} data @returns {Uint8Array} */
function copyOf(data) {
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

/**
 * Resolves once the page has done what the last message started, and what that queued: each message
 * of a WebSocket is a task of its own, and Streamlit's page loses elements if two come in one. Not a
 * timer, as browsers delay those in hidden tabs.
 */
async function nextTask() {
  for (let turn = 0; turn < 2; turn += 1) {
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve(undefined);
      };
      port2.postMessage(null);
    });
  }
}

/** @param {number} milliseconds */
function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
