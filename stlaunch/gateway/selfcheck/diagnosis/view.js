// Shows the results in the page. It reads outcomes and changes the document, nothing else.

const ICONS = { ok: "✓", info: "i", warn: "!", fail: "✕", skip: "–", running: "", waiting: "" };
const WORDS = {
  ok: "passed",
  info: "noted",
  warn: "warning",
  fail: "failed",
  skip: "not run",
  running: "running",
  waiting: "waiting",
};

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/**
 * @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {string[]} ids */
function show(...ids) {
  for (const id of ids) byId(id).hidden = false;
}

/** @param {Test[]} tests */
function showTests(tests) {
  const groups = new Map();
  for (const test of tests) groups.set(test.group, [...(groups.get(test.group) ?? []), test]);
  byId("groups").replaceChildren(
    ...[...groups].map(([name, members]) =>
      make(
        "div",
        { class: "group" },
        make("h3", {}, name),
        make("div", { class: "rows" }, ...members.map((/** @type {Test} */ test) => emptyRow(test))),
      ),
    ),
  );
}

/** @param {Test} test */
function emptyRow(test) {
  const line = make("div", { class: "plain" }, mark("waiting"), test.label, make("span", { class: "value" }));
  return make("div", { class: "row", id: `test-${test.id}` }, line);
}

/** @param {keyof typeof WORDS} status */
function mark(status) {
  return make("span", { class: "mark", "data-status": status, role: "img", "aria-label": WORDS[status] }, ICONS[status]);
}

/** @param {Test} test @param {string} text */
function showRunning(test, text) {
  const row = byId(`test-${test.id}`);
  row.querySelector(".mark").replaceWith(mark("running"));
  row.querySelector(".value").textContent = text;
}

/** @param {Test} test @param {Outcome} outcome */
function showOutcome(test, outcome) {
  const code = outcome.code && outcome.status !== "ok" ? ` (${outcome.code})` : "";
  const value = make("span", { class: "value" }, outcome.summary + code);
  const evidence = (outcome.evidence ?? []).filter(Boolean);
  const facts = { class: "row", id: `test-${test.id}`, "data-status": outcome.status };
  const row = evidence.length
    ? make(
        "details",
        facts,
        make("summary", {}, mark(outcome.status), make("span", {}, test.label), value),
        listOf(evidence),
      )
    : make("div", facts, make("div", { class: "plain" }, mark(outcome.status), make("span", {}, test.label), value));
  byId(`test-${test.id}`).replaceWith(row);
}

/** @param {string[]} lines */
const listOf = (lines) => make("ul", { class: "evidence" }, ...lines.map((line) => make("li", {}, line)));

/** @param {number} done @param {number} all @param {string} label */
function showProgress(done, all, label) {
  const bar = byId("progress");
  bar.hidden = done === all;
  bar.setAttribute("aria-valuemax", String(all));
  bar.setAttribute("aria-valuenow", String(done));
  // The policy of this page allows no style attribute; the object model is not one.
  bar.firstElementChild.style.width = `${(100 * done) / all}%`;
  byId("subline").textContent = label;
}

/** @param {"running" | "good" | "warn" | "bad"} tone @param {string} headline @param {string} text */
function showVerdict(tone, headline, text) {
  byId("verdict").dataset.tone = tone;
  // A screen reader hears the verdict once, not each of the tests before it.
  byId("verdict").setAttribute("aria-busy", String(tone === "running"));
  byId("headline").textContent = headline;
  byId("subline").textContent = text;
  document.title = `${headline} · stlaunch self-check`;
}

/**
 * Shows the two lanes through whatever is in between.
 * @param {Facts} facts @param {Record<string, Outcome>} outcomes
 */
function showPath(facts, outcomes) {
  const failed = (/** @type {string[]} */ ids) => ids.some((id) => outcomes[id]?.status === "fail");
  const warned = (/** @type {string[]} */ ids) => ids.some((id) => outcomes[id]?.status === "warn");
  const http = ["page", "health", "cookies", "xsrf", "replicas"];
  const socket = ["probe", "stream", "echo", "quiet"];
  const state = (/** @type {string[]} */ ids) => (failed(ids) ? "bad" : warned(ids) ? "warn" : "good");
  // A handshake that never arrived was stopped by the first hop, any other one behind it.
  const isStoppedInFront = outcomes.probe?.code === "STL304" && !facts.handshake;
  const lanes = {
    "hop-front": { http: "good", socket: isStoppedInFront ? "bad" : "good" },
    "hop-back": { http: state([...http, "upload", "buffering"]), socket: state(socket) },
  };
  for (const [hop, found] of Object.entries(lanes)) {
    for (const [lane, value] of Object.entries(found)) {
      const element = byId(hop).querySelector(`[data-lane=${lane}]`);
      element.dataset.state = value;
      const words = { good: "passes", warn: "passes with limits", bad: "is broken" };
      element.setAttribute("aria-label", `${lane === "http" ? "HTTP" : "WebSocket"} ${words[/** @type {"good"} */ (value)]}`);
    }
  }
  byId("node-browser").textContent = browserName();
  byId("node-proxy").textContent = productName(facts) ?? (isProxied(facts) ? "a proxy" : "nothing seen");
  byId("node-app").textContent = `Streamlit ${facts.report?.instance?.versions?.streamlit ?? ""}`;
  show("path");
}

function browserName() {
  const found = /(Firefox|Edg|OPR|Chrome)\/(\d+)/.exec(navigator.userAgent);
  const safari = /Version\/(\d+).*Safari/.exec(navigator.userAgent);
  const names = /** @type {Record<string, string>} */ ({ Edg: "Edge", OPR: "Opera" });
  if (found) return `${names[found[1]] ?? found[1]} ${found[2]}`;
  return safari ? `Safari ${safari[1]}` : "Browser";
}

/** @param {Facts} facts @returns {string | undefined} */
const productName = (facts) => facts.fixes?.products?.[facts.fixes.product];

/** @param {Facts} facts @param {Finding[]} findings */
function showFindings(facts, findings) {
  byId("findings-section").hidden = findings.length === 0;
  byId("findings").replaceChildren(...findings.map((finding) => findingCard(facts, finding)));
}

/** @param {Facts} facts @param {Finding} finding */
function findingCard(facts, finding) {
  const known = facts.fixes?.codes?.[finding.code] ?? { title: finding.summary, severity: "error", fix: "" };
  const card = make(
    "article",
    {
      id: finding.code,
      class: "finding",
      tabindex: "-1",
      "aria-labelledby": `title-${finding.code}`,
      "data-severity": finding.status === "fail" ? "error" : "warning",
      "data-code": finding.code,
    },
    make(
      "header",
      {},
      make("h3", { id: `title-${finding.code}` }, known.title),
      make("a", { class: "chip", href: `#${finding.code}`, title: "Link to this finding" }, finding.code),
      copyButton("Copy link", () => `${location.origin}${location.pathname}#${finding.code}`),
    ),
    make("p", { class: "what" }, finding.summary + "."),
  );
  if (finding.evidence.length) card.append(listOf(finding.evidence));
  const fixes = [known.fix, finding.fix].filter(Boolean);
  if (fixes.length) card.append(fixBlock(finding.code, fixes.join("\n")));
  else card.append(make("p", { class: "also" }, noLines(facts)));
  if (finding.others.length) {
    card.append(make("p", { class: "also" }, `The same cause affects: ${finding.others.join(", ")}.`));
  }
  card.append(make("p", { class: "also" }, "More: ", make("code", {}, `stlaunch explain ${finding.code}`)));
  return card;
}

/** @param {Facts} facts */
function noLines(facts) {
  const name = productName(facts);
  return name ? `There are no known lines to fix it in ${name}.` : "Choose your proxy above to see the lines that fix it.";
}

/** @param {string} label @param {() => string} text */
function copyButton(label, text) {
  const button = /** @type {HTMLButtonElement} */ (make("button", { type: "button", class: "small" }, label));
  button.addEventListener("click", async () => {
    button.textContent = (await copyText(text())) ? "Copied" : "Select and copy";
    setTimeout(() => (button.textContent = label), 2000);
  });
  return button;
}

/** @param {string} code @param {string} text */
function fixBlock(code, text) {
  const lines = make("pre", { tabindex: "0", role: "region", "aria-label": `What fixes ${code}` }, text);
  return make("div", { class: "fix" }, copyButton("Copy", () => text), lines);
}

/** Paper has no disclosure triangles: unfolds everything for printing, and folds it afterwards. */
function unfoldForPrint() {
  /** @type {HTMLDetailsElement[]} */ let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details")].filter((row) => !row.open);
    for (const row of unfolded) row.open = true;
  });
  addEventListener("afterprint", () => {
    for (const row of unfolded) row.open = false;
  });
}

/** @param {Facts} facts */
function showHeaders(facts) {
  if (!facts.headers.length) return;
  byId("headers").replaceChildren(
    ...facts.headers.map((row) => {
      const same = row.isSame ? "yes" : row.note ? "harmless" : "no";
      const arrived = make("td", { role: "cell", "data-label": "arrived" }, row.arrived);
      if (!row.isSame && row.note) arrived.append(make("small", {}, row.note));
      return make(
        "tr",
        { role: "row", "data-same": same },
        make("th", { role: "rowheader", scope: "row" }, row.name),
        make("td", { role: "cell", "data-label": "sent" }, row.sent),
        arrived,
      );
    }),
  );
  show("headers-section");
}

/** @param {Facts} facts */
function showProducts(facts) {
  const select = byId("product");
  const chosen = facts.fixes?.product ?? "none";
  const titles = /** @type {Record<string, string>} */ (facts.fixes?.products ?? {});
  select.replaceChildren(
    make("option", { value: "none" }, "another proxy"),
    ...Object.entries(titles).map(([value, title]) => make("option", { value }, title)),
  );
  select.value = chosen;
}
