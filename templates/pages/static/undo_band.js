// Counts down to when an approved edition leaves. Without this script the band shows the time.
(() => {
  "use strict";
  const band = document.getElementById("undo");
  const count = band?.querySelector(".undo-count");
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

  const timer = setInterval(show, 1000);
  before = Math.ceil((ends - performance.now()) / 1000); // nothing is read out as soon as the page opens
  show();
  // A page kept by the browser while one was elsewhere counts on from what it knew; what became of it, it does not know.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
})();
