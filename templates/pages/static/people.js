// Search as one types. Without this script the same form works, with its button.
(() => {
  "use strict";
  const form = document.querySelector("form[data-live]");
  const found = document.getElementById("found");
  if (!form || !found) return;

  const PAUSE = 180; // milliseconds without a key before anything is asked
  let timer = 0;
  let asked = null; // the question under way; a newer one ends it
  let shown = address();

  function address() {
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value.trim()) wanted.set(name, value.trim());
    }
    const query = wanted.toString();
    return form.getAttribute("action") + (query ? "?" + query : "");
  }

  async function look() {
    clearTimeout(timer);
    const to = address();
    if (to === shown && !asked) return;
    if (asked) asked.abort();
    const mine = (asked = new AbortController());
    const rows = document.getElementById("rows");
    rows.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(to + (to.includes("?") ? "&" : "?") + "fragment=rows", {
        signal: mine.signal,
        redirect: "manual",
      });
      if (answer.type === "opaqueredirect" || answer.status === 403) return location.assign(to); // signed out
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("rows");
      if (mine !== asked) return;
      rows.replaceWith(document.adoptNode(fresh));
      found.textContent = fresh.dataset.found;
      history.replaceState(null, "", to);
      shown = to;
      asked = null;
    } catch (problem) {
      if (mine !== asked) return; // a newer question is under way
      asked = null;
      shown = null;
      rows.removeAttribute("aria-busy");
      found.textContent = "This cannot be found out at the moment. Press Search to try again.";
    }
  }

  form.addEventListener("input", (event) => {
    if (event.isComposing) return;
    clearTimeout(timer);
    timer = setTimeout(look, event.target.type === "radio" ? 0 : PAUSE);
  });
  form.addEventListener("compositionend", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
})();
