// Runs the tests one after the other, and shows what they mean together.

/**
 * @typedef {{
 *   code: string, status: Status, summary: string, evidence: string[], fix?: string, others: string[],
 * }} Finding
 */

/** @type {Test[]} */
const TESTS = [
  { id: "replicas", group: "The way to the app", label: "Instances", run: testReplicas },
  { id: "page", group: "The way to the app", label: "Page and its files", run: testPage },
  { id: "health", group: "The way to the app", label: "Health and host-config", run: testHealth },
  { id: "policies", group: "The way to the app", label: "What the browser is forbidden", run: testPolicies },
  { id: "forwarding", group: "The way to the app", label: "What the app sees", run: testForwarding },
  { id: "probe", group: "WebSocket", label: "Handshake", run: testProbe },
  { id: "stream", group: "WebSocket", label: "On the app's own stream", run: testStream },
  { id: "headers", group: "WebSocket", label: "Headers sent and arrived", run: testHeaders },
  { id: "ping", group: "WebSocket", label: "Round trip", run: testPing },
  { id: "cookies", group: "Cookies and uploads", label: "Cookies", run: testCookies },
  { id: "protections", group: "Cookies and uploads", label: "Streamlit's own protections", run: testProtections },
  { id: "xsrf", group: "Cookies and uploads", label: "XSRF and a small upload", run: testXsrf },
  { id: "upload", group: "Cookies and uploads", label: "Upload of 3 MB", run: testUpload },
  { id: "buffering", group: "Time and limits", label: "Buffering", run: testBuffering },
  { id: "echo", group: "Time and limits", label: "Messages up to 16 MB", run: testEcho },
  { id: "quiet", group: "Time and limits", label: "A quiet socket", run: testQuiet },
  { id: "clock", group: "Time and limits", label: "Clocks", run: testClock },
  { id: "protocol", group: "Time and limits", label: "HTTP versions", run: testProtocol },
];
const SLOW = [
  { id: "upload-sizes", group: "Longer tests", label: "Upload sizes" },
  { id: "idle", group: "Longer tests", label: "Idle time" },
];
const FATAL = new Set(["STL121", "STL122", "STL207", "STL208", "STL810"]);

let facts = new Facts();
/** @type {Record<string, Outcome>} */ let outcomes = {};
let isRunning = false;

/** @param {string} [product] */
async function loadFixes(product) {
  const query = new URLSearchParams(product ? { product } : facts.seenHeaders);
  facts.fixes = await askJson(`/_stlaunch/fixes?${query}`).catch(() => facts.fixes);
  showProducts(facts);
}

async function run() {
  if (isRunning) return;
  isRunning = true;
  byId("again").disabled = true;
  facts = new Facts();
  outcomes = facts.outcomes = {};
  showTests(TESTS);
  showFindings(facts, []);
  show("tests-section");
  showVerdict("running", "Testing the way to your app", "Asking the server …");
  try {
    await prepare();
    for (const [index, test] of TESTS.entries()) {
      showProgress(index, TESTS.length, `${test.label} …`);
      await runTest(test);
      if (test.id === "health") await loadFixes();
    }
    facts.report = await askJson("/_stlaunch/check", { headers: { Accept: "application/json" } }).catch(
      () => facts.report,
    );
    await loadFixes();
    showProgress(TESTS.length, TESTS.length, "");
    conclude();
    goToLinked();
  } catch (error) {
    if (error instanceof NeedsToken) return askForToken();
    if (blockedDirectives.has("connect-src")) return concludeBlocked();
    const text = error instanceof Error ? error.message : String(error);
    showVerdict("bad", "The server does not answer", `The self-check itself got no answer: ${text}`);
  } finally {
    facts.socket?.close();
    facts.quiet?.close();
    isRunning = false;
    byId("again").disabled = false;
  }
}

/** No request gets out, so nothing can be tested; the policy explains why. */
function concludeBlocked() {
  outcomes.page = connectionBlocked();
  showOutcome(TESTS[1], outcomes.page);
  showVerdict("bad", outcomes.page.summary, `The app's own page is blocked in the same way. Code STL810: stlaunch explain STL810.`);
  showFindings(facts, findings());
}

async function prepare() {
  facts.echo = await askJson("/_stlaunch/echo");
  facts.ticket = (await askJson("/_stlaunch/ticket")).ticket;
  facts.report = await askJson("/_stlaunch/check", { headers: { Accept: "application/json" } });
}

/** @param {Test} test */
async function runTest(test) {
  showRunning(test, "");
  /** @type {Outcome} */ let outcome;
  try {
    outcome = await test.run(facts, (text) => showRunning(test, text));
  } catch (error) {
    if (error instanceof NeedsToken) throw error;
    outcome = skip(`Could not be tested: ${error instanceof Error ? error.message : error}`);
  }
  outcomes[test.id] = outcome;
  showOutcome(test, outcome);
}

/** Groups findings by cause, and puts the likeliest cause first. @returns {Finding[]} */
function findings() {
  /** @type {Map<string, Finding>} */ const found = new Map();
  for (const test of [...TESTS, ...SLOW]) {
    const outcome = outcomes[test.id];
    if (!outcome?.code || !["warn", "fail"].includes(outcome.status)) continue;
    const known = found.get(outcome.cause ?? "") ?? found.get(outcome.code);
    if (known) {
      known.others.push(test.label);
      continue;
    }
    found.set(outcome.code, {
      code: outcome.code,
      status: outcome.status,
      summary: outcome.summary,
      evidence: outcome.evidence ?? [],
      fix: outcome.fix,
      others: [],
    });
  }
  // If the handshake is refused for its Host, the rewritten Host is not a second problem.
  const rewritten = found.has("STL501") ? found.get("STL403") : undefined;
  if (rewritten && found.delete("STL403")) found.get("STL501")?.others.push("What the app sees");
  return likeliestFirst([...found.values()], facts.fixes?.codes ?? {});
}

function conclude() {
  const found = findings();
  const first = found[0];
  const failures = found.filter((finding) => finding.status === "fail");
  if (!first) {
    const count = Object.values(outcomes).filter((outcome) => outcome.status === "ok").length;
    showVerdict("good", "Everything gets through", `${count} tests passed from this browser, through to the app and back.`);
  } else {
    const title = facts.fixes?.codes?.[first.code]?.title ?? first.summary;
    const tone = failures.length ? "bad" : "warn";
    showVerdict(tone, failures.length ? title : `It works, with ${count(found.length, "thing")} to fix`, meaning(found, failures));
  }
  showPath(facts, outcomes);
  showFindings(facts, withLinked(found));
  showHeaders(facts);
  const versions = Object.entries(facts.report?.instance?.versions ?? {});
  const when = new Date().toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
  byId("versions").textContent = [...versions.map(([name, version]) => `${name} ${version}`), when].join(" · ");
  byId("upload-limit").textContent = facts.uploadOption;
  show("slow-section");
}

/** The code in a link: `_stlaunch/#STL301`. */
const linkedCode = () => /^#(STL\d{3})$/.exec(location.hash)?.[1] ?? "";

/** Adds the finding in the link that opened this page, if this browser does not see it. @param {Finding[]} found */
function withLinked(found) {
  const code = linkedCode();
  if (!facts.fixes?.codes?.[code] || found.some((finding) => finding.code === code)) return found;
  const summary = "The link to this page names it; this browser does not see it";
  return [...found, { code, status: /** @type {Status} */ ("warn"), summary, evidence: [], others: [] }];
}

/** Moves to the finding in the link, on screen and for screen readers. */
function goToLinked() {
  const card = document.getElementById(linkedCode());
  card?.scrollIntoView();
  card?.focus({ preventScroll: true });
}

/** @param {number} number @param {string} noun */
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** @param {Finding[]} found @param {Finding[]} failures */
function meaning(found, failures) {
  if (!failures.length) return found.map((finding) => finding.summary).join(". ") + ".";
  const rest = found.length - 1;
  const also = rest ? ` ${count(rest, "other thing")} to fix ${rest === 1 ? "is" : "are"} listed below.` : "";
  if (failures.some((finding) => FATAL.has(finding.code))) return `The app cannot be used like this.${also}`;
  if (failures.every((finding) => facts.fixes?.codes?.[finding.code]?.falls_back)) {
    return `The app still works, but a little slower: it goes around this, with ordinary HTTP requests.${also}`;
  }
  return `Most likely cause: ${failures[0].summary}.${also}`;
}

function askForToken() {
  showVerdict("running", "Who is asking?", "The server shows its self-check only to holders of the token.");
  byId("tests-section").hidden = true;
  show("token-form");
  byId("token").focus();
}

/** @param {string} id @param {(say: (text: string) => void) => Promise<Outcome>} test */
async function runSlow(id, test) {
  const result = byId(id === "idle" ? "result-idle" : "result-upload");
  const say = (/** @type {string} */ text) => {
    result.dataset.status = "running";
    result.textContent = text;
  };
  say("…");
  const outcome = await test(say).catch((error) => skip(`Could not be tested: ${error.message}`));
  outcomes[id] = outcome;
  result.dataset.status = outcome.status;
  result.textContent = outcome.summary + (outcome.code ? ` (${outcome.code})` : "");
  conclude();
}

byId("address").textContent = `${location.host}${base}/`;
byId("token-form").addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  keepToken(byId("token").value.trim());
  byId("token-form").hidden = true;
  run();
});
byId("again").addEventListener("click", run);
byId("copy").addEventListener("click", async () => {
  const text = renderMarkdown(facts, [...TESTS, .../** @type {any[]} */ (SLOW)], outcomes, byId("headline").textContent);
  byId("copy").textContent = (await copyText(text)) ? "Copied" : "Could not copy";
  setTimeout(() => (byId("copy").textContent = "Copy report"), 2000);
});
byId("product").addEventListener("change", async () => {
  await loadFixes(byId("product").value);
  conclude();
});
byId("run-upload").addEventListener("click", async () => {
  byId("run-upload").disabled = true;
  await runSlow("upload-sizes", (say) => testUploadSizes(facts, say));
  byId("run-upload").disabled = false;
});
/** @type {AbortController | null} */ let idleRun = null;
byId("run-idle").addEventListener("click", async () => {
  if (idleRun) return idleRun.abort();
  idleRun = new AbortController();
  byId("run-idle").textContent = "Stop";
  const { signal } = idleRun;
  await runSlow("idle", (say) => testIdle(facts, Number(byId("idle-minutes").value), say, signal));
  idleRun = null;
  byId("run-idle").textContent = "Measure";
});
addEventListener("hashchange", () => {
  if (isRunning || !facts.report) return;
  showFindings(facts, withLinked(findings()));
  goToLinked();
});
unfoldForPrint();
takeTokenFromAddress();
// Following a link sends no token.
byId("raw").hidden = Boolean(heldToken());
run();
