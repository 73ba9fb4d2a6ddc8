// What a Content-Security-Policy keeps from this page, said to the app, which reads words of a closed
// list alone (blocked.py), and to the visitor where the page cannot work.

/**
 * Watches what the browser blocks, and reports each thing once. The report is a request for the
 * page script, which came through the policy: nothing else is sure to.
 * @param {string} pageScript its address, with its query
 * @param {(directive: string) => void} onDead what the page cannot work without is blocked
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
      fetch(url).catch(() => {}); // the policy wants trusted types of scripts
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
 * One word for what was blocked; empty for what a browser's extension put into the page.
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
