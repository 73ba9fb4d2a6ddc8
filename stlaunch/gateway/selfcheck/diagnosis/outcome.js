// The result of a test, and what all tests share.

/**
 * @typedef {"ok" | "info" | "warn" | "fail" | "skip"} Status
 * @typedef {{
 *   status: Status,
 *   summary: string,
 *   code?: string,
 *   evidence?: string[],
 *   fix?: string,
 *   cause?: string,
 * }} Outcome
 * @typedef {{name: string, sent: string, arrived: string, isSame: boolean, note?: string}} HeaderRow
 * @typedef {{
 *   id: string,
 *   group: string,
 *   label: string,
 *   run: (facts: Facts, say: (text: string) => void) => Promise<Outcome>,
 * }} Test
 */

/** What earlier tests learned, for the later ones. */
class Facts {
  ticket = "";
  /** @type {any} */ echo = null;
  /** @type {any} */ report = null;
  /** @type {any} */ fixes = null;
  /** @type {Record<string, string>} */ seenHeaders = {};
  /** @type {Record<string, string>} */ policies = {};
  /** @type {ProbeSocket | null} */ socket = null;
  /** @type {ProbeSocket | null} */ quiet = null;
  /** @type {any} */ handshake = null;
  offeredProtocols = 1;
  /** The code of the problem that prevents the probe socket. @type {string | undefined} */
  socketTrouble = undefined;
  hasReplicas = false;
  /** @type {HeaderRow[]} */ headers = [];
  /** @type {Record<string, Outcome>} */ outcomes = {};
  #attempts = 0;

  /** A number for one handshake, and the query that names it. */
  nextAttempt() {
    this.#attempts += 1;
    return `ticket=${encodeURIComponent(this.ticket)}&n=${this.#attempts}`;
  }

  /** The handshake with this query, as it arrived; null if none did. @param {string} query */
  async arrived(query) {
    const answer = await askJson(`/_stlaunch/arrived?${query}`).catch(() => null);
    return answer?.handshake ?? null;
  }

  /** The app's limit in bytes; infinite if the app did not report it. */
  get uploadLimit() {
    return this.fixes?.max_upload_bytes ?? Infinity;
  }

  /** The option, with its value if the app reported it. */
  get uploadOption() {
    const known = Number.isFinite(this.uploadLimit) ? ` (${formatBytes(this.uploadLimit)})` : "";
    return `server.maxUploadSize${known}`;
  }
}

/** @param {string} summary @param {string[]} [evidence] @returns {Outcome} */
const ok = (summary, evidence) => ({ status: "ok", summary, evidence });
/** @param {string} summary @param {string[]} [evidence] @returns {Outcome} */
const info = (summary, evidence) => ({ status: "info", summary, evidence });
/** @param {string} summary @param {string[]} [evidence] @returns {Outcome} */
const skip = (summary, evidence) => ({ status: "skip", summary, evidence });
/** @param {string} code @param {string} summary @param {string[]} [evidence] @returns {Outcome} */
const fail = (code, summary, evidence) => ({ status: "fail", code, summary, evidence });
/** @param {string} code @param {string} summary @param {string[]} [evidence] @returns {Outcome} */
const warn = (code, summary, evidence) => ({ status: "warn", code, summary, evidence });

/**
 * As grave as the catalogue says, which the server has sent by then.
 * @param {Facts} facts @param {string} code @param {string} summary @param {string[]} [evidence] @returns {Outcome}
 */
function graded(facts, code, summary, evidence) {
  const severity = facts.fixes?.codes?.[code]?.severity ?? "warning";
  if (severity === "info") return { ...info(summary, evidence), code };
  return (severity === "error" ? fail : warn)(code, summary, evidence);
}

/**
 * The same outcome, as a consequence of another problem.
 * @param {Outcome} outcome @param {string | undefined} cause @returns {Outcome}
 */
const following = (outcome, cause) => ({ ...outcome, cause });

/**
 * In the order of `stlaunch check`: by severity, then by the step at which a page stops; the server provides both.
 * @template {{code: string, status: Status}} T
 * @param {T[]} findings @param {Record<string, {step: number, falls_back: boolean}>} codes @returns {T[]}
 */
function likeliestFirst(findings, codes) {
  const isError = (/** @type {T} */ one) => one.status === "fail" && !codes[one.code]?.falls_back;
  const step = (/** @type {T} */ one) => codes[one.code]?.step ?? Infinity;
  return [...findings].sort((a, b) => Number(isError(b)) - Number(isError(a)) || step(a) - step(b));
}

/** Quotes any text as one word for a shell. @param {string} text */
const shellWord = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

/** @param {number} bytes */
function formatBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const [size, unit] = bytes < 1024 * 1024 ? [bytes / 1024, "KB"] : [bytes / 1024 / 1024, "MB"];
  return `${size >= 10 || Number.isInteger(size) ? Math.round(size) : size.toFixed(1)} ${unit}`;
}

/** @param {number} ms */
const formatMs = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** Incompressible bytes, the same ones for the same size. @param {number} size */
function noise(size) {
  const bytes = new Uint8Array(size);
  let state = 2463534242 ^ size;
  for (let i = 0; i < size; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state;
  }
  return bytes;
}
