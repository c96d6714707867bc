// Looks again while an edition is on its way. Without this script the page has a link that does the same.
(() => {
  "use strict";
  const address = location.pathname;
  const said = document.getElementById("spoken");
  let live = document.getElementById("live");
  if (!live || !said) return;

  const SOONEST = 2000; // milliseconds between two looks while something moves
  const LATEST = 30000; // … while nothing does
  const SHARE = 10; // the sums are counted one by one: never for more than a tenth of the time
  let pause = SOONEST;
  let timer = 0;
  let touched = false; // somebody has begun to fill in a form: it is left alone
  let figuresDue = 0; // when the sums may be asked for again
  let spoken = live.dataset.spoken;

  document.addEventListener("input", () => (touched = true));

  // What a page of ours holds now; null where it cannot be found out at the moment.
  async function ask(query) {
    const answer = await fetch(address + query, { redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || answer.status === 403) {
      location.assign(address); // signed out
      return null;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  function swap(page, selector) {
    const old = document.querySelector(selector);
    const fresh = page.querySelector(selector);
    if (!old && !fresh) return;
    if (!old || !fresh) return location.reload();
    if (old.isEqualNode(fresh)) return; // what is read out when it is new must not be read out again
    const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
    const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    old.replaceWith(document.adoptNode(fresh));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  async function look() {
    timer = 0;
    try {
      const page = await ask("?fragment=live");
      if (!page) return;
      const before = live.dataset;
      swap(page, "#live");
      live = document.getElementById("live");
      const moved = live.dataset.essence !== before.essence;
      const another = live.dataset.state !== before.state || live.dataset.uncertain !== before.uncertain;
      if (live.dataset.spoken !== spoken) said.textContent = spoken = live.dataset.spoken;
      pause = moved ? SOONEST : Math.min(pause * 1.5, LATEST);
      if (another || (moved && performance.now() >= figuresDue)) await count(another);
    } catch (problem) {
      pause = Math.min(pause * 2, LATEST); // not reachable at the moment; the page says as of when it is
    }
    plan();
  }

  // The sums, and where the state is another one, what can be done now.
  async function count(another) {
    const began = performance.now();
    const page = await ask("");
    if (!page) return;
    for (const part of ["#gaps", "#figures"]) swap(page, part);
    if (another) {
      document.title = page.title;
      if (touched) document.getElementById("moved").hidden = false;
      else for (const part of ["#possible", "#doubts"]) swap(page, part);
    }
    const took = performance.now() - began;
    figuresDue = performance.now() + Math.max(SHARE * took, 2 * SOONEST);
  }

  function plan() {
    clearTimeout(timer);
    if (live.dataset.going === "yes" && !document.hidden) timer = setTimeout(look, pause);
  }

  document.addEventListener("visibilitychange", () => {
    pause = SOONEST;
    plan();
  });
  plan();
})();
