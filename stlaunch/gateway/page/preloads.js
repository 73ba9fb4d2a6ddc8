// Preloads the scripts of this page's elements: those that the last visitors' pages all used load
// while Streamlit's first ones run, which need them a round trip later. If this page needs others,
// it reports that to the app (preloads.py).

const MODULES = /** @type {"link"} */ ('link[rel="modulepreload"]');
const USED_MS = 5000;

/** @param {string} base the app's public path @param {string} pageScript its address, with its query */
function preloadScripts(base, pageScript) {
  const folder = `${window.location.origin}${base}/static/js/`;
  const { pathname } = window.location;
  const expected = (script.dataset.preload ?? "").split(" ").filter(Boolean);
  const links = () => [...document.querySelectorAll(MODULES)];
  /** @type {HTMLLinkElement[]} */ let first = [];
  /** @type {Set<EventTarget | null>} */ const loaded = new Set();

  // Nothing competes with Streamlit's first scripts: all of them have loaded.
  function goOn() {
    if (!first.length || !first.every((link) => loaded.has(link))) return;
    document.removeEventListener("load", onLoad, true);
    for (const name of expected) {
      const link = document.createElement("link");
      Object.assign(link, { rel: "modulepreload", crossOrigin: "", nonce: script.nonce });
      link.href = folder + name;
      document.head.append(link);
      link.remove(); // Streamlit adds a link of its own for each script that it uses
    }
    setTimeout(report, USED_MS);
  }
  const onLoad = (/** @type {Event} */ { target }) => {
    loaded.add(target);
    goOn();
  };
  const onParsed = () => {
    first = links();
    goOn();
  };
  document.addEventListener("load", onLoad, true);
  document.addEventListener("readystatechange", onParsed, { once: true });

  function report() {
    if (!isConnected || window.location.pathname !== pathname) return;
    const added = links().filter((link) => !first.includes(link) && link.href.startsWith(folder));
    const used = added.map(({ href }) => href.slice(folder.length));
    const cameAnew = (/** @type {string} */ name) => {
      const [entry] = performance.getEntriesByName(folder + name);
      return !expected.includes(name) && /** @type {any} */ (entry)?.transferSize > 0;
    };
    if (!used.some(cameAnew) && expected.every((name) => used.includes(name))) return;
    const words = new URLSearchParams({ used: used.join(" "), page: pathname.slice(base.length) });
    fetch(`${pageScript}&${words}`, { cache: "no-store", headers: { "X-Stlaunch": "1" } }).catch(() => {});
  }
}
