// Tests that need only plain requests: the page, its files, cookies, uploads, replicas.

const REPLICA_REQUESTS = 12;
const QUICK_UPLOAD = 3 * 1024 * 1024;
const SMALLEST_STEP = 64 * 1024;
const DRIPS = 6;
const DRIP_PAUSE_MS = 200;
const UPLOAD_MS = 280_000;
// A proxy gave up on the rest of the body, or on the answer.
const TOO_LATE = [408, 504];
const PROTECTIONS = ["STL502", "STL511"];
// By how much clocks may differ, as `stlaunch check` has it.
const CLOCK_SKEW_MS = 1000 * Number(document.body.dataset.clockSkewS);
// The headers by which proxies reveal themselves.
const SIGNS = (document.body.dataset.signs ?? "").split(" ");

/** @param {Facts} facts @param {Response} response */
function noteHeaders(facts, response) {
  for (const name of SIGNS) {
    const value = response.headers.get(name);
    if (value) facts.seenHeaders[name] = value;
  }
}

// The headers that the server evaluates, as a browser reads them, by the rules of `stlaunch check`.
const POLICIES = [
  ...["content-security-policy", "x-frame-options", "permissions-policy"],
  "cross-origin-embedder-policy",
];
const MAX_POLICY_CHARS = 4000;

/** @param {Facts} facts @param {string} what @param {Response} response */
function notePolicies(facts, what, response) {
  for (const name of POLICIES) {
    const value = response.headers.get(name);
    if (value) facts.policies[`${what} ${name}`] = value.slice(0, MAX_POLICY_CHARS);
  }
}

/** @returns {Outcome} */
const connectionBlocked = () =>
  fail("STL810", "A Content-Security-Policy keeps this browser from asking the server", [
    "Something between this browser and the app adds the header; its connect-src does not allow " +
      "the app's own address.",
  ]);

/** What the headers that arrive forbid the browser to do. @param {Facts} facts @returns {Promise<Outcome>} */
async function testPolicies(facts) {
  const component = await ask("/component/stlaunch.probe/index.html").catch(() => null);
  // Some proxies add no headers to errors: then the page shows more.
  const isTold = component && POLICIES.some((name) => component.headers.has(name));
  if (isTold) notePolicies(facts, "component", component);
  else {
    for (const [name, value] of Object.entries(facts.policies)) {
      facts.policies[name.replace("page ", "component ")] = value;
    }
  }
  const { header_problems: problems } = await askJson(`/_stlaunch/fixes?${new URLSearchParams(facts.policies)}`);
  const first = problems[0];
  const evidence = Object.entries(facts.policies).map(([name, value]) => `${name}: ${value}`);
  if (!first) return ok("Nothing that the page needs is forbidden", evidence);
  const details = problems.map((/** @type {any} */ one) => one.detail);
  const shown = [...details.slice(1), ...evidence];
  if (first.severity === "info") return info(first.detail, shown); // only an app that uses it misses it
  return (first.severity === "warning" ? warn : fail)(first.code, first.detail, shown);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testPage(facts) {
  const response = await ask("/", { headers: { Accept: "text/html" } }).catch(() => null);
  if (!response && blockedDirectives.has("connect-src")) return connectionBlocked();
  if (!response) {
    return fail("STL121", "The page cannot be fetched", [
      "GET of the app's page failed; a redirect to another host (a login page) looks like that.",
    ]);
  }
  noteHeaders(facts, response);
  notePolicies(facts, "page", response);
  const type = response.headers.get("content-type") ?? "none";
  const text = await response.text();
  const evidence = [`GET ${base}/ → ${response.status}, ${type}, ${formatBytes(text.length)}`];
  const isApp = /static\/js\/index\./.test(text);
  if (!isApp) {
    const isLogin = response.redirected || /type=["']?password/i.test(text);
    if (isLogin) return fail("STL121", "A login page answers", [...evidence, `at ${response.url}`]);
    return fail("STL122", `Something else answers (${response.status})`, evidence);
  }
  return testAssets(text, evidence);
}

/** @param {string} text @param {string[]} evidence @returns {Promise<Outcome>} */
async function testAssets(text, evidence) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const sources = [...page.querySelectorAll("script[src], link[rel=stylesheet][href]")]
    .map((element) => element.getAttribute("src") ?? element.getAttribute("href") ?? "")
    .map((source) => new URL(source, location.origin + base + "/"))
    .filter((url) => url.origin === location.origin)
    .slice(0, 6);
  for (const url of sources) {
    const wanted = /\.css$/.test(url.pathname) ? "css" : "javascript";
    const answer = await fetch(url, { signal: AbortSignal.timeout(REQUEST_MS) }).catch(() => null);
    const found = answer?.headers.get("content-type") ?? "no type";
    const line = `${url.pathname} → ${answer?.status ?? noAnswer()}, ${found}`;
    evidence.push(line);
    await answer?.body?.cancel();
    if (!answer?.ok) return fail("STL208", "A file of the page is missing", [line]);
    if (!found.includes(wanted)) return fail("STL207", `A file comes as ${found}`, [line]);
  }
  return ok(`Page and ${sources.length} files`, evidence);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testHealth(facts) {
  const evidence = [];
  for (const [path, type] of [
    ["/_stcore/health", "text/"],
    ["/_stcore/host-config", "json"],
    ["/_stlaunch/health", "text/plain"],
  ]) {
    const response = await ask(path).catch(() => null);
    const found = response?.headers.get("content-type") ?? "no type";
    const line = `${path} → ${response?.status ?? noAnswer()}, ${found}`;
    evidence.push(line);
    if (response) noteHeaders(facts, response);
    const isHtml = found.includes("html") && path !== "/_stcore/health";
    if (!response?.ok || !found.includes(type) || isHtml) {
      return fail("STL210", `${path} answers ${response?.status ?? "nothing"}`, evidence);
    }
  }
  return ok("Both answer", evidence);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testReplicas(facts) {
  /** @type {Map<string, number>} */ const seen = new Map();
  let failed = 0;
  for (let i = 0; i < REPLICA_REQUESTS; i += 1) {
    const echo = await askJson("/_stlaunch/echo").catch(() => null);
    if (echo) seen.set(echo.instance, (seen.get(echo.instance) ?? 0) + 1);
    else failed += 1;
  }
  const evidence = [...seen].map(([id, count]) => `instance ${id.slice(0, 6)}…: ${count} requests`);
  if (failed) evidence.push(`${failed} requests failed`);
  facts.hasReplicas = seen.size > 1;
  if (facts.hasReplicas) {
    return fail("STL702", `${REPLICA_REQUESTS} requests reached ${seen.size} replicas`, evidence);
  }
  return seen.size ? ok("One instance answers", evidence) : skip("No request got through", evidence);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testProtocol(facts) {
  const url = `${location.origin}${base}/_stlaunch/echo`;
  const timing = /** @type {PerformanceResourceTiming | undefined} */ (
    performance.getEntriesByName(url).at(-1)
  );
  const front = timing?.nextHopProtocol?.replace("http/", "HTTP/").replace(/^h2$/, "HTTP/2");
  const request = facts.echo.request;
  const way = [`browser → ${front?.replace(/^h3$/, "HTTP/3") || "unknown"} → `];
  const names = productName(facts) ?? (isProxied(facts) ? "a proxy" : "no proxy seen");
  way.push(`${names} → HTTP/${request.http_version} → app`);
  const evidence = Object.entries(facts.seenHeaders).map(([name, value]) => `${name}: ${value}`);
  return info(way.join(""), evidence);
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testClock(facts) {
  const before = Date.now();
  const echo = await askJson("/_stlaunch/echo");
  const skew = echo.server_time_ms - (before + Date.now()) / 2;
  const text = `${formatMs(Math.abs(skew))} ${skew < 0 ? "behind" : "ahead"}`;
  if (Math.abs(skew) > CLOCK_SKEW_MS) {
    return warn("STL806", `The server's clock is ${text}`, ["Cookies and tokens expire at odd times."]);
  }
  return ok(Math.abs(skew) < 1000 ? "The same to the second" : `Server ${text}`);
}

/** Does anything indicate a proxy between browser and app? @param {Facts} facts */
function isProxied(facts) {
  const request = facts.echo.request;
  const server = facts.seenHeaders.server ?? "uvicorn";
  const hasHeaders = request.forwarding.length > 0 || request.proxies.length > 0;
  return server !== "uvicorn" || Boolean(facts.seenHeaders.via) || hasHeaders || hostDiffers(facts);
}

/** @param {Facts} facts */
const hostDiffers = (facts) => {
  const port = location.protocol === "https:" ? ":443" : ":80";
  const appSees = (facts.echo.request.host ?? "").replace(new RegExp(`${port}$`), "");
  return appSees.toLowerCase() !== location.host.toLowerCase();
};

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testForwarding(facts) {
  const request = facts.echo.request;
  const lines = request.forwarding.map(
    (/** @type {any} */ item) =>
      `${item.name}: ${item.value} (${item.believed ? "believed" : `not believed: ${item.reason}`})`,
  );
  const peer = `connected from ${request.peer}`;
  if (request.forwarding.length && !request.peer_is_trusted) {
    const outcome = warn("STL401", `${request.peer} is not a trusted proxy`, [peer, ...lines]);
    return { ...outcome, fix: `If that is your proxy, start stlaunch with\n    --trusted-proxies ${shellWord(request.peer)}` };
  }
  if (location.protocol === "https:" && request.scheme !== "https") {
    const appSees = request.scheme ?? "nothing";
    return warn("STL402", `The page is on https, but the app sees ${appSees}`, [peer, ...lines]);
  }
  if (hostDiffers(facts)) {
    return warn("STL403", `The app sees ${request.host}, not ${location.host}`, [peer, ...lines]);
  }
  const tellsClient = ["X-Forwarded-For", "Forwarded", "X-Real-IP"];
  if (isProxied(facts) && !tellsClient.some((name) => request.believed.includes(name))) {
    return graded(facts, "STL404", "The proxy does not forward the client's address", [peer, ...lines]);
  }
  const who = isProxied(facts) ? "Scheme, host and client arrive" : "Directly connected";
  return ok(who, [peer, ...lines]);
}

/** @returns {Promise<Outcome>} */
async function testCookies() {
  document.cookie = "stlaunch_probe=; Max-Age=0; path=/";
  await askJson("/_stlaunch/echo?cookie=1");
  const isSet = readCookie("stlaunch_probe") === "1";
  // Set here if it did not arrive, so that both directions are tested.
  if (!isSet) document.cookie = "stlaunch_probe=1; Max-Age=120; path=/; samesite=lax";
  const canSet = readCookie("stlaunch_probe") === "1";
  const echo = await askJson("/_stlaunch/echo");
  const isReturned = echo.request.cookies.includes("stlaunch_probe");
  document.cookie = "stlaunch_probe=; Max-Age=0; path=/";
  const evidence = [
    `Set-Cookie of the app reaches the browser: ${isSet ? "yes" : "no"}`,
    `Cookie of the browser reaches the app: ${canSet ? (isReturned ? "yes" : "no") : "not tried"}`,
  ];
  if (!canSet) return skip("This browser keeps no cookies here", evidence);
  if (isSet && isReturned) return ok("Set and returned", evidence);
  const lost = isSet ? "to the app" : isReturned ? "to the browser" : "both ways";
  return fail("STL507", `Cookies are dropped on the way ${lost}`, evidence);
}

/** What the app's author switched off, as the server reports it. @param {Facts} facts @returns {Promise<Outcome>} */
async function testProtections(facts) {
  const found = (facts.report?.findings ?? []).filter((/** @type {any} */ one) => PROTECTIONS.includes(one.code));
  if (!found.length) return ok("CORS and XSRF protection are on");
  const [first, ...others] = found;
  const evidence = others.flatMap((/** @type {any} */ one) => [one.title, one.fix]);
  return { ...(first.severity === "error" ? fail : warn)(first.code, first.title, evidence), fix: first.fix };
}

/** @param {Facts} facts @returns {Promise<Outcome>} */
async function testXsrf(facts) {
  await ask("/_stcore/health").catch(() => null);
  const cookie = readCookie("_streamlit_xsrf");
  const areCookiesLost = facts.outcomes.cookies?.code === "STL507";
  const isOff = facts.report?.findings?.some((/** @type {any} */ one) => one.code === "STL511");
  if (isOff) return skip("The app's XSRF protection is off");
  if (!cookie) {
    const outcome = graded(facts, "STL505", "No XSRF cookie arrives; uploads will fail", [
      "GET _stcore/health sets the cookie _streamlit_xsrf; this browser did not get it.",
    ]);
    return areCookiesLost ? following(outcome, "STL507") : outcome;
  }
  const form = new FormData();
  form.append("file", new Blob(["stlaunch self-check"]), "self-check.txt");
  const id = () => crypto.randomUUID?.() ?? `${Math.random().toString(36).slice(2)}-probe`;
  const path = `/_stcore/upload_file/${id()}/${id()}`;
  const headers = { "X-Xsrftoken": decodeURIComponent(cookie) };
  const answer = await ask(path, { method: "PUT", body: form, headers }).catch(() => null);
  const text = answer ? (await answer.text()).slice(0, 120) : "";
  const line = `PUT _stcore/upload_file → ${answer?.status ?? noAnswer()} ${text.replace(/\s+/g, " ")}`;
  // The session is made up, so an upload that arrives whole is refused only for that.
  if (answer?.status === 400 && /session/i.test(text)) return ok("Cookie and header arrive", [line]);
  if (answer?.status === 403 && /xsrf/i.test(text)) {
    const outcome = fail("STL506", "The XSRF cookie or header does not arrive", [line]);
    return areCookiesLost ? following(outcome, "STL507") : outcome;
  }
  if (!answer || [403, 405, 501].includes(answer.status)) {
    return fail("STL512", "The upload method PUT is refused", [line]);
  }
  return facts.hasReplicas ? skip("Not clear with several replicas", [line]) : info(line);
}

/**
 * Whether an upload of this size arrives; undefined if it takes too long, as over a slow uplink.
 * @param {number} size @returns {Promise<boolean | undefined>}
 */
async function uploadPasses(size) {
  const block = noise(Math.min(size, 1024 * 1024));
  const parts = Array(Math.floor(size / block.length)).fill(block);
  const body = new Blob([...parts, block.subarray(0, size % block.length)]);
  const options = { method: "PUT", body, timeoutMs: UPLOAD_MS };
  try {
    const answer = await ask("/_stlaunch/sink", options);
    if (TOO_LATE.includes(answer.status)) return undefined;
    return answer.ok && (await answer.json()).received === size;
  } catch (error) {
    return error instanceof DOMException && error.name === "TimeoutError" ? undefined : false;
  }
}

/** @param {number} passed @param {number} size @returns {Outcome} */
function uploadTooSlow(passed, size) {
  const evidence = passed ? [`${formatBytes(passed)} pass, and nothing larger was refused.`] : [];
  return skip(`An upload of ${formatBytes(size)} takes too long to be measured`, evidence);
}

/**
 * Finds the limit between a size that passes and one that does not.
 * @param {number} passed @param {number} refused @param {(text: string) => void} say
 */
async function narrow(passed, refused, say) {
  for (let i = 0; i < 5 && refused - passed > Math.max(SMALLEST_STEP, passed / 10); i += 1) {
    const middle = Math.round((passed + refused) / 2);
    say(`between ${formatBytes(passed)} and ${formatBytes(refused)} …`);
    const passes = await uploadPasses(middle);
    if (passes === undefined) break;
    if (passes) passed = middle;
    else refused = middle;
  }
  return { passed, refused };
}

/** @param {Facts} facts @param {(text: string) => void} say @returns {Promise<Outcome>} */
async function testUpload(facts, say) {
  const size = Math.min(QUICK_UPLOAD, facts.uploadLimit);
  say(`uploading ${formatBytes(size)} …`);
  const passes = await uploadPasses(size);
  if (passes) return ok(`${formatBytes(size)} in one request`);
  if (passes === undefined) return uploadTooSlow(0, size);
  const isSmallPassed = await uploadPasses(1000);
  if (isSmallPassed === undefined) return uploadTooSlow(0, 1000);
  if (!isSmallPassed) {
    return fail("STL512", "Not even a small body arrives", ["PUT of 1000 bytes was refused."]);
  }
  const { passed, refused } = await narrow(1000, size, say);
  return bodyLimit(facts, passed, refused);
}

/** @param {Facts} facts @param {number} passed @param {number} refused @returns {Outcome} */
function bodyLimit(facts, passed, refused) {
  return warn("STL602", `Bodies above ${formatBytes(passed)} are refused`, [
    `${formatBytes(passed)} pass, ${formatBytes(refused)} do not, below ${facts.uploadOption}.`,
    "stlaunch sends larger uploads in pieces, so they work all the same.",
  ]);
}

/** @returns {Promise<Outcome>} */
async function testBuffering() {
  const path = `/_stlaunch/drip?chunks=${DRIPS}&pause_ms=${DRIP_PAUSE_MS}`;
  const response = await ask(path);
  if (!response.ok || !response.body) return skip(`The drip answers ${response.status}`);
  const reader = response.body.getReader();
  const times = [];
  for (;;) {
    const { done } = await reader.read();
    if (done) break;
    times.push(performance.now());
  }
  const spread = times.length ? times[times.length - 1] - times[0] : 0;
  const expected = (DRIPS - 1) * DRIP_PAUSE_MS;
  const evidence = [`${DRIPS} lines over ${formatMs(expected)} came within ${formatMs(spread)}.`];
  if (spread < expected / 2) {
    return warn("STL605", "Responses are held back on the way", evidence);
  }
  return ok("Responses come as they are sent", evidence);
}
