// Reports what a Content-Security-Policy blocks in this page: to the app, which accepts only words
// of a closed list (blocked.py), and to the visitor if the page cannot work.

/**
 * Watches what the browser blocks, and reports each thing once. The report is a request for the
 * page script, which the policy let through: nothing else is sure to pass.
 * @param {string} pageScript its address, with its query
 * @param {(directive: string) => void} onDead called if something is blocked that the page needs
 */
function watchPolicy(pageScript, onDead) {
  /** @type {Set<string>} */ const reported = new Set();
  document.addEventListener("securitypolicyviolation", (event) => {
    const { effectiveDirective: directive, disposition } = event;
    const thing = blockedThing(event);
    if (disposition !== "enforce" || !thing || !/^[a-z-]{1,32}$/.test(directive)) return;
    if (isOwnMark(event)) return;
    const words = `blocked=${directive}&thing=${thing}`;
    if (reported.has(words)) return;
    reported.add(words);
    if (thing === "own" && ["connect-src", "script-src-elem"].includes(directive)) onDead(directive);
    const url = `${pageScript}&${words}`;
    try {
      const report = document.createElement("script");
      report.src = url;
      report.onload = report.onerror = () => report.remove();
      document.head.append(report);
    } catch {
      fetch(url).catch(() => {}); // the policy requires trusted types for scripts
    }
  });
}

/**
 * Is it the inline script in Streamlit's page itself, a mark for search engines?
 * @param {SecurityPolicyViolationEvent} event
 */
const isOwnMark = ({ blockedURI, effectiveDirective, sourceFile }) =>
  blockedURI === "inline" &&
  effectiveDirective === "script-src-elem" &&
  sourceFile === window.location.href.split("#")[0];

/**
 * One word for what was blocked; empty for something that a browser extension added to the page.
 * @param {SecurityPolicyViolationEvent} event
 */
function blockedThing({ blockedURI, sourceFile }) {
  if (sourceFile && !/^(https?|blob|data):/.test(sourceFile)) return "";
  if (blockedURI === "inline") return "inline";
  if (/^(wasm-)?eval$/.test(blockedURI)) return "eval";
  if (/^(data|blob)\b/.test(blockedURI)) return "data";
  if (blockedURI.startsWith("trusted-types")) return "code";
  const origin = blockedURI.replace(/^ws/, "http");
  if (!/^https?:/.test(origin)) return "";
  return `${origin}/`.startsWith(`${window.location.origin}/`) ? "own" : "other";
}
