// Entries are put in order by pointer (mouse, pen, finger) or by keys. Without this script two buttons each do the same.
// What came of it is told by an event, "desk:order", on the list; `desk.js` saves it.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const list = () => document.getElementById("cards");
  const spoken = document.getElementById("spoken");
  const EDGE = 90; // pixels from the window's edge within which it scrolls by itself
  const PAUSE = 500; // milliseconds between two keys that are one change of the order
  let held = null; // what is being moved: {card, start, …}
  let timer = 0;

  const cards = () => [...list().children];
  const cardOf = (it) => it.closest(".entry");
  const order = () => cards().map((card) => card.dataset.comparison).join(" ");

  function say(words) {
    spoken.textContent = words;
  }

  // The others move around it: what is taken from its place in the document loses focus and pointer.
  function move(card, steps) {
    const other = steps < 0 ? card.previousElementSibling : card.nextElementSibling;
    if (!other) return false;
    if (steps < 0) card.after(other);
    else card.before(other);
    number();
    return true;
  }

  function number() {
    const all = cards();
    all.forEach((card, at) => {
      for (const place of card.querySelectorAll(".place")) place.textContent = String(at + 1);
      card.querySelector("[data-move='-1']").disabled = at === 0;
      card.querySelector("[data-move='1']").disabled = at === all.length - 1;
    });
  }

  function sayPlace(card, more = "") {
    say(`${card.dataset.title} is entry ${cards().indexOf(card) + 1} of ${cards().length}.${more}`);
  }

  function tell() {
    clearTimeout(timer);
    timer = 0;
    list().dispatchEvent(new CustomEvent("desk:order", { bubbles: true, detail: order() }));
  }

  function tellSoon() {
    clearTimeout(timer);
    timer = setTimeout(tell, PAUSE);
  }

  function putBack(start) {
    const wanted = start.split(" ");
    const focused = document.activeElement;
    for (const each of wanted) list().append(list().querySelector(`[data-comparison="${CSS.escape(each)}"]`));
    number();
    focused?.focus({ preventScroll: true });
  }

  // — by keys —

  function hold(handle) {
    held = { card: cardOf(handle), handle, start: order(), byKeys: true };
    handle.setAttribute("aria-pressed", "true");
    held.card.classList.add("is-held");
    sayPlace(held.card, " Held: arrow keys move it, space lets go, escape puts it back.");
  }

  function letGo({ back = false } = {}) {
    const { card, handle, start } = held;
    held = null;
    handle.setAttribute("aria-pressed", "false");
    card.classList.remove("is-held");
    if (back) putBack(start);
    sayPlace(card, back ? " Put back." : " Let go.");
    if (order() !== start) tell();
    document.dispatchEvent(new CustomEvent("desk:free"));
  }

  document.addEventListener("click", (event) => {
    const handle = event.target.closest?.(".handle");
    if (!handle || event.detail !== 0) return; // a pointer's click; that of a key counts none
    if (held) letGo();
    else hold(handle);
  });

  document.addEventListener("keydown", (event) => {
    const handle = event.target.closest?.(".handle");
    if (held && event.key === "Escape") {
      event.preventDefault();
      if (held.byKeys) letGo({ back: true });
      else drop({ back: true });
      return;
    }
    const steps = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!handle || !steps || !(event.altKey || held?.byKeys)) return;
    event.preventDefault();
    const card = cardOf(handle);
    if (move(card, steps)) card.scrollIntoView({ block: "nearest" });
    sayPlace(card);
    if (!held) tellSoon();
  });

  document.addEventListener("focusout", (event) => {
    if (held?.byKeys && event.target === held.handle) setTimeout(() => held && document.activeElement !== held.handle && letGo());
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "ordering" || !event.submitter) return;
    event.preventDefault();
    const card = cardOf(event.submitter);
    move(card, Number(event.submitter.dataset.move));
    if (event.submitter.disabled) card.querySelector("[data-move]:enabled")?.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
    sayPlace(card);
    tellSoon();
  });

  // — by pointer —

  document.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest?.(".handle");
    if (!handle || event.button !== 0 || held) return;
    handle.setPointerCapture(event.pointerId);
    held = { card: cardOf(handle), handle, start: order(), y: event.clientY, from: event.clientY, sorting: false };
  });

  document.addEventListener("pointermove", (event) => {
    if (!held || held.byKeys) return;
    held.y = event.clientY;
    if (!held.sorting && Math.abs(held.y - held.from) > 4) begin();
    if (held.sorting) follow();
  });

  // Entries shrink to their heads, so that all can be seen; the one held stays under the pointer.
  function begin() {
    const { card, handle } = held;
    const before = handle.getBoundingClientRect().top;
    held.sorting = true;
    list().classList.add("is-sorting");
    card.classList.add("is-held");
    scrollBy({ top: handle.getBoundingClientRect().top - before, behavior: "instant" });
    held.grip = held.from - card.getBoundingClientRect().top;
    held.shift = 0;
    requestAnimationFrame(scroll);
  }

  // It changes places with a neighbour when it covers half of it: from there it does not jump back.
  function follow() {
    const { card } = held;
    const middle = (it) => (({ top, height }) => top + height / 2)(it.getBoundingClientRect());
    const edges = () => card.getBoundingClientRect();
    place();
    while (card.previousElementSibling && edges().top < middle(card.previousElementSibling)) step(-1);
    while (card.nextElementSibling && edges().bottom > middle(card.nextElementSibling)) step(1);
  }

  function step(steps) {
    move(held.card, steps);
    place();
  }

  function place() {
    const { card } = held;
    const home = card.getBoundingClientRect().top - held.shift;
    held.shift = held.y - held.grip - home;
    card.style.transform = `translateY(${held.shift}px)`;
  }

  function scroll() {
    if (!held?.sorting) return;
    const speed = held.y < EDGE ? held.y - EDGE : Math.max(0, held.y - (innerHeight - EDGE));
    if (speed) {
      scrollBy({ top: speed / 6, behavior: "instant" });
      follow();
    }
    requestAnimationFrame(scroll);
  }

  function drop({ back = false } = {}) {
    const { card, start, sorting } = held;
    held = null;
    if (!sorting) return;
    list().classList.remove("is-sorting");
    card.classList.remove("is-held");
    card.style.transform = "";
    if (back) putBack(start);
    card.scrollIntoView({ block: "nearest" });
    sayPlace(card, back ? " Put back." : "");
    if (order() !== start) tell();
    document.dispatchEvent(new CustomEvent("desk:free"));
  }

  document.addEventListener("pointerup", () => held && !held.byKeys && drop());
  document.addEventListener("pointercancel", () => held && !held.byKeys && drop({ back: true }));
  window.deskIsHeld = () => held !== null || timer !== 0;
});
