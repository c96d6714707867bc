// Switches the mail without loading the page again. Without this script every switch is a link that does the same.
(() => {
  "use strict";
  let newest = 0; // answers that were overtaken are thrown away

  async function go(address, { remember = true } = {}) {
    const mine = ++newest;
    preview().setAttribute("aria-busy", "true");
    let fresh;
    try {
      const answer = await fetch(address, { redirect: "manual", cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("preview");
      if (!fresh) throw new Error("another page");
    } catch (problem) {
      if (mine === newest) location.assign(address); // signed out, or something to be said: the page itself says it
      return;
    }
    if (mine !== newest) return;
    if (remember) history.pushState(null, "", address);
    show(document.adoptNode(fresh));
  }

  const preview = () => document.getElementById("preview");

  // Frames of the same shape stay until the next mail has come, so that nothing flashes; all else is replaced.
  function show(fresh) {
    const old = preview();
    const focused = old.contains(document.activeElement) ? place(document.activeElement) : null;
    const before = old.querySelector(".frames");
    const after = fresh.querySelector(".frames");
    if (before && after && before.className === after.className) {
      const frames = [...after.querySelectorAll("iframe")];
      before.querySelectorAll("iframe:not(.next)").forEach((frame, at) => change(frame, frames[at]));
      before.querySelectorAll(".envelope").forEach((each, at) => each.replaceWith(after.querySelectorAll(".envelope")[at].cloneNode(true)));
      // Moving a frame would load it anew, so everything around the frames is changed in place.
      for (const part of [...old.children]) if (part !== before) part.remove();
      let isBehind = false;
      for (const part of [...fresh.children]) {
        if (part === after) isBehind = true;
        else if (isBehind) old.append(part);
        else before.before(part);
      }
    } else {
      old.replaceChildren(...fresh.childNodes);
      old.querySelectorAll("iframe").forEach((frame) => frame.addEventListener("load", () => keep(frame), { once: true }));
    }
    old.removeAttribute("aria-busy");
    if (focused) old.querySelector(focused)?.focus({ preventScroll: true });
    const honest = document.getElementById("honest");
    say(
      [...document.querySelectorAll(".switches [aria-current]")]
        .map((each) => each.textContent)
        .concat(honest ? honest.textContent.trim() : [])
        .join(". "),
    );
  }

  function change(frame, wanted, anyway = false) {
    for (const waiting of frame.parentElement.querySelectorAll(".next")) waiting.remove();
    if (!anyway && frame.getAttribute("src") === wanted.getAttribute("src")) return;
    const next = wanted.cloneNode();
    next.classList.add("next");
    next.addEventListener("load", () => {
      if (!next.isConnected) return;
      next.classList.remove("next");
      frame.remove();
      keep(next);
    }, { once: true });
    frame.after(next);
  }

  // A link in a mail leads its own frame away, to a page that refuses to stand in one: the mail is put back.
  function keep(frame) {
    frame.addEventListener("load", () => {
      if (!frame.isConnected) return;
      change(frame, frame, true);
      say("Links do not open in here; they are listed below.");
    }, { once: true });
  }

  function say(words) {
    document.getElementById("shown").textContent = words;
  }

  function place(element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    const words = element.textContent;
    const list = element.closest("ul[aria-labelledby]")?.getAttribute("aria-labelledby");
    if (!list) return null;
    const at = [...element.closest("ul").children].findIndex((each) => each.textContent === words);
    return `ul[aria-labelledby="${list}"] > li:nth-child(${at + 1}) > a`;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-switch]");
    if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.href);
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-switch]")) return;
    event.preventDefault();
    go(`${event.target.action}?${new URLSearchParams(new FormData(event.target))}`);
  });

  // The window has loaded when its frames have: what a frame loads from then on, it was led to.
  addEventListener("load", () => document.querySelectorAll("#preview iframe").forEach(keep));
  addEventListener("popstate", () => go(location.href, { remember: false }));
})();
