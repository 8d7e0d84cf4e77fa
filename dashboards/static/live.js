// Parts of a page that stay up to date, until the reader lets them pause.
// Without this file a link loads the page again.

const EVERY_MS = 5000;
const control = document.querySelector("[data-live-control]");
let paused = false;

async function renew() {
  const answer = await fetch(location.pathname, { cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const text = await answer.text();
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const renewed = page.getElementById(part.id);
    // not what is read, or reached by keyboard, at the moment
    if (!renewed || part.contains(document.activeElement)) continue;
    if (renewed.innerHTML !== part.innerHTML) part.replaceChildren(...renewed.childNodes);
  }
}

async function live() {
  if (!paused && !document.hidden) await renew().catch(() => {});
  setTimeout(live, EVERY_MS);
}

if (control) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = control.dataset.pause;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? control.dataset.resume : control.dataset.pause;
  });
  control.append(" ", button);
  setTimeout(live, EVERY_MS);
}
