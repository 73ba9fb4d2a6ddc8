// Finds where this page reaches the app's own endpoints: token, tunnel, uploads in pieces. A proxy
// may route only what Streamlit needs, or block some of that, so they have several places
// (streamlit_routes.py). The first one where the app itself answers is used from then on.

let fronts = ["_stlaunch", "_stcore/stlaunch", "_stcore/upload_file/stlaunch"];
// How long a place may take to answer before the next one is tried; rules may drop a request silently.
const PATIENCE_MS = 4000;
// These do not depend on the place: another one has the same login, limit or problem.
const SAME_ELSEWHERE = [401, 413, 429, 500, 502, 504];

/**
 * Asks one of the app's endpoints, at the first place where the app answers.
 * @param {string} base the app's public path
 * @param {string} name @param {RequestInit} options
 * @param {boolean} [isShort] whether the app answers at once
 * @returns {Promise<{answer: Response, url: string, isApps: boolean}>} `isApps`: stlaunch itself
 *   answered; if not, it is the answer of the first place
 * @throws if no place answers at all
 */
async function askApp(base, name, options, isShort = false) {
  let first;
  let error;
  for (const front of fronts) {
    const url = `${base}/${front}/${name}`;
    const asking = new AbortController();
    options.signal?.addEventListener("abort", () => asking.abort());
    const isLast = front === fronts.at(-1);
    const timer = isShort && !isLast ? setTimeout(() => asking.abort(), PATIENCE_MS) : undefined;
    try {
      const answer = await fetch(url, {
        cache: "no-store",
        credentials: "same-origin",
        redirect: "manual",
        ...options,
        signal: asking.signal,
      });
      clearTimeout(timer);
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

/** @param {Response} answer */
async function isFromApp(answer) {
  const body = await answer
    .clone()
    .json()
    .catch(() => null);
  return answer.ok ? body !== null : body?.schema === "stlaunch.refusal/1";
}
