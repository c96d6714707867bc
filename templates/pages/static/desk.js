// Saves as one types, and takes in what others change. Without this script every text and every act has its button.
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const bench = document.getElementById("workbench");
  if (!bench) return;
  const page = `/desk/${bench.dataset.week}`;
  const PAUSE = 600; // milliseconds without a key before a text is saved
  const LOOK = 10000; // … between two looks whether somebody else has changed anything
  const PAUSES = [500, 1000, 2000]; // … before an act without an answer is tried once more
  const LONGEST = 20000; // … an answer is waited for
  const KEPT_ALIVE = 50000; // octets a browser sends on after its page is gone

  const news = document.getElementById("news");
  const spoken = document.getElementById("spoken");
  const state = document.getElementById("saved-state");
  const wide = new Set(new URLSearchParams(location.search).get("shown")?.split(" ") ?? []);
  let revision = Number(bench.dataset.revision);
  let queue = Promise.resolve(); // one thing after another, in the order it was done
  let waiting = 0;
  let answered = 0; // so that a page asked for before an answer is not taken for what is after it
  let trouble = ""; // why nothing can be saved at the moment
  let closed = ""; // why nothing can be saved any more
  let savedAt = "";
  const fields = new Map();

  class SignedOut extends Error {}

  // What the program cannot do at the moment: nothing is wrong with what was asked.
  class NoAnswer extends Error {}

  class Failed extends Error {}

  const whyNot = (problem) => {
    if (problem instanceof SignedOut) return "you are signed out. Sign in in another window, and go on here";
    if (problem instanceof NoAnswer) return "there is no answer";
    if (problem instanceof Failed) return `the program failed at it (${problem.message})`;
    throw problem;
  };

  const wait = (pause) => new Promise((done) => setTimeout(done, pause));
  const say = (words) => (spoken.textContent = words);

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function button(words, pressed, kind = "plain small") {
    const made = element("button", { type: "button", class: kind }, words);
    made.addEventListener("click", pressed);
    return made;
  }

  // — asking —

  async function post(path, values) {
    const data = new FormData();
    let size = 0;
    for (const [name, value] of Object.entries(values)) {
      data.append(name, value);
      size += 4 * value.length + 200;
    }
    const answer = await fetched(page + path, {
      method: "POST",
      body: data,
      headers: { Accept: "application/json" },
      keepalive: size < KEPT_ALIVE,
    });
    return { status: answer.status, body: await answer.json().catch(() => ({})) };
  }

  async function ask(query) {
    const answer = await fetched(page + query, { cache: "no-store" });
    if (!answer.ok) throw new Failed(String(answer.status));
    return answer;
  }

  async function fetched(address, options) {
    let answer;
    try {
      answer = await fetch(address, { ...options, redirect: "manual", signal: AbortSignal.timeout(LONGEST) });
    } catch {
      throw new NoAnswer();
    }
    if (answer.type === "opaqueredirect" || answer.status === 403) throw new SignedOut();
    if (answer.status === 503 || answer.status === 429) throw new NoAnswer();
    if (answer.status >= 500) throw new Failed(String(answer.status));
    return answer;
  }

  // Every act may be sent twice, so it is; but never for ever, for what is behind it must go on.
  function enqueue(work) {
    waiting += 1;
    show();
    const done = queue.then(() => tried(work));
    queue = done.catch(() => undefined);
    return done.finally(() => {
      trouble = "";
      waiting -= 1;
      answered += 1;
      show();
    });
  }

  async function tried(work) {
    for (const pause of PAUSES) {
      try {
        return await work();
      } catch (problem) {
        if (!(problem instanceof NoAnswer)) throw problem;
      }
      trouble = "there is no answer. Trying again";
      show();
      await Promise.race([wait(pause), new Promise((back) => addEventListener("online", back, { once: true }))]);
    }
    return work();
  }

  // — texts —

  // As the program keeps it; what was sent may come back a little tidier.
  const tidied = (part, words) =>
    part === "introduction" ? words.replace(/^\n+|\n+$/g, "") : words.split(/\s+/).filter(Boolean).join(" ");

  class Field {
    constructor(form) {
      this.form = form;
      this.part = form.dataset.part;
      this.box = form.querySelector(".words");
      this.saying = form.querySelector(".saving");
      this.confirmed = form.querySelector(".was").defaultValue; // what the program has
      this.kept = this.box.defaultValue; // what stood in the box when it was saved
      this.sent = []; // what may or may not have arrived
      this.refused = "";
      this.unanswered = ""; // why it did not arrive, though nothing is wrong with it
      this.theirs = null;
      this.timer = 0;
      this.isQueued = false;
      this.isUnderWay = false;
      this.box.addEventListener("input", (event) => event.isComposing || this.typed());
      this.box.addEventListener("compositionend", () => this.typed());
      this.box.addEventListener("blur", () => this.left());
      if (!this.part.startsWith("introduction")) this.box.addEventListener("keydown", (event) => this.pressed(event));
      if (this.isDirty) this.typed();
      this.show();
    }

    get isDirty() {
      return this.box.value !== this.kept;
    }

    get isStuck() {
      return this.isDirty && Boolean(this.theirs !== null || this.refused || closed);
    }

    get isUnsaved() {
      return this.isStuck || (this.isDirty && Boolean(this.unanswered));
    }

    get original() {
      return document.querySelector(`.original[data-of="${CSS.escape(this.part)}"]`);
    }

    get byRule() {
      return this.form.dataset.byRule;
    }

    pressed(event) {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault(); // one line: enter saves
      this.save();
    }

    typed() {
      this.refused = "";
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.save(), PAUSE);
      this.show();
      show();
    }

    left() {
      if (this.isDirty) return this.save();
      this.put(this.confirmed);
    }

    save() {
      clearTimeout(this.timer);
      if (!this.isDirty || this.isStuck || this.isQueued) return;
      this.isQueued = true;
      enqueue(() => this.send()).catch((problem) => this.missed(problem));
    }

    // It stays as it is typed, and goes out again with the next key, or as soon as there is an answer.
    missed(problem) {
      this.isQueued = false;
      const isFailure = problem instanceof Failed;
      this[isFailure ? "refused" : "unanswered"] = whyNot(problem);
      say(`Not saved: ${whyNot(problem)}`);
      this.show();
      show();
    }

    async send() {
      const words = this.box.value;
      this.isQueued = false;
      if (!this.isDirty || this.isStuck) return;
      this.isUnderWay = true;
      this.show();
      let found;
      try {
        this.sent.push(tidied(this.part, words));
        found = await post("/edits", { act: "write", part: this.part, was: this.confirmed, words });
      } catch (problem) {
        this.isQueued = true;
        throw problem;
      } finally {
        this.isUnderWay = false;
      }
      const { status, body } = found;
      this.unanswered = "";
      if (status === 200) this.saved(words, body);
      else if (typeof body.current === "string" && this.sent.includes(body.current)) this.confirmed = body.current; // ours, unheard of
      else if (typeof body.current === "string") this.clash(body);
      else this.refuse(body.detail ?? "it was refused");
      if (status === 409) freshenSoon(); // somebody has been here
      if (this.isDirty && !this.isStuck) this.save();
      this.show();
    }

    saved(words, body) {
      this.sent = [];
      this.confirmed = body.words ?? tidied(this.part, words);
      this.kept = words;
      savedAt = body.at;
      if (document.activeElement !== this.box && !this.isDirty) this.put(this.confirmed);
      settle(body);
      freshenSoon();
    }

    refuse(why) {
      this.refused = why;
      say(`Not saved: ${why}`);
    }

    // Somebody else's words came between: both stay until a person has chosen.
    clash(body) {
      this.theirs = body.current;
      this.form.querySelector(".clash")?.remove();
      const notice = element(
        "div",
        { class: "clash notice warn", role: "alert", "data-own": "" },
        element("p", {}, `${body.said} to “`, element("bdi", {}, body.current), "”. Yours is not saved."),
        element("div", { class: "buttons" }, button("Keep mine", () => this.keepMine(), "small"), button("Take theirs", () => this.takeTheirs())),
      );
      this.box.before(notice);
    }

    keepMine() {
      this.settled(this.theirs);
      this.kept = null;
      this.save();
    }

    takeTheirs() {
      const theirs = this.theirs;
      this.settled(theirs);
      this.put(theirs);
      show();
    }

    settled(theirs) {
      this.confirmed = theirs;
      this.theirs = null;
      this.form.querySelector(".clash").remove();
      this.box.focus();
    }

    put(words) {
      if (this.box.value !== words) {
        const { selectionStart, selectionEnd } = this.box;
        this.box.value = words;
        if (document.activeElement === this.box) this.box.setSelectionRange(selectionStart, selectionEnd);
      }
      this.confirmed = this.kept = words;
      this.show();
    }

    // What stands there by now; what somebody is writing here is left to the answer its own saving gets.
    hear(words) {
      if (words !== this.confirmed && !this.isDirty && !this.isUnderWay) this.put(words);
    }

    show() {
      for (const was of [this.form, this.original]) if (was) was.querySelector(".was").value = this.confirmed;
      if (this.original) this.original.hidden = tidied(this.part, this.box.value) === this.byRule;
      this.saying.classList.toggle("is-bad", this.isUnsaved);
      if (this.isStuck) this.saying.textContent = `not saved${this.refused ? `: ${this.refused}` : ""}`;
      else if (this.isUnderWay || this.isQueued) this.saying.textContent = "saving…";
      else if (this.isUnsaved) this.saying.textContent = `not saved: ${this.unanswered}`;
      else if (this.isDirty) this.saying.textContent = "…";
      else if (this.saying.textContent) this.saying.textContent = savedAt ? `saved ${savedAt}` : "";
      this.box.toggleAttribute("aria-invalid", false);
      if (this.isStuck) this.box.setAttribute("aria-invalid", "true");
      count(this.part, this.box.value);
    }
  }

  const characters = (text) => [...text];

  function count(part, text) {
    const words = characters(tidied(part, text));
    const counted = document.getElementById(`${part}-count`);
    if (!counted) return;
    counted.querySelector(".number").textContent = String(words.length);
    counted.classList.toggle("is-off", words.length < Number(counted.dataset.least) || words.length > Number(counted.dataset.most));
    for (const row of document.querySelectorAll(part === "subject" ? ".cuts [data-cut]" : ".no-cuts")) {
      const at = Number(row.dataset.cut);
      const isCut = words.length > at;
      row.querySelector(".shown").textContent = isCut ? `${words.slice(0, at).join("").trimEnd()}…` : "";
      row.querySelector(".whole").hidden = isCut;
    }
  }

  function adopt() {
    for (const form of bench.querySelectorAll("form.writing")) {
      if (fields.get(form.dataset.part)?.form !== form) fields.set(form.dataset.part, new Field(form));
    }
  }

  const all = () => [...fields.values()].filter((field) => field.form.isConnected);

  function flush() {
    for (const field of all()) field.save();
  }

  // — what is shown of it —

  function show() {
    if (!state) return;
    const stuck = all().filter((field) => field.isStuck).length;
    const missed = trouble || all().find((field) => field.isUnsaved)?.unanswered;
    const isLost = news.querySelector(".rescued");
    const isSaving = waiting > 0 || all().some((field) => field.isDirty);
    state.classList.toggle("is-bad", Boolean(stuck || missed || closed || isLost));
    state.classList.toggle("is-saving", isSaving && !stuck && !missed);
    if (stuck) state.textContent = stuck === 1 ? "One text is not saved" : `${stuck} texts are not saved`;
    else if (isLost) state.textContent = "Words not saved: see below";
    else if (closed) state.textContent = "Nothing is saved any more";
    else if (missed) state.textContent = `Not saved: ${missed}`;
    else if (isSaving) state.textContent = "Saving…";
    else state.textContent = savedAt ? `Saved ${savedAt}` : "All is saved";
  }

  // One notice of each sort at a time: what others did must not hide what became of one's own.
  function tell(sort, kind, said, { again = false, buttons = [] } = {}) {
    const parts = said.map((each) => (each instanceof Node ? each : element("p", {}, each)));
    const notice = element("div", { class: `notice ${kind}`, "data-sort": sort, tabindex: "-1" }, ...parts);
    const close = buttons.length ? "Discard it" : "Close";
    const ends = element("div", { class: "buttons" }, ...buttons, button(close, () => show(notice.remove())));
    if (again) ends.prepend(element("a", { class: "button plain small", href: page }, "Load the page again"));
    notice.append(ends);
    news.querySelector(`[data-sort="${sort}"]`)?.remove();
    news.append(notice);
    return notice;
  }

  function settle(body) {
    const undo = document.getElementById("undo-last");
    undo.hidden = !body.undo;
    if (body.undo) {
      undo.elements.revision.value = String(body.undo.revision);
      undo.querySelector(".what").textContent = `: ${body.undo.what}`;
      undo.querySelector("button").title = body.undo.what;
    }
    savedAt = body.at;
    if (body.voided) tell("own", "warn", ["This voided the approval: the edition is a draft again."]);
    if (body.changed && body.revision === revision + 1) revision = body.revision; // else others' came between: see hear()
  }

  // — acts —

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("form.writing")) {
      event.preventDefault();
      fields.get(form.dataset.part).save();
    } else if (form.dataset.act && !form.dataset.busy) {
      event.preventDefault();
      run(form);
    } else if (form.dataset.act) event.preventDefault(); // a double click
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("form.note input")) event.target.form.requestSubmit();
  });

  let acting = 0; // acts that find the place to go on themselves
  async function run(form) {
    form.dataset.busy = "yes";
    const act = form.dataset.act;
    const about = form.dataset.of ?? form.elements.comparison?.value ?? "";
    const card = form.closest(".entry");
    const after = card?.nextElementSibling ?? card?.previousElementSibling;
    const pressed = (form.querySelector("button") ?? form).textContent.trim();
    flush(); // first what was typed before it
    acting += 1;
    const { status, body } = await enqueue(() => {
      if (closed) return { body: { detail: `“${pressed}” was not done: ${closed}.` } };
      const values = Object.fromEntries(new FormData(form));
      if (act === "restore") values.was = fields.get(about).confirmed;
      return post(act === "undo" ? "/undo" : "/edits", values);
    }).catch((problem) => ({ body: { detail: `“${pressed}” was not done: ${whyNot(problem)}.` } }));
    delete form.dataset.busy;
    if (status === 200) {
      settle(body);
      say(body.changed ? `Saved: ${body.what}.` : "Nothing was changed: it was so already.");
      if (act === "restore") fields.get(about).put(fields.get(about).byRule);
    } else {
      tell("own", "bad", [body.detail ?? `“${pressed}” was refused.`]);
    }
    await freshen({ whole: true });
    acting -= 1;
    if (status === 200) land(act, about, after);
  }

  // Where one goes on, when what was pressed is gone.
  function land(act, about, after) {
    if (document.activeElement !== document.body && document.activeElement?.isConnected) return;
    const headings = {
      "bring-in": document.querySelector(`#entry-${CSS.escape(about)} h3`),
      drop: after?.querySelector("h3"),
      restore: fields.get(about)?.box,
      undo: document.getElementById("undo-button"),
    };
    const to = headings[act] ?? document.getElementById(`${act}-${about}`);
    (to?.checkVisibility() ? to : null)?.focus({ preventScroll: act !== "bring-in" });
  }

  // — order —

  let order = bench.dataset.order;
  let sentOrders = [];

  document.addEventListener("desk:order", (event) => {
    const wanted = event.detail;
    enqueue(async () => {
      for (;;) {
        if (closed || wanted === order) return;
        sentOrders.push(wanted);
        const { status, body } = await post("/edits", { act: "reorder", was_order: order, order: wanted });
        const current = Array.isArray(body.current) ? body.current.join(" ") : null;
        if (status === 200) {
          order = wanted;
          sentOrders = [];
          settle(body);
          break;
        }
        if (current === null || !sentOrders.includes(current)) {
          tell("own", "bad", [current === null ? body.detail : `${body.said}. Your order was not saved.`]);
          break;
        }
        order = current; // ours, whose answer was lost
      }
    })
      .catch((problem) => tell("own", "bad", [`Your order was not saved: ${whyNot(problem)}.`]))
      .then(() => freshen({ whole: true }));
  });

  // — what others do —

  let freshening = 0;
  let isBehind = false;
  function freshenSoon() {
    clearTimeout(freshening);
    freshening = setTimeout(freshen, 400);
  }

  // Takes in how the page is by now, and leaves alone what somebody is doing on it.
  async function freshen({ whole = false } = {}) {
    clearTimeout(freshening);
    if (closed) return;
    const before = answered;
    try {
      const shown = whole && wide.size ? `?shown=${encodeURIComponent([...wide].join(" "))}` : "";
      const fresh = new DOMParser().parseFromString(await (await ask(shown)).text(), "text/html").getElementById("workbench");
      if (waiting || before !== answered || window.deskIsHeld()) return freshenSoon();
      if (!fresh || fresh.dataset.state !== bench.dataset.state) return close(fresh?.dataset.state);
      await take(fresh, whole);
      isBehind = false;
    } catch (problem) {
      isBehind = true; // until the next look that is answered
      if (problem instanceof SignedOut) trouble = whyNot(problem);
      else whyNot(problem);
      show();
    }
  }

  async function take(fresh, whole) {
    const now = Number(fresh.dataset.revision);
    if (now > revision) await hear();
    const lost = rescue(fresh);
    for (const form of fresh.querySelectorAll("form.writing")) {
      const field = fields.get(form.dataset.part);
      if (!field?.form.isConnected) continue;
      field.hear(form.querySelector(".was").value);
      field.form.dataset.byRule = form.dataset.byRule;
    }
    const left = whole ? [] : [...wide];
    for (const id of ["undo-last", "entries", "notes", "outside", "history"]) {
      const [old, next] = [document.getElementById(id), fresh.querySelector(`#${id}`)];
      if (old && next && !left.includes(id)) morph(old, next);
      else if (!old !== !next) tell("more", "", ["There is more on this page now."], { again: true });
    }
    adopt();
    for (const field of all()) field.show();
    order = bench.dataset.order = fresh.dataset.order;
    revision = Math.max(revision, now);
    document.activeElement?.disabled && cardFocus(document.activeElement);
    lost?.focus();
    show();
    refreshPreview();
    refreshChecks();
  }

  const cardFocus = (it) => it.closest(".entry")?.querySelector("[data-move]:enabled")?.focus({ preventScroll: true });

  async function hear() {
    const { said } = await (await ask(`?fragment=revision&since=${revision}`)).json();
    if (said.length) tell("others", "", said.slice(0, 1)); // the latest; all of them stand under Edits
  }

  // What somebody was writing in an entry that is gone is shown once more: it is theirs to keep. What comes back is
  // where they go on, if that is where they were.
  function rescue(fresh) {
    const at = document.activeElement;
    const card = at.closest(".entry");
    let found = null;
    for (const field of all()) {
      const isGone = !fresh.querySelector(`form.writing[data-part="${CSS.escape(field.part)}"]`);
      if (!isGone || !field.isDirty) continue;
      const notice = keep(field);
      if (field.box === at || (!found && card?.contains(field.form))) found = notice;
    }
    if (found || !card || acting || fresh.querySelector(`#${card.id}`)) return found;
    return tell("gone", "warn", [`The entry you were in was taken out: ${card.dataset.title}.`]);
  }

  function keep(field) {
    const of = field.form.closest(".entry").dataset.title;
    const label = field.form.querySelector("label").textContent.toLowerCase();
    const words = element("textarea", { class: "rescued", readonly: "", rows: "3", "aria-label": "Your words, not saved" });
    words.value = field.box.value;
    const copy = button("Copy it", async () => {
      words.select();
      await navigator.clipboard?.writeText(words.value).then(() => say("Copied."), () => undefined);
    });
    const said = `Not saved: ${of} was taken out while you were writing its ${label}. These were your words:`;
    return tell(`lost ${field.part}`, "bad", [said, words], { buttons: [copy] });
  }

  function close(now) {
    closed = now ? `the edition is ${now} now` : "the edition is on its way";
    for (const field of all()) {
      if (field.isDirty) field.refused = closed;
      field.box.readOnly = true;
      field.show();
    }
    const notice = tell("closed", "warn", [`${sentence(closed)}. What you wrote is left as it is, and nothing more is saved from here.`], { again: true });
    if (document.activeElement?.matches("#workbench button, #workbench input")) notice.focus();
    for (const it of bench.querySelectorAll(".writing-side :is(form button, .handle, [data-move], .note input)")) it.disabled = true;
    show();
  }

  const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}`;

  // The old made like the fresh, keeping every node that is in both: so nobody loses focus, caret or scroll.
  function morph(old, fresh) {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.matches(".writing, .was, [data-own]")) return;
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (old.type === "checkbox") old.checked = fresh.checked;
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const same = next.id ? [...old.childNodes].find((each) => each.id === next.id) : like(at, next) ? at : null;
      if (!same) {
        old.insertBefore(document.importNode(next, true), at);
        continue;
      }
      // What has the focus stays; the others go behind it, and are found there again.
      if (same.contains(document.activeElement)) while (at !== same) at = [at.nextSibling, old.append(at)][0];
      else if (same !== at) old.insertBefore(same, at);
      else at = at.nextSibling;
      if (at === same) at = at.nextSibling;
      morph(same, next);
    }
    while (at) at = [at.nextSibling, at.remove()][0];
  }

  const like = (old, fresh) =>
    old && !old.id && old.nodeName === fresh.nodeName && old.dataset?.of === fresh.dataset?.of && old.dataset?.part === fresh.dataset?.part;

  // — preview and checks —

  // A new frame is loaded behind the old one and shown at the same place of the mail.
  function refreshPreview() {
    const sheet = document.querySelector(".sheet");
    const old = sheet.querySelector("iframe:not(.is-coming)");
    sheet.querySelector("iframe.is-coming")?.remove();
    const coming = old.cloneNode();
    coming.classList.add("is-coming");
    coming.setAttribute("loading", "eager");
    coming.setAttribute("aria-hidden", "true");
    coming.setAttribute("tabindex", "-1");
    coming.addEventListener("load", () => {
      if (old.contentDocument && !coming.contentDocument) return coming.remove(); // it did not come
      coming.contentWindow?.scrollTo?.(0, old.contentWindow?.scrollY ?? 0);
      for (const name of ["aria-hidden", "tabindex"]) coming.removeAttribute(name);
      coming.classList.remove("is-coming");
      old.remove();
    });
    sheet.append(coming);
  }

  let lastChecks = 0;
  async function refreshChecks() {
    const mine = (lastChecks += 1);
    try {
      const text = await (await ask("/checks?fragment=list")).text();
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("checks");
      const old = document.getElementById("checks");
      if (mine !== lastChecks || !fresh || old.contains(document.activeElement)) return;
      old.replaceWith(document.adoptNode(fresh));
      sayChecks(fresh.dataset);
    } catch {
      // The link in its place leads there all the same.
    }
  }

  function sayChecks({ blocking, warnings, overridden }) {
    const said = document.getElementById("checks-said");
    if (!said || blocking === undefined) return;
    const warned = Number(warnings) === 1 ? "1 warning" : `${warnings} warnings`;
    if (Number(blocking)) said.textContent = Number(blocking) === 1 ? "1 check blocks" : `${blocking} checks block`;
    else said.textContent = Number(warnings) ? `Nothing blocks, ${warned}` : "Nothing blocks";
    if (Number(overridden)) said.append(`, ${overridden} overridden`);
    said.classList.toggle("is-bad", Number(blocking) > 0);
  }

  // — all of it —

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#show-outside, #show-history");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    wide.add(link.id.replace("show-", ""));
    const heading = link.closest("section").querySelector("h2");
    freshen({ whole: true }).then(() => say(heading.textContent.trim()));
  });

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      flush();
    }
  });

  addEventListener("beforeunload", (event) => {
    const wasBusy = waiting > 0;
    const isAnyUnsaved = all().some((field) => field.isUnsaved) || news.querySelector(".rescued");
    flush(); // what is only not yet sent goes out behind the page
    if (isAnyUnsaved || (wasBusy && all().some((field) => field.isDirty))) event.preventDefault();
  });
  addEventListener("pagehide", flush);
  addEventListener("online", look);
  document.addEventListener("visibilitychange", () => (document.hidden ? flush() : look()));
  document.addEventListener("desk:free", freshenSoon);

  async function look() {
    if (document.hidden || waiting || closed || !state) return;
    try {
      const found = await (await ask(`?fragment=revision&since=${revision}`)).json();
      if (waiting || closed) return;
      if (trouble) {
        trouble = "";
        show();
      }
      if (found.state === bench.dataset.state) flush(); // what had no answer before; but never into an approved edition
      if (waiting) return;
      if (isBehind || found.revision > revision || found.state !== bench.dataset.state) await freshen({ whole: true });
    } catch (problem) {
      if (problem instanceof SignedOut) trouble = whyNot(problem);
      show();
    }
  }

  adopt();
  show();
  refreshChecks();
  setInterval(look, LOOK);
});
