// Answers what Streamlit's page would ask its server before it connects: where the server is, and
// its host configuration. Both came with the page, so a proxy that blocks or answers the pings does
// no harm.

const FRESH_MS = 20_000;

/**
 * Tells Streamlit where its server is, and how it is configured. A host page's own values win, and
 * if it points elsewhere, the configuration comes from that server.
 * @param {string} base the app's public path
 * @param {string | undefined} hostConfig JSON, as the app sent it
 */
function configure(base, hostConfig) {
  const page = /** @type {any} */ (window);
  const given = page.__streamlit ?? {};
  const isElsewhere = given.BACKEND_BASE_URL || given.HOST_CONFIG_BASE_URL;
  page.__streamlit = {
    BACKEND_BASE_URL: ownServer(base),
    ...(hostConfig && !isElsewhere ? { HOST_CONFIG: JSON.parse(hostConfig) } : {}),
    ...given,
  };
}

/** Does Streamlit connect to the server that the page came from? @param {string} base */
function isOwnServer(base) {
  const { BACKEND_BASE_URL } = /** @type {any} */ (window).__streamlit;
  return BACKEND_BASE_URL === ownServer(base);
}

/** @param {string} base */
function ownServer(base) {
  return window.location.origin + (base || "/");
}

/**
 * Answers the first ping, which a page that has just arrived does not need. If something in between
 * refuses a later one, but the app is known to be well, lets it succeed: otherwise Streamlit would
 * show a connection error over a working app, and never reconnect. While the visitor is signed out,
 * pings wait.
 * @param {string} base the app's public path
 * @param {string | undefined} hostConfig JSON, as the app sent it
 * @param {SignIn} signIn
 */
function answerPings(base, hostConfig, signIn) {
  const native = window.fetch;
  const health = `${window.location.origin}${base}/_stcore/health`;
  const configuration = `${window.location.origin}${base}/_stcore/host-config`;
  // Only something in between answers a health check like this. The connection itself shows whether
  // the app is there.
  const neverTheApps = [403, 404, 405];
  // Both answers came with the page, a moment ago: the first request for each need not be sent.
  const answered = new Map(
    hostConfig
      ? [
          [health, "ok"],
          [configuration, hostConfig],
        ]
      : [],
  );

  const isWell = async () => {
    try {
      return (await native(`${base}/_stlaunch/health`, { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  };

  window.fetch = async (resource, options) => {
    if (resource !== health && resource !== configuration) {
      return native.call(window, resource, options);
    }
    const known = answered.get(resource);
    answered.delete(resource);
    if (known && performance.now() < FRESH_MS && !signIn.isOut) return new Response(known);
    const ask = () => native.call(window, resource, { ...options, redirect: "manual" });
    const type = resource === health ? "text/plain" : "application/json";
    await signIn.untilBack();
    let answer = await ask().catch((error) => error);
    if (!(answer instanceof Response && answer.ok && typeOf(answer).startsWith(type))) {
      if (await signIn.isOver()) {
        await signIn.untilBack();
        answer = await ask();
      } else if (answer instanceof Error) {
        throw answer;
      }
    }
    if (!hostConfig) return answer;
    if (resource === configuration) {
      return answer.ok && typeOf(answer).includes("json") ? answer : new Response(hostConfig);
    }
    const isBlocked = neverTheApps.includes(answer.status);
    return answer.ok || !(isBlocked || (await isWell())) ? answer : new Response("ok");
  };
}

/** @param {Response} answer */
const typeOf = (answer) => answer.headers.get("content-type") ?? "";
