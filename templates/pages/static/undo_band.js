// Counts down to when an approved edition leaves. Without this script the band shows the time.
(() => {
  "use strict";
  const band = document.getElementById("undo");
  if (!band) return;
  const count = band.querySelector(".undo-count");

  const BY_NOW = {
    draft: "It is no longer approved: the edition is a draft again, and does not leave.",
    skipped: "It is no longer approved: the week is skipped.",
    approved: "It was changed and approved again meanwhile.",
    sending: "It is leaving. It can no longer be taken back here.",
  };
  const isSame = (found) => found.state === "approved" && found.revision === Number(band.dataset.revision);
  window.deskLooks(band.dataset.week, isSame, (found) => {
    clearInterval(timer);
    const hadFocus = band.contains(document.activeElement);
    for (const it of band.querySelectorAll(".undo-when, form")) it.hidden = true;
    const over = band.querySelector(".undo-over");
    over.hidden = false;
    over.querySelector(".what").textContent = BY_NOW[found.state] ?? `It is ${found.state} by now.`;
    band.classList.add("is-over");
    if (hadFocus) over.querySelector("a").focus();
  });
  let timer = 0;
  // A page kept by the browser while one was elsewhere counts on from what it knew; what became of it, it does not know.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  if (!count) return;

  const SAID_AT = [3600, 600, 300, 60, 30, 10]; // seconds left at which it is read out: more often is a nuisance
  const status = band.querySelector("[role=status]");
  // By how long this page has been open, not by the clock of this computer, which may be wrong.
  const ends = performance.now() + Number(band.dataset.left) * 1000;
  let before = Infinity;

  const two = (number) => String(number).padStart(2, "0");
  function inFigures(left) {
    const hours = Math.floor(left / 3600);
    const minutes = Math.floor((left % 3600) / 60);
    if (hours >= 48) return `in ${Math.floor(hours / 24)} days`;
    return hours ? `in ${hours}:${two(minutes)}:${two(left % 60)}` : `in ${minutes}:${two(left % 60)}`;
  }
  function inWords(left) {
    if (left >= 120) return `${Math.round(left / 60)} minutes`;
    return left === 60 ? "1 minute" : `${left} seconds`;
  }

  function show() {
    const left = Math.max(0, Math.ceil((ends - performance.now()) / 1000));
    if (left === 0) {
      clearInterval(timer);
      const over = "Its time has come: it leaves at the clock’s next look.";
      band.querySelector(".undo-leaves").textContent = over;
      status.textContent = over;
      return;
    }
    count.textContent = inFigures(left);
    count.hidden = false;
    if (SAID_AT.some((mark) => left <= mark && mark < before)) status.textContent = `Leaves in ${inWords(left)}.`;
    before = left;
  }

  timer = setInterval(show, 1000);
  before = Math.ceil((ends - performance.now()) / 1000); // nothing is read out as soon as the page opens
  show();
})();
