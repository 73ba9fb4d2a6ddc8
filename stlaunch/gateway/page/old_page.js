// Replaces a page of an old version, left open during an upgrade or taken from a cache: the scripts
// it names are gone. It is reloaded, at the same address, once per version.

const RELOADED_FOR = "stlaunch-reloaded-for";
const ENTRY_SCRIPT = /\/static\/js\/(index\.[\w.-]+\.js)/;

/** @param {string} base the app's public path */
function replaceOldPage(base) {
  const assets = `${window.location.origin}${base}/static/`;
  let isAsking = false;

  /** @param {string} failed */
  async function onMissingScript(failed) {
    if (isAsking) return;
    isAsking = true;
    if (await waitForFiles(base, assets, failed)) {
      isAsking = false;
      return;
    }
    const current = await currentEntryScript();
    isAsking = false;
    const entry = document.querySelector('script[type="module"][src*="/static/js/index."]');
    const own = ENTRY_SCRIPT.exec(entry?.getAttribute("src") ?? "")?.[1];
    if (current && own && current !== own && isFirstTime(current)) window.location.reload();
  }

  // Vite's own event, for scripts and styles that are loaded when an element needs them.
  window.addEventListener("vite:preloadError", (event) => {
    const { payload } = /** @type {any} */ (event);
    onMissingScript(/https?:\S+/.exec(String(payload?.message))?.[0] ?? "");
  });
  window.addEventListener(
    "error",
    ({ target }) => {
      const isScript = target instanceof HTMLScriptElement && target.src.startsWith(assets);
      const isLink = target instanceof HTMLLinkElement && target.href.startsWith(assets);
      if (isScript) onMissingScript(target.src);
      else if (isLink) onMissingScript(target.href);
    },
    true, // these events do not bubble
  );
}

/** The entry script that the server's page names now; this also updates the browser's cache. */
async function currentEntryScript() {
  try {
    const { href } = window.location;
    const answer = await fetch(href.split("#")[0], { cache: "reload", credentials: "same-origin" });
    return answer.ok ? ENTRY_SCRIPT.exec(await answer.text())?.[1] : undefined;
  } catch {
    return undefined;
  }
}

/** While old and new replicas alternate, one reload may lead to another. @param {string} entry */
function isFirstTime(entry) {
  try {
    if (sessionStorage.getItem(RELOADED_FOR) === entry) return false;
    sessionStorage.setItem(RELOADED_FOR, entry);
    return true;
  } catch {
    return false; // no storage here: better an old page than a loop
  }
}
