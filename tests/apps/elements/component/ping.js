// The component protocol without its library: messages to the parent page.
const tell = (type, data) =>
  window.parent.postMessage({ isStreamlitMessage: true, type, ...data }, "*");

let pings = 0;
document.getElementById("ping").addEventListener("click", () => {
  pings += 1;
  tell("streamlit:setComponentValue", { value: pings, dataType: "json" });
});
window.addEventListener("message", (event) => {
  if (event.data.type === "streamlit:render") tell("streamlit:setFrameHeight", { height: 40 });
});
tell("streamlit:componentReady", { apiVersion: 1 });
