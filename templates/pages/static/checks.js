// Looks again when somebody comes back from mending: the page then shows what is left. Without it, load the page again.
(() => {
  "use strict";
  const spoken = document.getElementById("checks-spoken");
  let list = document.getElementById("checks");
  if (!list || !spoken) return;

  let touched = false; // a reason is being written: it is left alone
  let looking = false;
  list.closest("main").addEventListener("input", () => (touched = true));

  function count(number, one, many) {
    return `${number} ${number === 1 ? one : many}`;
  }

  async function look() {
    if (looking || touched || document.hidden) return;
    looking = true;
    try {
      const answer = await fetch(location.pathname, { redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect" || answer.status === 403) return location.reload(); // signed out, or begun
      if (!answer.ok) return; // not to be had at the moment; the page stands as it is
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("checks");
      if (!fresh || touched || fresh.isEqualNode(list)) return;
      for (const selector of ["#checks", ".looked-at", ".outlived"]) {
        const before = document.querySelector(selector);
        const after = page.querySelector(selector);
        if (before && after) before.replaceWith(document.adoptNode(after));
      }
      list = document.getElementById("checks");
      const blocks = count(Number(list.dataset.blocking), "problem blocks", "problems block");
      const overridden = Number(list.dataset.overridden) ? `, ${list.dataset.overridden} overridden` : "";
      const warned = count(Number(list.dataset.warnings), "warning", "warnings");
      spoken.textContent = `Checked again: ${blocks}${overridden}, ${warned}.`;
    } catch {
      // Offline: nothing is lost, and the next look tells.
    } finally {
      looking = false;
    }
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("focus", look);
})();
