// A proxy that limits requests (429, 503) answers the many files of a page's first load with an
// error: the page would stay blank. So does one whose app restarts meanwhile (502, 503, 504): the
// elements whose scripts were on their way would stay broken. Refused files are requested again,
// one by one and as late as the proxy asks; then the page reloads, and finds the rest in the
// browser's cache.

const LIMITED = [429, 503];
const AWAY = [502, 504];
const PASSING = [...LIMITED, ...AWAY];
const LIMIT_RELOADS = "stlaunch-limited";
const MAX_RELOADS = 10;
const MAX_TRIES = 8;
const RECOVER_MS = 5000;
const MAX_WAIT_S = 120;
let isWaitingForFiles = false;

/**
 * Deals with files that were refused for a while.
 * @param {string} base the app's public path
 * @param {string} assets where the page's files are
 * @param {string} failed the file whose failure was noticed; one of its imports may be to blame
 * @returns {Promise<boolean>} whether it is dealt with; not if a file is gone, or never came for
 *   another reason
 */
async function waitForFiles(base, assets, failed) {
  if (isWaitingForFiles) return true;
  if (!refusedFiles(assets).length) {
    const status = failed.startsWith(assets) ? (await askFor(failed))?.status : undefined;
    if (!status || !PASSING.includes(status)) return false;
  }
  if (isWaitingForFiles) return true;
  isWaitingForFiles = true;
  const end = await loadSlowly(base, assets, failed);
  isWaitingForFiles = false;
  if (end === "gone") {
    hideNotice();
    return false;
  }
  if (end === "refused") return true;
  if (isConnected) {
    const button = { label: "Load again", press: () => window.location.reload() };
    showNoticeAt(base, codeOfLateFiles(), "Some of this page's files came late.", button);
  } else if (countLimitReload()) {
    window.location.reload();
  }
  return true;
}

/** @param {string} assets */
function refusedFiles(assets) {
  return performance
    .getEntriesByType("resource")
    .filter((entry) => entry.name.startsWith(assets))
    .filter((entry) => PASSING.includes(statusOf(entry)))
    .map((entry) => entry.name);
}

/** @param {PerformanceEntry} entry @returns {number} */
const statusOf = (entry) => /** @type {any} */ (entry).responseStatus;

function codeOfLateFiles() {
  const asked = performance.getEntriesByType("resource");
  return asked.some((entry) => AWAY.includes(statusOf(entry))) ? "STL120" : "STL611";
}

/** @param {string} url */
async function askFor(url) {
  try {
    return await fetch(url, { cache: "reload", credentials: "same-origin" });
  } catch {
    return undefined;
  }
}

/**
 * @param {string} base @param {string} assets @param {string} first
 * @returns {Promise<"loaded" | "gone" | "refused">} gone: the app is back without one of them
 */
async function loadSlowly(base, assets, first) {
  /** @type {Set<string>} */ const loaded = new Set();
  const next = () =>
    [first, ...refusedFiles(assets)].find((file) => file.startsWith(assets) && !loaded.has(file));
  for (let tries = 0, isRested = false; ; ) {
    const file = next();
    if (!file) {
      // The page itself must not be refused when it reloads: let the limit recover.
      if (isRested) return "loaded";
      await sleep(RECOVER_MS);
      isRested = true;
      continue;
    }
    isRested = false;
    const answer = await askFor(file);
    if (answer && !PASSING.includes(answer.status)) {
      if (!answer.ok) return "gone";
      loaded.add(file);
      tries = 0;
      continue;
    }
    tries += 1;
    if (tries > MAX_TRIES) return "refused";
    const seconds = secondsToWait(answer) ?? Math.min(2 ** tries, 30);
    const status = answer?.status ?? 0;
    showNoticeAt(base, codeOfLateFiles(), `${whyLate(status)} The page goes on loading by itself.`);
    await sleep(1000 * seconds);
  }
}

/** @param {number} status 0 without an answer */
function whyLate(status) {
  if (AWAY.includes(status)) return `The app did not answer when this page asked for its files (${status}).`;
  const limit = "Something on the way to this app limits how many files may be asked for at once";
  if (status === 503) return `${limit}, or the app is restarting (503).`;
  return `${limit} (${status || "no answer"}).`;
}

/** Reads Retry-After (RFC 9110 section 10.2.3). @param {Response | undefined} answer */
function secondsToWait(answer) {
  const text = answer?.headers.get("retry-after");
  if (!text) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 1), MAX_WAIT_S);
}

/** Each reload finds more files in the browser's cache than the last; still there is a limit. */
function countLimitReload() {
  try {
    const count = Number(sessionStorage.getItem(LIMIT_RELOADS)) + 1;
    sessionStorage.setItem(LIMIT_RELOADS, String(count));
    return count <= MAX_RELOADS;
  } catch {
    return false; // no storage here: better a notice than a loop
  }
}

function forgetLimits() {
  try {
    sessionStorage.removeItem(LIMIT_RELOADS);
  } catch {
    // nothing was kept
  }
}
