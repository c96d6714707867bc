// One press is one press. Without this script the server sees to that.
(() => {
  "use strict";
  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "yes";
      form.querySelector("button").setAttribute("aria-disabled", "true");
    });
  }
  // Back from somewhere else, the page is as it was left, and its buttons must work again.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
})();
