// Whether an edition is still as a page shows it, asked every few seconds. Without it one sees that by loading again.
window.deskLooks = (week, isSame, said) => {
  "use strict";
  const EVERY = 10000; // milliseconds
  async function look() {
    if (document.hidden) return;
    try {
      const options = { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(EVERY) };
      const answer = await fetch(`/desk/${week}?fragment=revision`, options);
      const found = answer.ok && (await answer.json());
      if (!found || isSame(found) || !timer) return;
      clearInterval(timer);
      timer = 0;
      said(found);
    } catch {
      // Without an answer nothing is known; the next look may have one.
    }
  }
  let timer = setInterval(look, EVERY);
  document.addEventListener("visibilitychange", () => timer && look());
};
