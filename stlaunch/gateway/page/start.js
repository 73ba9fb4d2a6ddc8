// Loads the page script from the folder that this script came from, if its first address is
// blocked: a proxy may route only what Streamlit itself needs.
(() => {
  const loader = /** @type {HTMLScriptElement} */ (document.currentScript);
  const first = /** @type {HTMLScriptElement} */ (document.querySelector("script[data-transport]"));
  if ("started" in first.dataset) return;
  const { search } = new URL(first.src);
  // The page has to wait for it, as for the first one.
  document.write(`<script src="${loader.src.replace(/start\.js.*/, "page.js")}${search}"></script>`);
})();
