// Shows a notice in front of Streamlit's page, one at a time.

/** @type {HTMLElement | null} */ let notice = null;

/**
 * @typedef {{label: string, press: () => void}} NoticeButton instead of the link to the self-check
 */

/**
 * Shows a notice; only one with a button replaces another one.
 * @param {string} base the app's public path
 * @param {string} code @param {string} text @param {NoticeButton} [button]
 */
function showNoticeAt(base, code, text, button) {
  if (notice && !button) return;
  hideNotice();
  notice = document.createElement("div");
  notice.id = "stlaunch-notice";
  notice.setAttribute("role", "alert");
  // Set one by one: a Content-Security-Policy may forbid style attributes.
  Object.assign(notice.style, {
    position: "fixed",
    inset: "30% 1rem auto",
    maxWidth: "34rem",
    margin: "0 auto",
    padding: "1rem 1.25rem",
    borderRadius: "0.5rem",
    font: "16px/1.5 system-ui, sans-serif",
    color: "#1f2430",
    background: "#fff4e5",
    border: "1px solid #e0a458",
    zIndex: "2147483647",
  });
  notice.append(`${text} Code ${code}. `, button ? buttonOf(button) : selfCheckLink(base));
  document.body.append(notice);
}

function hideNotice() {
  notice?.remove();
  notice = null;
}

/** @param {string} base */
function selfCheckLink(base) {
  const link = document.createElement("a");
  link.href = `${base}/_stlaunch/`;
  link.textContent = "Find out why";
  link.style.color = "#8a4b08";
  return link;
}

/** @param {NoticeButton} button */
function buttonOf({ label, press }) {
  const button = document.createElement("button");
  button.textContent = label;
  button.style.font = "inherit";
  button.addEventListener("click", press);
  return button;
}
