// Renders the report for an issue or a chat: Markdown, without names, addresses and tokens.

const MARKS = { ok: "✓", info: "·", warn: "!", fail: "✗", skip: "–" };

/** Removes whatever identifies a person, a machine or a network. @param {string} text */
function redact(text) {
  const host = location.hostname.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text
    .replace(new RegExp(host, "gi"), "app.example")
    .replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, "x.x.x.x")
    .replace(/\b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}\b/gi, "x:x:x")
    .replace(/\b[A-Za-z0-9_-]{32,}\b/g, "(masked)");
}

/**
 * @param {Facts} facts @param {Test[]} tests @param {Record<string, Outcome>} outcomes
 * @param {string} headline
 */
function renderMarkdown(facts, tests, outcomes, headline) {
  const versions = Object.entries(facts.report?.instance?.versions ?? {})
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const lines = [
    `## stlaunch self-check: ${headline}`,
    "",
    `- proxy: ${facts.fixes?.product ?? "not recognised"}`,
    `- path: ${base || "/"}, ${facts.report?.base_path?.mode ?? "unknown"}`,
    `- verdict of the server: ${facts.report?.verdict ?? "unknown"}`,
    `- versions: ${versions || "unknown"}`,
    `- browser: ${navigator.userAgent}`,
    "",
    "| | test | result | code |",
    "| --- | --- | --- | --- |",
  ];
  for (const test of tests) {
    const outcome = outcomes[test.id];
    if (!outcome) continue;
    const summary = outcome.summary.replace(/\|/g, "\\|");
    lines.push(`| ${MARKS[outcome.status]} | ${test.label} | ${summary} | ${outcome.code ?? ""} |`);
  }
  for (const test of tests) {
    const outcome = outcomes[test.id];
    if (!outcome?.code || !outcome.evidence?.length) continue;
    lines.push("", `**${outcome.code}, ${test.label}**`, "");
    lines.push(...outcome.evidence.filter(Boolean).map((line) => `- ${line}`));
  }
  if (facts.headers.some((row) => !row.isSame)) {
    lines.push("", "| header | sent | arrived |", "| --- | --- | --- |");
    for (const row of facts.headers.filter((item) => !item.isSame)) {
      lines.push(`| ${row.name} | ${row.sent} | ${row.arrived} |`);
    }
  }
  return redact(lines.join("\n") + "\n");
}

/** @param {string} text @returns {Promise<boolean>} */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // On plain http there is no clipboard API.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    return isCopied;
  }
}
