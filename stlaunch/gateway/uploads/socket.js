// The page's end of an upload over a WebSocket of its own, for paths on which no upload request
// arrives whole. The other end is socket.py.

const UPLOAD_PROTOCOL = "stlaunch-upload";
// Small enough for proxies that limit messages; a window of them is in flight at a time.
const PART_BYTES = 128 * 1024;
const WINDOW_BYTES = 1024 * 1024;

/**
 * Sends an upload, or a file's deletion, over a connection of its own.
 * @param {Upload} upload
 * @param {WebSocket} socket
 * @returns {Promise<Response | null>} the app's answer; null if there is none
 */
function sendOverSocket({ method, target, whole, type, signal, onProgress }, socket) {
  return new Promise((resolve) => {
    /** @type {Response | null} */ let answer = null;
    let isOver = false;
    let taken = 0;
    let wake = () => {};
    const end = () => socket.close();
    signal.addEventListener("abort", end);
    socket.addEventListener("close", () => {
      signal.removeEventListener("abort", end);
      isOver = true;
      wake();
      resolve(answer);
    });
    socket.addEventListener("message", ({ data }) => {
      const reply = JSON.parse(data);
      taken = reply.expected;
      onProgress(taken, whole.size);
      if (reply.status) {
        answer = answerOf(reply);
        socket.close();
      }
      wake();
    });
    socket.addEventListener("open", async () => {
      socket.send(JSON.stringify({ method, target, type, size: String(whole.size) }));
      for (let sent = 0; sent < whole.size && !isOver && method === "PUT"; ) {
        if (sent - taken >= WINDOW_BYTES) {
          await new Promise((go) => (wake = () => go(undefined)));
          continue;
        }
        const part = await whole.slice(sent, sent + PART_BYTES).arrayBuffer();
        sent += part.byteLength;
        if (!isOver) socket.send(part);
      }
    });
    if (signal.aborted) end();
  });
}
