// A proxy that signs people in (oauth2-proxy, Authelia, auth_request, ...) answers every request of
// a page whose session has ended: with a redirect, 401, 403 or a page of its own. Streamlit takes
// that for an unreachable server, and keeps retrying.

const LOOK_AGAIN_MS = 30_000;
const SAME_ANSWER_MS = 5000;

/** Knows whether the visitor has to sign in again; until then no other request makes sense. */
class SignIn {
  #base;
  #native = window.fetch;
  /** @type {Promise<boolean> | null} */ #look = null;
  /** @type {Promise<void> | null} */ #back = null;

  /** @param {string} base the app's public path */
  constructor(base) {
    this.#base = base;
  }

  get isOut() {
    return this.#back !== null;
  }

  /** Checks whether a request failed because the visitor is signed out; if so, shows a notice. */
  async isOver() {
    if (!this.#look) {
      this.#look = this.#looksOver();
      setTimeout(() => (this.#look = null), SAME_ANSWER_MS);
    }
    if ((await this.#look) && !this.#back) this.#back = this.#waitForSignIn();
    return this.isOut;
  }

  /** Waits while the visitor is signed out. */
  async untilBack() {
    await this.#back;
  }

  // The page's own address decides: the proxy let the page through before, and a rule for one of
  // the app's paths says nothing about the visitor.
  async #looksOver() {
    try {
      const answer = await this.#native.call(window, window.location.href.split("#")[0], {
        headers: { Accept: "text/html", "X-Stlaunch": "1" },
        redirect: "manual",
        cache: "no-store",
        credentials: "same-origin",
      });
      if (answer.type === "opaqueredirect" || [401, 403].includes(answer.status)) return true;
      const isPage = answer.ok && answer.headers.get("content-type")?.includes("html");
      return Boolean(isPage) && !(await answer.text()).includes(" data-transport=");
    } catch {
      return false; // nothing answers: that is another problem
    }
  }

  async #waitForSignIn() {
    // The browser itself requests the address, so the proxy leads back to it.
    const press = () => window.location.reload();
    showNoticeAt(this.#base, "STL513", "You have been signed out.", { label: "Sign in", press });
    do {
      await untilLookedAt(LOOK_AGAIN_MS); // or in another tab
    } while (await this.#looksOver());
    hideNotice();
    this.#back = this.#look = null;
  }
}

/** Waits for some time, or until the visitor returns to this tab. @param {number} milliseconds */
function untilLookedAt(milliseconds) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("focus", end);
      resolve(undefined);
    };
    const timer = setTimeout(end, milliseconds);
    window.addEventListener("focus", end);
  });
}
