// Remembers in this browser at which revision an edition was last looked at, and offers what has changed since.
// The server is told nothing: without this script, or in another browser, the link is just not there.
(() => {
  "use strict";
  const place = document.getElementById("looked");
  if (!place) return;
  const { week, revision } = place.dataset;
  const key = `looked ${week}`;

  // The revision looked at before, and the one looked at last: looking at the same one twice forgets nothing.
  function remembered() {
    const [before, last] = (localStorage.getItem(key) ?? "").split(" ");
    return /^\d{1,9}$/.test(before) && /^\d{1,9}$/.test(last) ? [before, last] : [revision, revision];
  }

  try {
    const [earlier, last] = remembered();
    const before = last === revision ? earlier : last;
    localStorage.setItem(key, `${before} ${revision}`);
    const against = `r${before}`;
    if (Number(before) >= Number(revision) || new URLSearchParams(location.search).get("against") === against) return;
    place.querySelector("a").search = `?against=${against}`;
    place.hidden = false;
  } catch {
    // A browser that keeps nothing offers nothing.
  }
})();
