// The page's end of an upload in pieces, and of a file's deletion, using only POST. The other end
// is pieces.py.

// Small, as a proxy that buffers requests passes a piece on only when it has all of it, and the app
// waits ten seconds for the first one; then twice as much each time, while a piece takes a moment.
const UPLOAD_PIECE_BYTES = 64 * 1024;
const QUICK_PIECE_MS = 5000;
const SLOW_PIECE_MS = 15_000;
const SMALLEST_PIECE_BYTES = 16 * 1024;
const MAX_PIECE_BYTES = 8 * 1024 * 1024;
const UPLOAD_ATTEMPTS = 5;
// How long an upload waits for one of the app's places, which this browser's other tabs may have.
const MAX_WAIT_FOR_PLACE_MS = 60_000;

/**
 * One request to Streamlit's upload address that did not get through.
 * @typedef {object} Upload
 * @property {string} base the app's public path
 * @property {string} method PUT or DELETE
 * @property {string} target session and file
 * @property {Record<string, string>} headers
 * @property {Blob} whole
 * @property {string} type of the whole
 * @property {AbortSignal} signal
 * @property {boolean} isLimited whether it was refused for its size
 * @property {number} refused the status that refused it; 0 for none
 * @property {(loaded: number, total: number) => void} onProgress
 */

/**
 * Passes an upload on, and returns the app's answer, or that of whatever stopped it.
 * @param {Upload} upload
 * @returns {Promise<Response | null>} null if nothing answers
 */
async function sendInPieces({ base, method, target, headers, whole, type, signal, ...upload }) {
  const common = {
    "X-Stlaunch": "1",
    ...(upload.refused ? { "X-Stlaunch-Refused": String(upload.refused) } : {}),
  };
  const ask = () => askApp(base, "upload", {
    method: "POST",
    signal,
    headers: {
      ...headers,
      ...common,
      "X-Stlaunch-Method": method,
      "X-Stlaunch-Target": target,
      "X-Stlaunch-Size": String(whole.size),
      "X-Stlaunch-Type": type,
    },
  });
  const until = Date.now() + MAX_WAIT_FOR_PLACE_MS;
  let opened = await ask();
  while (opened.isApps && opened.answer.status === 503 && Date.now() < until && !signal.aborted) {
    await sleep(1000);
    opened = await ask();
  }
  if (!opened.answer.ok) return opened.answer;
  if (!opened.isApps) return null;
  const { id, ...answered } = await opened.answer.json();
  if (!id) return answerOf(answered);

  let offset = 0;
  let size = UPLOAD_PIECE_BYTES;
  // What is known about the limit, for the log; larger pieces mean fewer round trips.
  let passed = 0;
  let least = whole.size;
  for (let failures = 0; failures < UPLOAD_ATTEMPTS; ) {
    const startedAt = Date.now();
    const answer = await fetch(`${opened.url}/${id}?offset=${offset}`, {
      method: "POST",
      cache: "no-store",
      credentials: "same-origin",
      signal,
      headers: {
        ...common,
        ...(upload.isLimited ? { "X-Stlaunch-Limit": `${passed} ${least}` } : {}),
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
      least = Math.min(least, size);
      size = Math.max(passed, size / 2);
    } else if (answer?.ok) {
      const reply = await answer.json();
      if (reply.status) {
        upload.onProgress(whole.size, whole.size);
        return answerOf(reply);
      }
      failures = 0;
      passed = Math.max(passed, reply.expected - offset);
      const tookMs = Date.now() - startedAt;
      if (tookMs > SLOW_PIECE_MS) size = Math.max(SMALLEST_PIECE_BYTES, size / 2);
      else if (tookMs < QUICK_PIECE_MS && 2 * size < least && 2 * size <= MAX_PIECE_BYTES) size *= 2;
      offset = reply.expected;
      upload.onProgress(offset, whole.size);
    } else if (answer && answer.status < 500) {
      return answer;
    } else {
      failures += 1;
      await sleep(200 * 2 ** failures);
      await untilConnected();
    }
  }
  return null;
}

/**
 * The app's own answer, as the answer to the last request contains it.
 * @param {{status: number, type: string, body: string}} reply
 */
function answerOf({ status, type, body }) {
  return new Response(body || null, { status, headers: type ? { "content-type": type } : {} });
}

/**
 * Whether a small request with this method gets through to the app.
 * @param {string} base @param {string} method
 */
async function passes(base, method) {
  const probe = { method, headers: { "X-Stlaunch": "1" }, body: "x" };
  const asked = await askApp(base, "upload/probe?offset=0", probe).catch(() => null);
  return Boolean(asked?.isApps); // it answers that there is no such upload here
}
