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

  // What somebody else does meanwhile: the server would refuse the button, so it is said before one presses it.
  const meanwhile = document.getElementById("meanwhile");
  const isSame = (found) => found.state === "draft" && found.revision === Number(meanwhile.dataset.revision);
  if (meanwhile) {
    window.deskLooks(meanwhile.dataset.week, isSame, (found) => {
      const isDraft = found.state === "draft";
      meanwhile.querySelector("p").textContent = isDraft
        ? "Somebody has changed this edition since: what stands here is no longer what would go out."
        : `This edition is ${found.state} by now.`;
      meanwhile.hidden = false;
      const button = document.querySelector(".press button");
      if (button) button.disabled = true;
    });
  }
})();
