// Finds where this page reaches the app's own endpoints: token, tunnel, uploads in pieces. A proxy
// may route only what Streamlit needs, or block some of that, so they have several places
// (streamlit_routes.py). The first one where the app itself answers is used from then on.

let fronts = ["_stlaunch", "_stcore/stlaunch", "_stcore/upload_file/stlaunch"];
// Rules may drop a request silently: after this time a small one shows whether a place answers.
const PATIENCE_MS = 2500;
// These do not depend on the place: another one has the same login, limit or problem.
const SAME_ELSEWHERE = [401, 413, 429, 500, 502, 504];

/**
 * Asks one of the app's endpoints, at the first place where the app answers.
 * @param {string} base the app's public path
 * @param {string} name @param {RequestInit} options
 * @param {boolean} [mayBeDropped] whether a place that answers nothing is left for the next one
 * @returns {Promise<{answer: Response, url: string, isApps: boolean}>} `isApps`: stlaunch itself
 *   answered; if not, it is the answer of the first place
 * @throws if no place answers at all
 */
async function askApp(base, name, options, mayBeDropped = false) {
  let first;
  let error;
  const places = fronts;
  for (const front of places) {
    if (options.signal?.aborted) throw new DOMException("The request was aborted.", "AbortError");
    const url = `${base}/${front}/${name}`;
    const asking = new AbortController();
    options.signal?.addEventListener("abort", () => asking.abort(), { once: true });
    let isSilent = mayBeDropped && front !== places.at(-1);
    const leaveIfSilent = async () => {
      const isThere = await answersSoon(`${base}/${front}/upload/probe?offset=0`);
      if (!isSilent || isThere) return;
      fronts = [...fronts.filter((other) => other !== front), front];
      asking.abort();
    };
    const timer = isSilent ? setTimeout(leaveIfSilent, PATIENCE_MS) : undefined;
    try {
      const answer = await fetch(url, {
        cache: "no-store",
        credentials: "same-origin",
        redirect: "manual",
        ...options,
        signal: asking.signal,
      }).finally(() => {
        isSilent = false;
        clearTimeout(timer);
      });
      const isApps = await isFromApp(answer);
      if (isApps) fronts = [front, ...fronts.filter((other) => other !== front)];
      first ??= { answer, url, isApps };
      if (isApps) return { answer, url, isApps };
      if (SAME_ELSEWHERE.includes(answer.status)) break;
    } catch (failure) {
      if (options.signal?.aborted) throw failure;
      error ??= failure; // some rules cut the connection instead of answering
    }
  }
  if (first) return first;
  throw error;
}

/** Whether the app answers a small request at once. @param {string} url */
async function answersSoon(url) {
  const probe = { method: "POST", headers: { "X-Stlaunch": "1" }, body: "x" };
  const answer = fetch(url, probe).then(isFromApp, () => false);
  return Boolean(await Promise.race([answer, sleep(PATIENCE_MS)]));
}

/** @param {Response} answer */
async function isFromApp(answer) {
  const body = await answer
    .clone()
    .json()
    .catch(() => null);
  return answer.ok ? body !== null : body?.schema === "stlaunch.refusal/1";
}
