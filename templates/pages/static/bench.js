// Asks now and then whether anything changed, and then loads the page anew, where the reader was.
(() => {
  "use strict";
  const PAUSE = 600; // milliseconds between two looks
  const KEPT = "bench-scroll";
  const watching = document.getElementById("watching");
  const frames = [...document.querySelectorAll("iframe")];

  // As high as the mail in it, so that one scroll bar moves everything.
  function fit(frame) {
    const root = frame.contentDocument?.documentElement;
    if (root) frame.height = Math.max(200, root.scrollHeight);
  }

  function back() {
    const kept = sessionStorage.getItem(KEPT);
    sessionStorage.removeItem(KEPT);
    if (kept !== null) scrollTo(0, Number(kept));
  }

  async function look() {
    try {
      const answer = await fetch("/state", { cache: "no-store" });
      if (!answer.ok) throw new Error(await answer.text());
      const { state } = await answer.json();
      if (state !== document.body.dataset.state) {
        sessionStorage.setItem(KEPT, String(scrollY));
        return location.reload();
      }
      say("Reloads by itself when a template or the edition changes.", false);
    } catch (problem) {
      const stopped = problem instanceof TypeError;
      say(stopped ? "Stopped. Start it again, and this page goes on." : problem.message, true);
    }
    setTimeout(look, PAUSE);
  }

  function say(words, lost) {
    if (watching.textContent !== words) watching.textContent = words;
    watching.classList.toggle("lost", lost);
  }

  let waiting = frames.length;
  const fitted = (frame) => {
    fit(frame);
    if (--waiting === 0) back();
  };
  for (const frame of frames) {
    if (frame.contentDocument?.readyState === "complete" && frame.contentDocument.URL !== "about:blank") fitted(frame);
    else frame.addEventListener("load", () => fitted(frame), { once: true });
  }
  if (!frames.length) back();
  setTimeout(look, PAUSE);
})();
