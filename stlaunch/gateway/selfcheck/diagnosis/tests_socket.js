// Tests over a WebSocket: the handshake, what arrived of it, echoes of all sizes, its lifetime.

const HELLO_MS = 6000;
const ECHO_MS = 30_000;
const QUIET_MS = 5500;
const PINGS = 8;
const KB = 1024;
const MB = 1024 * 1024;
// Around the sizes at which the frame format changes, and around common limits.
const BINARY_SIZES = [1, 125, 126, 4 * KB, 64 * KB - 1, 64 * KB, MB - KB, MB + KB, 4 * MB, 16 * MB];
const TEXT_SIZES = [1, 126, 64 * KB, MB];

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testProbe(facts) {
  const query = facts.nextAttempt();
  const attempt = await openSocket("/_stlaunch/ws", ["stlaunch.probe"], query);
  if (attempt.socket) return firstMessage(facts, attempt.socket, attempt.ms);
  const outcome = await explainRefusal(facts, attempt, query);
  facts.socketTrouble = outcome.code;
  return facts.hasReplicas ? following(outcome, "STL702") : outcome;
}

/** @param {Facts} facts @param {ProbeSocket} socket @param {number} ms @returns {Promise<Outcome>} */
async function firstMessage(facts, socket, ms) {
  const text = await socket.next(HELLO_MS);
  if (typeof text !== "string") {
    const how = socket.ended ? `closed with ${socket.ended.code}` : "stays silent";
    socket.close();
    facts.socketTrouble = "STL306";
    return fail("STL306", `It opens, and ${how}`, ["The app's first message never came."]);
  }
  facts.socket = socket;
  facts.handshake = JSON.parse(text).handshake;
  const quiet = await openSocket("/_stlaunch/ws", ["stlaunch.probe"], facts.nextAttempt());
  if (quiet.socket) {
    facts.quiet = quiet.socket;
    await quiet.socket.next(HELLO_MS);
  }
  return ok(`Open after ${formatMs(ms)}`);
}

/** @param {Facts} facts @param {Attempt} attempt @param {string} query @returns {Promise<Outcome>} */
async function explainRefusal(facts, attempt, query) {
  if (attempt.state === "blocked") {
    return fail("STL304", "This browser opens no WebSocket", [
      "The browser, an extension or a policy of the organisation forbids it.",
    ]);
  }
  const record = await facts.arrived(query);
  facts.handshake = record;
  if (!record) {
    if (facts.hasReplicas) return skip("The handshake may have reached another replica");
    if (attempt.state === "hangs") {
      return fail("STL305", "The handshake gets no answer", ["It never reached the app."]);
    }
    return fail("STL304", "The proxy refuses the handshake itself", ["It never reached the app."]);
  }
  if (!record.is_websocket) {
    return fail("STL301", `${record.missing.join(" and ")} did not arrive`, [
      `It reached the app as a plain ${record.method}, HTTP/${record.http_version}, ` +
        `Upgrade: ${record.upgrade ?? "missing"}, Connection: ${record.connection ?? "missing"}.`,
    ]);
  }
  const again = await openSocket("/_stlaunch/ws", [], facts.nextAttempt());
  if (again.socket) {
    again.socket.close();
    const where = record.protocols ? "from the answer" : "from the handshake";
    return fail("STL307", "The subprotocol is dropped", [
      `Sec-WebSocket-Protocol is missing ${where}; without a subprotocol the socket opens.`,
    ]);
  }
  return fail("STL304", "The answer to the handshake does not come back", [
    "It arrived intact, and the app accepted it.",
  ]);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testStream(facts) {
  const fresh = await askJson("/_stlaunch/token").catch(() => null);
  const tokens = /** @type {string[]} */ (fresh?.tokens ?? []).map((token) => `stlaunch.${token}`);
  const xsrf = readCookie("_streamlit_xsrf") ?? "PLACEHOLDER_AUTH_TOKEN";
  const query = facts.nextAttempt();
  const attempt = await openSocket("/_stcore/stream", ["streamlit", xsrf, ...tokens], query);
  if (attempt.socket) {
    const { protocol } = attempt.socket.socket;
    attempt.socket.close();
    if (protocol === "streamlit") return ok(`Open after ${formatMs(attempt.ms)}`);
    return fail("STL307", `The subprotocol comes back as ${protocol || "nothing"}`);
  }
  const record = await facts.arrived(query);
  if (record?.is_websocket && record.answer === 403) {
    const outcome = fail("STL501", "The app refuses the handshake: Origin and Host differ", [
      `Origin: ${record.origin ?? "missing"}`,
      `Host: ${record.host ?? "missing"}, effective host: ${record.effective_host ?? "unknown"}`,
    ]);
    const address = shellWord(`${location.origin}${base}/`);
    const fix = `Or, if this address is the app's own, start stlaunch with\n    --public-url ${address}`;
    return { ...outcome, fix };
  }
  const trouble = facts.socketTrouble;
  if (trouble) return following(fail(trouble, "The same problem as with the probe"), trouble);
  if (!record) return fail("STL304", "The proxy refuses it on this path only", ["It never reached the app."]);
  if (!record.is_websocket) {
    return fail("STL301", `${record.missing.join(" and ")} did not arrive on this path`);
  }
  return fail("STL304", `It arrived and does not open (${record.answer ?? "no answer"})`);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testHeaders(facts) {
  const record = facts.handshake;
  if (!record) return skip("No handshake arrived to compare with");
  const host = location.host;
  /** @type {[string, string, string | null, string?][]} */
  const rows = [
    ["Upgrade", "websocket", record.upgrade],
    ["Connection", "Upgrade", record.connection],
    ["Sec-WebSocket-Key", "present", record.key],
    ["Sec-WebSocket-Version", "13", record.version],
    ["Sec-WebSocket-Protocol", "1 value", record.protocols ? `${record.protocols} value` : null],
    ["Sec-WebSocket-Extensions", "permessage-deflate", record.extensions, "not needed"],
    ["Host", host, record.host, record.effective_host === host ? "set by the proxy" : ""],
    ["Origin", location.origin, record.origin],
  ];
  facts.headers = rows.map(([name, sent, arrived, note]) => ({
    name,
    sent,
    arrived: arrived ?? "missing",
    isSame: isSameHeader(name, sent, arrived),
    note,
  }));
  const changed = facts.headers.filter((row) => !row.isSame && !row.note);
  const evidence = changed.map((row) => `${row.name}: sent ${row.sent}, arrived ${row.arrived}`);
  if (!changed.length) return ok("Nothing that matters was changed", evidence);
  if (facts.socketTrouble) {
    const { socketTrouble } = facts;
    const outcome = fail(socketTrouble, `${count(changed.length, "header")} changed`, evidence);
    return following(outcome, socketTrouble);
  }
  const isHostAlone = changed.every((row) => row.name === "Host");
  if (isHostAlone) return warn("STL403", "Host was rewritten", evidence);
  return fail("STL308", `${changed.map((row) => row.name).join(", ")} changed`, evidence);
}

/** @param {string} name @param {string} sent @param {string | null} arrived */
function isSameHeader(name, sent, arrived) {
  if (arrived === null) return false;
  const listed = ["Connection", "Sec-WebSocket-Extensions"];
  const [before, after] = [sent.toLowerCase(), arrived.toLowerCase()];
  return listed.includes(name) ? after.includes(before) : after === before;
}

/** @param {Facts} facts @param {(text: string) => void} say @returns {Promise<Outcome>} */
async function testEcho(facts, say) {
  const { socket } = facts;
  if (!socket) return skip("There is no open socket", [trouble(facts)]);
  const { ended } = socket; // during the tests before, while it was quiet
  if (ended) return idleCut(facts, ended);
  let largest = 0;
  const started = performance.now();
  /** @type {(string | Uint8Array)[]} */
  const payloads = TEXT_SIZES.map((size) => "ä".repeat(size / 2) + "x".repeat(size % 2));
  payloads.push(...BINARY_SIZES.map(noise));
  payloads.sort((a, b) => a.length - b.length);
  for (const payload of payloads) {
    const size = payload.length;
    say(`${formatBytes(size)} …`);
    socket.socket.send(/** @type {any} */ (payload));
    const answer = await socket.next(ECHO_MS);
    if (answer === undefined) {
      const passing = largest ? `${formatBytes(largest)} pass; ` : "";
      // A slow uplink is no limit: only a socket that ends has refused the message.
      if (!socket.ended) {
        return skip(`A message of ${formatBytes(size)} takes too long to be measured`, [
          `${passing}${formatBytes(size)} did not come back within ${formatMs(ECHO_MS)}.`,
        ]);
      }
      return fail("STL601", `A message of ${formatBytes(size)} does not get through`, [
        `${passing}at ${formatBytes(size)} the socket ended with code ${socket.ended.code}.`,
      ]);
    }
    if (!isEqual(payload, answer)) {
      return fail("STL312", `A message of ${formatBytes(size)} comes back changed`);
    }
    largest = Math.max(largest, size);
  }
  const ms = formatMs(performance.now() - started);
  return ok(`1 B to ${formatBytes(largest)}, text and binary`, [`${payloads.length} messages in ${ms}`]);
}

/** @param {string | Uint8Array} sent @param {string | ArrayBuffer} back */
function isEqual(sent, back) {
  if (typeof sent === "string" || typeof back === "string") return sent === back;
  const bytes = new Uint8Array(back);
  return bytes.length === sent.length && bytes.every((byte, index) => byte === sent[index]);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testPing(facts) {
  const { socket } = facts;
  if (!socket || socket.ended) return skip("There is no open socket", [trouble(facts)]);
  const times = [];
  for (let i = 0; i < PINGS; i += 1) {
    const started = performance.now();
    socket.socket.send(`ping ${i}`);
    if ((await socket.next(HELLO_MS)) === undefined) return skip("The socket ended meanwhile");
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const median = times[PINGS / 2];
  return info(`${formatMs(median)} there and back`, [
    `${formatMs(times[0])} to ${formatMs(times[PINGS - 1])} over ${PINGS} messages`,
  ]);
}

/** @param {Facts} facts @param {(text: string) => void} say @returns {Promise<Outcome>} */
async function testQuiet(facts, say) {
  const { quiet } = facts;
  if (!quiet) return skip("There is no open socket", [trouble(facts)]);
  say("waiting in silence …");
  const age = performance.now() - quiet.openedAt;
  const ended = await quiet.end(Math.max(0, QUIET_MS - age));
  const lived = formatMs(performance.now() - quiet.openedAt);
  if (!ended) {
    quiet.close();
    return ok(`Still open after ${lived} of silence`);
  }
  return idleCut(facts, ended);
}

/** @param {Facts} facts @param {{code: number, ageMs: number}} ended @returns {Outcome} */
function idleCut(facts, ended) {
  const seconds = (ended.ageMs / 1000).toFixed(1);
  const pings = facts.fixes ? `; the server pings every ${facts.fixes.ping_interval_s} s` : "";
  const shorter = Math.max(1, Math.floor(ended.ageMs / 2000));
  return {
    ...warn("STL604", `A quiet socket is cut after ${seconds} s`, [
      `It ended with code ${ended.code} after ${seconds} s${pings}.`,
    ]),
    fix: `Or use it more often than the limit:\n    --server.websocketPingInterval ${shorter}`,
  };
}

/** @param {Facts} facts */
const trouble = (facts) => (facts.socketTrouble ? `Follows from ${facts.socketTrouble}.` : "");
